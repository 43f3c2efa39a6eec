//! How the functions reach AWS: credentials as Lambda gives them, one HTTPS client that both services
//! share, bounded retries and times, and what AWS's errors mean for a request. The services' own
//! clients are made in `store` and `index`.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use aws_credential_types::Credentials;
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_runtime_api::client::http::{HttpClient, SharedHttpClient, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::display::DisplayErrorContext;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::retry::RetryConfig;
use aws_smithy_types::timeout::TimeoutConfig;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::environment::AwsEnvironment;
use crate::failure::Failure;

/// The image of a function holds one binary and no certificates, so the roots of Amazon Trust
/// Services, which sign all of AWS's endpoints, are part of the binary.
const AMAZON_ROOTS: &str = include_str!("amazon-roots.pem");

/// Longest a connection may be warmed during Init.
pub const WARM_TIME: Duration = Duration::from_secs(2);

/// What a service's client is made of.
#[derive(Clone, Debug)]
pub struct Aws {
    pub region: String,
    pub credentials: Credentials,
    pub endpoint: Option<String>,
    pub http: SharedHttpClient,
}

impl Aws {
    pub fn new(environment: &AwsEnvironment) -> anyhow::Result<Aws> {
        Ok(Aws {
            region: environment.region.clone(),
            credentials: environment.credentials.clone(),
            endpoint: environment.endpoint.clone(),
            http: https(environment, AMAZON_ROOTS)?,
        })
    }

    /// Three attempts at most, soon after each other: a client is waiting.
    pub fn retries() -> RetryConfig {
        RetryConfig::standard()
            .with_max_attempts(3)
            .with_initial_backoff(Duration::from_millis(100))
            .with_max_backoff(Duration::from_millis(500))
    }

    /// `attempt` and `operation` bound one try and all of them. The time to connect is the same for
    /// all clients, because the HTTPS client keeps one pool of connections for each such setting.
    pub fn timeouts(attempt: Duration, operation: Duration) -> TimeoutConfig {
        TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(1))
            .operation_attempt_timeout(attempt)
            .operation_timeout(operation)
            .build()
    }
}

/// Makes an HTTPS client that trusts these roots, in PEM, unless the environment names others.
pub fn https(environment: &AwsEnvironment, roots: &str) -> anyhow::Result<SharedHttpClient> {
    let trusted = match &environment.ca_bundle {
        None => TrustStore::empty().with_pem_certificate(roots),
        Some(path) => {
            trust(&std::fs::read_to_string(path).with_context(|| format!("read AWS_CA_BUNDLE {path}"))?)?
        }
    };
    let tls = TlsContext::builder().with_trust_store(trusted).build().context("set up TLS")?;
    let client =
        Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(tls).build_https();
    // Asked to validate itself, the client would decode all roots once more, for a connector that it drops.
    Ok(http_client_fn(move |settings, components| client.http_connector(settings, components)))
}

/// Takes the certificates that TLS can use. The HTTPS client would panic on any other, and bundles
/// of operating systems do hold some.
fn trust(pem: &str) -> anyhow::Result<TrustStore> {
    const END: &str = "-----END CERTIFICATE-----";
    let usable = |block: &&str| {
        let certificate = CertificateDer::from_pem_slice(block.as_bytes());
        certificate.is_ok_and(|certificate| RootCertStore::empty().add(certificate).is_ok())
    };
    let blocks: Vec<_> = pem.split_inclusive(END).filter(usable).collect();
    if blocks.is_empty() {
        bail!("AWS_CA_BUNDLE holds no certificate that can be used");
    }
    let certificates = blocks.into_iter().map(str::as_bytes);
    Ok(certificates.fold(TrustStore::empty(), TrustStore::with_pem_certificate))
}

/// What a failed call means for the request that needed it: whether trying again may help.
pub fn failure<E>(action: impl Display, error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let passing = match &error {
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) => true,
        SdkError::ResponseError(context) => context.raw().status().is_server_error(),
        SdkError::ServiceError(context) => {
            context.raw().status().is_server_error()
                || context.raw().status().as_u16() == 429
                || context.err().code().is_some_and(|code| PASSING_CODES.contains(&code))
        }
        _ => false,
    };
    let cause = match error.as_service_error().map(ProvideErrorMetadata::meta) {
        Some(meta) => anyhow!(
            "{action}: {}: {} (request id {})",
            meta.code().unwrap_or("no code"),
            meta.message().unwrap_or("no message"),
            meta.extra("aws_request_id").unwrap_or("unknown"),
        ),
        None => anyhow!("{action}: {}", DisplayErrorContext(error)),
    };
    if passing { Failure::Busy(cause) } else { Failure::Broken(cause) }
}

/// Refusals with a status below 500 that go away by themselves.
const PASSING_CODES: [&str; 9] = [
    "ConditionalRequestConflict",
    "OperationAborted",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestTimeout",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Index;
    use crate::store::Store;
    use crate::testing;

    #[test]
    fn the_built_in_roots_are_the_five_of_amazon_trust_services() {
        assert_eq!(AMAZON_ROOTS.matches("BEGIN CERTIFICATE").count(), 5);
        let roots = CertificateDer::pem_slice_iter(AMAZON_ROOTS.as_bytes());
        let mut store = RootCertStore::empty();
        roots.for_each(|root| store.add(root.unwrap()).unwrap());
        assert_eq!(store.len(), 5);
    }

    #[test]
    fn a_bundle_with_a_broken_certificate_serves_with_the_rest() {
        let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(trust(&format!("{broken}{AMAZON_ROOTS}{broken}")).is_ok());
        for useless in ["", broken, "no certificate at all"] {
            let error = trust(useless).unwrap_err();
            assert_eq!(error.to_string(), "AWS_CA_BUNDLE holds no certificate that can be used");
        }
    }

    /// The runtime crate sets the variable for each request, and the SDK's own interceptor copies it.
    /// Variables of this process cannot be set safely, so the test runs itself once more with them.
    #[tokio::test]
    async fn the_trace_goes_with_every_call_and_into_no_url() {
        const TRACE: (&str, &str) =
            ("_X_AMZN_TRACE_ID", "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1");
        const NAME: &str = "aws::tests::the_trace_goes_with_every_call_and_into_no_url";
        if std::env::var(TRACE.0).is_err() {
            let mut again = std::process::Command::new(std::env::current_exe().unwrap());
            again.args(["--exact", NAME]).env("AWS_LAMBDA_FUNCTION_NAME", "upload").env(TRACE.0, TRACE.1);
            let output = again.output().unwrap();
            let said = String::from_utf8_lossy(&output.stdout);
            assert!(output.status.success() && said.contains("1 passed"), "{said}");
            return;
        }
        let (aws, calls) = testing::empty_aws();
        let (store, index) = (Store::new(&aws, "pictures"), Index::new(&aws, "records"));
        let record = image::testing::record();
        store.put(&record, "abc".into()).await.unwrap();
        index.put(&record).await.unwrap();
        for call in calls.all() {
            assert_eq!(
                call.headers.get("x-amzn-trace-id").map(String::as_str),
                Some(TRACE.1),
                "{}",
                call.name
            );
            assert!(!call.headers["authorization"].contains("x-amzn-trace-id"), "{}", call.name);
        }
        let upload = store.upload_link(&record, record.created_at).unwrap();
        let headers: Vec<_> = upload.headers.keys().filter(|name| name.contains("trace")).collect();
        assert!(headers.is_empty() && !upload.link.url.contains("trace"), "{upload:?}");
    }
}
