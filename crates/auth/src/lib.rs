//! Authentication and authorization for actix-web services. Each service verifies access tokens (JWT, RFC 9068) itself,
//! identifies the caller, and decides whether the caller is admitted.
//!
//! The type of a handler's first argument says who may call it:
//!
//! | first argument | admits |
//! | --- | --- |
//! | [`Anyone`] | everyone, without checking a credential |
//! | [`CurrentUser`] | everyone, with few exceptions (see [`Policy::Optional`]); holds the user if the request has a user's valid token |
//! | [`VerifyToken`] | any user with a valid token |
//! | [`IsAdmin`] | users with the role `admin` |
//! | [`HasRole`], [`AnyRole`], [`HasScope`] | users with a role, with one of several roles, with a scope |
//! | [`IsService`], [`FromService`] | any service, or one named service, with a token for the service that it calls |
//!
//! A request without a valid token gets 401. A known caller who is not admitted gets 403. Both responses have a challenge
//! (RFC 6750 §3) and problem details (RFC 9457).
//!
//! # In any actix-web application
//!
//! The types are extractors, and need only a `Data<Verifier>` in the application's data. [`verify_token`], [`is_admin`],
//! [`authorize()`] and [`require`] are middleware for a whole [`web::scope`](actix_web::web::scope):
//!
//! ```
//! use actix_web::http::StatusCode;
//! use actix_web::{App, test, web, web::Data};
//! use auth::testing::Issuer;
//! use auth::{VerifyToken, is_admin};
//!
//! async fn greet(VerifyToken(user): VerifyToken) -> String {
//!     format!("Hello, {}!", user.name())
//! }
//!
//! async fn report() -> &'static str {
//!     "All is well."
//! }
//!
//! # #[actix_web::main]
//! # async fn main() {
//! // In production: Verifier::builder("https://example.com", keys, Profile::countersign("greeter")).build(), where keys is
//! // Keys::remote(RemoteKeys::discover("https://example.com")?)
//! let issuer = Issuer::new("greeter");
//! let app = test::init_service(
//!     App::new()
//!         .app_data(Data::new(issuer.verifier()))
//!         .route("/", web::get().to(greet))
//!         .service(web::scope("/admin").wrap(is_admin()).route("/report", web::get().to(report))),
//! )
//! .await;
//!
//! let status = async |path: &str, token: String| {
//!     let request = test::TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {token}")));
//!     test::call_service(&app, request.to_request()).await.status()
//! };
//! assert_eq!(status("/", issuer.as_user().token()).await, StatusCode::OK);
//! assert_eq!(status("/", issuer.as_user().revoked().token()).await, StatusCode::UNAUTHORIZED);
//! assert_eq!(status("/admin/report", issuer.as_user().token()).await, StatusCode::FORBIDDEN);
//! assert_eq!(status("/admin/report", issuer.as_admin().token()).await, StatusCode::OK);
//! # }
//! ```
//!
//! # With a route list
//!
//! [`Routes`] does more:
//!
//! - A handler that doesn't say who may call it does not compile.
//! - Authentication runs before the body is read and before other extractors (except for [`Policy::Custom`]).
//! - The cross-site rule applies to every route, also to those for anyone, and a bad cookie is removed.
//! - Documentation and tests can read each route's [`Policy`].
//!
//! ```
//! use actix_web::App;
//! use auth::{Anyone, IsAdmin, Policy, Routes};
//!
//! async fn list(_: Anyone) -> &'static str {
//!     "all products"
//! }
//!
//! async fn delete(IsAdmin(admin): IsAdmin) -> String {
//!     format!("deleted by {}", admin.name())
//! }
//!
//! let routes = || Routes::new().get("/products", list).delete("/products/{id}", delete);
//! let policies: Vec<_> = routes().iter().map(|route| route.policy).collect();
//! assert_eq!(policies, [Policy::Anyone, Policy::AnyRole(&["admin"])]);
//!
//! let app = App::new().configure(|config| routes().configure(config));
//! ```
//!
//! # Three ways to decide about users
//!
//! Handlers and policies are the same in all of them. The verifier's builder chooses one:
//!
//! | builder | a user is known by |
//! | --- | --- |
//! | nothing more | the access token, which this process verifies |
//! | [`introspection`](VerifierBuilder::introspection) | the access token, which the authorization server confirms on each request (RFC 7662) |
//! | [`gateway_identities`](VerifierBuilder::gateway_identities) | the identity token that the gateway signed for this service |
//!
//! Services are known by their service tokens, which this process verifies, in all three.
//!
//! # Cookies
//!
//! With an [`AccessCookie`], browsers may send the access token in a cookie instead of the header. The verifier's builder
//! [takes it](VerifierBuilder::access_cookie), and says which rules then apply, so that pages of other sites can't use the cookie.
//!
//! # Tokens of other issuers
//!
//! A [`Profile`] says what the tokens of an issuer look like: which types are taken, which claims are required, and where the user's
//! id, roles and scopes stand. There are ready-made ones for this platform, RFC 9068, Keycloak, Auth0, Google, Microsoft Entra ID,
//! Amazon Cognito, and for tokens with a shared secret as many tutorials make them. One verifier accepts tokens of
//! [several issuers](VerifierBuilder::issuer), and reads [the application's own claims](Profile::claims).
//!
//! # Calling other services
//!
//! [`ServiceClient`] calls another service with a service token of the OAuth client credentials grant (RFC 6749 §4.4), and
//! retries where that is safe.
//!
//! # What this crate can't do
//!
//! This crate has no database and depends on no other crate of the platform. It can't sign tokens, except with the feature
//! `testing`, which has an [`Issuer`](testing::Issuer) for tests. It does not log users in: it verifies the tokens that an issuer signed.
//!
//! # Where to start reading
//!
//! A request enters through `routes` (the route list), `authorize` (middleware) or `access` (extractors). Then it passes through
//! `authenticate`, `verifier` (applies the `strategy`), `token_verifier` with `token`, `keys`, `profile` and `revocations`, and last
//! `policy`.

mod access;
mod access_cookie;
mod authenticate;
mod authorize;
mod backoff;
mod claim_path;
mod claim_set;
mod claims;
#[cfg(feature = "client")]
mod client;
mod clock;
mod cookies;
mod credentials;
mod derived_id;
mod error;
#[cfg(feature = "client")]
mod feed;
mod freshness;
#[cfg(any(fuzzing, test))]
#[doc(hidden)]
pub mod fuzzing;
mod identity;
mod json_object;
mod keys;
mod markers;
#[cfg(feature = "nats")]
pub mod nats;
mod numeric_date;
mod origins;
#[cfg(any(feature = "client", feature = "jwks"))]
mod outgoing;
mod policy;
mod principal;
mod problem;
mod profile;
mod refusal;
mod revocation;
mod revocations;
mod routes;
mod stale;
mod statistics;
mod strategy;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod token_cache;
mod token_verifier;
mod trusted_issuer;
mod verifier;
mod verifier_builder;

#[cfg(all(doctest, feature = "jwks"))]
#[doc = include_str!("../README.md")]
struct Readme;

pub use jsonwebtoken::Algorithm;

pub use self::access::{
    Access, AccessFuture, AnyRole, Anyone, CurrentUser, FromService, HasRole, HasScope, IsAdmin, IsService,
    VerifyToken,
};
pub use self::access_cookie::{AccessCookie, AccessCookieState, Identified};
pub use self::authorize::{Authorize, AuthorizeMiddleware, authorize, is_admin, require, verify_token};
pub use self::backoff::Backoff;
pub use self::claim_path::ClaimPath;
pub use self::claims::Claims;
#[cfg(feature = "client")]
pub use self::client::{
    CallError, Circuit, ServiceClient, ServiceClientBuilder, ServiceClientError, ServiceCredentials,
    ServiceRequest, ServiceResponse, TokenError, TraceContext, is_trace_parent, parse_origin,
};
pub use self::clock::Clock;
pub use self::cookies::{CookieRemoval, FoundCookie, cookie_pairs, find_cookie};
pub use self::credentials::bearer_token;
pub use self::error::{AuthError, DEFAULT_REALM, TokenFault};
#[cfg(feature = "client")]
pub use self::feed::{FeedEvent, FeedPosition, InvalidFeedEvent, InvalidFeedPosition, RevocationFeed};
pub use self::identity::{IDENTITY_HEADER, IDENTITY_TOKEN_TYPE, identity_issuer};
pub use self::keys::{JwksError, KeySet, Keys, PemError, RefetchReason, SharedSecret, WeakSecret};
#[cfg(feature = "jwks")]
pub use self::keys::{RemoteKeys, RemoteKeysError};
pub use self::markers::{Admin, AnyOf, Role, Scope, ServiceName, Support};
pub use self::origins::{CarriedCookies, Origins, RequestKind, RequestSource};
pub use self::policy::Policy;
pub use self::principal::{Principal, Service, User};
pub use self::problem::{FieldError, ProblemDetails, problem_json};
pub use self::profile::{Profile, Revocable, ServiceMark};
pub use self::revocation::Revocation;
pub use self::revocations::Revocations;
pub use self::routes::{AccessFirst, ListedRoute, Routes};
pub use self::stale::StalePolicy;
pub use self::statistics::{FeedStatistics, Statistics};
#[cfg(feature = "client")]
pub use self::strategy::{Introspection, IntrospectionError};
pub use self::token_verifier::MAX_TOKEN_BYTES;
pub use self::verifier::Verifier;
pub use self::verifier_builder::{MAX_LEEWAY, VerifierBuilder};
