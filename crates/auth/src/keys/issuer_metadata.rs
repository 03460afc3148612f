//! The metadata of an issuer, which says where its key set is.

use reqwest::Url;
use serde::Deserialize;

use super::remote::{FetchError, fetch_document};
use crate::{json_object, outgoing};

/// Where the metadata of an issuer is.
#[derive(Debug)]
pub(super) struct IssuerMetadata {
    issuer: String,
    /// The URLs to try, one after the other.
    urls: [Url; 2],
}

/// The members that are read (RFC 8414 §2).
#[derive(Deserialize)]
struct Document {
    issuer: String,
    jwks_uri: Option<String>,
}

impl IssuerMetadata {
    /// `None` if the issuer is not an absolute `http` or `https` URL without query and fragment (RFC 8414 §2).
    pub fn of(issuer: &str) -> Option<Self> {
        let url = outgoing::http_url(issuer)?;
        if url.query().is_some() || url.fragment().is_some() {
            return None;
        }
        let path = url.path().trim_end_matches('/');
        let at = |path: &str| {
            let mut url = url.clone();
            url.set_path(path);
            url
        };
        Some(Self {
            issuer: issuer.to_owned(),
            // OpenID Connect Discovery §4 appends the name, RFC 8414 §3.1 inserts it before the path.
            urls: [
                at(&format!("{path}/.well-known/openid-configuration")),
                at(&format!("/.well-known/oauth-authorization-server{path}")),
            ],
        })
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The URL of the key set, as the metadata says now.
    pub async fn key_set_url(&self, client: &reqwest::Client) -> Result<Url, FetchError> {
        let [first, second] = &self.urls;
        let document = match fetch_document(client, first.clone()).await {
            // Not each server answers 404 for a path that it does not know.
            Err(FetchError::Status(status)) if status.is_client_error() => {
                fetch_document(client, second.clone()).await
            }
            other => other,
        }?;
        self.read(&document)
    }

    fn read(&self, document: &[u8]) -> Result<Url, FetchError> {
        let document: Document = json_object::parse(document).ok_or(FetchError::NoKeySet)?;
        // RFC 8414 §3.3. Otherwise one issuer could name the keys of another.
        if document.issuer != self.issuer {
            return Err(FetchError::OtherIssuer);
        }
        let url = document.jwks_uri.as_deref().and_then(outgoing::http_url);
        let is_as_safe =
            |url: &Url| url.scheme() == "https" || self.urls.iter().all(|own| own.scheme() == "http");
        url.filter(is_as_safe).ok_or(FetchError::NoKeySet)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn metadata_is_looked_for_at_the_places_that_the_standards_name() {
        let urls = |issuer: &str| IssuerMetadata::of(issuer).map(|metadata| metadata.urls.map(String::from));
        assert_eq!(
            urls("https://sso.example/realms/shop"),
            Some([
                "https://sso.example/realms/shop/.well-known/openid-configuration".to_owned(),
                "https://sso.example/.well-known/oauth-authorization-server/realms/shop".to_owned(),
            ])
        );
        for root in ["https://sso.example", "https://sso.example/"] {
            let [first, second] = urls(root).unwrap();
            assert_eq!(first, "https://sso.example/.well-known/openid-configuration");
            assert_eq!(
                second,
                "https://sso.example/.well-known/oauth-authorization-server"
            );
        }
        for bad in [
            "sso.example",
            "ftp://sso.example",
            "https://sso.example?a=b",
            "https://sso.example#a",
        ] {
            assert_eq!(urls(bad), None, "{bad}");
        }
    }

    #[test]
    fn metadata_must_name_the_issuer_and_a_key_set_that_is_as_safe() {
        let read = |issuer: &str, document: Value| {
            let metadata = IssuerMetadata::of(issuer).unwrap();
            metadata.read(document.to_string().as_bytes()).map(String::from)
        };
        let (secure, plain) = ("https://sso.example/", "http://sso.example/");
        let of = |issuer: &str, jwks_uri: &str| json!({"issuer": issuer, "jwks_uri": jwks_uri});

        assert_eq!(
            read(secure, of(secure, "https://keys.example/")).unwrap(),
            "https://keys.example/"
        );
        assert_eq!(
            read(plain, of(plain, "http://keys.example/")).unwrap(),
            "http://keys.example/"
        );
        assert!(matches!(
            read(secure, of("https://sso.example", "https://keys.example/")),
            Err(FetchError::OtherIssuer)
        ));
        for document in [
            of(secure, "http://keys.example/"),
            of(secure, "keys"),
            of(secure, "file:///keys"),
            json!({"issuer": secure}),
            json!([secure, "https://keys.example/"]),
        ] {
            assert!(matches!(read(secure, document), Err(FetchError::NoKeySet)));
        }
    }
}
