//! State in a folder of this machine. It is written to a temporary file, synced and renamed, so that it
//! is whole at any moment; the lock is the kernel's, which takes it back however its holder ends.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use super::holder::Holder;

#[derive(Clone, Debug)]
pub(super) struct Folder {
    folder: PathBuf,
    env: String,
}

impl Folder {
    pub(super) fn new(folder: &Path, env: &str) -> Folder {
        Folder { folder: folder.to_owned(), env: env.to_owned() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.json", self.env))
    }

    pub(super) fn load(&self) -> anyhow::Result<Option<Vec<u8>>> {
        match fs::read(self.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            bytes => Ok(Some(bytes.with_context(|| format!("read {}", self.path().display()))?)),
        }
    }

    /// A crash leaves the old file or the new one, whole.
    pub(super) fn save(&self, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.path();
        let write = || -> anyhow::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            file.write_all(bytes)?;
            file.as_file().sync_all()?;
            file.persist(&path)?;
            // The rename itself is on disk only when the folder is.
            File::open(&self.folder)?.sync_all()?;
            Ok(())
        };
        write().with_context(|| format!("save {}", path.display()))
    }

    pub(super) fn remove(&self) -> anyhow::Result<()> {
        let path = self.path();
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(error).with_context(|| format!("remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// The lock, and its last holder if that one ended without letting go.
    pub(super) fn lock(&self) -> anyhow::Result<(FolderLock, Option<Holder>)> {
        let path = self.folder.join(format!("{}.lock", self.env));
        let open = || {
            fs::create_dir_all(&self.folder)?;
            File::options().create(true).truncate(false).read(true).write(true).open(&path)
        };
        let mut file = open().with_context(|| format!("open {}", path.display()))?;
        let locked = file.try_lock();
        let mut text = String::new();
        // Text that says nothing is nobody's name.
        let _ = file.read_to_string(&mut text);
        let last: Option<Holder> = serde_json::from_str(&text).ok();
        match locked {
            Ok(()) => (),
            Err(TryLockError::WouldBlock) => {
                let holder =
                    last.map_or_else(|| "its name is not written yet".to_owned(), |it| it.to_string());
                bail!("another run is changing this stack: {holder}; wait until it is done");
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
        fs::write(&path, serde_json::to_vec(&Holder::this())?)
            .with_context(|| format!("write {}", path.display()))?;
        Ok((FolderLock { file }, last))
    }
}

#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Who let go leaves no name behind. The lock itself goes with the file.
        let _ = self.file.set_len(0);
    }
}
