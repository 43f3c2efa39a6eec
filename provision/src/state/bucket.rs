//! State in a bucket, for a team. Every write is on the condition that nobody else wrote since, and the
//! lock is a file that only one can create. Its holder writes it anew again and again; when it stays as
//! it is for long enough, its holder is gone. No clock is compared with another machine's.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::holder::Holder;
use crate::aws::s3::shared::{Condition, Folder, Found};

/// How often a holder shows that it is alive.
const RENEWAL: Duration = Duration::from_secs(5);
/// A lock that nobody renewed for so long is a dead run's.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Bucket {
    folder: Folder,
    env: String,
    /// Entity tag of the state as it was last read or written here.
    seen: Mutex<Option<String>>,
}

#[derive(Serialize, Deserialize)]
struct Claim {
    holder: Holder,
    /// Counts up, so that each renewal is another file.
    renewal: u64,
}

impl Bucket {
    pub(super) fn new(folder: Folder, env: &str) -> Bucket {
        Bucket { folder, env: env.to_owned(), seen: Mutex::default() }
    }

    fn name(&self) -> String {
        format!("{}.json", self.env)
    }

    pub(super) fn url(&self) -> String {
        self.folder.url(&self.name())
    }

    fn see(&self, etag: Option<String>) {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = etag;
    }

    pub(super) async fn load(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let found = self.folder.get(&self.name()).await?;
        self.see(found.as_ref().map(|found| found.etag.clone()));
        Ok(found.map(|found| found.bytes))
    }

    pub(super) async fn save(&self, bytes: Vec<u8>) -> anyhow::Result<()> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let only = seen.map_or(Condition::Absent, Condition::Unchanged);
        let written = self.folder.put(&self.name(), bytes, &only).await?;
        let etag = written.with_context(|| {
            format!(
                "{} was changed by another run meanwhile; run again, and it goes on from there",
                self.url()
            )
        })?;
        self.see(Some(etag));
        Ok(())
    }

    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        self.folder.delete(&self.name()).await?;
        self.see(None);
        Ok(())
    }

    /// The lock, and the holder that it was taken over from.
    pub(super) async fn lock(&self) -> anyhow::Result<(BucketLock, Option<Holder>)> {
        ensure!(
            self.folder.is_versioned().await?,
            "the bucket {} of state.backend keeps no old versions, so a mistake could not be undone; turn \
             versioning on: aws s3api put-bucket-versioning --bucket {0} --versioning-configuration Status=Enabled",
            self.folder.bucket
        );
        let name = format!("{}.lock", self.env);
        let mut claim = Claim { holder: Holder::this(), renewal: 0 };
        if let Some(etag) = self.folder.put(&name, serde_json::to_vec(&claim)?, &Condition::Absent).await? {
            return Ok((BucketLock::begin(self.folder.clone(), name, claim, etag), None));
        }
        let Some(there) = self.folder.get(&name).await? else {
            bail!("another run has just ended; run again");
        };
        let holder: Option<Holder> =
            serde_json::from_slice(&there.bytes).map(|claim: Claim| claim.holder).ok();
        self.wait_for_a_sign(&name, &there, holder.as_ref()).await?;
        claim.holder = Holder::this();
        let taken =
            self.folder.put(&name, serde_json::to_vec(&claim)?, &Condition::Unchanged(there.etag)).await?;
        let etag =
            taken.context("another run took the lock over at the same moment; wait until it is done")?;
        Ok((BucketLock::begin(self.folder.clone(), name, claim, etag), holder))
    }

    /// Ends well when the lock's holder gives no sign of life, and with an error that names it when it does.
    async fn wait_for_a_sign(
        &self,
        name: &str,
        there: &Found,
        holder: Option<&Holder>,
    ) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            sleep(LOOK).await;
            let now = self.folder.get(name).await?;
            if now.is_none_or(|now| now.etag != there.etag) {
                let holder = holder.map_or_else(|| "its name cannot be read".to_owned(), ToString::to_string);
                bail!("another run is changing this stack: {holder}; wait until it is done");
            }
        }
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct BucketLock {
    folder: Folder,
    name: String,
    renewing: JoinHandle<()>,
}

impl BucketLock {
    fn begin(folder: Folder, name: String, mut claim: Claim, mut etag: String) -> BucketLock {
        let renewed = (folder.clone(), name.clone());
        let renewing = tokio::spawn(async move {
            let (folder, name) = renewed;
            loop {
                sleep(RENEWAL).await;
                claim.renewal += 1;
                let Ok(bytes) = serde_json::to_vec(&claim) else { return };
                match folder.put(&name, bytes, &Condition::Unchanged(etag.clone())).await {
                    Ok(Some(renewed)) => etag = renewed,
                    // Taken over: this run was asleep for too long, and its next save is refused.
                    Ok(None) => return,
                    // AWS is away; the next time may go well.
                    Err(_) => (),
                }
            }
        });
        BucketLock { folder, name, renewing }
    }
}

impl Drop for BucketLock {
    fn drop(&mut self) {
        self.renewing.abort();
        // Where this fails, the next run waits until the lock looks dead.
        let _ = tokio::task::block_in_place(|| Handle::current().block_on(self.folder.delete(&self.name)));
    }
}
