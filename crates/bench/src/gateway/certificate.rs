//! The certificate of all gateways, and the client that trusts it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::{CryptoProvider, aws_lc_rs};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, version};

use crate::Failure;

/// A new certificate for `localhost` that signed itself.
pub(super) struct Certificate {
    pub chain: PathBuf,
    pub key: PathBuf,
    /// Both in one file.
    pub bundle: PathBuf,
    pub connector: TlsConnector,
}

impl Certificate {
    /// Writes the files into this directory.
    pub(super) fn create(directory: &Path) -> Result<Self, Failure> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let write = |name, text: &str| {
            let path = directory.join(name);
            fs::write(&path, text).map(|()| path)
        };
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone())?;
        Ok(Self {
            chain: write("certificate.pem", &certificate)?,
            key: write("key.pem", &key)?,
            bundle: write("bundle.pem", &format!("{certificate}{key}"))?,
            connector: connector(roots)?,
        })
    }
}

/// A client that offers one version and one cipher suite, so that all gateways use the same.
fn connector(roots: RootCertStore) -> Result<TlsConnector, Failure> {
    let provider = CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        ..aws_lc_rs::default_provider()
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}
