//! Signature Version 4 as S3 takes it, in a request's headers for our own calls, and in a URL for
//! somebody else's: <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use anyhow::Context;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
    SigningInstructions, SigningParams, SigningSettings, UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;
use image::digest::Sha256;
use jiff::Timestamp;
use jiff::tz::Offset;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986.
const QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Headers by name, in lower case.
pub(super) type Headers = Vec<(Cow<'static, str>, String)>;

#[derive(Clone)]
pub(super) struct Signer {
    credentials: Credentials,
    identity: Identity,
    region: String,
    /// The bucket's own URL, without a slash at its end.
    bucket: String,
    prepared: Arc<Mutex<Option<Arc<Prepared>>>>,
}

/// What all downloads that are signed in one second have in common.
struct Prepared {
    second: i64,
    life: Duration,
    /// The query's first parameters, in their canonical order.
    query: String,
    /// `{time}\n{scope}` of the string to sign.
    scope: String,
    key: Vec<u8>,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("bucket", &self.bucket).finish_non_exhaustive()
    }
}

impl Signer {
    pub(super) fn new(credentials: &Credentials, region: &str, bucket: String) -> Signer {
        let (identity, region) = (credentials.clone().into(), region.to_owned());
        Signer { credentials: credentials.clone(), identity, region, bucket, prepared: Arc::default() }
    }

    /// A URL to GET an object by. The same as `url` gives, in a tenth of the time: a page of a list has some
    /// hundred of them, and derives its key once.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
    pub(super) fn download_url(
        &self,
        path: &str,
        query: Option<(&str, &str)>,
        now: Timestamp,
        life: Duration,
    ) -> String {
        let prepared = self.prepare(now, life);
        let mut parameters = prepared.query.clone();
        // It sorts behind those that are prepared: their names begin with a capital.
        if let Some((name, value)) = query {
            parameters.push('&');
            parameters.push_str(name);
            parameters.push('=');
            parameters.extend(utf8_percent_encode(value, QUERY));
        }
        let (_, place) = self.bucket.split_once("://").unwrap_or(("", &self.bucket));
        let (host, folder) = match place.find('/') {
            Some(at) => place.split_at(at),
            None => (place, ""),
        };
        let request = format!("GET\n{folder}{path}\n{parameters}\nhost:{host}\n\nhost\nUNSIGNED-PAYLOAD");
        let hash = Sha256::of(request.as_bytes());
        let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{hash}", prepared.scope);
        let signature = v4::calculate_signature(&prepared.key, to_sign.as_bytes());
        format!("{}{path}?{parameters}&X-Amz-Signature={signature}", self.bucket)
    }

    fn prepare(&self, now: Timestamp, life: Duration) -> Arc<Prepared> {
        let mut kept = self.prepared.lock().unwrap_or_else(PoisonError::into_inner);
        match &*kept {
            Some(prepared) if (prepared.second, prepared.life) == (now.as_second(), life) => {
                Arc::clone(prepared)
            }
            _ => {
                let prepared = Arc::new(self.prepare_anew(now, life));
                *kept = Some(Arc::clone(&prepared));
                prepared
            }
        }
    }

    fn prepare_anew(&self, now: Timestamp, life: Duration) -> Prepared {
        let time = Offset::UTC.to_datetime(now).strftime("%Y%m%dT%H%M%SZ").to_string();
        let scope = format!("{}/{}/s3/aws4_request", time.get(..8).unwrap_or_default(), self.region);
        let credential = format!("{}/{scope}", self.credentials.access_key_id());
        let encoded = |text: &str| utf8_percent_encode(text, QUERY).to_string();
        let mut query = format!(
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential={}&X-Amz-Date={time}&X-Amz-Expires={}",
            encoded(&credential),
            life.as_secs(),
        );
        if let Some(token) = self.credentials.session_token() {
            query.push_str("&X-Amz-Security-Token=");
            query.push_str(&encoded(token));
        }
        query.push_str("&X-Amz-SignedHeaders=host");
        let secret = self.credentials.secret_access_key();
        let key = v4::generate_signing_key(secret, SystemTime::from(now), &self.region, "s3");
        let (second, key) = (now.as_second(), key.as_ref().to_vec());
        Prepared { second, life, query, scope: format!("{time}\n{scope}"), key }
    }

    /// The headers to send along with a call from now on for 15 minutes. `sha256` is the body's, in
    /// hexadecimal.
    pub(super) fn headers(
        &self,
        method: &str,
        path: &str,
        headers: &Headers,
        sha256: String,
        now: Timestamp,
    ) -> anyhow::Result<Headers> {
        let mut settings = settings(SignatureLocation::Headers);
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let url = format!("{}{path}", self.bucket);
        let signature = self.sign(method, &url, headers, SignableBody::Precomputed(sha256), settings, now)?;
        let (headers, _) = signature.into_parts();
        Ok(headers.iter().map(|header| (header.name().into(), header.value().to_owned())).collect())
    }

    /// A URL that can be used for so long, with just these headers.
    pub(super) fn url(
        &self,
        method: &str,
        path: &str,
        query: Option<(&str, &str)>,
        headers: &Headers,
        now: Timestamp,
        life: Duration,
    ) -> anyhow::Result<String> {
        let mut settings = settings(SignatureLocation::QueryParams);
        settings.expires_in = Some(life);
        let mut url = format!("{}{path}", self.bucket);
        let mut separator = '?';
        let mut append = |url: &mut String, name: &str, value: &str| {
            url.push(separator);
            separator = '&';
            url.push_str(name);
            url.push('=');
            url.extend(utf8_percent_encode(value, QUERY));
        };
        if let Some((name, value)) = query {
            append(&mut url, name, value);
        }
        let signature = self.sign(method, &url, headers, SignableBody::UnsignedPayload, settings, now)?;
        for (name, value) in signature.params() {
            append(&mut url, name, value);
        }
        Ok(url)
    }

    fn sign(
        &self,
        method: &str,
        url: &str,
        headers: &Headers,
        body: SignableBody<'_>,
        settings: SigningSettings,
        now: Timestamp,
    ) -> anyhow::Result<SigningInstructions> {
        let params = v4::SigningParams::builder()
            .identity(&self.identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::from(now))
            .settings(settings)
            .build()
            .context("set up signing")?;
        let headers = headers.iter().map(|(name, value)| (name.as_ref(), value.as_str()));
        let request = SignableRequest::new(method, url, headers, body).context("read what to sign")?;
        let signed = sign(request, &SigningParams::V4(params)).context("sign")?;
        Ok(signed.into_parts().0)
    }
}

/// S3 takes paths as they are, where other services encode and shorten them once more.
fn settings(location: SignatureLocation) -> SigningSettings {
    let mut settings = SigningSettings::default();
    settings.signature_location = location;
    settings.percent_encoding_mode = PercentEncodingMode::Single;
    settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The credentials, bucket and moment of AWS's examples.
    fn signer() -> (Signer, Timestamp) {
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", secret, None, None, "example");
        let bucket = "https://examplebucket.s3.amazonaws.com".to_owned();
        (Signer::new(&credentials, "us-east-1", bucket), "2013-05-24T00:00:00Z".parse().unwrap())
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html>, "GET Object".
    #[test]
    fn headers_are_signed_as_in_the_example_of_aws() {
        let (signer, now) = signer();
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let range = vec![("range".into(), "bytes=0-9".to_owned())];
        let headers = signer.headers("GET", "/test.txt", &range, empty.to_owned(), now).unwrap();
        let (_, authorization) = headers.iter().find(|(name, _)| name == "authorization").unwrap();
        let expected = "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41";
        assert!(authorization.ends_with(&format!("Signature={expected}")), "{authorization}");
    }

    /// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
    #[test]
    fn a_download_is_signed_as_the_sdk_would() {
        let (example, now) = signer();
        let url = example.download_url("/test.txt", None, now, Duration::from_hours(24));
        let signature = "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404";
        assert!(url.ends_with(&format!("&X-Amz-Signature={signature}")), "{url}");

        let parameters = |url: &str| {
            let (place, query) = url.split_once('?').unwrap();
            let mut parameters: Vec<_> = query.split('&').map(str::to_owned).collect();
            parameters.sort();
            (place.to_owned(), parameters)
        };
        let query = Some(("response-content-disposition", "attachment; filename*=UTF-8''%E7%8C%AB a+b.png"));
        for token in [None, Some("a+token/with=all".to_owned())] {
            let credentials = Credentials::new("AKID", "secret", token, None, "example");
            for bucket in ["https://b.s3.eu-west-1.amazonaws.com", "http://localhost:4566/b"] {
                let signer = Signer::new(&credentials, "eu-west-1", bucket.to_owned());
                // Also from what the one before has prepared, and not beyond its second.
                for (second, query) in [(0, None), (0, query), (1, query)] {
                    let now = now + Duration::from_secs(second);
                    let life = Duration::from_mins(15);
                    let path = "/uploads/x.png";
                    let ours = signer.download_url(path, query, now, life);
                    let sdk = signer.url("GET", path, query, &Headers::new(), now, life).unwrap();
                    assert_eq!(parameters(&ours), parameters(&sdk));
                }
            }
        }
    }

    #[test]
    fn a_url_is_signed_as_in_the_example_of_aws() {
        let (signer, now) = signer();
        let url = signer.url("GET", "/test.txt", None, &Headers::new(), now, Duration::from_hours(24));
        assert_eq!(
            url.unwrap(),
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }
}
