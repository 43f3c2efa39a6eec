//! A function's binary, packed for Lambda: a container image of one layer, or a zip file.
//!
//! The same binary of the same commit gives the same bytes, so the same digest, wherever and whenever
//! it is packed: no clock, no owner, no order of a directory gets in. An unchanged function is then no
//! change.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::Function;
use futures_util::future::join_all;
use sha2::{Digest, Sha256};

use self::container::{Container, container};
use crate::settings::{Architecture, Package, Settings};
use crate::source::Source;
use crate::stack::resource::lambda::Code;

mod binary;
pub mod container;

/// What a function's binary is called in its package: Lambda's own name for it.
const BOOTSTRAP: &str = "bootstrap";

/// Levels of compression: of what is sent and stored, and of what stays on this machine, where packing
/// would take longer than all of a run's calls.
const SMALL: u32 = 6;
const QUICK: u32 = 1;

/// A function's code, ready to be sent.
#[derive(Debug)]
pub enum Artifact {
    Image(Container),
    Zip(Zip),
}

#[derive(Debug)]
pub struct Zip {
    pub bytes: Vec<u8>,
}

/// What is to be packed, and how.
pub struct Packing<'a> {
    pub function: Function,
    /// The binary.
    pub path: &'a Path,
    pub package: Package,
    pub architecture: Architecture,
    /// Allows what only runs on this machine's own emulator.
    pub emulated: bool,
    pub source: Option<Source>,
}

pub fn pack(packing: &Packing<'_>) -> anyhow::Result<(Code, Artifact)> {
    let Packing { path, package, emulated, .. } = *packing;
    let bytes = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("there is no function at {}; build the functions first: make build", path.display())
        }
        bytes => bytes.with_context(|| format!("read {}", path.display()))?,
    };
    let architecture =
        binary::architecture(&bytes, packing.architecture, emulated && package == Package::Zip)
            .with_context(|| format!("the function at {}", path.display()))?;
    let (digest, artifact) = match package {
        Package::Image => {
            let image = container(&bytes, architecture, packing.function, packing.source.as_ref())?;
            (image.manifest.digest.clone(), Artifact::Image(image))
        }
        Package::Zip => {
            let zip = zip(&bytes, if emulated { QUICK } else { SMALL })?;
            (STANDARD.encode(Sha256::digest(&zip)), Artifact::Zip(Zip { bytes: zip }))
        }
    };
    Ok((Code { package, digest, architecture: architecture.to_string() }, artifact))
}

/// The packages of several functions: what each one's code is, and the bytes of it.
pub struct Packed {
    pub code: BTreeMap<Function, Code>,
    pub artifacts: BTreeMap<Function, Artifact>,
}

/// Packs each function on a thread of its own: compressing is what takes the time.
pub async fn pack_all(settings: &Settings, emulated: bool, folder: Option<&Path>) -> anyhow::Result<Packed> {
    let functions: Vec<Function> = settings.functions.keys().copied().collect();
    let folder = folder.map_or_else(|| functions_folder(emulated, &functions), Path::to_owned);
    let packing = settings.functions.iter().map(|(&function, sizing)| {
        let (path, package, architecture) =
            (folder.join(function.name()), settings.package, sizing.architecture);
        let pack = move || {
            let source = Source::of(function);
            pack(&Packing { function, path: &path, package, architecture, emulated, source })
        };
        async move { anyhow::Ok((function, tokio::task::spawn_blocking(pack).await??)) }
    });
    // All are waited for, so that of several errors it is always the first one's that is told.
    let packed: anyhow::Result<Vec<_>> = join_all(packing).await.into_iter().collect();
    let packed =
        packed?.into_iter().map(|(function, (code, artifact))| ((function, code), (function, artifact)));
    let (code, artifacts) = packed.unzip();
    Ok(Packed { code, artifacts })
}

/// Where the functions were built: by `make build`, or for an emulator also by `make local`, whose
/// binaries are not optimised and no match for AWS.
fn functions_folder(emulated: bool, functions: &[Function]) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
    let profiles: &[&str] = if emulated { &["release", "local"] } else { &["release"] };
    let folder = |libc: &str, profile: &str| {
        PathBuf::from(format!("target/{architecture}-unknown-linux-{libc}/{profile}"))
    };
    let candidates = ["gnu", "musl"]
        .into_iter()
        .flat_map(|libc| profiles.iter().map(move |profile| folder(libc, profile)));
    let built = |folder: &PathBuf| functions.iter().all(|function| folder.join(function.name()).is_file());
    candidates.clone().find(built).unwrap_or_else(|| folder("gnu", "release"))
}

fn zip(binary: &[u8], level: u32) -> anyhow::Result<Vec<u8>> {
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(level.into()))
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o755);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file(BOOTSTRAP, options)?;
    archive.write_all(binary)?;
    Ok(archive.finish()?.into_inner())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use ::elf::abi::EM_X86_64;

    use super::binary::tests::elf;
    use super::*;

    fn packing(path: &Path, package: Package) -> Packing<'_> {
        let (function, architecture) = (Function::Upload, Architecture::Auto);
        Packing { function, path, package, architecture, emulated: false, source: None }
    }

    #[test]
    fn the_same_binary_gives_the_same_package_at_any_time_and_place() {
        for package in [Package::Image, Package::Zip] {
            let digests = [0, 1_000_000].map(|age| {
                let folder = tempfile::tempdir().unwrap();
                let path = folder.path().join("upload");
                std::fs::write(&path, elf(EM_X86_64, 1)).unwrap();
                let file = std::fs::File::options().write(true).open(&path).unwrap();
                file.set_modified(SystemTime::now() - Duration::from_secs(age)).unwrap();
                pack(&packing(&path, package)).unwrap().0.digest
            });
            assert_eq!(digests[0], digests[1], "{package:?}");
        }
    }

    #[test]
    fn what_stays_on_this_machine_is_packed_in_less_time_and_is_the_same_inside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("upload");
        let mut binary = elf(EM_X86_64, 1);
        // Text with repetitions near and far, as code has.
        binary.extend((0..200_000u32).flat_map(|n| format!("{} {}", n % 977, n / 31).into_bytes()));
        std::fs::write(&path, &binary).unwrap();
        let packed = [false, true].map(|emulated| {
            let Artifact::Zip(Zip { bytes }) =
                pack(&Packing { emulated, ..packing(&path, Package::Zip) }).unwrap().1
            else {
                panic!("no zip file")
            };
            let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
            let mut inside = Vec::new();
            std::io::Read::read_to_end(&mut archive.by_name(BOOTSTRAP).unwrap(), &mut inside).unwrap();
            assert_eq!(inside, binary);
            bytes.len()
        });
        assert!(packed[0] < packed[1] && packed[1] < binary.len(), "{packed:?} of {}", binary.len());
    }

    #[test]
    fn a_missing_binary_says_how_to_build_it() {
        let error = pack(&packing(Path::new("no/such/upload"), Package::Zip)).unwrap_err();
        assert!(error.to_string().contains("make build"), "{error}");
    }
}
