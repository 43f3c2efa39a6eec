//! A function's binary, packed for Lambda: a container image of one layer, or a zip file.
//!
//! The same binary of the same commit gives the same bytes, so the same digest, wherever and whenever
//! it is packed: no clock, no owner, no order of a directory gets in. An unchanged function is then no
//! change.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::Function;
use elf::abi::{EM_AARCH64, EM_X86_64, PT_INTERP};
use flate2::{Compression, GzBuilder};
use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::settings::{Architecture, Package, Settings};
use crate::source::Source;
use crate::stack::resource::lambda::Code;

/// <https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md>
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What a function's binary is called in its package: Lambda's own name for it.
const BOOTSTRAP: &str = "bootstrap";

/// Levels of compression: of what is sent and stored, and of what stays on this machine, where packing
/// would take longer than all of a run's calls.
const SMALL: u32 = 6;
const QUICK: u32 = 1;

/// A function's code, ready to be sent.
#[derive(Debug)]
pub enum Artifact {
    Image(Image),
    Zip(Zip),
}

#[derive(Debug)]
pub struct Image {
    pub layer: Blob,
    pub config: Blob,
    pub manifest: Blob,
}

#[derive(Debug)]
pub struct Zip {
    pub bytes: Vec<u8>,
}

/// Bytes and the digest that they are known by, `sha256:{hexadecimal}`.
#[derive(Debug)]
pub struct Blob {
    pub bytes: Vec<u8>,
    pub digest: String,
}

impl Blob {
    fn new(bytes: Vec<u8>) -> Blob {
        let digest = digest(&bytes);
        Blob { bytes, digest }
    }
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
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
    let binary = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            bail!("there is no function at {}; build the functions first: make build", path.display())
        }
        binary => binary.with_context(|| format!("read {}", path.display()))?,
    };
    let architecture = architecture(&binary, packing.architecture, emulated && package == Package::Zip)
        .with_context(|| format!("the function at {}", path.display()))?;
    let (digest, artifact) = match package {
        Package::Image => {
            let image = image(&binary, architecture, packing.function, packing.source.as_ref())?;
            (image.manifest.digest.clone(), Artifact::Image(image))
        }
        Package::Zip => {
            let bytes = zip(&binary, if emulated { QUICK } else { SMALL })?;
            (STANDARD.encode(Sha256::digest(&bytes)), Artifact::Zip(Zip { bytes }))
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
    let folder = folder.map_or_else(|| functions_folder(emulated), Path::to_owned);
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
fn functions_folder(emulated: bool) -> PathBuf {
    let architecture = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86_64" };
    let profiles: &[&str] = if emulated { &["release", "local"] } else { &["release"] };
    let folder = |libc: &str, profile: &str| {
        PathBuf::from(format!("target/{architecture}-unknown-linux-{libc}/{profile}"))
    };
    let candidates = ["gnu", "musl"]
        .into_iter()
        .flat_map(|libc| profiles.iter().map(move |profile| folder(libc, profile)));
    let built =
        |folder: &PathBuf| Function::ALL.iter().all(|function| folder.join(function.name()).is_file());
    candidates.clone().find(built).unwrap_or_else(|| folder("gnu", "release"))
}

/// What the binary runs on, refused where Lambda would only say so at the first request.
fn architecture(binary: &[u8], wanted: Architecture, emulated: bool) -> anyhow::Result<Architecture> {
    let is_elf = binary.starts_with(b"\x7fELF");
    if !is_elf && emulated {
        // An emulator on macOS runs the host's own binaries.
        let host = if cfg!(target_arch = "aarch64") { Architecture::Arm64 } else { Architecture::X86 };
        return Ok(if wanted == Architecture::Auto { host } else { wanted });
    }
    ensure!(
        is_elf,
        "is no Linux binary (ELF); build it for Linux: make build TARGET=x86_64-unknown-linux-musl"
    );
    let file =
        elf::ElfBytes::<elf::endian::AnyEndian>::minimal_parse(binary).context("is a damaged ELF binary")?;
    let built_for = match file.ehdr.e_machine {
        EM_X86_64 => Architecture::X86,
        EM_AARCH64 => Architecture::Arm64,
        other => {
            bail!("is built for a machine (ELF {other}) that Lambda does not have; it has x86_64 and arm64")
        }
    };
    ensure!(
        wanted == Architecture::Auto || wanted == built_for,
        "is built for {built_for}, and `architecture` in cloudpix.toml is {wanted}; build it for that, or set the \
         architecture to \"auto\""
    );
    let interpreted =
        file.segments().is_some_and(|segments| segments.iter().any(|segment| segment.p_type == PT_INTERP));
    ensure!(
        !interpreted,
        "is linked to shared libraries, which its image does not have; `make build` links it statically"
    );
    if let Some((major, minor)) = glibc(binary, &file).filter(|version| !emulated && *version < RESOLVES) {
        let target = if built_for == Architecture::Arm64 { "aarch64" } else { "x86_64" };
        bail!(
            "is linked with glibc {major}.{minor}, which finds no host names without libraries that its image does \
             not have; build it with musl: make build TARGET={target}-unknown-linux-musl, or on a system with \
             glibc {}.{} or newer",
            RESOLVES.0,
            RESOLVES.1
        );
    }
    Ok(built_for)
}

/// The first glibc that has its resolver in itself. Older ones load `libnss_dns.so` for it, even where they
/// are linked statically.
/// <https://sourceware.org/glibc/wiki/Release/2.34>
const RESOLVES: (u32, u32) = (2, 34);

/// The version of the glibc that is linked in, as its banner says: "GNU C Library (…) stable release
/// version 2.36." `None` of another C library.
fn glibc(binary: &[u8], file: &elf::ElfBytes<'_, elf::endian::AnyEndian>) -> Option<(u32, u32)> {
    let constants = file.section_header_by_name(".rodata").ok().flatten();
    let constants = constants.and_then(|header| file.section_data(&header).ok());
    let text = constants.map_or(binary, |(bytes, _)| bytes);
    let banner = &text[memchr::memmem::find(text, b"GNU C Library (")?..];
    let banner = banner.split(|byte| *byte == b'\n').next()?;
    let banner = String::from_utf8_lossy(banner.get(..200).unwrap_or(banner));
    let (_, version) = banner.split_once("release version ")?;
    let mut numbers = version.split('.').map(|part| {
        let digits: String = part.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    });
    Some((numbers.next()??, numbers.next()??))
}

fn image(
    binary: &[u8],
    architecture: Architecture,
    function: Function,
    source: Option<&Source>,
) -> anyhow::Result<Image> {
    let tar = tar(binary)?;
    let diff_id = digest(&tar);
    // No name, no time, and the operating system as unknown: nothing of this machine.
    let mut gzip = GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(SMALL));
    gzip.write_all(&tar)?;
    let layer = Blob::new(gzip.finish()?);
    let architecture = if architecture == Architecture::Arm64 { "arm64" } else { "amd64" };
    let config = json!({
        "architecture": architecture,
        "os": "linux",
        "created": source.map_or("1970-01-01T00:00:00Z", |source| &source.created),
        "config": {
            "Entrypoint": [format!("/{BOOTSTRAP}")],
            "Labels": labels(function, source),
            "User": "65532:65532",
            "WorkingDir": "/",
        },
        "rootfs": {"type": "layers", "diff_ids": [diff_id]},
    });
    let config = Blob::new(config.to_string().into_bytes());
    let descriptor = |media_type: &str, blob: &Blob| json!({"mediaType": media_type, "size": blob.bytes.len(), "digest": blob.digest});
    // A plain manifest: Lambda takes no image index.
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": descriptor(CONFIG_TYPE, &config),
        "layers": [descriptor(LAYER_TYPE, &layer)],
    });
    Ok(Image { layer, config, manifest: Blob::new(manifest.to_string().into_bytes()) })
}

/// <https://github.com/opencontainers/image-spec/blob/v1.1.0/annotations.md>, as the Dockerfile has them.
fn labels(function: Function, source: Option<&Source>) -> Map<String, Value> {
    let name = function.name();
    let mut labels = vec![
        ("title", format!("cloudpix-{name}")),
        ("description", format!("The {name} function of CloudPix, for AWS Lambda")),
        ("licenses", "Apache-2.0".to_owned()),
    ];
    if let Some(Source { url, revision, created }) = source {
        labels.extend(url.clone().map(|url| ("source", url)));
        labels.extend([("revision", revision.clone()), ("created", created.clone())]);
    }
    let label = |(key, value)| (format!("org.opencontainers.image.{key}"), Value::String(value));
    labels.into_iter().map(label).collect()
}

fn tar(binary: &[u8]) -> anyhow::Result<Vec<u8>> {
    let mut header = tar::Header::new_ustar();
    header.set_path(BOOTSTRAP)?;
    header.set_size(u64::try_from(binary.len())?);
    header.set_mode(0o755);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_cksum();
    let mut archive = tar::Builder::new(Vec::with_capacity(binary.len() + 4096));
    archive.append(&header, binary)?;
    Ok(archive.into_inner()?)
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

    use super::*;

    /// The least that is an ELF file: a header, and one program header of the type given.
    fn elf(machine: u16, segment: u32) -> Vec<u8> {
        let mut file = b"\x7fELF\x02\x01\x01".to_vec();
        file.resize(16, 0);
        file.extend([2, 0]);
        file.extend(machine.to_le_bytes());
        file.extend(1u32.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.extend(64u64.to_le_bytes());
        file.extend(0u64.to_le_bytes());
        file.extend(0u32.to_le_bytes());
        for half in [64u16, 56, 1, 64, 0, 0] {
            file.extend(half.to_le_bytes());
        }
        file.extend(segment.to_le_bytes());
        file.resize(64 + 56, 0);
        file
    }

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
    fn an_image_is_one_gzip_layer_with_the_binary_as_its_entrypoint() {
        let binary = elf(EM_AARCH64, 1);
        let source =
            Source { url: None, revision: "0123abc".to_owned(), created: "2026-11-23T04:05:06Z".to_owned() };
        let image = image(&binary, Architecture::Arm64, Function::List, Some(&source)).unwrap();
        let manifest: serde_json::Value = serde_json::from_slice(&image.manifest.bytes).unwrap();
        assert_eq!(manifest["layers"][0]["digest"], json!(image.layer.digest));
        assert_eq!(manifest["config"]["digest"], json!(image.config.digest));
        let config: serde_json::Value = serde_json::from_slice(&image.config.bytes).unwrap();
        assert_eq!(config["architecture"], json!("arm64"));
        assert_eq!(config["config"]["Entrypoint"], json!(["/bootstrap"]));
        assert_eq!(config["created"], "2026-11-23T04:05:06Z");
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.title"], "cloudpix-list");
        assert_eq!(config["config"]["Labels"]["org.opencontainers.image.revision"], "0123abc");
        let mut tar = Vec::new();
        std::io::copy(&mut flate2::read::GzDecoder::new(&image.layer.bytes[..]), &mut tar).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][0], json!(digest(&tar)));
        let mut archive = tar::Archive::new(&tar[..]);
        let mut entry = archive.entries().unwrap().next().unwrap().unwrap();
        assert_eq!(entry.path().unwrap().to_str(), Some("bootstrap"));
        assert_eq!(entry.header().mode().unwrap(), 0o755);
        let mut unpacked = Vec::new();
        std::io::copy(&mut entry, &mut unpacked).unwrap();
        assert_eq!(unpacked, binary);
    }

    #[test]
    fn what_lambda_could_not_run_is_refused() {
        let check = |binary: &[u8], wanted, part: &str| {
            let error = format!("{:#}", architecture(binary, wanted, false).unwrap_err());
            assert!(error.contains(part), "{part:?} is not in {error}");
        };
        check(b"\xcf\xfa\xed\xfe", Architecture::Auto, "no Linux binary");
        check(b"\x7fELF", Architecture::Auto, "damaged");
        check(&elf(EM_X86_64, PT_INTERP), Architecture::Auto, "statically");
        check(&elf(EM_X86_64, 1), Architecture::Arm64, "built for x86_64");
        check(&elf(8, 1), Architecture::Auto, "ELF 8");
        let with = |banner: &str| [elf(EM_AARCH64, 1), banner.as_bytes().to_vec()].concat();
        let old =
            with("\0GNU C Library (Ubuntu GLIBC 2.31-0ubuntu9.9) stable release version 2.31.\nCopyright");
        check(&old, Architecture::Auto, "glibc 2.31");
        check(&old, Architecture::Auto, "make build TARGET=aarch64-unknown-linux-musl");
        assert_eq!(architecture(&old, Architecture::Auto, true).unwrap(), Architecture::Arm64);
        for fine in [
            "\0GNU C Library (GNU libc) stable release version 2.34.\n",
            "\0GNU C Library (Debian GLIBC 2.36-9+deb12u14) stable release version 2.36.\n",
            "\0GNU C Library (GNU libc) development release version 3.0.9000.\n",
            "\0GNU C Library (",
            "musl libc (x86_64)",
        ] {
            architecture(&with(fine), Architecture::Auto, false).unwrap();
        }
        assert_eq!(architecture(&elf(EM_X86_64, 1), Architecture::Auto, false).unwrap(), Architecture::X86);
    }

    #[test]
    fn a_missing_binary_says_how_to_build_it() {
        let error = pack(&packing(Path::new("no/such/upload"), Package::Zip)).unwrap_err();
        assert!(error.to_string().contains("make build"), "{error}");
    }
}
