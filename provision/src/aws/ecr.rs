//! ECR: repositories, and images pushed through its API, with no Docker and no login.

use anyhow::{Context, ensure};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::primitives::Blob as Bytes;
use aws_sdk_ecr::types::{
    ImageIdentifier, ImageScanningConfiguration, ImageTagMutability, LayerAvailability, Tag,
};
use contract::Function;
use serde_json::Value;

use super::{Aws, NotYet, failed, is, optional, retry, tag_changes};
use crate::package::{Blob, Image as Packed, MANIFEST_TYPE};
use crate::stack::Names;
use crate::stack::resource::{Image, Repository, managed_tags};

const GONE: &[&str] = &["RepositoryNotFoundException"];
/// A repository that was made a moment ago is not seen everywhere yet.
const NOT_VISIBLE: &[NotYet] = &[("RepositoryNotFoundException", "")];

fn arn(aws: &Aws, name: &str) -> String {
    aws.place.arn("ecr", &format!("repository/{name}"))
}

pub async fn read(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<Option<Repository>> {
    let (client, name) = (&aws.ecr, names.function(function));
    let answer = client.describe_repositories().repository_names(&name).send().await;
    let answer = optional(answer, "ecr:DescribeRepositories", GONE)?;
    let Some(repository) = answer.and_then(|answer| answer.repositories?.into_iter().next()) else {
        return Ok(None);
    };
    let tags = client.list_tags_for_resource().resource_arn(arn(aws, &name)).send().await;
    let tags = tags.map_err(failed("ecr:ListTagsForResource"))?.tags.unwrap_or_default();
    let lifecycle = client.get_lifecycle_policy().repository_name(&name).send().await;
    let lifecycle = optional(lifecycle, "ecr:GetLifecyclePolicy", &["LifecyclePolicyNotFoundException"])?;
    let lifecycle = match lifecycle.and_then(|answer| answer.lifecycle_policy_text) {
        Some(text) => {
            serde_json::from_str(&text).with_context(|| format!("read the lifecycle policy of {name}"))?
        }
        None => Value::Null,
    };
    Ok(Some(Repository {
        tags: managed_tags(tags.into_iter().map(|tag| (tag.key, tag.value))),
        immutable_tags: repository.image_tag_mutability == Some(ImageTagMutability::Immutable),
        scan_on_push: repository.image_scanning_configuration.is_some_and(|scanning| scanning.scan_on_push),
        lifecycle,
    }))
}

fn tags(tags: impl IntoIterator<Item = (String, String)>) -> anyhow::Result<Vec<Tag>> {
    let tag = |(key, value)| Tag::builder().key(key).value(value).build().context("build a tag");
    tags.into_iter().map(tag).collect()
}

fn mutability(immutable: bool) -> ImageTagMutability {
    if immutable { ImageTagMutability::Immutable } else { ImageTagMutability::Mutable }
}

fn scanning(on_push: bool) -> ImageScanningConfiguration {
    ImageScanningConfiguration::builder().scan_on_push(on_push).build()
}

pub async fn create(
    aws: &Aws,
    names: &Names,
    function: Function,
    desired: &Repository,
) -> anyhow::Result<()> {
    let (client, name) = (&aws.ecr, names.function(function));
    let create = client
        .create_repository()
        .repository_name(&name)
        .image_tag_mutability(mutability(desired.immutable_tags))
        .image_scanning_configuration(scanning(desired.scan_on_push))
        .set_tags(Some(tags(desired.tags.clone())?));
    create.send().await.map_err(failed("ecr:CreateRepository"))?;
    put_lifecycle(client, &name, &desired.lifecycle).await
}

async fn put_lifecycle(client: &Client, name: &str, policy: &Value) -> anyhow::Result<()> {
    let put = client.put_lifecycle_policy().repository_name(name).lifecycle_policy_text(policy.to_string());
    let answer = retry(NOT_VISIBLE, async || put.clone().send().await).await;
    answer.map(|_| ()).map_err(failed("ecr:PutLifecyclePolicy"))
}

pub async fn update(
    aws: &Aws,
    names: &Names,
    function: Function,
    live: &Repository,
    desired: &Repository,
) -> anyhow::Result<()> {
    let (client, name) = (&aws.ecr, names.function(function));
    let (set, unset) = tag_changes(&live.tags, &desired.tags);
    if !set.is_empty() {
        let call = client.tag_resource().resource_arn(arn(aws, &name)).set_tags(Some(tags(set)?));
        call.send().await.map_err(failed("ecr:TagResource"))?;
    }
    if !unset.is_empty() {
        let call = client.untag_resource().resource_arn(arn(aws, &name)).set_tag_keys(Some(unset));
        call.send().await.map_err(failed("ecr:UntagResource"))?;
    }
    if live.immutable_tags != desired.immutable_tags {
        let mutability = mutability(desired.immutable_tags);
        let call = client.put_image_tag_mutability().repository_name(&name).image_tag_mutability(mutability);
        call.send().await.map_err(failed("ecr:PutImageTagMutability"))?;
    }
    if live.scan_on_push != desired.scan_on_push {
        let scanning = scanning(desired.scan_on_push);
        let call = client
            .put_image_scanning_configuration()
            .repository_name(&name)
            .image_scanning_configuration(scanning);
        call.send().await.map_err(failed("ecr:PutImageScanningConfiguration"))?;
    }
    if live.lifecycle != desired.lifecycle {
        put_lifecycle(client, &name, &desired.lifecycle).await?;
    }
    Ok(())
}

/// Deletes the repository with its images, which are copies of what is built here.
pub async fn delete(aws: &Aws, names: &Names, function: Function) -> anyhow::Result<()> {
    let answer =
        aws.ecr.delete_repository().repository_name(names.function(function)).force(true).send().await;
    optional(answer, "ecr:DeleteRepository", GONE).map(|_| ())
}

/// The image of that digest, where the repository has it.
pub async fn read_image(
    aws: &Aws,
    names: &Names,
    function: Function,
    digest: &str,
) -> anyhow::Result<Option<Image>> {
    let id = ImageIdentifier::builder().image_digest(digest).build();
    let get = aws.ecr.batch_get_image().repository_name(names.function(function)).image_ids(id);
    let answer = optional(get.send().await, "ecr:BatchGetImage", GONE)?;
    let found = answer.and_then(|answer| answer.images?.into_iter().next());
    Ok(found.map(|_| Image { digest: digest.to_owned() }))
}

/// Pushes what the repository lacks, the manifest last, and waits until the image can be read.
///
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_InitiateLayerUpload.html>
pub async fn push_image(aws: &Aws, names: &Names, function: Function, image: &Packed) -> anyhow::Result<()> {
    let (client, repository) = (&aws.ecr, names.function(function));
    let blobs = [&image.layer, &image.config];
    let digests = blobs.map(|blob| blob.digest.clone()).to_vec();
    let check =
        client.batch_check_layer_availability().repository_name(&repository).set_layer_digests(Some(digests));
    let answer = retry(NOT_VISIBLE, async || check.clone().send().await).await;
    let answer = answer.map_err(failed("ecr:BatchCheckLayerAvailability"))?;
    for blob in blobs {
        let there = answer.layers().iter().any(|layer| {
            layer.layer_digest() == Some(&blob.digest)
                && layer.layer_availability() == Some(&LayerAvailability::Available)
        });
        if !there {
            upload_layer(client, &repository, blob).await?;
        }
    }
    put_manifest(client, &repository, &image.manifest).await?;
    super::wait(&format!("the image {}", image.manifest.digest), async || {
        read_image(aws, names, function, &image.manifest.digest).await
    })
    .await
    .map(|_| ())
}

async fn upload_layer(client: &Client, repository: &str, blob: &Blob) -> anyhow::Result<()> {
    let start = client.initiate_layer_upload().repository_name(repository).send().await;
    let start = start.map_err(failed("ecr:InitiateLayerUpload"))?;
    let upload = start.upload_id().context("ecr:InitiateLayerUpload answered no upload id")?;
    // ECR says how large a part it likes; 5 MiB is the least that it takes before the last.
    let part_size = usize::try_from(start.part_size().unwrap_or_default()).unwrap_or_default().max(5 << 20);
    let mut first = 0;
    for part in blob.bytes.chunks(part_size) {
        let last = first + i64::try_from(part.len())? - 1;
        let call = client
            .upload_layer_part()
            .repository_name(repository)
            .upload_id(upload)
            .part_first_byte(first)
            .part_last_byte(last)
            .layer_part_blob(Bytes::new(part));
        call.send().await.map_err(failed("ecr:UploadLayerPart"))?;
        first = last + 1;
    }
    let complete = client
        .complete_layer_upload()
        .repository_name(repository)
        .upload_id(upload)
        .layer_digests(&blob.digest);
    match complete.send().await {
        Err(error) if is(&error, &["LayerAlreadyExistsException"]) => Ok(()),
        answer => answer.map(|_| ()).map_err(failed("ecr:CompleteLayerUpload")),
    }
}

async fn put_manifest(client: &Client, repository: &str, manifest: &Blob) -> anyhow::Result<()> {
    let text = std::str::from_utf8(&manifest.bytes).context("the manifest is no UTF-8")?;
    let put = client
        .put_image()
        .repository_name(repository)
        .image_manifest(text)
        .image_manifest_media_type(MANIFEST_TYPE)
        .image_tag(manifest.digest.replace(':', "-"))
        .image_digest(&manifest.digest);
    match put.send().await {
        // The tag is the digest: whoever was first pushed the same bytes.
        Err(error) if is(&error, &["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"]) => {
            Ok(())
        }
        answer => {
            let answer = answer.map_err(failed("ecr:PutImage"))?;
            let digest = answer.image.and_then(|image| image.image_id).and_then(|id| id.image_digest);
            ensure!(
                digest.as_ref() == Some(&manifest.digest),
                "ecr:PutImage answered the digest {digest:?} for {}",
                manifest.digest
            );
            Ok(())
        }
    }
}
