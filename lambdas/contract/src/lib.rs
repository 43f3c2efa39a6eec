//! What `provision` and the functions must agree on, written once.
//!
//! `provision` creates the table, the bucket and the routes by these names; the functions read and
//! write by them. A name typed twice would drift, and drift here shows up only in production.
//! This crate depends on nothing.

/// The project's name, and the prefix of the names of everything `provision` creates.
pub const PROJECT: &str = "cloudpix";

pub mod limits;

/// Environment variables that `provision` sets on a function and the function reads at start.
pub mod variable {
    /// Name of the S3 bucket that holds the images.
    pub const BUCKET: &str = "CLOUDPIX_BUCKET";
    /// Name of the DynamoDB table that indexes the images.
    pub const TABLE: &str = "CLOUDPIX_TABLE";
    /// Value of `Access-Control-Allow-Origin` on every answer: `*` or one origin.
    pub const ALLOW_ORIGIN: &str = "CLOUDPIX_ALLOW_ORIGIN";
    /// Largest image taken, in pixels (width × height).
    pub const MAX_PIXELS: &str = "CLOUDPIX_MAX_PIXELS";
    /// Largest object taken through a presigned URL, in bytes.
    pub const MAX_UPLOAD_BYTES: &str = "CLOUDPIX_MAX_UPLOAD_BYTES";
    /// Long edges of the thumbnails in pixels, ascending: `160,480,1280`.
    pub const THUMBNAIL_SIZES: &str = "CLOUDPIX_THUMBNAIL_SIZES";
    /// What thumbnails are encoded as: `webp` or `jpeg`.
    pub const THUMBNAIL_FORMAT: &str = "CLOUDPIX_THUMBNAIL_FORMAT";
    /// The encoder's quality, 1 to 100.
    pub const THUMBNAIL_QUALITY: &str = "CLOUDPIX_THUMBNAIL_QUALITY";
    /// Who may call the API, by the name of an [`super::Auth`]. With `users`, every request bears what the
    /// authorizer found out ([`super::context`]), and one that does not is refused.
    pub const AUTH: &str = "CLOUDPIX_AUTH";
    /// Name of the `DynamoDB` table of keys and users ([`super::access`]).
    pub const ACCESS_TABLE: &str = "CLOUDPIX_ACCESS_TABLE";
    /// The OpenID provider whose access tokens count, as its tokens say it in `iss`.
    pub const ISSUER: &str = "CLOUDPIX_ISSUER";
    /// The application that access tokens must be for (`client_id` or `aud`).
    pub const CLIENT_ID: &str = "CLOUDPIX_CLIENT_ID";
    /// Where the provider's public keys are (RFC 7517), if not where its configuration says.
    pub const JWKS_URL: &str = "CLOUDPIX_JWKS_URL";
}

/// What the authorizer tells functions of a request, as texts in `requestContext.authorizer`.
pub mod context {
    /// Whose images the request is about: the `sub` of a user.
    pub const OWNER: &str = "owner";
    /// By what it was made: `user`, or the id of a key.
    pub const BY: &str = "by";
    /// The names of all scopes that it has, parted by spaces.
    pub const SCOPES: &str = "scopes";
}

/// The table of keys and of users: secrets of which it holds only hashes, and what each user may use.
pub mod access {
    /// Partition key: `key#{SHA-256 of a key in hexadecimal}`, or `user#{sub}`.
    pub const KEY: &str = "Key";
    /// Whose key it is, or which user.
    pub const OWNER: &str = "Owner";
    /// RFC 3339 in UTC with milliseconds.
    pub const CREATED_AT: &str = "CreatedAt";
    /// TTL in seconds since the epoch, on keys that expire.
    pub const EXPIRES_AT: &str = "ExpiresAt";
    /// Global secondary index, `Owner` → `CreatedAt`: a user's keys. An item of a user is not in it.
    pub const OWNER_INDEX: &str = "OwnerIndex";
    /// Before the hash of a key.
    pub const KEY_PREFIX: &str = "key#";
    /// Before the `sub` of a user.
    pub const USER_PREFIX: &str = "user#";
    /// Of a key: when it was used last, RFC 3339 in UTC. The one attribute that the authorizer writes.
    pub const LAST_USED: &str = "LastUsed";
}

/// Who may call the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Auth {
    /// People who sign in, and their keys for programs.
    Users,
    /// Whoever has the stack's one key.
    ApiKey,
    /// Everybody.
    None,
}

impl Auth {
    pub const ALL: [Auth; 3] = [Auth::Users, Auth::ApiKey, Auth::None];

    pub const fn name(self) -> &'static str {
        match self {
            Auth::Users => "users",
            Auth::ApiKey => "api-key",
            Auth::None => "none",
        }
    }

    pub fn named(name: &str) -> Option<Auth> {
        Auth::ALL.into_iter().find(|auth| auth.name() == name)
    }
}

/// What every key for programs begins with, so that people and scanners of secrets know one.
pub const API_TOKEN_PREFIX: &str = "cpx_";

/// What a request must be allowed to do. A user may do all; a key may do what it was made for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    Read,
    Write,
    Delete,
    Shares,
    /// To make, see and revoke keys. No key can have it.
    Keys,
}

impl Scope {
    pub const ALL: [Scope; 5] = [Scope::Read, Scope::Write, Scope::Delete, Scope::Shares, Scope::Keys];

    pub const fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Write => "write",
            Scope::Delete => "delete",
            Scope::Shares => "shares",
            Scope::Keys => "keys",
        }
    }

    pub fn named(name: &str) -> Option<Scope> {
        Scope::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// Those attributes of an item that `provision` builds keys and indexes of, or reads. The others are in
/// `lambdas/image/src/item.rs` and, on claims, `lambdas/catalog/src/index/claim.rs`; the design is in
/// ARCHITECTURE.md, "Data model".
pub mod attribute {
    /// Partition key: a UUID of version 7 in lower case, or that of a claim (`CLAIM_PREFIX`).
    pub const IMAGE_ID: &str = "ImageID";
    /// Key of the object in the bucket.
    pub const S3_OBJECT_KEY: &str = "S3ObjectKey";
    /// `pending`, `ready` or `rejected`; after a client deleted it, `deleting` and then `deleted`.
    pub const IMAGE_STATUS: &str = "ImageStatus";
    /// TTL in seconds since the epoch; on all records but those that are ready or being deleted, and
    /// on claims.
    pub const EXPIRES_AT: &str = "ExpiresAt";
    /// `YYYY-MM-DD` in UTC; set only in the write that makes the record ready, and only if its owner is
    /// `PUBLIC_OWNER`.
    pub const UPLOAD_DATE: &str = "UploadDate";
    /// `{RFC 3339 in UTC with milliseconds}#{ImageID}`; set only in the write that makes the record ready. While
    /// a record is being deleted, its moment is when that began.
    pub const UPLOAD_ORDER: &str = "UploadOrder";
    /// Whose image it is; absent on records of before that are not ready, which are `PUBLIC_OWNER`'s. While a
    /// record is being deleted, `DELETING_OWNER`.
    pub const OWNER: &str = "Owner";
    /// On a ready record whose thumbnails were made: `{format}:{edge}={width}x{height}/{bytes}` for
    /// each, parted by commas behind the format; empty where none can be made.
    pub const THUMBNAILS: &str = "Thumbnails";
}

/// Partition key of the claim on an `Idempotency-Key`: this and a SHA-256 of the key, and of its owner, in
/// hexadecimal. No UUID, so no client can read it as an image, and it is in no index.
pub const CLAIM_PREFIX: &str = "idempotency#";

/// Global secondary indexes of the table. Both are sparse: of what clients see, only ready records carry
/// their keys.
pub mod index {
    /// `UploadDate` → `UploadOrder`: one UTC day of what is everybody's.
    pub const UPLOAD_DATE: &str = "UploadDateIndex";
    /// `Owner` → `UploadOrder`: all that somebody has, newest first, and ranges. Under `DELETING_OWNER`, what is being
    /// deleted.
    pub const OWNER: &str = "OwnerIndex";
}

/// Prefix of the keys of uploaded images: `uploads/{imageId}.{ext}`.
pub const UPLOADS_PREFIX: &str = "uploads/";

/// Prefix of the keys of thumbnails: `thumbnails/{imageId}/{long edge}.{ext}`. Not below
/// `UPLOADS_PREFIX`, whose new objects start the function that makes thumbnails.
pub const THUMBNAILS_PREFIX: &str = "thumbnails/";

/// Owner of every image where nobody signs in. No user can be it.
pub const PUBLIC_OWNER: &str = "public";

/// Under this owner, who is nobody, `OwnerIndex` has the records of images that are being deleted, so that
/// a deletion that broke off is found without a scan. No list is made of it.
pub const DELETING_OWNER: &str = "#deleting";

/// Largest image taken inline (JSON or raw), in decoded bytes. Base64 and the event's own JSON
/// around it must fit the 6 MiB that Lambda takes.
pub const INLINE_LIMIT: usize = 4 * 1024 * 1024;

/// Media types that API Gateway hands over as base64 of the raw body: every name of an image that is
/// taken. Never `application/json`, which would be base64-encoded a second time, and never `*/*`, which
/// holds it.
pub const BINARY_MEDIA_TYPES: [&str; 21] = [
    "application/octet-stream",
    "image/apng",
    "image/avif",
    "image/avif-sequence",
    "image/bmp",
    "image/gif",
    "image/heic",
    "image/heic-sequence",
    "image/heif",
    "image/heif-sequence",
    "image/jpeg",
    "image/jpg",
    "image/pjpeg",
    "image/png",
    "image/tif",
    "image/tiff",
    "image/webp",
    "image/x-bmp",
    "image/x-ms-bmp",
    "image/x-png",
    "image/x-tiff",
];

/// Request headers that a browser may send to the API. Where users sign in, `authorization` takes the place of
/// `x-api-key`.
pub const API_HEADERS: [&str; 4] = ["content-disposition", "content-type", "idempotency-key", "x-api-key"];

/// Request headers that a browser must be able to send to the bucket: those of a presigned upload, and
/// the one that it takes along when the API leads it to a thumbnail.
pub const BUCKET_HEADERS: [&str; 5] =
    ["content-type", "if-none-match", "x-amz-checksum-sha256", "x-amz-meta-*", "x-api-key"];

/// A Lambda function of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Function {
    Upload,
    List,
    /// Started by new objects under `UPLOADS_PREFIX`, by no route.
    Process,
    /// Asked by the API whose request it is, where users sign in; started by no route.
    Authorize,
}

impl Function {
    pub const ALL: [Function; 4] = [Function::Upload, Function::List, Function::Process, Function::Authorize];

    /// The name of its crate, its binary, its table in `cloudpix.toml`, and the last part of its AWS names.
    pub const fn name(self) -> &'static str {
        match self {
            Function::Upload => "upload",
            Function::List => "list",
            Function::Process => "process",
            Function::Authorize => "authorize",
        }
    }
}

/// A method of the REST API and the function that serves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Route {
    pub method: &'static str,
    pub path: &'static str,
    pub function: Function,
    /// What a caller must be allowed to do, where callers are told apart.
    pub scope: Scope,
}

/// Paths of the routes, as API Gateway writes them.
pub mod path {
    pub const UPLOAD: &str = "/upload";
    pub const LIST: &str = "/list";
    pub const IMAGE: &str = "/images/{imageId}";
    pub const THUMBNAIL: &str = "/images/{imageId}/thumbnail";
    pub const KEYS: &str = "/keys";
    pub const KEY: &str = "/keys/{keyId}";
}

/// What ends the host names of a region's services, which is the partition's own.
///
/// <https://docs.aws.amazon.com/whitepapers/latest/aws-fault-isolation-boundaries/partitions.html>; the
/// domains are those of the AWS SDKs' `partitions.json`.
pub fn domain(region: &str) -> &'static str {
    let mut parts = region.split('-');
    match (parts.next(), parts.next()) {
        (Some("cn"), _) => "amazonaws.com.cn",
        (Some("eusc"), _) => "amazonaws.eu",
        (Some("us"), Some("iso")) => "c2s.ic.gov",
        (Some("us"), Some("isob")) => "sc2s.sgov.gov",
        (Some("eu"), Some("isoe")) => "cloud.adc-e.uk",
        (Some("us"), Some("isof")) => "csp.hci.ic.gov",
        _ => "amazonaws.com",
    }
}

/// The parameter in `path::IMAGE` and `path::THUMBNAIL`.
pub const IMAGE_ID_PARAMETER: &str = "imageId";

/// The parameter in `path::KEY`.
pub const KEY_ID_PARAMETER: &str = "keyId";

/// Every route. `openapi.yaml` is held against this table by a test.
pub const ROUTES: [Route; 8] = [
    Route { method: "POST", path: path::UPLOAD, function: Function::Upload, scope: Scope::Write },
    Route { method: "GET", path: path::LIST, function: Function::List, scope: Scope::Read },
    Route { method: "GET", path: path::IMAGE, function: Function::List, scope: Scope::Read },
    Route { method: "GET", path: path::THUMBNAIL, function: Function::List, scope: Scope::Read },
    Route { method: "DELETE", path: path::IMAGE, function: Function::Upload, scope: Scope::Delete },
    Route { method: "POST", path: path::KEYS, function: Function::Upload, scope: Scope::Keys },
    Route { method: "GET", path: path::KEYS, function: Function::List, scope: Scope::Keys },
    Route { method: "DELETE", path: path::KEY, function: Function::Upload, scope: Scope::Keys },
];

/// The routes of a stack. Where nobody signs in, nobody owns a key, and the routes of keys are not there.
pub fn routes(auth: Auth) -> impl Iterator<Item = &'static Route> {
    ROUTES.iter().filter(move |route| auth == Auth::Users || route.scope != Scope::Keys)
}

#[cfg(test)]
mod tests {
    use super::{Auth, ROUTES, domain, routes};

    #[test]
    fn only_where_people_sign_in_there_are_routes_of_keys() {
        assert_eq!(routes(Auth::Users).count(), ROUTES.len());
        for auth in [Auth::ApiKey, Auth::None] {
            assert_eq!(routes(auth).count(), ROUTES.len() - 3);
            assert!(routes(auth).all(|route| !route.path.starts_with("/keys")));
        }
    }

    #[test]
    fn a_host_ends_in_its_partitions_domain() {
        for (region, expected) in [
            ("eu-west-1", "amazonaws.com"),
            ("us-gov-west-1", "amazonaws.com"),
            ("cn-north-1", "amazonaws.com.cn"),
            ("eusc-de-east-1", "amazonaws.eu"),
            ("us-iso-east-1", "c2s.ic.gov"),
            ("us-isob-east-1", "sc2s.sgov.gov"),
            ("eu-isoe-west-1", "cloud.adc-e.uk"),
            ("us-isof-south-1", "csp.hci.ic.gov"),
        ] {
            assert_eq!(domain(region), expected, "{region}");
        }
    }
}
