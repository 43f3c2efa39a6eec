//! What should be beside what is: `plan` and `apply` have this in common.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::bail;
use contract::Function;

use crate::aws::{Aws, apigateway, s3};
use crate::live::{self, Known, Suffix};
use crate::package::{Artifact, Packed};
use crate::plan::{self, Plan};
use crate::session::{PackingTask, Session};
use crate::settings::{Auth, Package, Settings};
use crate::stack::id::{Id, Purpose};
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
    /// Who may call the stack that is there, where the settings do not say that it is to be somebody else.
    pub unasked: Option<Auth>,
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
    let unasked = unasked(aws, &settings, &names, &live).await?;
    let on_trial = on_trial(&live);
    Ok(Compared { plan, names, api_id, artifacts, on_trial, unasked })
}

/// A stack of before people could sign in is not switched by a default, nor are images that were kept of one: they
/// are everybody's, and so no user's.
async fn unasked(
    aws: &Aws,
    settings: &Settings,
    names: &Names,
    live: &Stack,
) -> anyhow::Result<Option<Auth>> {
    if settings.auth_is_written {
        return Ok(None);
    }
    if let Some(auth) = stack::auth_of(live) {
        return Ok((auth != settings.auth).then_some(auth));
    }
    let kept = live.contains_key(&Id::Bucket) && !live.contains_key(&Id::Table(Purpose::Access));
    let images = kept && s3::objects::count_images(aws, &names.bucket, 1).await? > 0;
    Ok(images.then_some(Auth::ApiKey))
}

/// Refuses what nobody asked for, after it was shown.
pub fn check_asked(unasked: Option<Auth>) -> anyhow::Result<()> {
    let Some(auth) = unasked else { return Ok(()) };
    let (name, who) = match auth {
        Auth::Users => ("users", "users who sign in"),
        Auth::ApiKey => ("api-key", "whoever has its API key"),
        Auth::None => ("none", "anyone"),
    };
    bail!(
        "nothing was changed: this stack is for {who}, and cloudpix.toml does not say whether it is to stay so. Write \
         auth = {name:?} to keep it, or auth = \"users\" to have people sign in, to whom images of before do not belong"
    )
}

fn on_trial(live: &Stack) -> BTreeSet<Function> {
    let on_trial = |is: &Resource| match is {
        Resource::Alias(function, alias) if alias.on_trial.0 => Some(*function),
        _ => None,
    };
    live.values().filter_map(on_trial).collect()
}
