//! Who is calling, and may they: access tokens (RFC 9068) verified in the service that is called, by itself.
//!
//! A handler says who may call it by the type of its first argument, and says it nowhere else:
//!
//! | first argument | lets in |
//! | --- | --- |
//! | [`Anyone`] | everyone, no credential is looked at |
//! | [`CurrentUser`] | everyone; holds an `Option<User>`, and a bad credential counts as none |
//! | [`VerifyToken`] | any user with a valid token |
//! | [`IsAdmin`] | users with the role `admin` |
//! | [`HasRole`], [`AnyRole`], [`HasScope`] | users with a role, one of several roles, a scope |
//! | [`IsService`] | a service with a token for this audience |
//!
//! [`Routes`] takes the policy from there: authentication runs before the body is read or any other argument is made, and
//! documentation and tests can read who may call what. The same types work as plain extractors in any actix-web application
//! that has a `Data<Verifier>`, and [`authorize()`] guards a whole scope.
//!
//! ```
//! use actix_web::http::StatusCode;
//! use actix_web::{App, Responder, test, web::Data};
//! use auth::testing::Issuer;
//! use auth::{IsAdmin, Routes, VerifyToken};
//!
//! async fn greet(VerifyToken(user): VerifyToken) -> impl Responder {
//!     format!("Hello, {}!", user.name())
//! }
//!
//! async fn administer(_: IsAdmin) -> impl Responder {
//!     "At your service."
//! }
//!
//! # #[actix_web::main]
//! # async fn main() {
//! // In production: Keys::remote(RemoteKeys::at("https://example.com/.well-known/jwks.json")?)
//! let issuer = Issuer::new("greeter");
//! let app = test::init_service(
//!     App::new()
//!         .app_data(Data::new(issuer.verifier()))
//!         .configure(|config| Routes::new().get("/", greet).get("/admin", administer).configure(config)),
//! )
//! .await;
//!
//! let call = async |path: &str, token: String| {
//!     let request = test::TestRequest::get().uri(path).insert_header(("authorization", format!("Bearer {token}")));
//!     test::call_service(&app, request.to_request()).await.status()
//! };
//! assert_eq!(call("/", issuer.as_user().token()).await, StatusCode::OK);
//! assert_eq!(call("/admin", issuer.as_user().token()).await, StatusCode::FORBIDDEN);
//! assert_eq!(call("/admin", issuer.as_admin().token()).await, StatusCode::OK);
//! assert_eq!(call("/admin", issuer.as_admin().revoked().token()).await, StatusCode::UNAUTHORIZED);
//! # }
//! ```
//!
//! This crate has no database, depends on no other crate of the platform, and can't sign a token, save with the feature
//! `testing`, which holds an [`Issuer`](testing::Issuer) for tests.
//!
//! To read it: [`Verifier`] is the decision, `token` the form of what it decides on, [`Keys`] and [`Revocations`] what it
//! goes by, `access` and [`Routes`] how a handler asks for it.

mod access;
mod authorize;
mod bounded;
mod call;
mod clock;
mod keys;
mod policy;
mod principal;
mod problem;
mod refusal;
mod request;
mod revocation;
mod routes;
#[cfg(feature = "testing")]
pub mod testing;
mod token;
mod verified;
mod verifier;

pub use jsonwebtoken::Algorithm;

pub use self::access::{
    Access, Admin, AnyOf, AnyRole, Anyone, CurrentUser, Decision, HasRole, HasScope, IsAdmin, IsService,
    Role, Scope, Support, VerifyToken,
};
pub use self::authorize::{Authorize, AuthorizeMiddleware, authorize};
pub use self::call::{
    CallError, ServiceClient, ServiceClientBuilder, ServiceClientError, ServiceCredentials, ServiceRequest,
    ServiceResponse, TokenError, TraceContext,
};
pub use self::clock::Clock;
pub use self::keys::{
    JwksError, KeySet, Keys, Refetch, RemoteKeys, RemoteKeysError, SharedSecret, WeakSecret,
};
pub use self::policy::Policy;
pub use self::principal::{Principal, Service, User};
pub use self::problem::{FieldError, ProblemDetails, problem_json};
pub use self::refusal::{AuthError, TokenFault};
pub use self::revocation::{Revocation, Revocations};
pub use self::routes::{Guarded, ListedRoute, Routes};
pub use self::token::Claims;
pub use self::verifier::{MAX_TOKEN_BYTES, Verifier, VerifierBuilder};
