//! Which tokens are valid for a service.

use auth::{
    AccessCookie, Algorithm, IntrospectionError, Keys, Profile, RemoteKeysError, ServiceClientError, Verifier,
};

use super::cookies::CookieSettings;
use super::env::Env;
use super::platform::Platform;
use super::revocation_feed::FeedSettings;
use super::roles::Roles;
use super::strategy::{AuthStrategy, UserAuthentication};
use super::verification_keys::KeySource;
use crate::runtime::Runtime;

/// Which tokens are valid for a service.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// The issuer (`iss`) of all tokens (`AUTH_ISSUER`).
    pub issuer: String,
    /// The audience (`aud`) of users' access tokens (`AUTH_AUDIENCE`).
    pub audience: String,
    /// The keys of access tokens and service tokens (`AUTH_JWKS_URL`, `JWT_SECRET`).
    pub keys: KeySource,
    /// How the services of the platform decide about users (`AUTH_STRATEGY`).
    pub strategy: AuthStrategy,
    /// How this program decides about users.
    pub users: UserAuthentication,
    /// The cookies in which browsers send tokens (`PUBLIC_URL`, `CORS_ORIGINS`).
    pub cookies: CookieSettings,
    /// Where this program learns which tokens are revoked. `None` if it knows by itself, or if it is not in the registry.
    pub feed: Option<FeedSettings>,
}

/// Why there is no verifier.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifierError {
    /// A key set can't be fetched.
    #[error(transparent)]
    Keys(#[from] RemoteKeysError),
    /// user-service can't be asked.
    #[error(transparent)]
    Introspection(#[from] IntrospectionError),
    /// The revocation feed can't be read.
    #[error(transparent)]
    Feed(#[from] ServiceClientError),
}

impl AuthSettings {
    pub(super) fn read(env: &mut Env, service: &str, platform: &Platform<'_>, roles: &Roles) -> Self {
        let public_url = platform.public_url;
        let strategy = AuthStrategy::read(env);
        let settings = Self {
            issuer: env.text("AUTH_ISSUER").unwrap_or_else(|| public_url.to_owned()),
            audience: env.text("AUTH_AUDIENCE").unwrap_or_else(|| "platform".to_owned()),
            keys: KeySource::read(env, platform.user_service_url),
            strategy,
            users: UserAuthentication::read(env, service, strategy, platform),
            cookies: CookieSettings::read(env, public_url),
            feed: FeedSettings::read(env, service, platform, roles),
        };
        if let (KeySource::Jwks(keys), UserAuthentication::IdentityTokens(KeySource::Jwks(gateway))) =
            (&settings.keys, &settings.users)
            && keys == gateway
        {
            env.problem(
                "GATEWAY_JWKS_URL",
                "must not be AUTH_JWKS_URL: the gateway has its own keys",
            );
        }
        settings
    }

    /// The verifier of the service of this name. It may start to fetch key sets and to follow the revocation feed, so call it inside
    /// a tokio runtime.
    ///
    /// # Errors
    /// When a URL is not valid, or the TLS library can't be initialized.
    pub fn verifier(&self, service: &str, runtime: &Runtime) -> Result<Verifier, VerifierError> {
        let keys = self.keys.keys(&[Algorithm::EdDSA, Algorithm::ES256])?;
        self.verifier_with(service, runtime, keys, self.cookies.access_cookie())
    }

    /// The verifier of the service of this name, with these keys of access tokens and service tokens instead of the configured ones,
    /// and with this access cookie.
    ///
    /// # Errors
    /// As for [`verifier`](Self::verifier).
    pub fn verifier_with(
        &self,
        service: &str,
        runtime: &Runtime,
        keys: Keys,
        cookie: AccessCookie,
    ) -> Result<Verifier, VerifierError> {
        let profile = Profile::countersign(service).audiences([&self.audience]);
        let builder = Verifier::builder(&self.issuer, keys, profile)
            .access_cookie(cookie)
            .clock(runtime.clock.clone())
            .revocations(runtime.revocations.clone());
        let builder = match &self.feed {
            Some(feed) => builder.feed(feed.feed()?).when_stale(feed.stale_policy()?),
            None => builder,
        };
        let builder = match &self.users {
            UserAuthentication::AccessTokens => builder,
            UserAuthentication::ConfirmedAccessTokens(client) => builder.introspection(client.build()?),
            UserAuthentication::IdentityTokens(keys) => {
                builder.gateway_identities(service, keys.keys(&[Algorithm::EdDSA])?)
            }
        };
        Ok(builder.build())
    }
}
