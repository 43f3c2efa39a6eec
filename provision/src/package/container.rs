//! A container image of one layer, which holds a function's binary and nothing else.

use std::io::Write;

use contract::Function;
use flate2::{Compression, GzBuilder};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::{BOOTSTRAP, SMALL};
use crate::settings::Architecture;
use crate::source::Source;

/// <https://github.com/opencontainers/image-spec/blob/v1.1.0/manifest.md>
pub const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG_TYPE: &str = "application/vnd.oci.image.config.v1+json";
const LAYER_TYPE: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

#[derive(Debug)]
pub struct Container {
    pub layer: Blob,
    pub config: Blob,
    pub manifest: Blob,
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

pub(super) fn container(
    binary: &[u8],
    architecture: Architecture,
    function: Function,
    source: Option<&Source>,
) -> anyhow::Result<Container> {
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
    Ok(Container { layer, config, manifest: Blob::new(manifest.to_string().into_bytes()) })
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

#[cfg(test)]
mod tests {
    use elf::abi::EM_AARCH64;

    use super::*;
    use crate::package::binary::tests::elf;

    #[test]
    fn an_image_is_one_gzip_layer_with_the_binary_as_its_entrypoint() {
        let binary = elf(EM_AARCH64, 1);
        let source =
            Source { url: None, revision: "0123abc".to_owned(), created: "2026-11-23T04:05:06Z".to_owned() };
        let image = container(&binary, Architecture::Arm64, Function::List, Some(&source)).unwrap();
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
}
