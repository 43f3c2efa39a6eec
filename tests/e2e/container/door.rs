//! The embedded AWS as a container finds AWS: a name that DNS answers, and TLS with a root of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// RFC 6761 keeps `.test` free of real hosts.
pub const NAME: &str = "aws.cloudpix.test";

pub struct Door {
    pub port: u16,
    folder: tempfile::TempDir,
    connections: Arc<AtomicUsize>,
    /// Whether a DNS server of ours listens; port 53 is root's.
    dns: bool,
}

impl Door {
    /// Everything that comes in goes to `endpoint`, `http://localhost:{port}`.
    pub fn open(endpoint: &str) -> Door {
        let folder = tempfile::tempdir().unwrap();
        let config = tls(&folder);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let (count, inner) = (connections.clone(), endpoint.replace("http://localhost", "127.0.0.1"));
        std::thread::spawn(move || {
            for outer in listener.incoming().flatten() {
                let (config, count, inner) = (config.clone(), count.clone(), inner.clone());
                std::thread::spawn(move || relay(outer, config, &inner, &count));
            }
        });
        let dns = UdpSocket::bind("127.0.0.1:53");
        if let Err(error) = &dns {
            eprintln!(
                "note: no DNS server on port 53 ({error}), so the name is in the container's hosts file"
            );
        }
        let has_dns = dns.is_ok();
        std::thread::spawn(move || dns.map(|socket| answer(&socket)));
        Door { port, folder, connections, dns: has_dns }
    }

    /// The root certificate, PEM.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("root.pem")
    }

    /// Connections over which a whole TLS handshake was made.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// How docker tells a container where the name is.
    pub fn resolver(&self) -> [String; 2] {
        if self.dns {
            ["--dns".to_owned(), "127.0.0.1".to_owned()]
        } else {
            ["--add-host".to_owned(), format!("{NAME}:127.0.0.1")]
        }
    }
}

fn tls(folder: &tempfile::TempDir) -> Arc<ServerConfig> {
    let mut root = CertificateParams::default();
    root.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = CertifiedIssuer::self_signed(root, KeyPair::generate().unwrap()).unwrap();
    let path = folder.path().join("root.pem");
    std::fs::write(&path, root.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new([NAME.to_owned()]).unwrap().signed_by(&key, &root).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    Arc::new(config.with_no_client_auth().with_single_cert(vec![leaf.der().clone()], key).unwrap())
}

/// Carries bytes both ways until one side is done.
fn relay(outer: TcpStream, config: Arc<ServerConfig>, inner: &str, count: &AtomicUsize) {
    let Ok(mut inner) = TcpStream::connect(inner) else { return };
    let Ok(mut connection) = ServerConnection::new(config) else { return };
    let mut outer = outer;
    while connection.is_handshaking() {
        if connection.complete_io(&mut outer).is_err() {
            return;
        }
    }
    count.fetch_add(1, Ordering::Relaxed);
    for stream in [&outer, &inner] {
        stream.set_read_timeout(Some(Duration::from_millis(2))).unwrap();
    }
    let mut outer = StreamOwned::new(connection, outer);
    let mut buffer = vec![0; 1 << 16];
    while carry(&mut outer, &mut inner, &mut buffer) && carry(&mut inner, &mut outer, &mut buffer) {}
}

/// Whether there may be more.
fn carry(from: &mut impl Read, to: &mut impl Write, buffer: &mut [u8]) -> bool {
    match from.read(buffer) {
        Ok(0) => false,
        Ok(length) => to.write_all(&buffer[..length]).and_then(|()| to.flush()).is_ok(),
        Err(error) => matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut),
    }
}

/// Answers every question for an IPv4 address with the loopback one, and any other with nothing (RFC 1035).
fn answer(socket: &UdpSocket) {
    let mut buffer = [0; 512];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        let Some(question) = question(&buffer[..length]) else { continue };
        let asks_for_ipv4 = question.ends_with(&[0, 1, 0, 1]);
        let mut reply = buffer[..2].to_vec();
        // A response, recursion available, no error; one question; one answer or none.
        reply.extend([0x81, 0x80, 0, 1, 0, u8::from(asks_for_ipv4), 0, 0, 0, 0]);
        reply.extend(question);
        if asks_for_ipv4 {
            // The name at offset 12, type A, class IN, a minute, four bytes.
            reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
            reply.extend(Ipv4Addr::LOCALHOST.octets());
        }
        let _ = socket.send_to(&reply, client);
    }
}

/// The one question of a query: name, type, class.
fn question(query: &[u8]) -> Option<&[u8]> {
    let mut at = 12;
    while *query.get(at)? != 0 {
        at += 1 + usize::from(query[at]);
    }
    query.get(12..at + 5)
}
