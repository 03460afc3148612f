//! Builds a verifier. Caps the leeway, so that no token is accepted after its revocation was dropped.

use std::sync::Arc;

use actix_web::{Error, HttpRequest};
use chrono::TimeDelta;

use crate::access_cookie::AccessCookie;
use crate::clock::Clock;
use crate::error::AuthError;
#[cfg(feature = "client")]
use crate::feed::RevocationFeed;
use crate::identity::identity_issuer;
use crate::keys::Keys;
use crate::profile::Profile;
use crate::refusal::Refusals;
use crate::revocations::Revocations;
use crate::stale::StalePolicy;
#[cfg(feature = "client")]
use crate::strategy::Introspection;
use crate::strategy::Strategy;
use crate::token_cache::TokenCache;
use crate::token_verifier::TokenVerifier;
use crate::trusted_issuer::TrustedIssuer;
use crate::verifier::{Verifier, VerifierState};

/// The largest [leeway](VerifierBuilder::leeway) that a verifier can have: 60 seconds.
///
/// No verifier accepts a token later than its `exp` plus this duration. A [`Revocation`](crate::Revocation) must be kept until
/// then.
pub const MAX_LEEWAY: TimeDelta = TimeDelta::seconds(60);

/// The default leeway.
pub(crate) const DEFAULT_LEEWAY: TimeDelta = TimeDelta::seconds(30);

/// Builds a [`Verifier`].
#[derive(Debug)]
pub struct VerifierBuilder {
    issuer: TrustedIssuer,
    more_issuers: Vec<TrustedIssuer>,
    leeway: TimeDelta,
    clock: Clock,
    revocations: Option<Revocations>,
    cache_bytes: u64,
    users: KnownBy,
    access_cookie: Option<AccessCookie>,
    #[cfg(feature = "client")]
    feed: Option<RevocationFeed>,
    stale_policy: StalePolicy,
    refusals: Refusals,
}

/// How users are known.
#[derive(Debug)]
enum KnownBy {
    AccessToken,
    #[cfg(feature = "client")]
    ConfirmedToken(Introspection),
    /// By identity tokens for the service of this name.
    Identity(String, Keys),
}

impl Verifier {
    /// Starts to build a verifier of tokens of `issuer`, which have this value as `iss`, are signed with one of `keys`, and look as the
    /// profile says.
    ///
    /// ```
    /// use auth::{Keys, Profile, RemoteKeys, Verifier};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), auth::RemoteKeysError> {
    /// let issuer = "https://sso.example.com/realms/shop";
    /// let keys = Keys::remote(RemoteKeys::discover(issuer)?);
    /// let verifier = Verifier::builder(issuer, keys, Profile::keycloak("shop-api")).build();
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn builder(issuer: impl AsRef<str>, keys: Keys, profile: Profile) -> VerifierBuilder {
        VerifierBuilder {
            issuer: TrustedIssuer::new(issuer.as_ref(), keys, profile),
            more_issuers: Vec::new(),
            leeway: DEFAULT_LEEWAY,
            clock: Clock::system(),
            revocations: None,
            cache_bytes: 24 * 1024 * 1024,
            users: KnownBy::AccessToken,
            access_cookie: None,
            #[cfg(feature = "client")]
            feed: None,
            stale_policy: StalePolicy::default(),
            refusals: Refusals::default(),
        }
    }
}

impl VerifierBuilder {
    /// Also accepts tokens of this issuer, side by side with the others. A token's `iss` chooses the issuer, whose keys and profile
    /// then decide alone. If two issuers have the same `iss`, the earlier one decides.
    ///
    /// Roles of different issuers are not distinguished: users with the role `admin` in this issuer's tokens are admins here. To prevent that, use
    /// [`Profile::without_roles`], or take roles from [another claim](Profile::roles_from). A service of this issuer is admitted only where
    /// any service is, because another issuer may have given its name to another service: see [`Service::is`](crate::Service::is).
    ///
    /// [`introspection`](Self::introspection), [`gateway_identities`](Self::gateway_identities) and [`feed`](Self::feed) concern the
    /// first issuer, and so does [`has_keys`](Verifier::has_keys): a service is ready without the keys of the others.
    #[must_use]
    pub fn issuer(mut self, issuer: impl AsRef<str>, keys: Keys, profile: Profile) -> Self {
        self.more_issuers
            .push(TrustedIssuer::new(issuer.as_ref(), keys, profile));
        self
    }

    /// How far the clocks of issuer and verifier may differ. A token is accepted from its `nbf` minus the leeway until its `exp`
    /// plus the leeway. Defaults to 30 seconds. Clamped to the range from zero to [`MAX_LEEWAY`]; fractions of a second are
    /// dropped.
    #[must_use]
    pub fn leeway(mut self, leeway: TimeDelta) -> Self {
        self.leeway = leeway.clamp(TimeDelta::zero(), MAX_LEEWAY);
        self
    }

    /// The clock. Defaults to the system clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The revocation set. Defaults to a new, empty one.
    #[must_use]
    pub fn revocations(mut self, revocations: Revocations) -> Self {
        self.revocations = Some(revocations);
        self
    }

    /// The maximum size of the cache of verified tokens, in bytes. Defaults to 24 MiB, about 15,000 tokens. With
    /// [`gateway_identities`](Self::gateway_identities) there are two such caches.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Lets the authorization server confirm the tokens of the first issuer's users on each request, after the verifier has accepted
    /// them. Its answer is not cached: a token is refused as soon as the server calls it inactive, and no user is admitted while the server does not
    /// answer. Replaces [`gateway_identities`](Self::gateway_identities).
    #[cfg(feature = "client")]
    #[must_use]
    pub fn introspection(mut self, introspection: Introspection) -> Self {
        self.users = KnownBy::ConfirmedToken(introspection);
        self
    }

    /// Identifies the first issuer's users only by identity tokens that the gateway signed with one of these keys for the service of
    /// this name, in the header [`IDENTITY_HEADER`](crate::IDENTITY_HEADER). An identity token has the claims of an access token of
    /// this platform, except for three: `iss` is [`identity_issuer`], `aud` is the service, and `exp` is near. Its `typ` is
    /// [`IDENTITY_TOKEN_TYPE`](crate::IDENTITY_TOKEN_TYPE). Replaces [`introspection`](Self::introspection).
    #[must_use]
    pub fn gateway_identities(mut self, service: impl Into<String>, keys: Keys) -> Self {
        self.users = KnownBy::Identity(service.into(), keys);
        self
    }

    /// Also takes the access token from this cookie, if the request has no bearer token. By default cookies are not read.
    ///
    /// - A cookie that is empty or repeated, or whose token is [invalid](AuthError::InvalidToken), counts as none. A route that requires
    ///   a token then answers 401 `no_token`, and a bearer token beside the cookie decides alone. [`Routes`](crate::Routes) and the
    ///   middleware remove the cookie from the browser. The plain extractors can't, because they don't see the response.
    /// - A cookie with an expired or revoked token is answered with 401 `token_expired` or `token_revoked`, as a bearer token is. It
    ///   is not removed: the client should refresh it.
    /// - A bearer token, and a cookie with another token that is not invalid: 400 [`AmbiguousCredentials`](AuthError::AmbiguousCredentials).
    /// - **Cross-site rule:** a request that carries the cookie and is not safe (RFC 9110 §9.2.1), and any upgrade to a WebSocket, must
    ///   come from a page of the cookie's [`Origins`](crate::Origins): 403 [`CrossSite`](AuthError::CrossSite). So must one that carries
    ///   a [guarded](AccessCookie::guard) cookie. Where a credential is missing or invalid, 401 comes first.
    ///   [`Routes`](crate::Routes) and the middleware apply the rule to every route, the extractors to all but
    ///   [`Anyone`](crate::Anyone).
    ///
    /// With [`gateway_identities`](Self::gateway_identities) the cookie does not identify a user, and counts as missing: the gateway
    /// reads it. The rule still holds for [guarded](AccessCookie::guard) cookies.
    ///
    /// ```
    /// use auth::{AccessCookie, Origins};
    ///
    /// # let issuer = auth::testing::Issuer::new("shop");
    /// # let builder = issuer.verifier_builder(auth::Keys::new(issuer.key_set()));
    /// let origins = Origins::new("https://shop.example", ["https://app.example"]);
    /// let verifier = builder.access_cookie(AccessCookie::new("__Host-access", origins)).build();
    /// ```
    #[must_use]
    pub fn access_cookie(mut self, cookie: AccessCookie) -> Self {
        self.access_cookie = Some(cookie);
        self
    }

    /// Follows this revocation feed. Until its first snapshot arrives, the verifier [has no revocations](Verifier::has_revocations)
    /// and refuses users. Without a feed, the revocation set is what the application makes it.
    #[cfg(feature = "client")]
    #[must_use]
    pub fn feed(mut self, feed: RevocationFeed) -> Self {
        self.feed = Some(feed);
        self
    }

    /// The treatment of users while the feed is stale. By default users keep the role `user` and no scopes.
    #[must_use]
    pub fn when_stale(mut self, policy: StalePolicy) -> Self {
        self.stale_policy = policy;
        self
    }

    /// The realm that challenges name (RFC 9110 §11.5). Defaults to [`DEFAULT_REALM`](crate::DEFAULT_REALM).
    #[must_use]
    pub fn realm(mut self, realm: impl AsRef<str>) -> Self {
        self.refusals.realm = realm.as_ref().into();
        self
    }

    /// Lets the application answer refused requests, in the way of actix-web's `JsonConfig::error_handler`. The extractors, the
    /// middleware and [`Routes`](crate::Routes) call the handler.
    ///
    /// ```
    /// use actix_web::error::InternalError;
    /// use actix_web::{HttpResponse, ResponseError as _};
    /// # use auth::testing::Issuer;
    /// # let issuer = Issuer::new("shop");
    /// # let keys = auth::Keys::new(issuer.key_set());
    /// # let builder = issuer.verifier_builder(keys);
    /// let verifier = builder
    ///     .error_handler(|error, _request| {
    ///         let mut response = HttpResponse::build(error.status_code());
    ///         // RFC 6750 §3 requires a challenge.
    ///         if let Some(challenge) = error.challenge_in("shop") {
    ///             response.insert_header(("www-authenticate", challenge));
    ///         }
    ///         InternalError::from_response(error, response.body(error.code())).into()
    ///     })
    ///     .build();
    /// ```
    #[must_use]
    pub fn error_handler<F>(mut self, handler: F) -> Self
    where
        F: Fn(AuthError, &HttpRequest) -> Error + Send + Sync + 'static,
    {
        self.refusals.handler = Some(Arc::new(handler));
        self
    }

    /// Builds the verifier. With a [`feed`](Self::feed) this spawns a task, so call it inside a tokio runtime. The task ends when
    /// the last clone of the verifier is dropped.
    #[must_use]
    pub fn build(self) -> Verifier {
        let revocations = self
            .revocations
            .unwrap_or_else(|| Revocations::new(self.clock.clone(), Revocations::DEFAULT_CAPACITY));
        let mut tokens = TokenVerifier {
            issuer: self.issuer,
            more_issuers: self.more_issuers,
            leeway: self.leeway.num_seconds(),
            clock: self.clock,
            revocations,
            cache: TokenCache::new(self.cache_bytes),
        };
        let strategy = match self.users {
            KnownBy::AccessToken => Strategy::Local,
            #[cfg(feature = "client")]
            KnownBy::ConfirmedToken(introspection) => Strategy::Introspect(introspection),
            KnownBy::Identity(service, keys) => {
                tokens.issuer.profile.refuse_users();
                let gateway = identity_issuer(&tokens.issuer.name);
                Strategy::Gateway(Box::new(TokenVerifier {
                    issuer: TrustedIssuer::new(&gateway, keys, Profile::identity(&service)),
                    more_issuers: Vec::new(),
                    leeway: tokens.leeway,
                    clock: tokens.clock.clone(),
                    revocations: tokens.revocations.clone(),
                    cache: TokenCache::new(self.cache_bytes),
                }))
            }
        };
        #[cfg(not(feature = "client"))]
        let feed = None;
        #[cfg(feature = "client")]
        let feed = self.feed.map(|feed| {
            feed.follow(
                tokens.revocations.clone(),
                tokens.issuer.keys.clone(),
                tokens.clock.clone(),
            )
        });
        Verifier::new(VerifierState {
            tokens,
            strategy,
            access_cookie: self.access_cookie,
            stale_policy: self.stale_policy,
            refusals: self.refusals,
            feed,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revocation::Revocation;
    use crate::testing::{Issuer, TestToken};

    fn builder(issuer: &Issuer) -> VerifierBuilder {
        let keys = Keys::new(issuer.key_set());
        Verifier::builder(issuer.issuer(), keys, Profile::countersign("a"))
            .clock(issuer.clock().clone())
            .revocations(issuer.revocations().clone())
    }

    fn with_expiry_in(token: TestToken, seconds: i64) -> TestToken {
        token.with(|_, claims| claims.exp = claims.iat + seconds)
    }

    #[test]
    fn a_leeway_outside_its_bounds_is_clamped() {
        let issuer = Issuer::new("a");
        for (leeway, seconds) in [
            (TimeDelta::MAX, 60),
            (TimeDelta::seconds(61), 60),
            (MAX_LEEWAY, 60),
            (TimeDelta::seconds(5), 5),
            (TimeDelta::zero(), 0),
            (TimeDelta::seconds(-5), 0),
            (TimeDelta::MIN, 0),
        ] {
            let verifier = builder(&issuer).leeway(leeway).build();
            let verify = |token: TestToken| verifier.verify_with_current_keys(&token.token());

            assert!(
                verify(with_expiry_in(issuer.as_user(), 1 - seconds)).is_ok(),
                "{leeway}"
            );
            assert_eq!(
                verify(with_expiry_in(issuer.as_user(), -seconds)),
                Err(AuthError::Expired),
                "{leeway}"
            );
        }
    }

    #[test]
    fn at_any_leeway_a_revoked_token_is_refused_until_it_expires() {
        for leeway in [DEFAULT_LEEWAY, MAX_LEEWAY, TimeDelta::hours(1)] {
            let issuer = Issuer::new("a");
            let verifier = builder(&issuer).leeway(leeway).build();
            let ada = issuer.as_user();
            let token = ada.token();
            let exp = ada.claims().exp;
            let revocation = Revocation::Session {
                id: ada.claims().sid.unwrap(),
                expires_at: exp + MAX_LEEWAY.num_seconds(),
            };

            let refused_from = exp + leeway.min(MAX_LEEWAY).num_seconds();
            let seconds_left = refused_from - issuer.clock().unix();
            issuer.clock().advance(TimeDelta::seconds(seconds_left - 1));
            assert!(verifier.verify_with_current_keys(&token).is_ok());
            // `replace_all` drops a revocation that has expired. This one has not.
            issuer.revocations().replace_all([revocation]);
            assert_eq!(verifier.verify_with_current_keys(&token), Err(AuthError::Revoked));

            issuer.clock().advance(TimeDelta::seconds(1));
            assert_eq!(verifier.verify_with_current_keys(&token), Err(AuthError::Expired));
        }
    }
}
