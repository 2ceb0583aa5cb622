//! A certificate and its key for a server, from PEM files. They can be read again while the server runs, as they are renewed.

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use tokio_rustls::TlsAcceptor;

/// A server's certificate and key.
#[derive(Debug)]
pub struct ServerTls {
    certificate: PathBuf,
    key: PathBuf,
    config: RwLock<Arc<ServerConfig>>,
}

impl ServerTls {
    /// Reads a chain of certificates, the server's own first, and its key; an error says which file is wrong, and how.
    pub fn read(certificate: &Path, key: &Path) -> Result<Self, String> {
        let config = RwLock::new(config(certificate, key)?);
        Ok(Self { certificate: certificate.to_owned(), key: key.to_owned(), config })
    }

    /// Reads the files again, for connections from now on. Where that fails the old ones stay.
    pub fn reload(&self) -> Result<(), String> {
        let config = config(&self.certificate, &self.key)?;
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = config;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        let config = self.config.read().unwrap_or_else(PoisonError::into_inner);
        TlsAcceptor::from(Arc::clone(&config))
    }
}

fn config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, String> {
    let unreadable = |path: &Path, what: &str, why: String| {
        format!("`{}` has no {what} in PEM form: {why}", path.display())
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect)
        .map_err(|error| unreadable(certificate, "certificate", error.to_string()))?;
    if chain.is_empty() {
        return Err(unreadable(certificate, "certificate", "there is none".into()));
    }
    let private = PrivateKeyDer::from_pem_file(key)
        .map_err(|error| unreadable(key, "private key", error.to_string()))?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, private))
        .map_err(|error| format!("the certificate and the key cannot be used together: {error}"))?;
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "tests/data/tls/cert.pem";
    const KEY: &str = "tests/data/tls/key.pem";

    #[test]
    fn a_file_that_is_wrong_is_named() {
        let read =
            |certificate: &str, key: &str| ServerTls::read(Path::new(certificate), Path::new(key)).map(drop);
        assert_eq!(read(CERTIFICATE, KEY), Ok(()));
        for (certificate, key, says) in [
            ("tests/data/tls/none.pem", KEY, "none.pem` has no certificate"),
            (KEY, KEY, "key.pem` has no certificate in PEM form: there is none"),
            (CERTIFICATE, CERTIFICATE, "cert.pem` has no private key"),
        ] {
            let told = read(certificate, key).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }

    #[test]
    fn a_certificate_that_cannot_be_read_again_leaves_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        std::fs::copy(CERTIFICATE, &certificate).unwrap();
        std::fs::copy(KEY, &key).unwrap();
        let tls = ServerTls::read(&certificate, &key).unwrap();
        std::fs::write(&certificate, "").unwrap();
        assert!(tls.reload().is_err());
        let _ = tls.acceptor();
        std::fs::copy(CERTIFICATE, &certificate).unwrap();
        assert_eq!(tls.reload(), Ok(()));
    }
}
