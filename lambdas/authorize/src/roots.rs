//! Who vouches for a provider that is not AWS's: the authorities that browsers trust, by Mozilla's list. They are made
//! ready only where such a provider is set, since it takes a while, and AWS's own endpoints have roots of their own.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use webpki_root_certs::TLS_SERVER_ROOT_CERTS;

/// All of them in PEM, which is what the HTTPS client takes.
pub(crate) fn public() -> String {
    let block = |der: &[u8]| {
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der))
    };
    TLS_SERVER_ROOT_CERTS.iter().map(|certificate| block(certificate)).collect()
}

#[cfg(test)]
mod tests {
    use rustls::RootCertStore;
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;

    use super::*;

    /// The HTTPS client would panic on a certificate that it cannot use.
    #[test]
    fn tls_can_use_all_of_them() {
        let mut store = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(public().as_bytes()) {
            store.add(root.unwrap()).unwrap();
        }
        assert!(store.len() > 100);
    }
}
