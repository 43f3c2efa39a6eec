//! What should be beside what is: `plan` and `apply` have this in common.

use std::collections::{BTreeMap, BTreeSet};

use contract::Function;

use crate::aws::apigateway;
use crate::live::{self, Known, Suffix};
use crate::package::{Artifact, Packed};
use crate::plan::{self, Plan};
use crate::session::{PackingTask, Session};
use crate::settings::Package;
use crate::stack::place::Names;
use crate::stack::resource::Resource;
use crate::stack::{self, Stack};
use crate::state::StackRecord;

pub struct Compared {
    pub plan: Plan,
    pub names: Names,
    /// The REST API's id, where there is one.
    pub api_id: Option<String>,
    pub artifacts: BTreeMap<Function, Artifact>,
    /// The functions whose version is on trial still, from a run that did not come to the end of it.
    pub on_trial: BTreeSet<Function>,
}

pub async fn compare(
    Session { settings, aws, .. }: &Session,
    record: &StackRecord,
    suffix: Suffix,
    packing: PackingTask,
) -> anyhow::Result<Compared> {
    let names = record.names();
    let (api, users) = (record.api_id.as_deref(), settings.has_users());
    let look = |code| live::look(aws, &names, Known { api, suffix, code, users });
    let (nothing, may_log) = (BTreeMap::new(), apigateway::may_log(aws));
    let (Packed { code, artifacts }, (api_id, live), may_log) = match settings.package {
        // No zip file is looked for on AWS, so they may be packed meanwhile.
        Package::Zip => tokio::try_join!(async { packing.await? }, look(&nothing), may_log)?,
        Package::Image => {
            let packed = packing.await??;
            let (found, may_log) = tokio::try_join!(look(&packed.code), may_log)?;
            (packed, found, may_log)
        }
    };
    let mut settings = settings.clone();
    settings.access_logs &= may_log;
    let mut desired = stack::desired(&settings, &aws.place, &names, &code);
    stack::know_roles(&mut desired, &live);
    stack::know_sign_in(&mut desired, &live);
    stack::keep_stopped(&mut desired, &live);
    let plan = plan::checked(plan::plan(&desired, &live, &names))?;
    let on_trial = on_trial(&live);
    Ok(Compared { plan, names, api_id, artifacts, on_trial })
}

fn on_trial(live: &Stack) -> BTreeSet<Function> {
    let on_trial = |is: &Resource| match is {
        Resource::Alias(function, alias) if alias.on_trial.0 => Some(*function),
        _ => None,
    };
    live.values().filter_map(on_trial).collect()
}
