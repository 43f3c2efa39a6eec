//! Bucket, table, queue, and what the bucket starts.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::Value;

use super::Tags;

#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Bucket {
    pub tags: Tags,
    /// All four settings of S3 Block Public Access.
    pub block_public_access: bool,
    /// `BucketOwnerEnforced`: ACLs are off.
    pub object_ownership: String,
    /// `AES256` (SSE-S3).
    pub encryption: String,
    pub versioning: bool,
    pub policy: Value,
    pub cors: Vec<CorsRule>,
    pub lifecycle: Vec<LifecycleRule>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct CorsRule {
    pub origins: Vec<String>,
    pub methods: Vec<String>,
    pub headers: Vec<String>,
    pub exposed: Vec<String>,
    pub max_age: i32,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct LifecycleRule {
    pub id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub abort_multipart_days: Option<i32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noncurrent_days: Option<i32>,
    /// Delete markers that hide nothing any more.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub expired_delete_markers: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Table {
    pub tags: Tags,
    pub partition_key: String,
    /// `PAY_PER_REQUEST`.
    pub billing: String,
    pub indexes: BTreeMap<String, Index>,
    /// The attribute whose time, in seconds since the epoch, ends an item.
    pub ttl: Option<String>,
    pub point_in_time_recovery: bool,
    pub deletion_protection: bool,
}

/// A global secondary index that projects every attribute. All keys are strings.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Index {
    pub partition_key: String,
    pub sort_key: String,
    /// `ALL`.
    pub projection: String,
    /// `ACTIVE`, once it can be asked.
    pub status: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Queue {
    pub tags: Tags,
    /// `SSE-SQS`, where SQS encrypts with a key of its own.
    pub encryption: String,
    /// Seconds that a message is kept.
    pub retention: i32,
    /// Seconds that a message is hidden from others after it was received.
    pub visibility: i32,
    pub policy: Value,
}

/// The one of a bucket's notifications that is ours.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notification {
    /// ARN of the alias that is called.
    pub function: String,
    pub events: BTreeSet<String>,
    /// What an object's key must be like: `prefix`, `suffix`.
    pub filters: BTreeMap<String, String>,
}
