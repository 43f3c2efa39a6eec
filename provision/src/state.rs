//! `state/<env>.json`: what AWS invented and what chance drew, and nothing that can be computed.
//!
//! Only this module knows the file. It is written to a temporary file, synced and renamed, so that it
//! is whole at any moment; while a run changes the stack, a lock beside it keeps a second run out.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use rand::RngExt;
use serde::{Deserialize, Serialize};

use crate::stack::{Place, stack_name};

const VERSION: u32 = 1;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
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

impl Record {
    pub fn new(env: &str, place: &Place, suffix: String) -> Record {
        let (account, region) = (place.account.clone(), place.region.clone());
        Record {
            version: VERSION,
            stack: stack_name(env),
            env: env.to_owned(),
            account,
            region,
            suffix,
            api_id: None,
        }
    }

    /// Eight characters that a bucket's name may hold: one name in 2.8 million million.
    pub fn draw_suffix() -> String {
        const LETTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let mut rng = rand::rng();
        (0..8).map(|_| char::from(LETTERS[rng.random_range(0..LETTERS.len())])).collect()
    }

    /// Refuses to go on in another account or region than the stack's.
    pub fn check_place(&self, place: &Place, path: &Path) -> anyhow::Result<()> {
        let path = path.display();
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
        let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
        ensure!(
            self.suffix.len() == 8 && self.suffix.chars().all(legal),
            "its suffix {:?} is not eight lower-case letters and digits",
            self.suffix
        );
        Ok(())
    }
}

/// Where the record of one environment lies.
#[derive(Clone, Debug)]
pub struct Store {
    folder: PathBuf,
    env: String,
}

impl Store {
    pub fn new(folder: &Path, env: &str) -> Store {
        Store { folder: folder.to_owned(), env: env.to_owned() }
    }

    pub fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.env))
    }

    /// The record, or `None` where there is none. A broken one is an error, never an empty stack.
    pub fn load(&self) -> anyhow::Result<Option<Record>> {
        let path = self.path();
        let text = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            text => text.with_context(|| format!("read {}", path.display()))?,
        };
        let record = serde_json::from_str(&text)
            .map_err(anyhow::Error::new)
            .and_then(|record: Record| record.check(&self.env).map(|()| record));
        record.map(Some).with_context(|| {
            format!(
                "the state file {0} cannot be used; put back a good copy, or move it away: the next `provision apply` \
                 then finds the stack again by its tags",
                path.display()
            )
        })
    }

    /// Writes the record so that a crash leaves the old one or the new one, whole.
    pub fn save(&self, record: &Record) -> anyhow::Result<()> {
        let path = self.path();
        let write = || -> anyhow::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            serde_json::to_writer_pretty(&mut file, record)?;
            file.write_all(b"\n")?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            // The rename itself is on disk only when the folder is.
            File::open(&self.folder)?.sync_all()?;
            Ok(())
        };
        write().with_context(|| format!("save {}", path.display()))
    }

    pub fn remove(&self) -> anyhow::Result<()> {
        let path = self.path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// Keeps every other run out until the lock is dropped, or its holder dies.
    pub fn lock(&self) -> anyhow::Result<Lock> {
        let path = self.folder.join(format!("{}.lock", self.env));
        let open = || {
            fs::create_dir_all(&self.folder)?;
            File::options().create(true).truncate(false).read(true).write(true).open(&path)
        };
        let mut file = open().with_context(|| format!("open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let holder = fs::read_to_string(&path).unwrap_or_default();
                bail!("another run is changing this stack: {}; wait until it is done", holder.trim());
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
        let holder =
            format!("process {} since {}\n", std::process::id(), jiff::Timestamp::now().strftime("%FT%TZ"));
        let written = file.set_len(0).and_then(|()| file.write_all(holder.as_bytes()));
        written.with_context(|| format!("write {}", path.display()))?;
        Ok(Lock { _file: file })
    }
}

/// The right to change the stack. The kernel takes it back when the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            partition: "aws".into(),
            account: "123456789012".into(),
            region: "eu-west-1".into(),
            plain_http: false,
        }
    }

    fn record() -> Record {
        Record::new("default", &place(), "abcd1234".to_owned())
    }

    #[test]
    fn what_is_saved_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(&folder.path().join("state"), "default");
        assert_eq!(store.load().unwrap(), None);
        store.save(&record()).unwrap();
        assert_eq!(store.load().unwrap(), Some(record()));
        assert_eq!(fs::read_dir(folder.path().join("state")).unwrap().count(), 1, "a temporary file is left");
        store.remove().unwrap();
        store.remove().unwrap();
        assert_eq!(store.load().unwrap(), None);
    }

    #[test]
    fn a_broken_or_foreign_file_is_refused_with_advice() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "default");
        let good = serde_json::to_string(&record()).unwrap();
        let cases = [
            (String::new(), "EOF"),
            (good[..good.len() / 2].to_owned(), "EOF"),
            (good.replace("\"version\":1", "\"version\":2"), "version 2"),
            (good.replace("\"env\":\"default\"", "\"env\":\"staging\""), "staging"),
            (good.replace("abcd1234", "../../etc"), "suffix"),
            (good.replace("\"region\"", "\"regoin\""), "regoin"),
        ];
        for (text, part) in cases {
            fs::write(store.path(), &text).unwrap();
            let error = format!("{:#}", store.load().unwrap_err());
            assert!(error.contains(part) && error.contains("put back a good copy"), "{text}: {error}");
            assert_eq!(fs::read_to_string(store.path()).unwrap(), text, "the file was touched");
        }
    }

    #[test]
    fn a_second_run_is_refused_by_the_first_ones_name() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path(), "default");
        let lock = store.lock().unwrap();
        let error = store.lock().unwrap_err().to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        store.lock().unwrap();
    }

    #[test]
    fn another_account_or_region_is_refused() {
        let path = Path::new("state/default.json");
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
        let suffix = Record::draw_suffix();
        Record { suffix: suffix.clone(), ..record() }.check("default").unwrap();
        assert_ne!(suffix, Record::draw_suffix());
    }
}
