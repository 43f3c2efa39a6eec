//! AWS behind TLS and some way off: whether the first request of a process finds its connections open.
//!
//! The stub sits behind a real TLS server with a certificate of its own, and each of its turns, from
//! the last byte read to the first one written, takes [`ROUND_TRIP`]: the handshake of TCP, that of
//! TLS 1.3, and every answer.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde::Serialize;
use tempfile::NamedTempFile;

use crate::aws;
use crate::function::{Endpoint, Function, Program};
use crate::http;
use crate::measure::{STARTS, median_ms};
use crate::scenario::Scenario;
use crate::table::Table;

/// As from a function to a service of its region at worst.
const ROUND_TRIP: Duration = Duration::from_millis(20);
/// Warm requests to each process.
const WARM: usize = 5;

/// Medians of [`STARTS`] processes.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FirstRequest {
    pub(crate) scenario: &'static str,
    pub(crate) init_ms: f64,
    pub(crate) first_ms: f64,
    pub(crate) warm_ms: f64,
}

pub(crate) struct Distant {
    endpoint: Endpoint,
    /// Deleted when dropped.
    _roots: NamedTempFile,
}

impl Distant {
    pub(crate) fn serve(table: Arc<Table>) -> anyhow::Result<Distant> {
        let made =
            rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).context("make a certificate")?;
        let mut roots = NamedTempFile::new().context("make a file for a certificate")?;
        roots.write_all(made.cert.pem().as_bytes()).context("write a certificate")?;
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|config| {
                let chain = vec![CertificateDer::from(made.cert.der().to_vec())];
                config.with_no_client_auth().with_single_cert(chain, key)
            });
        let mut config = config.context("set up TLS")?;
        // They would be a turn of their own here, though nobody waits for them.
        config.send_tls13_tickets = 0;
        let config = Arc::new(config);
        let secure = move |connection| {
            // That of TCP's own handshake, which this end does not see.
            thread::sleep(ROUND_TRIP);
            let distant = Delayed { connection, answering: false };
            let tls = ServerConnection::new(Arc::clone(&config)).context("start TLS")?;
            Ok(StreamOwned::new(tls, distant))
        };
        let address = http::serve_over(secure, aws::handler(table))?;
        let endpoint = Endpoint { url: format!("https://{address}"), roots: Some(roots.path().to_owned()) };
        Ok(Distant { endpoint, _roots: roots })
    }

    pub(crate) fn measure(&self, scenario: &Scenario, program: &Program) -> anyhow::Result<FirstRequest> {
        let (mut init, mut first, mut warm) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..STARTS {
            let function = Function::start(program, &self.endpoint)?;
            init.push(function.init);
            let ask = || -> anyhow::Result<Duration> {
                let (took, answer) = function.answer(&scenario.event)?;
                scenario.check(&answer)?;
                Ok(took)
            };
            first.push(ask()?);
            for _ in 0..WARM {
                warm.push(ask()?);
            }
        }
        Ok(FirstRequest {
            scenario: scenario.name,
            init_ms: median_ms(&mut init),
            first_ms: median_ms(&mut first),
            warm_ms: median_ms(&mut warm),
        })
    }
}

/// A connection whose every answer takes a while.
struct Delayed {
    connection: TcpStream,
    answering: bool,
}

impl Read for Delayed {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.answering = false;
        self.connection.read(buffer)
    }
}

impl Write for Delayed {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if !std::mem::replace(&mut self.answering, true) {
            thread::sleep(ROUND_TRIP);
        }
        self.connection.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.connection.flush()
    }
}
