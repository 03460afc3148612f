//! An issuer inside the test's own process: people and services to call as, and every way in which a token can be bad.
//!
//! ```
//! use auth::testing::Issuer;
//! use auth::{Principal, AuthError};
//!
//! let issuer = Issuer::new("product-service");
//! let verifier = issuer.verifier();
//!
//! let ada = issuer.as_user().name("Ada");
//! let Ok(Principal::User(user)) = verifier.verify_with_held_keys(&ada.token()) else { panic!() };
//! assert_eq!(user.name(), "Ada");
//!
//! assert_eq!(verifier.verify_with_held_keys(&issuer.as_user().expired().token()), Err(AuthError::Expired));
//! assert_eq!(verifier.verify_with_held_keys(&issuer.as_admin().revoked().token()), Err(AuthError::Revoked));
//! ```
//!
//! No switch in production code turns verification off: what a test calls with is a token that is really signed.
#![expect(
    clippy::expect_used,
    reason = "for tests, which want to stop at what can't be"
)]

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use secrecy::SecretString;
use uuid::Uuid;

use crate::clock::Clock;
use crate::keys::{KeySet, Keys, SharedSecret};
use crate::principal::{Principal, User};
use crate::revocation::{Revocation, Revocations};
use crate::token::{Claims, Expected};
use crate::verifier::Verifier;

/// How long a test token lives, in seconds: the 15 minutes of a real one.
const LIFE: i64 = 900;

/// Signs tokens for the tests of one service.
#[derive(Clone, Debug)]
#[expect(clippy::struct_field_names, reason = "`iss` is called that everywhere")]
pub struct Issuer {
    service: String,
    issuer: String,
    audience: String,
    clock: Clock,
    revocations: Revocations,
    key: SigningKey,
}

#[derive(Clone)]
struct SigningKey {
    algorithm: Algorithm,
    id: Option<String>,
    encoding: EncodingKey,
    verification: KeySet,
    jwks: serde_json::Value,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl Issuer {
    /// An issuer `http://localhost:8080` with a fresh Ed25519 key, for tests of the service of this name.
    #[must_use]
    pub fn new(service: &str) -> Self {
        Self::with_key(service, SigningKey::ed25519())
    }

    /// An issuer that signs with a shared secret, as services do that are given `JWT_SECRET`.
    ///
    /// # Panics
    /// On a secret that [`SharedSecret`] refuses.
    #[must_use]
    pub fn with_secret(service: &str, secret: &str) -> Self {
        Self::with_key(service, SigningKey::hs256(secret))
    }

    fn with_key(service: &str, key: SigningKey) -> Self {
        let clock = Clock::fixed();
        Self {
            service: service.to_owned(),
            issuer: "http://localhost:8080".to_owned(),
            audience: "platform".to_owned(),
            revocations: Revocations::new(clock.clone(), Revocations::DEFAULT_CAPACITY),
            clock,
            key,
        }
    }

    /// Another key for the same issuer, as after a rotation.
    #[must_use]
    pub fn rotated(&self) -> Self {
        Self {
            key: SigningKey::ed25519(),
            ..self.clone()
        }
    }

    /// The clock that this issuer and its verifiers go by. It stands still until the test moves it.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What was taken back, shared with this issuer's verifiers.
    #[must_use]
    pub fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// `iss` of the tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The public keys as a JWK Set, for a test that serves them over HTTP.
    #[must_use]
    pub fn jwks(&self) -> serde_json::Value {
        self.key.jwks.clone()
    }

    /// The keys to verify with.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        self.key.verification.clone()
    }

    /// A verifier that knows this issuer's key, clock and revocations.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        self.verifier_with(Keys::fixed(self.key_set()))
    }

    /// A verifier with keys from elsewhere.
    #[must_use]
    pub fn verifier_with(&self, keys: Keys) -> Verifier {
        Verifier::builder(&self.service, &self.issuer, keys)
            .audience(&self.audience)
            .clock(self.clock.clone())
            .revocations(self.revocations.clone())
            .build()
    }

    /// Somebody with the role `user`, with a name, id and session of their own.
    #[must_use]
    pub fn as_user(&self) -> TestToken {
        self.as_roles(&["user"])
    }

    /// Somebody with the roles `user` and `admin`.
    #[must_use]
    pub fn as_admin(&self) -> TestToken {
        self.as_roles(&["user", "admin"])
    }

    /// Somebody with these roles.
    #[must_use]
    pub fn as_roles(&self, roles: &[&str]) -> TestToken {
        let now = self.clock.unix();
        let id = Uuid::new_v4();
        self.bearer(Claims {
            iss: self.issuer.clone(),
            sub: id.to_string(),
            aud: vec![self.audience.clone()],
            exp: now + LIFE,
            nbf: None,
            iat: now,
            jti: Uuid::new_v4().to_string(),
            client_id: "countersign".to_owned(),
            sid: Some(Uuid::new_v4()),
            epoch: Some(0),
            email: Some(format!("{id}@example.com")),
            name: Some("Somebody".to_owned()),
            roles: Some(roles.iter().map(ToString::to_string).collect()),
            scope: String::new(),
        })
    }

    /// A service that calls the one under test.
    #[must_use]
    pub fn as_service(&self, name: &str) -> TestToken {
        let now = self.clock.unix();
        self.bearer(Claims {
            iss: self.issuer.clone(),
            sub: name.to_owned(),
            aud: vec![self.service.clone()],
            exp: now + LIFE,
            nbf: None,
            iat: now,
            jti: Uuid::new_v4().to_string(),
            client_id: name.to_owned(),
            sid: None,
            epoch: None,
            email: None,
            name: None,
            roles: None,
            scope: String::new(),
        })
    }

    fn bearer(&self, claims: Claims) -> TestToken {
        TestToken {
            issuer: self.clone(),
            header: self.key.header(),
            claims,
            is_revoked: false,
        }
    }
}

/// Somebody to call as: a token that is good until told otherwise.
#[derive(Clone, Debug)]
pub struct TestToken {
    issuer: Issuer,
    header: Header,
    claims: Claims,
    is_revoked: bool,
}

impl TestToken {
    /// With this id.
    #[must_use]
    pub fn id(mut self, id: Uuid) -> Self {
        self.claims.sub = id.to_string();
        self
    }

    /// With this name.
    #[must_use]
    pub fn name(mut self, name: &str) -> Self {
        self.claims.name = Some(name.to_owned());
        self
    }

    /// With this scope: words separated by one space.
    #[must_use]
    pub fn scope(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.claims.scope);
        self
    }

    /// With tokens of this epoch.
    #[must_use]
    pub fn epoch(mut self, epoch: i64) -> Self {
        self.claims.epoch = Some(epoch);
        self
    }

    /// With a token that has just ended, leeway included.
    #[must_use]
    pub fn expired(mut self) -> Self {
        self.claims.exp = self.issuer.clock.unix() - 30;
        self
    }

    /// With a session that was ended.
    #[must_use]
    pub fn revoked(mut self) -> Self {
        self.is_revoked = true;
        self
    }

    /// With a token for somebody else.
    #[must_use]
    pub fn wrong_audience(mut self) -> Self {
        self.claims.aud = vec!["somebody-else".to_owned()];
        self
    }

    /// With a token that names the right key, but was signed with another.
    #[must_use]
    pub fn signed_by_a_stranger(mut self) -> Self {
        self.issuer.key.encoding = match self.header.alg {
            Algorithm::HS256 => EncodingKey::from_secret(Uuid::new_v4().as_bytes()),
            _ => SigningKey::ed25519().encoding,
        };
        self
    }

    /// With claims or header changed at will.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(&mut Header, &mut Claims)) -> Self {
        change(&mut self.header, &mut self.claims);
        self
    }

    /// The signed token.
    ///
    /// # Panics
    /// When a change made the header's algorithm one that the key is not for.
    #[must_use]
    pub fn token(&self) -> String {
        if let (true, Some(id)) = (self.is_revoked, self.claims.sid) {
            self.issuer.revocations.apply(Revocation::Session {
                id,
                expires_at: self.claims.exp + 30,
            });
        }
        jsonwebtoken::encode(&self.header, &self.claims, &self.issuer.key.encoding)
            .expect("a key for this algorithm")
    }

    /// The claims, for a test that encodes them in its own way.
    #[must_use]
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The person that a verifier would see.
    ///
    /// # Panics
    /// When this is a service, or claims were changed so that they are nobody's.
    #[must_use]
    pub fn principal(&self) -> User {
        let issuer = &self.issuer;
        let (people, service) = (issuer.audience.as_str(), issuer.service.as_str());
        let expected = Expected {
            issuer: &issuer.issuer,
            people,
            service,
            now: issuer.clock.unix(),
            leeway: 30,
        };
        match self
            .claims
            .clone()
            .into_principal(&expected)
            .expect("claims of somebody")
        {
            Principal::User(user) => user,
            Principal::Service(service) => panic!("{service:?} is no person"),
        }
    }
}

impl SigningKey {
    fn ed25519() -> Self {
        let pair = Ed25519KeyPair::generate().expect("a random key");
        let document = pair.to_pkcs8().expect("a key can be encoded");
        let id = Uuid::new_v4().to_string();
        let x = URL_SAFE_NO_PAD.encode(pair.public_key().as_ref());
        let jwks = serde_json::json!({"keys": [
            {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": id, "x": x}
        ]});
        Self {
            algorithm: Algorithm::EdDSA,
            id: Some(id),
            encoding: EncodingKey::from_ed_der(document.as_ref()),
            verification: KeySet::from_jwks(jwks.to_string().as_bytes(), &[Algorithm::EdDSA])
                .expect("a fit key"),
            jwks,
        }
    }

    fn hs256(secret: &str) -> Self {
        let secret = SharedSecret::new(SecretString::from(secret)).expect("a strong secret");
        Self {
            algorithm: Algorithm::HS256,
            id: None,
            encoding: EncodingKey::from_secret(secret.expose()),
            verification: secret.into(),
            jwks: serde_json::json!({"keys": []}),
        }
    }

    fn header(&self) -> Header {
        Header {
            typ: Some("at+jwt".to_owned()),
            kid: self.id.clone(),
            ..Header::new(self.algorithm)
        }
    }
}
