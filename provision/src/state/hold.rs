//! A lock in a bucket while it is held: its holder shows again and again that it is alive, and knows when
//! another run has taken it over. A machine may sleep at any moment and for any time, so whoever is about
//! to begin something asks first (`check`).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use tokio::sync::{Mutex as Turn, watch};
use tokio::time::{sleep, timeout};

use super::holder::Holder;
use crate::aws::s3::shared::{Condition, Folder};

/// How often a holder shows that it is alive.
const RENEWAL: Duration = Duration::from_secs(5);
/// For so long after a sign of life, the lock is known to be ours. It leaves time before `PATIENCE`, the
/// other side's, for what is then begun.
const FRESH: Duration = Duration::from_secs(12);

/// Tries of a renewal, each of which finds an earlier one that had got lost.
const TRIES: usize = 3;

/// What is in the file of a lock.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claim {
    pub holder: Holder,
    /// Drawn by each run, so that it knows its own claim again.
    #[serde(default)]
    id: String,
    /// Counts up, so that each renewal is another file.
    renewal: u64,
}

impl Claim {
    pub(super) fn new() -> Claim {
        Claim { holder: Holder::this(), id: format!("{:032x}", rand::random::<u128>()), renewal: 0 }
    }

    pub(super) fn bytes(&self) -> anyhow::Result<Vec<u8>> {
        Ok(serde_json::to_vec(self)?)
    }

    /// `None` where it is no claim.
    pub(super) fn parse(bytes: &[u8]) -> Option<Claim> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The lock was taken over by another run, since this one gave no sign of life for too long.
#[derive(Clone, Debug, thiserror::Error)]
#[error("another run has taken over the lock {lock} meanwhile ({by}), so this one starts nothing more{}; \
         run again when the other one has ended", to_go(*.left))]
pub struct Lost {
    lock: String,
    by: String,
    /// Steps, of a run that counts them.
    left: Option<usize>,
}

impl Lost {
    pub fn with_steps_to_go(self, steps: usize) -> Lost {
        Lost { left: Some(steps), ..self }
    }
}

fn to_go(steps: Option<usize>) -> String {
    steps.map_or_else(String::new, |steps| format!(" with {steps} steps to go"))
}

/// A moment, by both clocks: one is never set, and stands still while the machine sleeps; the other is set
/// at will, and goes on.
#[derive(Clone, Copy, Debug)]
struct Moment(Instant, SystemTime);

impl Moment {
    fn now() -> Moment {
        Moment(Instant::now(), SystemTime::now())
    }

    /// The longer of what the clocks say. One that was set back says nothing that could be relied on.
    fn age(self) -> Duration {
        self.0.elapsed().max(self.1.elapsed().unwrap_or(Duration::MAX))
    }
}

/// What was last written, and its entity tag.
#[derive(Debug)]
struct Written {
    claim: Claim,
    etag: String,
}

#[derive(Debug)]
pub(super) struct Hold {
    folder: Folder,
    name: String,
    /// Who writes or deletes the file has the turn.
    written: Turn<Written>,
    /// When the last sign of life that S3 has taken was sent.
    at: Mutex<Moment>,
    lost: watch::Sender<Option<Lost>>,
}

impl Hold {
    /// `sent` is from before the claim was written.
    pub(super) fn new(folder: Folder, name: String, claim: Claim, etag: String, sent: Sent) -> Hold {
        let (at, lost) = (Mutex::new(sent.0), watch::Sender::new(None));
        Hold { folder, name, written: Turn::new(Written { claim, etag }), at, lost }
    }

    /// Shows signs of life until the lock is lost.
    pub(super) async fn renew_until_lost(&self) {
        while self.lost.borrow().is_none() {
            sleep(RENEWAL).await;
            // Where AWS is away, or a response does not come, the next time may go well. On a slow line that something
            // large is being sent on, a response takes long.
            let _ = timeout(FRESH, self.renew()).await;
        }
    }

    /// Shows a sign of life, or finds that the lock is lost.
    ///
    /// Where S3 refuses it because of an earlier one, whose response never came, nothing is known of when S3 took
    /// that: it may have been long ago. So another sign is sent on top of it, and only one that S3 takes counts, from
    /// the moment before it was sent.
    async fn renew(&self) -> anyhow::Result<()> {
        let mut written = self.written.lock().await;
        for _ in 0..TRIES {
            let sent = Moment::now();
            written.claim.renewal += 1;
            let only = Condition::Unchanged(written.etag.clone());
            if let Some(etag) = self.folder.put(&self.name, written.claim.bytes()?, &only).await? {
                written.etag = etag;
                *self.at.lock().unwrap_or_else(PoisonError::into_inner) = sent;
                return Ok(());
            }
            match self.find(&written.claim).await? {
                Ok(etag) => written.etag = etag,
                Err(lost) => {
                    self.lost.send_replace(Some(lost));
                    return Ok(());
                }
            }
        }
        bail!(
            "cannot renew the lock {}: an earlier renewal gets in the way each time",
            self.folder.url(&self.name)
        )
    }

    /// The entity tag of what is there, if that is an earlier sign of life of this run, whose response it
    /// never got.
    async fn find(&self, claim: &Claim) -> anyhow::Result<Result<String, Lost>> {
        let found = self.folder.get(&self.name).await?;
        let by = match found.map(|found| (Claim::parse(&found.bytes), found.etag)) {
            Some((Some(other), etag)) if other.id == claim.id => return Ok(Ok(etag)),
            Some((Some(other), _)) => other.holder.to_string(),
            Some((None, _)) => "its name cannot be read".to_owned(),
            None => "it has ended already".to_owned(),
        };
        Ok(Err(Lost { lock: self.folder.url(&self.name), by, left: None }))
    }

    fn ensure_not_lost(&self) -> anyhow::Result<()> {
        match &*self.lost.borrow() {
            Some(lost) => Err(lost.clone().into()),
            None => Ok(()),
        }
    }

    /// An error, [`Lost`], where the lock is another run's by now.
    pub(super) async fn check(&self) -> anyhow::Result<()> {
        self.ensure_not_lost()?;
        let at = *self.at.lock().unwrap_or_else(PoisonError::into_inner);
        if at.age() < FRESH {
            return Ok(());
        }
        self.renew().await.context("find out whether the lock is still this run's")?;
        self.ensure_not_lost()
    }

    /// Ends when the lock is lost.
    pub(super) async fn lost(&self) -> Lost {
        let mut lost = self.lost.subscribe();
        // The sender lives as long as this does, so what ends the wait is a loss.
        match lost.wait_for(Option::is_some).await.ok().and_then(|lost| lost.clone()) {
            Some(lost) => lost,
            None => std::future::pending().await,
        }
    }

    /// Deletes the file, if it is this run's.
    pub(super) async fn release(&self) -> anyhow::Result<()> {
        if self.lost.borrow().is_some() {
            return Ok(());
        }
        let mut written = self.written.lock().await;
        while !self.folder.delete(&self.name, &written.etag).await? {
            // A sign of life may have got there whose response was not waited for.
            match self.find(&written.claim).await? {
                Ok(etag) if etag != written.etag => written.etag = etag,
                _ => break,
            }
        }
        Ok(())
    }
}

/// The moment before a claim is written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent(Moment);

impl Sent {
    pub(super) fn now() -> Sent {
        Sent(Moment::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::s3::shared::fake;

    #[test]
    fn a_moment_is_as_old_as_the_older_of_two_clocks_says() {
        let hour = Duration::from_hours(1);
        let asleep = Moment(Instant::now(), SystemTime::now() - hour);
        assert!(asleep.age() >= hour);
        let set_back = Moment(Instant::now(), SystemTime::now() + hour);
        assert_eq!(set_back.age(), Duration::MAX);
        assert!(Moment::now().age() < FRESH);
    }

    /// A renewal whose response never came is in the way of the next one. When S3 took it is not known.
    #[tokio::test]
    async fn a_sign_of_life_counts_from_before_it_was_sent_and_only_if_s3_took_it() {
        let long_ago = || {
            let (instant, time) = (Instant::now(), SystemTime::now());
            Sent(Moment(instant, time - Duration::from_hours(1)))
        };
        let age = |hold: &Hold| hold.at.lock().unwrap().age();
        for takes_more in [true, false] {
            let bucket = fake::Bucket::default();
            let claim = Claim::new();
            bucket.put("default.lock", &Claim { renewal: 7, ..claim.clone() }.bytes().unwrap());
            let folder = bucket.folder();
            let hold =
                Hold::new(folder, "default.lock".to_owned(), claim, "\"before\"".to_owned(), long_ago());
            bucket.fail_from_put(if takes_more { usize::MAX } else { 1 });
            let renewed = hold.renew().await;
            assert_eq!(renewed.is_ok(), takes_more, "{renewed:?}");
            assert_eq!(age(&hold) < FRESH, takes_more, "an old sign of life was taken for a new one");
            assert_eq!(bucket.puts(), 2, "the second is on top of the one that was found");
            assert!(hold.ensure_not_lost().is_ok());
        }
    }

    #[test]
    fn a_run_knows_its_own_claim_and_reads_those_of_before() {
        let (one, two) = (Claim::new(), Claim::new());
        assert_ne!(one.id, two.id);
        assert_eq!(Claim::parse(&one.bytes().unwrap()).unwrap().id, one.id);
        let old = br#"{"holder":{"user":"aoi","host":"desk","process":7,"since":"x"},"renewal":3}"#;
        assert_ne!(Claim::parse(old).unwrap().id, one.id);
    }
}
