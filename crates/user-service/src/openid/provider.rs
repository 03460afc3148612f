//! A provider, as this platform sees it. A slow provider is given up after [`DEADLINE`].

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use auth::{Clock, Keys, RemoteKeys, RemoteKeysError, Verifier};
use oauth2::basic::{
    BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
    BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, ExtraTokenFields,
    PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenResponse as _, TokenUrl,
};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use url::Url;

use super::config::ProviderConfig;
use super::error::ProviderError;
use super::http::HttpClient;
use super::metadata::Metadata;
use super::pending_login::PendingLogin;
use super::{id_token, userinfo};
use crate::domain::{EmailAddress, ProviderAccount, display_name};

/// The deadline for all calls to a provider in one request.
const DEADLINE: Duration = Duration::from_millis(4_500);
/// How long the metadata of a provider is used before it is fetched again.
const METADATA_LIFETIME: Duration = Duration::from_secs(3_600);
/// How long the provider may take to send its metadata.
const METADATA_TIMEOUT: Duration = Duration::from_secs(3);
/// How long metadata is used after it could not be fetched again, or after the provider failed in another way: its endpoints may have
/// moved.
const METADATA_RETRY: Duration = Duration::from_secs(60);

/// The configured providers. Clones share what is known of them.
#[derive(Clone, Debug)]
pub(crate) struct Providers(Arc<[Provider]>);

/// One provider.
#[derive(Debug)]
pub(crate) struct Provider {
    config: ProviderConfig,
    redirect_uri: String,
    http: HttpClient,
    clock: Clock,
    discovered: Mutex<Option<Discovered>>,
}

/// The data that is fetched from a provider when it is used for the first time.
#[derive(Clone, Debug)]
struct Discovered {
    metadata: Arc<Metadata>,
    verifier: Verifier,
    refetch_at: Instant,
}

/// The member of a token response that OpenID Connect adds (Core §3.1.3.3).
#[derive(Debug, Deserialize, Serialize)]
struct IdTokenField {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdTokenField {}

type OAuthClient = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdTokenField, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
>;

impl Providers {
    /// The providers of this configuration. Nothing is fetched before a provider is used.
    ///
    /// # Errors
    /// If the TLS library can't be initialized.
    pub(crate) fn new(
        configs: Vec<ProviderConfig>,
        public_url: &str,
        clock: &Clock,
    ) -> Result<Self, reqwest::Error> {
        let http = HttpClient::new()?;
        let provider = |config: ProviderConfig| Provider {
            redirect_uri: format!("{public_url}/auth/{}/callback", config.name),
            config,
            http: http.clone(),
            clock: clock.clone(),
            discovered: Mutex::default(),
        };
        Ok(Self(configs.into_iter().map(provider).collect()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Provider> {
        self.0.iter()
    }

    /// The provider of this name.
    pub(crate) fn find(&self, name: &str) -> Option<&Provider> {
        self.iter().find(|provider| provider.config.name == name)
    }
}

impl Provider {
    pub(crate) fn name(&self) -> &str {
        &self.config.name
    }

    pub(crate) fn display_name(&self) -> &str {
        &self.config.display_name
    }

    /// Where to send the browser so that the person logs in there (OpenID Connect Core §3.1.2.1).
    pub(crate) async fn authorization_url(&self, pending: &PendingLogin) -> Result<Url, ProviderError> {
        let discovered = within_deadline(self.discover()).await?;
        let verifier = PkceCodeVerifier::new(pending.code_verifier.clone());
        let client = self.oauth_client()?.set_auth_uri(AuthUrl::from_url(
            discovered.metadata.authorization_endpoint.clone(),
        ));
        let (url, _) = client
            .authorize_url(|| CsrfToken::new(pending.state.clone()))
            .add_scopes(["openid", "email", "profile"].map(|scope| Scope::new(scope.to_owned())))
            .add_extra_param("nonce", &pending.nonce)
            .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
            .url();
        Ok(url)
    }

    /// Exchanges the code that a browser brings for the account of the person who logged in. `issuer` is the callback's parameter `iss`
    /// (RFC 9207).
    pub(crate) async fn account(
        &self,
        code: &str,
        issuer: Option<&str>,
        pending: &PendingLogin,
    ) -> Result<ProviderAccount, ProviderError> {
        let outcome = within_deadline(self.exchange(code, issuer, pending)).await;
        if let Err(ProviderError::Unavailable(_) | ProviderError::Broken(_)) = outcome {
            self.refetch_metadata_soon().await;
        }
        outcome
    }

    /// Bounds how long metadata is used that may be the reason for a failure.
    async fn refetch_metadata_soon(&self) {
        let soon = Instant::now() + METADATA_RETRY;
        if let Some(known) = &mut *self.discovered.lock().await {
            known.refetch_at = known.refetch_at.min(soon);
        }
    }

    async fn exchange(
        &self,
        code: &str,
        issuer: Option<&str>,
        pending: &PendingLogin,
    ) -> Result<ProviderAccount, ProviderError> {
        let Discovered {
            metadata, verifier, ..
        } = self.discover().await?;
        let is_from_here = issuer.map_or(!metadata.sends_issuer, |issuer| issuer == metadata.issuer);
        if !is_from_here {
            return Err(ProviderError::OtherIssuer);
        }
        let auth_type = if metadata.secret_in_body {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        };
        let client = self
            .oauth_client()?
            .set_client_secret(ClientSecret::new(
                self.config.client_secret.expose_secret().to_owned(),
            ))
            .set_auth_type(auth_type)
            .set_token_uri(TokenUrl::from_url(metadata.token_endpoint.clone()));
        let send = |request| self.http.send(request);
        let tokens = client
            .exchange_code(AuthorizationCode::new(code.to_owned()))
            .set_pkce_verifier(PkceCodeVerifier::new(pending.code_verifier.clone()))
            .request_async(&send)
            .await
            .map_err(token_error)?;

        let token = tokens.extra_fields().id_token.as_deref();
        let token = token.ok_or_else(|| ProviderError::Broken("no ID token".to_owned()))?;
        let id_token = id_token::verify(&verifier, token, &self.config.client_id, &pending.nonce).await?;
        let mut person = id_token.person;
        if let (None, Some(endpoint)) = (&person.email, &metadata.userinfo_endpoint) {
            let access_token = tokens.access_token().secret();
            person = userinfo::fetch(&self.http, endpoint, access_token, &id_token.subject).await?;
        }

        let email = person
            .email
            .as_deref()
            .and_then(|text| EmailAddress::parse(text).ok());
        let hosted_domain = person.hd.as_deref();
        let is_trusted = email
            .as_ref()
            .is_some_and(|email| self.config.email_trust.covers(email.as_str(), hosted_domain));
        let name = person.name.or(person.preferred_username);
        Ok(ProviderAccount {
            issuer: metadata.issuer.clone(),
            subject: id_token.subject,
            is_email_verified: person.email_verified && is_trusted,
            name: display_name(name.as_deref(), email.as_ref()),
            email,
        })
    }

    fn oauth_client(&self) -> Result<OAuthClient, ProviderError> {
        let redirect_uri = RedirectUrl::new(self.redirect_uri.clone());
        let redirect_uri = redirect_uri.map_err(|error| ProviderError::Broken(error.to_string()))?;
        Ok(OAuthClient::new(ClientId::new(self.config.client_id.clone())).set_redirect_uri(redirect_uri))
    }

    /// The metadata and the verifier of ID tokens. Fetches the metadata if it is not known or old, one request at a time.
    async fn discover(&self) -> Result<Discovered, ProviderError> {
        let mut current = self.discovered.lock().await;
        let previous = current.clone();
        if let Some(known) = &previous
            && Instant::now() < known.refetch_at
        {
            return Ok(known.clone());
        }
        // Shorter than the deadline, so that old metadata can be used in time.
        let fetch = Metadata::fetch(&self.http, &self.config.issuer);
        let fetched = timeout(METADATA_TIMEOUT, fetch).await;
        let fetched =
            fetched.unwrap_or_else(|_| Err(ProviderError::Unavailable("no metadata in time".to_owned())));
        let discovered = match (fetched, previous) {
            (Ok(metadata), previous) => self.discovered(metadata, previous)?,
            (Err(error), Some(previous)) => {
                tracing::warn!(provider = self.config.name, %error, "old metadata is used");
                Discovered {
                    refetch_at: Instant::now() + METADATA_RETRY,
                    ..previous
                }
            }
            (Err(error), None) => return Err(error),
        };
        *current = Some(discovered.clone());
        Ok(discovered)
    }

    /// Keeps the verifier, and with it the keys, if the metadata still names the same key set.
    fn discovered(
        &self,
        metadata: Metadata,
        previous: Option<Discovered>,
    ) -> Result<Discovered, ProviderError> {
        let is_same = |previous: &Discovered| {
            previous.metadata.jwks_uri == metadata.jwks_uri && previous.metadata.issuer == metadata.issuer
        };
        let verifier = match previous.filter(is_same) {
            Some(previous) => previous.verifier,
            None => self
                .verifier(&metadata)
                .map_err(|error| ProviderError::Broken(error.to_string()))?,
        };
        Ok(Discovered {
            metadata: Arc::new(metadata),
            verifier,
            refetch_at: Instant::now() + METADATA_LIFETIME,
        })
    }

    fn verifier(&self, metadata: &Metadata) -> Result<Verifier, RemoteKeysError> {
        let keys = RemoteKeys::at(metadata.jwks_uri.as_str())?
            .http_client(self.http.inner())
            // Only the provider's own token endpoint can name an unknown key, not a client.
            .unknown_key_cooldown(Duration::ZERO);
        Ok(id_token::verifier(
            &metadata.issuer,
            &self.config.client_id,
            Keys::remote(keys),
            self.clock.clone(),
        ))
    }
}

async fn within_deadline<T>(
    work: impl Future<Output = Result<T, ProviderError>>,
) -> Result<T, ProviderError> {
    let late = |_| ProviderError::Unavailable(format!("no answer within {} ms", DEADLINE.as_millis()));
    timeout(DEADLINE, work).await.map_err(late)?
}

fn token_error(error: RequestTokenError<ProviderError, BasicErrorResponse>) -> ProviderError {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(refusal) => match refusal.error() {
            BasicErrorResponseType::InvalidGrant => ProviderError::InvalidCode,
            _ => ProviderError::Broken(format!("the token endpoint refuses: {refusal}")),
        },
        // The answer may contain tokens, so it is not logged.
        RequestTokenError::Parse(error, _) => ProviderError::Broken(format!("the token endpoint: {error}")),
        RequestTokenError::Other(why) => ProviderError::Broken(format!("the token endpoint: {why}")),
    }
}

#[cfg(test)]
mod tests {
    use service_kit::Env;

    use super::*;
    use crate::openid::{ProviderConfig, Purpose};

    #[actix_web::test]
    async fn metadata_of_a_provider_that_fails_is_fetched_again_soon() {
        let clock = Clock::fixed();
        let issuer = "http://127.0.0.1:1";
        let vars = [
            ("OIDC_SSO_ISSUER", issuer),
            ("OIDC_SSO_CLIENT_ID", "shop"),
            ("OIDC_SSO_CLIENT_SECRET", "not-a-secret"),
        ];
        let configs = ProviderConfig::read_all(&mut Env::from_vars("user-service", vars));
        let providers = Providers::new(configs, "http://localhost:8080", &clock).unwrap();
        let provider = providers.find("sso").unwrap();
        let endpoint = Url::parse(issuer).unwrap();
        let metadata = Metadata {
            issuer: issuer.to_owned(),
            authorization_endpoint: endpoint.clone(),
            token_endpoint: endpoint.clone(),
            jwks_uri: endpoint,
            userinfo_endpoint: None,
            secret_in_body: false,
            sends_issuer: false,
        };
        let known = provider.discovered(metadata, None).unwrap();
        assert!(known.refetch_at > Instant::now() + METADATA_RETRY);
        *provider.discovered.lock().await = Some(known);

        let purpose = Purpose::LogIn { in_cookies: false };
        let pending = PendingLogin::new("sso", purpose, None, clock.now()).unwrap();
        let outcome = provider.account("a-code", None, &pending).await;
        assert!(
            matches!(outcome, Err(ProviderError::Unavailable(_))),
            "{outcome:?}"
        );
        let known = provider.discovered.lock().await.clone().unwrap();
        assert!(known.refetch_at <= Instant::now() + METADATA_RETRY);
    }
}
