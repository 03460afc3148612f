//! A certificate for `localhost`, and TLS with it.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::test_gateway::TestGateway;

/// A certificate that signed itself, and its private key.
pub struct Certificate {
    key: rcgen::CertifiedKey<rcgen::KeyPair>,
    directory: TempDir,
}

impl Certificate {
    /// A new certificate, in files.
    pub fn new() -> Self {
        let certificate = Self {
            key: rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap(),
            directory: TempDir::new().unwrap(),
        };
        std::fs::write(certificate.cert_file(), certificate.pem()).unwrap();
        std::fs::write(certificate.key_file(), certificate.key_pem()).unwrap();
        certificate
    }

    pub fn pem(&self) -> String {
        self.key.cert.pem()
    }

    pub fn key_pem(&self) -> String {
        self.key.signing_key.serialize_pem()
    }

    pub fn cert_file(&self) -> PathBuf {
        self.directory.path().join("cert.pem")
    }

    pub fn key_file(&self) -> PathBuf {
        self.directory.path().join("key.pem")
    }

    /// Opens a gateway with this certificate. One variable has a path, and the other one the text of a file.
    pub async fn open_gateway(&self) -> TestGateway {
        TestGateway::open_with(&[
            ("TLS_CERT", self.cert_file().to_str().unwrap()),
            ("TLS_KEY_FILE", self.key_file().to_str().unwrap()),
        ])
        .await
    }

    /// Begins TLS with HTTP/2. Fails if the server has another certificate.
    pub async fn connect(&self, stream: TcpStream) -> std::io::Result<TlsStream<TcpStream>> {
        self.connect_with(stream, &["h2"]).await
    }

    /// Begins TLS, and offers these protocols (RFC 7301).
    pub async fn connect_with(
        &self,
        stream: TcpStream,
        protocols: &[&str],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.key.cert.der().clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}
