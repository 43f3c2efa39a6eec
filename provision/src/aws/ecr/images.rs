//! Images in a repository: pushed by layer through ECR's API, with no Docker and no login, and pruned.

use std::cell::Cell;
use std::collections::BTreeSet;

use anyhow::{Context, bail, ensure};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::SdkError;
use aws_sdk_ecr::operation::upload_layer_part::UploadLayerPartError;
use aws_sdk_ecr::primitives::{Blob as Bytes, DateTime};
use aws_sdk_ecr::types::{ImageDetail, ImageIdentifier, LayerAvailability};
use contract::Function;
use futures_util::future::try_join_all;

use super::{GONE, NOT_VISIBLE};
use crate::aws::Aws;
use crate::aws::failure::{failed, is, optional};
use crate::aws::wait::{retry, sending, wait};
use crate::package::container::{Blob, Container, MANIFEST_TYPE};
use crate::stack::place::Names;
use crate::stack::resource::lambda::ContainerImage;

/// The image of that digest, where the repository has it.
pub async fn read_image(
    aws: &Aws,
    names: &Names,
    function: Function,
    digest: &str,
) -> anyhow::Result<Option<ContainerImage>> {
    let id = ImageIdentifier::builder().image_digest(digest).build();
    let get = aws.ecr.batch_get_image().repository_name(names.function(function)).image_ids(id);
    let answer = optional(get.send().await, "ecr:BatchGetImage", GONE)?;
    let found = answer.and_then(|answer| answer.images?.into_iter().next());
    Ok(found.map(|_| ContainerImage { digest: digest.to_owned() }))
}

/// Pushes what the repository lacks, the manifest last, and waits until the image can be read.
///
/// `progress` hears how many bytes of how many are sent. A run that is killed leaves parts of layers
/// that ECR throws away; nothing names them.
pub async fn push_image(
    aws: &Aws,
    names: &Names,
    function: Function,
    image: &Container,
    progress: impl Fn(usize, usize),
) -> anyhow::Result<()> {
    let (client, repository) = (&aws.ecr, names.function(function));
    let missing = missing(client, &repository, &[&image.layer, &image.config]).await?;
    let total = missing.iter().map(|blob| blob.bytes.len()).sum();
    let sent = Cell::new(0);
    let on_part = |bytes: usize| {
        sent.set(sent.get() + bytes);
        progress(sent.get(), total);
    };
    try_join_all(missing.into_iter().map(|blob| upload_layer(client, &repository, blob, &on_part))).await?;
    put_manifest(client, &repository, &image.manifest).await?;
    wait(&format!("the image {}", image.manifest.digest), async || {
        read_image(aws, names, function, &image.manifest.digest).await
    })
    .await
    .map(|_| ())
}

async fn missing<'a>(client: &Client, repository: &str, blobs: &[&'a Blob]) -> anyhow::Result<Vec<&'a Blob>> {
    let digests = blobs.iter().map(|blob| blob.digest.clone()).collect();
    let check =
        client.batch_check_layer_availability().repository_name(repository).set_layer_digests(Some(digests));
    let answer = retry(NOT_VISIBLE, async || check.clone().send().await).await;
    let answer = answer.map_err(failed("ecr:BatchCheckLayerAvailability"))?;
    let there = |blob: &&Blob| {
        answer.layers().iter().any(|layer| {
            layer.layer_digest() == Some(&blob.digest)
                && layer.layer_availability() == Some(&LayerAvailability::Available)
        })
    };
    Ok(blobs.iter().copied().filter(|blob| !there(blob)).collect())
}

/// The parts of one layer go one after another, since ECR takes no part but the next one:
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UploadLayerPart.html>,
/// `InvalidLayerPartException`. Layers, and functions, go side by side.
async fn upload_layer(
    client: &Client,
    repository: &str,
    blob: &Blob,
    on_part: &impl Fn(usize),
) -> anyhow::Result<()> {
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
        let patience = aws_sdk_ecr::config::Builder::new().timeout_config(sending(part.len()));
        match call.customize().config_override(patience).send().await {
            // The answer to the first try got lost, and the SDK sent the part again.
            Err(error) if last_byte_taken(&error) == Some(last) => (),
            answer => drop(answer.map_err(failed("ecr:UploadLayerPart"))?),
        }
        on_part(part.len());
        first = last + 1;
    }
    let complete = client
        .complete_layer_upload()
        .repository_name(repository)
        .upload_id(upload)
        .layer_digests(&blob.digest);
    match complete.send().await {
        Err(error) if is(&error, &["LayerAlreadyExistsException"]) => Ok(()),
        answer => {
            // An upload that is complete is none any more, so a second try after a lost answer finds none.
            if answer.as_ref().is_err_and(|error| is(error, &["UploadNotFoundException"]))
                && missing(client, repository, &[blob]).await?.is_empty()
            {
                return Ok(());
            }
            let answer = answer.map_err(failed("ecr:CompleteLayerUpload"))?;
            same_digest("ecr:CompleteLayerUpload", answer.layer_digest(), &blob.digest)
        }
    }
}

/// The last byte of a layer that ECR has, where it says so because a part did not follow it.
fn last_byte_taken(error: &SdkError<UploadLayerPartError>) -> Option<i64> {
    match error.as_service_error()? {
        UploadLayerPartError::InvalidLayerPartException(refused) => refused.last_valid_byte_received,
        _ => None,
    }
}

async fn put_manifest(client: &Client, repository: &str, manifest: &Blob) -> anyhow::Result<()> {
    let text = std::str::from_utf8(&manifest.bytes).context("the manifest is no UTF-8")?;
    let put = client
        .put_image()
        .repository_name(repository)
        .image_manifest(text)
        .image_manifest_media_type(MANIFEST_TYPE)
        .image_tag(tag(&manifest.digest))
        .image_digest(&manifest.digest);
    match put.send().await {
        // The tag says the digest: whoever was first pushed the same bytes.
        Err(error) if is(&error, &["ImageAlreadyExistsException", "ImageTagAlreadyExistsException"]) => {
            Ok(())
        }
        answer => {
            let answer = answer.map_err(failed("ecr:PutImage"))?;
            let id = answer.image().and_then(|image| image.image_id());
            same_digest("ecr:PutImage", id.and_then(|id| id.image_digest()), &manifest.digest)
        }
    }
}

/// A tag of our own that says the digest. `sha256-{hex}` is not for it: by that name OCI's clients look for
/// what refers to the image. Images of before have it, and are found by their digest as all are.
/// <https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md#referrers-tag-schema>
fn tag(digest: &str) -> String {
    format!("{}-{}", contract::PROJECT, digest.trim_start_matches("sha256:"))
}

fn same_digest(call: &str, answered: Option<&str>, sent: &str) -> anyhow::Result<()> {
    let answered = answered.unwrap_or("none");
    ensure!(answered == sent, "{call} answered the digest {answered} for {sent}");
    Ok(())
}

async fn images(client: &Client, repository: &str) -> anyhow::Result<Vec<ImageDetail>> {
    let pages = client.describe_images().repository_name(repository).into_paginator().items();
    let images = pages.send().collect::<Result<Vec<_>, _>>().await;
    images.map_err(failed("ecr:DescribeImages"))
}

/// Deletes the images that are in no `used` digest and older than the `live` one, and returns how many.
///
/// What was pushed after the live one may be on its way to become it, from another machine.
pub async fn prune_images(
    aws: &Aws,
    names: &Names,
    function: Function,
    used: &BTreeSet<String>,
    live: &str,
) -> anyhow::Result<usize> {
    let (client, repository) = (&aws.ecr, names.function(function));
    let all = images(client, &repository).await?;
    let pushed = |image: &ImageDetail| image.image_pushed_at().map(DateTime::as_nanos);
    let of_live = all.iter().find(|image| image.image_digest() == Some(live)).and_then(pushed);
    let Some(of_live) = of_live else { return Ok(0) };
    let unused = all.iter().filter(|image| pushed(image).is_some_and(|moment| moment <= of_live));
    let unused: Vec<ImageIdentifier> = unused
        .filter_map(ImageDetail::image_digest)
        .filter(|digest| !used.contains(*digest))
        .map(|digest| ImageIdentifier::builder().image_digest(digest).build())
        .collect();
    // BatchDeleteImage takes a hundred.
    for batch in unused.chunks(100) {
        let delete = client.batch_delete_image().repository_name(&repository);
        let answer = delete.set_image_ids(Some(batch.to_vec())).send().await;
        let answer = answer.map_err(failed("ecr:BatchDeleteImage"))?;
        if let Some(failure) = answer.failures().first() {
            let (code, reason) = (failure.failure_code(), failure.failure_reason().unwrap_or("no reason"));
            bail!("ecr:BatchDeleteImage: {}: {reason}", code.map_or("no code", |code| code.as_str()));
        }
    }
    Ok(unused.len())
}
