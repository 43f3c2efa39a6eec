//! The bucket, the tables, the dead-letter queue, and the notification of new objects.

use std::collections::BTreeMap;

use contract::Function;

use super::id::Purpose;
use super::place::{LIVE, Names, Place};
use super::policy;
use super::resource::storage::{Bucket, CorsRule, Index, LifecycleRule, Notification, Queue, Table};
use crate::settings::Settings;

pub(super) fn bucket(settings: &Settings, place: &Place, names: &Names) -> Bucket {
    let rule = LifecycleRule {
        id: "cloudpix-expire-leftovers".to_owned(),
        abort_multipart_days: Some(1),
        noncurrent_days: Some(settings.keep_deleted_days),
        expired_delete_markers: true,
    };
    Bucket {
        tags: names.tags(),
        block_public_access: true,
        object_ownership: "BucketOwnerEnforced".to_owned(),
        encryption: "AES256".to_owned(),
        versioning: true,
        policy: policy::tls_only_bucket(place, &names.bucket),
        cors: vec![CorsRule {
            origins: vec![settings.allow_origin.clone()],
            methods: vec!["GET".to_owned(), "HEAD".to_owned(), "PUT".to_owned()],
            headers: contract::BUCKET_HEADERS.map(str::to_owned).to_vec(),
            exposed: vec!["ETag".to_owned()],
            max_age: 3600,
        }],
        lifecycle: vec![rule],
    }
}

pub(super) fn table(names: &Names, purpose: Purpose) -> Table {
    let index = |name: &str, partition_key: &str, sort_key: &str| {
        let index = Index {
            partition_key: partition_key.to_owned(),
            sort_key: sort_key.to_owned(),
            projection: "ALL".to_owned(),
            status: "ACTIVE".to_owned(),
        };
        (name.to_owned(), index)
    };
    let (partition_key, indexes, ttl) = match purpose {
        Purpose::Metadata => {
            use contract::attribute::{EXPIRES_AT, IMAGE_ID, OWNER, UPLOAD_DATE, UPLOAD_ORDER};
            let by_date = index(contract::index::UPLOAD_DATE, UPLOAD_DATE, UPLOAD_ORDER);
            let by_owner = index(contract::index::OWNER, OWNER, UPLOAD_ORDER);
            (IMAGE_ID, BTreeMap::from([by_date, by_owner]), EXPIRES_AT)
        }
        Purpose::Access => {
            use contract::access::{CREATED_AT, EXPIRES_AT, KEY, OWNER, OWNER_INDEX};
            (KEY, BTreeMap::from([index(OWNER_INDEX, OWNER, CREATED_AT)]), EXPIRES_AT)
        }
    };
    Table {
        tags: names.tags(),
        partition_key: partition_key.to_owned(),
        billing: "PAY_PER_REQUEST".to_owned(),
        indexes,
        ttl: Some(ttl.to_owned()),
        point_in_time_recovery: true,
        deletion_protection: true,
    }
}

/// Where Lambda puts the events that `process` failed at, three times each.
///
/// Two weeks are the longest that SQS keeps a message:
/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SetQueueAttributes.html>.
pub(super) fn queue(place: &Place, names: &Names) -> Queue {
    Queue {
        tags: names.tags(),
        encryption: "SSE-SQS".to_owned(),
        retention: 14 * 86_400,
        visibility: 30,
        policy: policy::tls_only_queue(place, names),
    }
}

/// Each new object among the images starts `process`, and no thumbnail does.
pub(super) fn notification(place: &Place, names: &Names) -> Notification {
    let function = names.function(Function::Process);
    Notification {
        function: place.arn("lambda", &format!("function:{function}:{LIVE}")),
        events: ["s3:ObjectCreated:*".to_owned()].into(),
        filters: [("prefix".to_owned(), contract::UPLOADS_PREFIX.to_owned())].into(),
    }
}
