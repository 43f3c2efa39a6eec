//! `state/<env>.json`: what AWS invented and what chance drew, and nothing that can be computed.
//!
//! Only this module knows the file, on this machine (`folder`) or for a team in S3 (`bucket`). It is
//! whole at any moment; while a run changes the stack, a lock beside it keeps a second run out.

use std::path::Path;

use anyhow::{Context, ensure};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use self::bucket::{Bucket, BucketLock};
use self::folder::{Folder, FolderLock};
use crate::aws::s3::shared;
use crate::aws::{self, Aws};
use crate::settings::{Settings, StateBucket};
use crate::stack::place::{Names, Place, stack_name};

mod bucket;
mod folder;
mod hold;
mod holder;

pub use hold::Lost;

const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StackRecord {
    version: u32,
    pub stack: String,
    pub env: String,
    pub account: String,
    pub region: String,
    /// End of the bucket's name, drawn once.
    pub suffix: String,
    /// The REST API's id; `None` until it is made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_id: Option<String>,
}

impl StackRecord {
    pub fn new(env: &str, place: &Place, suffix: String) -> StackRecord {
        let (account, region) = (place.account.clone(), place.region.clone());
        StackRecord {
            version: VERSION,
            stack: stack_name(env),
            env: env.to_owned(),
            account,
            region,
            suffix,
            api_id: None,
        }
    }

    /// What everything in the stack is called.
    pub fn names(&self) -> Names {
        Names::new(&self.env, &self.region, &self.suffix)
    }

    /// Eight characters that a bucket's name may hold: one name in 2.8 million million.
    pub fn draw_suffix() -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut rng = rand::rng();
        (0..8).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
    }

    /// Refuses to go on in another account or region than the stack's.
    pub fn check_place(&self, place: &Place, path: &str) -> anyhow::Result<()> {
        ensure!(
            self.account == place.account,
            "the stack {} recorded in {path} is in the account {}, and these credentials are of {}; use the \
             credentials of the former, or another environment: --env NAME",
            self.stack,
            self.account,
            place.account
        );
        ensure!(
            self.region == place.region,
            "the stack {} recorded in {path} is in the region {}, and the region now is {}; set AWS_REGION={}, or \
             use another environment: --env NAME",
            self.stack,
            self.region,
            place.region,
            self.region
        );
        Ok(())
    }

    fn check(&self, env: &str) -> anyhow::Result<()> {
        ensure!(
            self.version == VERSION,
            "it has version {}, and this provision knows version {VERSION}; use the provision that wrote it",
            self.version
        );
        ensure!(self.env == env, "it is of the environment {:?}, not of {env:?}", self.env);
        // Each becomes part of a name, of a host that gets the API key, or of a line for a shell.
        let stack = stack_name(env);
        ensure!(self.stack == stack, "its stack is {:?}, and not {stack}", self.stack);
        let digits = |c: char| c.is_ascii_digit();
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        let account = self.account.len() == 12 && self.account.chars().all(digits);
        ensure!(account, "its account {:?} is not twelve digits", self.account);
        ensure!(aws::is_region(&self.region), "its region {:?} is not the name of one", self.region);
        ensure!(
            self.suffix.len() == 8 && self.suffix.chars().all(legal),
            "its suffix {:?} is not eight lower-case letters and digits",
            self.suffix
        );
        // AWS's have ten characters, MiniStack's eight.
        let id = |id: &String| (4..=32).contains(&id.len()) && id.chars().all(legal);
        ensure!(
            self.api_id.as_ref().is_none_or(id),
            "its apiId {:?} is not the id of a REST API: lower-case letters and digits, ten on AWS",
            self.api_id.as_deref().unwrap_or_default()
        );
        Ok(())
    }
}

/// Where the record of one environment lies.
#[derive(Debug)]
pub struct Store {
    env: String,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Folder(Folder),
    Bucket(Bucket),
}

impl Store {
    /// In the folder, or in the bucket that the settings name.
    pub fn new(folder: &Path, settings: &Settings, aws: &Aws) -> Store {
        let env = &settings.env;
        let backend = match &settings.state_bucket {
            None => Backend::Folder(Folder::new(folder, env)),
            Some(StateBucket { bucket, prefix }) => {
                Backend::Bucket(Bucket::new(shared::Folder::new(aws, bucket, prefix), env))
            }
        };
        Store { env: env.clone(), backend }
    }

    /// In the folder.
    pub fn local(folder: &Path, env: &str) -> Store {
        Store { env: env.to_owned(), backend: Backend::Folder(Folder::new(folder, env)) }
    }

    /// A path, or a URL in S3.
    pub fn place(&self) -> String {
        match &self.backend {
            Backend::Folder(folder) => folder.path().display().to_string(),
            Backend::Bucket(bucket) => bucket.url(),
        }
    }

    /// The record, or `None` where there is none. A broken one is an error, never an empty stack.
    pub async fn load(&self) -> anyhow::Result<Option<StackRecord>> {
        let bytes = match &self.backend {
            Backend::Folder(folder) => folder.load()?,
            Backend::Bucket(bucket) => bucket.load().await?,
        };
        bytes.map(|bytes| self.parse(&bytes)).transpose()
    }

    fn parse(&self, bytes: &[u8]) -> anyhow::Result<StackRecord> {
        let record = serde_json::from_slice(bytes)
            .map_err(anyhow::Error::new)
            .and_then(|record: StackRecord| record.check(&self.env).map(|()| record));
        record.with_context(|| {
            format!(
                "the state file {0} cannot be used; put back a good copy, or move it away: the next `provision apply` \
                 then finds the stack again by its tags",
                self.place()
            )
        })
    }

    /// Writes the record so that a crash leaves the old one or the new one, whole.
    pub async fn save(&self, record: &StackRecord) -> anyhow::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(record)?;
        bytes.push(b'\n');
        match &self.backend {
            Backend::Folder(folder) => folder.save(&bytes),
            Backend::Bucket(bucket) => bucket.save(bytes).await,
        }
    }

    pub async fn remove(&self) -> anyhow::Result<()> {
        match &self.backend {
            Backend::Folder(folder) => folder.remove(),
            Backend::Bucket(bucket) => bucket.remove().await,
        }
    }

    /// An error, [`Lost`], where the lock is another run's by now: to be asked before anything is begun. The
    /// kernel takes nobody's lock away, so in a folder it is never lost.
    pub async fn check_lock(&self) -> anyhow::Result<()> {
        match &self.backend {
            Backend::Folder(_) => Ok(()),
            Backend::Bucket(bucket) => bucket.check_lock().await,
        }
    }

    /// Ends when the lock is lost.
    pub async fn lost(&self) -> Lost {
        match &self.backend {
            Backend::Folder(_) => std::future::pending().await,
            Backend::Bucket(bucket) => bucket.lost().await,
        }
    }

    /// Keeps every other run out until the lock is dropped, or its holder dies.
    pub async fn lock(&self) -> anyhow::Result<Lock> {
        let (lock, last) = match &self.backend {
            Backend::Folder(folder) => folder.lock().map(|(lock, last)| (Held::Folder(lock), last))?,
            Backend::Bucket(bucket) => bucket.lock().await.map(|(lock, last)| (Held::Bucket(lock), last))?,
        };
        Ok(Lock { broken_off: last.map(|holder| holder.to_string()), _held: lock })
    }
}

/// Says before anything else that a state file on this machine is broken. What counts is read again later.
pub async fn check(folder: &Path, settings: &Settings) -> anyhow::Result<()> {
    match settings.state_bucket {
        None => Store::local(folder, &settings.env).load().await.map(|_| ()),
        Some(_) => Ok(()),
    }
}

/// The right to change the stack.
#[derive(Debug)]
pub struct Lock {
    /// Who held it before, where that run ended without letting go.
    pub broken_off: Option<String>,
    _held: Held,
}

#[derive(Debug)]
#[expect(dead_code, reason = "a lock is held and dropped, never looked at")]
enum Held {
    Folder(FolderLock),
    Bucket(BucketLock),
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn place() -> Place {
        Place {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            endpoint: None,
        }
    }

    fn record() -> StackRecord {
        StackRecord::new("default", &place(), "abcd1234".to_owned())
    }

    #[tokio::test]
    async fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(&folder.path().join("state"), "default");
        assert_eq!(store.load().await.unwrap(), None);
        store.save(&record()).await.unwrap();
        assert_eq!(store.load().await.unwrap(), Some(record()));
        assert_eq!(fs::read_dir(folder.path().join("state")).unwrap().count(), 1, "a temporary file is left");
        store.remove().await.unwrap();
        store.remove().await.unwrap();
        assert_eq!(store.load().await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_file_of_an_earlier_version_is_read_and_written_as_it_is() {
        let recorded = include_str!("stack/recorded/state.json");
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path(), "default");
        fs::write(store.place(), recorded).unwrap();
        let loaded = store.load().await.unwrap().unwrap();
        assert_eq!(loaded, StackRecord { api_id: Some("a1b2c3d4e5".to_owned()), ..record() });
        store.save(&loaded).await.unwrap();
        assert_eq!(fs::read_to_string(store.place()).unwrap(), recorded);
    }

    #[tokio::test]
    async fn a_broken_or_foreign_file_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path(), "default");
        let good = serde_json::to_string(&record()).unwrap();
        let with_api = |id: &str| {
            let record = StackRecord { api_id: Some(id.to_owned()), ..record() };
            serde_json::to_string(&record).unwrap()
        };
        let cases = [
            (String::new(), "EOF"),
            (good[..good.len() / 2].to_owned(), "EOF"),
            (good.replace("\"version\":1", "\"version\":2"), "version 2"),
            (good.replace("\"env\":\"default\"", "\"env\":\"staging\""), "staging"),
            (good.replace("abcd1234", "../../etc"), "suffix"),
            (good.replace("\"stack\":\"cloudpix\"", "\"stack\":\"x'; id\""), "stack"),
            (good.replace("123456789012", "1234567890'2"), "account"),
            (good.replace("eu-west-1", "eu-west-1.evil.example/"), "region"),
            (with_api("evil.example/#"), "apiId"),
            (with_api("a1b2'; id; '"), "apiId"),
            (with_api(""), "apiId"),
            (good.replace("\"region\"", "\"regoin\""), "regoin"),
        ];
        for (text, part) in cases {
            fs::write(store.place(), &text).unwrap();
            let error = format!("{:#}", store.load().await.unwrap_err());
            assert!(error.contains(part) && error.contains("put back a good copy"), "{text}: {error}");
            assert_eq!(fs::read_to_string(store.place()).unwrap(), text, "the file was touched");
        }
    }

    #[tokio::test]
    async fn a_second_run_is_refused_by_the_first_ones_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::local(folder.path(), "default");
        let lock = store.lock().await.unwrap();
        let error = store.lock().await.unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        store.lock().await.unwrap();
    }

    #[test]
    fn another_account_or_region_is_refused() {
        let path = "state/default.json";
        record().check_place(&place(), path).unwrap();
        let elsewhere = Place { region: "us-east-1".into(), ..place() };
        let error = record().check_place(&elsewhere, path).unwrap_err().to_string();
        assert!(error.contains("AWS_REGION=eu-west-1"), "{error}");
        let other = Place { account: "210987654321".into(), ..place() };
        let error = record().check_place(&other, path).unwrap_err().to_string();
        assert!(error.contains("123456789012") && error.contains("210987654321"), "{error}");
    }

    #[test]
    fn a_suffix_may_be_part_of_a_buckets_name() {
        let suffix = StackRecord::draw_suffix();
        StackRecord { suffix: suffix.clone(), ..record() }.check("default").unwrap();
        assert_ne!(suffix, StackRecord::draw_suffix());
    }
}
