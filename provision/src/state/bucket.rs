//! State in a bucket, for a team. Every write and delete is on the condition that nobody else wrote since,
//! and the lock is a file that only one can create. Its holder writes it anew again and again (`hold`); when it
//! stays as it is for long enough, its holder is gone. No clock is compared with another machine's.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::hold::{Claim, Hold, Lost, Sent};
use super::holder::Holder;
use crate::aws::s3::shared::{Condition, Folder, Found};

/// A lock that nobody renewed for so long is a dead run's.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Bucket {
    folder: Folder,
    env: String,
    /// Entity tag of the state as it was last read or written here.
    seen: Mutex<Option<String>>,
    /// While the lock is held here.
    hold: Mutex<Option<Arc<Hold>>>,
}

impl Bucket {
    pub(super) fn new(folder: Folder, env: &str) -> Bucket {
        Bucket { folder, env: env.to_owned(), seen: Mutex::default(), hold: Mutex::default() }
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

    fn seen(&self) -> Option<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn hold(&self) -> Option<Arc<Hold>> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// An error where the lock was held here and is another run's by now.
    pub(super) async fn check_lock(&self) -> anyhow::Result<()> {
        match self.hold() {
            Some(hold) => hold.check().await,
            None => Ok(()),
        }
    }

    /// Ends when the lock is lost.
    pub(super) async fn lost(&self) -> Lost {
        match self.hold() {
            Some(hold) => hold.lost().await,
            None => std::future::pending().await,
        }
    }

    pub(super) async fn load(&self) -> anyhow::Result<Option<Vec<u8>>> {
        let found = self.folder.get(&self.name()).await?;
        self.see(found.as_ref().map(|found| found.etag.clone()));
        Ok(found.map(|found| found.bytes))
    }

    fn changed(&self) -> String {
        format!("{} was changed by another run meanwhile; run again, and it goes on from there", self.url())
    }

    pub(super) async fn save(&self, bytes: Vec<u8>) -> anyhow::Result<()> {
        self.check_lock().await?;
        let only = self.seen().map_or(Condition::Absent, Condition::Unchanged);
        let written = self.folder.put(&self.name(), bytes, &only).await?;
        self.see(Some(written.with_context(|| self.changed())?));
        Ok(())
    }

    pub(super) async fn remove(&self) -> anyhow::Result<()> {
        self.check_lock().await?;
        let Some(etag) = self.seen() else { return Ok(()) };
        ensure!(self.folder.delete(&self.name(), &etag).await?, self.changed());
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
        let (claim, sent) = (Claim::new(), Sent::now());
        if let Some(etag) = self.folder.put(&name, claim.bytes()?, &Condition::Absent).await? {
            return Ok((self.hold_from(name, claim, etag, sent), None));
        }
        let Some(there) = self.folder.get(&name).await? else {
            bail!("another run has just ended; run again");
        };
        let holder = Claim::parse(&there.bytes).map(|claim| claim.holder);
        self.wait_for_renewal(&name, &there, holder.as_ref()).await?;
        let (claim, sent) = (Claim::new(), Sent::now());
        let taken = self.folder.put(&name, claim.bytes()?, &Condition::Unchanged(there.etag)).await?;
        let etag =
            taken.context("another run took the lock over at the same moment; wait until it is done")?;
        Ok((self.hold_from(name, claim, etag, sent), holder))
    }

    fn hold_from(&self, name: String, claim: Claim, etag: String, sent: Sent) -> BucketLock {
        let hold = Arc::new(Hold::new(self.folder.clone(), name, claim, etag, sent));
        *self.hold.lock().unwrap_or_else(PoisonError::into_inner) = Some(hold.clone());
        let renewed = hold.clone();
        BucketLock { hold, renewing: tokio::spawn(async move { renewed.renew_until_lost().await }) }
    }

    /// Ends well when the lock's holder gives no sign of life, and with an error that names it when it does.
    async fn wait_for_renewal(
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
    hold: Arc<Hold>,
    renewing: JoinHandle<()>,
}

impl Drop for BucketLock {
    fn drop(&mut self) {
        self.renewing.abort();
        // Where this fails, the next run waits until the lock looks dead.
        let _ = tokio::task::block_in_place(|| Handle::current().block_on(self.hold.release()));
    }
}
