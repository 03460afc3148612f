//! TLS at the edge: the certificate and its private key (`TLS_CERT`, `TLS_KEY`).

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::Env;

/// Reads the certificate chain and the key. Each variable has PEM text or the path of a file with it. `None` without a certificate,
/// or if there is a problem, which is reported to `env`.
pub(crate) fn read(env: &mut Env) -> Option<Arc<ServerConfig>> {
    let (certificate, key) = match (env.secret("TLS_CERT"), env.secret("TLS_KEY")) {
        (None, None) => return None,
        (Some(certificate), Some(key)) => (certificate, key),
        (certificate, _) => {
            let (missing, given) = if certificate.is_some() {
                ("TLS_KEY", "TLS_CERT")
            } else {
                ("TLS_CERT", "TLS_KEY")
            };
            env.problem(missing, format!("is missing, but {given} is set"));
            return None;
        }
    };
    let certificates = pem(env, "TLS_CERT", &certificate).and_then(|text| {
        let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
        let chain = chain.ok().filter(|chain| !chain.is_empty());
        if chain.is_none() {
            env.problem("TLS_CERT", "must contain a certificate in PEM");
        }
        chain
    });
    let key = pem(env, "TLS_KEY", &key).and_then(|text| {
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).ok();
        if key.is_none() {
            env.problem("TLS_KEY", "must contain an unencrypted private key in PEM");
        }
        key
    });
    let config = server_config(certificates?, key?);
    if let Err(error) = &config {
        env.problem("TLS_CERT", format!("and TLS_KEY can't be used: {error}"));
    }
    config.ok().map(Arc::new)
}

/// The PEM text that a variable has, or that the file at its path has.
fn pem(env: &mut Env, name: &str, value: &SecretString) -> Option<String> {
    let value = value.expose_secret();
    if value.contains("-----BEGIN") {
        return Some(value.to_owned());
    }
    std::fs::read_to_string(value)
        .inspect_err(|error| env.problem(name, format!("is neither PEM nor a readable file: {error}")))
        .ok()
}

fn server_config(
    certificates: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
