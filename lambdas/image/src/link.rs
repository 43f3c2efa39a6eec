//! URLs that carry their own permission for a while. Whoever can sign makes them; here is what they are.

use std::collections::BTreeMap;

use jiff::Timestamp;

#[derive(Clone, Debug)]
pub struct Link {
    pub url: String,
    pub expires_at: Timestamp,
}

/// The URLs of an image and of its thumbnails.
#[derive(Clone, Debug)]
pub struct Links {
    pub download: Link,
    /// As many as the record has thumbnails, in their order.
    pub thumbnails: Vec<Link>,
}

/// A URL to PUT one object to, and the headers without which S3 refuses it.
#[derive(Debug)]
pub struct UploadLink {
    pub link: Link,
    pub headers: BTreeMap<String, String>,
}
