//! `provision destroy`: removes the stack.

use std::process::ExitCode;

use anyhow::bail;

use crate::aws::{Aws, cognito, s3};
use crate::cli::{Common, Run};
use crate::session::Locked;
use crate::stack::Stack;
use crate::stack::id::Id;
use crate::stack::place::Names;
use crate::stack::resource::Resource;
use crate::{outputs, plan, report, settings};

/// What becomes of the images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Images {
    /// A stack is removed only where there are none.
    Refuse,
    Delete,
    Keep,
}

impl Images {
    pub fn choice(delete: bool, keep: bool) -> Images {
        match (delete, keep) {
            (true, _) => Images::Delete,
            (_, true) => Images::Keep,
            _ => Images::Refuse,
        }
    }
}

pub async fn run(common: &Common, run: &Run, images: Images) -> anyhow::Result<ExitCode> {
    let settings = settings::load(common.config.as_deref(), &common.env, None)?;
    if settings.protected {
        bail!(
            "the environment {} is protected, so it is not destroyed; take `protected` out of its settings first",
            settings.env
        );
    }
    let mut locked = Locked::open(common, &settings).await?;
    if images == Images::Keep {
        locked.live.retain(|id, _| !matches!(id, Id::Bucket | Id::Table(_) | Id::UserPool));
    } else if locked.live.contains_key(&Id::Bucket) {
        guard_images(&locked.aws, &locked.names, images).await?;
    }
    let Locked { aws, names, live, .. } = &locked;
    let plan = plan::checked(plan::plan(&Stack::new(), live, names))?;
    report::plan_to_person(&plan, names, &aws.place);
    let users = users(aws, live).await?;
    let with_users = users.as_ref().map(|users| format!(", with {users}")).unwrap_or_default();
    // Unattended it goes on where nobody is to be asked: what could lose an image was refused above.
    if !plan.is_empty() && !run.yes && (report::is_attended() || users.is_some()) {
        report::confirm(&format!("Remove the stack {}{with_users} for good?", names.stack), "--yes")?;
    }
    let done = locked.run(&plan, run).await?;
    if images != Images::Keep {
        locked.store.remove().await?;
        outputs::forget_key(&common.state_dir, &common.env)?;
    }
    report::destroyed(&plan, &done, names, images == Images::Keep, common.json)?;
    Ok(ExitCode::SUCCESS)
}

/// How many users would go with the stack, in words, where there are any: nothing brings them back.
async fn users(aws: &Aws, live: &Stack) -> anyhow::Result<Option<String>> {
    const ENOUGH: usize = 1_000;
    let Some(Resource::UserPool(pool)) = live.get(&Id::UserPool) else { return Ok(None) };
    let Some(id) = &pool.id else { return Ok(None) };
    Ok(match cognito::count(aws, id, ENOUGH).await? {
        0 => None,
        1 => Some("1 user".to_owned()),
        ENOUGH.. => Some(format!("{ENOUGH} users or more")),
        count => Some(format!("{count} users")),
    })
}

async fn guard_images(aws: &Aws, names: &Names, images: Images) -> anyhow::Result<()> {
    const ENOUGH: usize = 10_000;
    let count = s3::objects::count_images(aws, &names.bucket, ENOUGH).await?;
    if count == 0 || images == Images::Delete {
        return Ok(());
    }
    let (count, more) = (count.min(ENOUGH), if count >= ENOUGH { " or more" } else { "" });
    bail!(
        "images in the bucket {}: {count}{more}; delete them too with --delete-images (make destroy \
         DELETE_IMAGES=1), or keep bucket and table with --keep-images (make destroy KEEP_IMAGES=1)",
        names.bucket
    )
}
