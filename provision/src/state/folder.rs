//! State in a folder of this machine. It is written to a temporary file, synced and renamed, so that it
//! is whole at any moment; the lock is the kernel's, which takes it back however its holder ends.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Read, Seek, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};

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
        let mut file = self.open(&path).with_context(|| format!("open {}", path.display()))?;
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
        let name = serde_json::to_vec(&Holder::this())?;
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(&name)
        };
        write(&mut file).with_context(|| format!("write {}", path.display()))?;
        Ok((FolderLock { file }, last))
    }

    /// The lock's file is written over and emptied, so it must be nothing else under another name.
    fn open(&self, path: &Path) -> anyhow::Result<File> {
        fs::create_dir_all(&self.folder)?;
        let mut options = File::options();
        options.create(true).truncate(false).read(true).write(true);
        let opened = options.mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path);
        ensure!(opened.is_ok() || !path.is_symlink(), "it is a link to another file; remove it");
        let file = opened?;
        let metadata = file.metadata()?;
        ensure!(
            metadata.is_file() && metadata.nlink() == 1,
            "it is a link to another file, a device or a pipe; remove it"
        );
        Ok(file)
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_lock_that_is_a_link_is_refused_and_what_it_leads_to_stays() {
        let place = tempfile::tempdir().unwrap();
        let (precious, lock) = (place.path().join("precious"), place.path().join("default.lock"));
        let folder = Folder::new(place.path(), "default");
        for symbolic in [true, false] {
            fs::write(&precious, "precious").unwrap();
            let linked = if symbolic { symlink(&precious, &lock) } else { fs::hard_link(&precious, &lock) };
            linked.unwrap();
            let error = format!("{:#}", folder.lock().unwrap_err());
            assert!(error.contains("default.lock: it is a link to another file"), "{error}");
            assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
            fs::remove_file(&lock).unwrap();
        }
        symlink(place.path().join("not there"), &lock).unwrap();
        folder.lock().unwrap_err();
        assert!(!place.path().join("not there").exists(), "a link made a file");
        fs::remove_file(&lock).unwrap();
        drop(folder.lock().unwrap());
        assert_eq!(fs::read(&lock).unwrap(), b"", "who let go leaves no name");
    }

    #[test]
    fn a_state_file_that_is_a_link_is_replaced_and_not_written_through() {
        let place = tempfile::tempdir().unwrap();
        let precious = place.path().join("precious");
        fs::write(&precious, "precious").unwrap();
        let folder = Folder::new(place.path(), "default");
        symlink(&precious, folder.path()).unwrap();
        folder.save(b"{}").unwrap();
        assert_eq!(fs::read_to_string(&precious).unwrap(), "precious");
        assert_eq!(fs::read(folder.path()).unwrap(), b"{}");
    }
}
