//! Requests a service token from the token endpoint by client credentials (RFC 6749 §4.4).

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderValue};
use secrecy::SecretString;
use serde::Deserialize;
use url::form_urlencoded;

use crate::outgoing;

const MAX_RESPONSE_BYTES: usize = 64 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);

/// A service's client credentials, and the token endpoint that accepts them.
#[derive(Clone, Debug)]
pub struct ServiceCredentials {
    pub(super) name: String,
    secret: SecretString,
    pub(super) token_url: String,
}

impl ServiceCredentials {
    /// The name and client secret of the calling service, and the URL of the token endpoint.
    #[must_use]
    pub fn new(name: impl Into<String>, secret: SecretString, token_url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            secret,
            token_url: token_url.into(),
        }
    }
}

/// Why there is no service token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// The token endpoint could not be reached or did not respond in time.
    #[error("no response from the token endpoint: {0}")]
    NoResponse(String),
    /// The token endpoint returned an error (RFC 6749 §5.2).
    #[error("the token endpoint answered with status {status} {code}")]
    Refused {
        /// The status of its response.
        status: u16,
        /// The member `error` of its response, or an empty string if there is none.
        code: String,
    },
    /// The response is not a bearer token.
    #[error("the token endpoint's response is not a bearer token")]
    InvalidResponse,
}

impl TokenError {
    fn no_response(error: &reqwest::Error) -> Self {
        Self::NoResponse(outgoing::innermost_cause(error).unwrap_or_else(|| "connection closed".to_owned()))
    }
}

/// A token that the endpoint issued.
pub(super) struct IssuedToken {
    /// The value of `Authorization`, marked as sensitive so that `Debug` hides it.
    pub authorization: HeaderValue,
    pub lifetime: Duration,
}

/// A successful response (RFC 6749 §5.1) or an error response (§5.2).
#[derive(Deserialize)]
struct TokenResponse {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<u32>,
    error: Option<String>,
}

impl TokenResponse {
    fn into_issued(self) -> Option<IssuedToken> {
        self.token_type
            .filter(|kind| kind.eq_ignore_ascii_case("bearer"))?;
        let lifetime = Duration::from_secs(self.expires_in.filter(|seconds| *seconds > 0)?.into());
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", self.access_token?)).ok()?;
        authorization.set_sensitive(true);
        Some(IssuedToken {
            authorization,
            lifetime,
        })
    }
}

#[derive(Debug)]
pub(super) struct TokenEndpoint {
    pub http: reqwest::Client,
    pub credentials: ServiceCredentials,
    pub audience: String,
}

impl TokenEndpoint {
    pub async fn fetch(&self) -> Result<IssuedToken, TokenError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("audience", &self.audience)
            .finish();
        let credentials = &self.credentials;
        let request = self
            .http
            .post(&credentials.token_url)
            .timeout(FETCH_TIMEOUT)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);

        let response = outgoing::with_basic_auth(request, &credentials.name, &credentials.secret)
            .send()
            .await
            .map_err(|error| TokenError::no_response(&error))?;
        let status = response.status();
        let body = outgoing::read_body(response, MAX_RESPONSE_BYTES)
            .await
            .map_err(|error| TokenError::no_response(&error))?;

        let response: Option<TokenResponse> = serde_json::from_slice(&body.unwrap_or_default()).ok();
        if !status.is_success() {
            let code = response.and_then(|response| response.error).unwrap_or_default();
            return Err(TokenError::Refused {
                status: status.as_u16(),
                code,
            });
        }
        response
            .and_then(TokenResponse::into_issued)
            .ok_or(TokenError::InvalidResponse)
    }
}
