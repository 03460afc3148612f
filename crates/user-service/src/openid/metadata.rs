//! The metadata of a provider (OpenID Connect Discovery §3): where its endpoints are.

use serde::Deserialize;
use url::Url;

use super::error::ProviderError;
use super::http::HttpClient;

/// The metadata of a provider.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    /// The issuer as ID tokens name it.
    pub issuer: String,
    pub authorization_endpoint: Url,
    pub token_endpoint: Url,
    pub jwks_uri: Url,
    pub userinfo_endpoint: Option<Url>,
    /// Whether the client authenticates in the body of the token request instead of by HTTP Basic.
    pub secret_in_body: bool,
    /// Whether the provider names itself in its answers (RFC 9207 §3).
    pub sends_issuer: bool,
}

/// The members that are read.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Fetches the metadata of this issuer.
    pub(super) async fn fetch(http: &HttpClient, issuer: &str) -> Result<Self, ProviderError> {
        let url = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let url = Url::parse(&url).map_err(|error| ProviderError::Broken(error.to_string()))?;
        Self::check(http.get_json(&url, None).await?, issuer)
    }

    fn check(document: Document, issuer: &str) -> Result<Self, ProviderError> {
        // §4.3. A slash at the end, which is often forgotten, makes no other issuer.
        if document.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(ProviderError::Broken(format!(
                "the metadata of {issuer} names another issuer, {}",
                document.issuer
            )));
        }
        let is_https = issuer.starts_with("https:");
        let endpoints = [
            Some(&document.authorization_endpoint),
            Some(&document.token_endpoint),
            Some(&document.jwks_uri),
            document.userinfo_endpoint.as_ref(),
        ];
        for endpoint in endpoints.into_iter().flatten() {
            let has_allowed_scheme = endpoint.scheme() == "https" || !is_https && endpoint.scheme() == "http";
            if !has_allowed_scheme {
                return Err(ProviderError::Broken(format!(
                    "the metadata of {issuer} names an endpoint that is not https: {endpoint}"
                )));
            }
        }
        let methods = &document.token_endpoint_auth_methods_supported;
        let supports = |method: &str| methods.iter().any(|supported| supported == method);
        Ok(Self {
            // Basic is the default (§3).
            secret_in_body: !supports("client_secret_basic") && supports("client_secret_post"),
            issuer: document.issuer,
            authorization_endpoint: document.authorization_endpoint,
            token_endpoint: document.token_endpoint,
            jwks_uri: document.jwks_uri,
            userinfo_endpoint: document.userinfo_endpoint,
            sends_issuer: document.authorization_response_iss_parameter_supported,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const ISSUER: &str = "https://sso.example.com";

    fn check(changes: Value, issuer: &str) -> Result<Metadata, ProviderError> {
        let mut document = json!({
            "issuer": ISSUER,
            "authorization_endpoint": "https://sso.example.com/authorize",
            "token_endpoint": "https://sso.example.com/token",
            "jwks_uri": "https://keys.example.com/jwks",
        });
        if let (Some(document), Value::Object(changes)) = (document.as_object_mut(), changes) {
            document.extend(changes);
        }
        Metadata::check(serde_json::from_value(document).unwrap(), issuer)
    }

    #[test]
    fn metadata_must_be_that_of_the_issuer() {
        assert!(check(json!({}), ISSUER).is_ok());
        let with_slash = check(json!({"issuer": format!("{ISSUER}/")}), ISSUER).unwrap();
        assert_eq!(with_slash.issuer, format!("{ISSUER}/"));
        assert!(check(json!({"issuer": "https://evil.example.com"}), ISSUER).is_err());
        assert!(check(json!({"issuer": format!("{ISSUER}/realm")}), ISSUER).is_err());
    }

    #[test]
    fn endpoints_are_https_if_the_issuer_is() {
        for endpoint in [
            "authorization_endpoint",
            "token_endpoint",
            "jwks_uri",
            "userinfo_endpoint",
        ] {
            for url in [
                "http://sso.example.com/x",
                "javascript:alert(1)",
                "file:///etc/passwd",
            ] {
                assert!(check(json!({endpoint: url}), ISSUER).is_err(), "{endpoint} {url}");
            }
        }
        let local = "http://localhost:9000";
        let plain = json!({"issuer": local, "token_endpoint": "http://localhost:9000/token"});
        assert!(check(plain, local).is_ok());
        assert!(check(json!({"issuer": local, "token_endpoint": "file:///x"}), local).is_err());
    }

    #[test]
    fn the_client_authenticates_as_the_provider_supports() {
        let in_body = |methods: Value| {
            let changes = json!({"token_endpoint_auth_methods_supported": methods});
            check(changes, ISSUER).unwrap().secret_in_body
        };
        assert!(!check(json!({}), ISSUER).unwrap().secret_in_body);
        assert!(!in_body(json!(["client_secret_post", "client_secret_basic"])));
        assert!(in_body(json!(["none", "client_secret_post"])));
        assert!(!in_body(json!(["private_key_jwt"])));
    }
}
