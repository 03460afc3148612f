//! Authentication and authorization as actix-web middleware, for a whole [`web::scope`](actix_web::web::scope) of any
//! application.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use futures_util::future::LocalBoxFuture;

use crate::authenticate::{Checked, check, forbid_storing};
use crate::error::AuthError;
use crate::markers::{Admin, Role as _};
use crate::policy::Policy;

/// Middleware that admits any user with a valid token. Services get 403, all other callers 401.
///
/// A handler in the scope can take [`VerifyToken`](crate::VerifyToken) to get the user. The token is not verified again.
///
/// ```
/// use actix_web::http::StatusCode;
/// use actix_web::{App, test, web, web::Data};
/// use auth::testing::Issuer;
/// use auth::{VerifyToken, verify_token};
///
/// async fn me(VerifyToken(user): VerifyToken) -> String {
///     user.name().to_owned()
/// }
///
/// # #[actix_web::main]
/// # async fn main() {
/// let issuer = Issuer::new("shop");
/// let account = web::scope("/account").wrap(verify_token()).route("/me", web::get().to(me));
/// let app = test::init_service(App::new().app_data(Data::new(issuer.verifier())).service(account)).await;
///
/// let request = test::TestRequest::get().uri("/account/me");
/// let token = issuer.as_user().token();
/// let with_token = test::TestRequest::get().uri("/account/me").insert_header(("authorization", format!("Bearer {token}")));
/// assert_eq!(test::call_service(&app, request.to_request()).await.status(), StatusCode::UNAUTHORIZED);
/// assert_eq!(test::call_service(&app, with_token.to_request()).await.status(), StatusCode::OK);
/// # }
/// ```
///
/// The application's data must hold a `Data<Verifier>`, as for the extractors.
#[must_use]
pub fn verify_token() -> Authorize {
    require(Policy::User)
}

/// Middleware that admits users with the role `admin`. Other callers with a valid token get 403, callers without a
/// valid token 401.
///
/// ```
/// use actix_web::{App, web};
/// use auth::is_admin;
///
/// let app = App::new().service(
///     web::scope("/admin").wrap(is_admin()).route("/users", web::get().to(|| async { "all users" })),
/// );
/// ```
#[must_use]
pub fn is_admin() -> Authorize {
    require(Policy::AnyRole(&[Admin::NAME]))
}

/// Middleware that admits users with at least one of these roles.
///
/// ```
/// use actix_web::{App, web};
/// use auth::authorize;
///
/// let app = App::new().service(
///     web::scope("/tickets").wrap(authorize(["support", "admin"])).route("", web::get().to(|| async { "all tickets" })),
/// );
/// ```
///
/// The list of roles is never freed: call this once for each application or worker, not for each request.
#[must_use]
pub fn authorize<const N: usize>(roles: [&'static str; N]) -> Authorize {
    // The list is leaked, because a policy is `Copy` and can be a constant. An application has few such lists, each a few bytes
    // long.
    require(Policy::AnyRole(Box::leak(Box::new(roles))))
}

/// Middleware that applies any policy.
///
/// ```
/// use actix_web::{App, web};
/// use auth::{Policy, require};
///
/// let app = App::new().service(
///     web::scope("/internal")
///         .wrap(require(Policy::Service("order-service")))
///         .route("/stock", web::get().to(|| async { "10" })),
/// );
/// ```
///
/// The middleware can't check [`Policy::Custom`], and refuses every request with this policy.
#[must_use]
pub fn require(policy: Policy) -> Authorize {
    Authorize { policy }
}

/// The middleware of [`verify_token`], [`is_admin`], [`authorize()`] and [`require`].
#[derive(Clone, Copy, Debug)]
pub struct Authorize {
    policy: Policy,
}

impl<S, B> Transform<S, ServiceRequest> for Authorize
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type InitError = ();
    type Transform = AuthorizeMiddleware<S>;
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, service: S) -> Self::Future {
        ready(Ok(AuthorizeMiddleware {
            policy: self.policy,
            service: Rc::new(service),
        }))
    }
}

/// The service that [`Authorize`] makes: it applies the policy, then calls the wrapped service.
#[derive(Debug)]
pub struct AuthorizeMiddleware<S> {
    policy: Policy,
    service: Rc<S>,
}

impl<S, B> Service<ServiceRequest> for AuthorizeMiddleware<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self::Response, Error>>;

    forward_ready!(service);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let policy = self.policy;
        let service = Rc::clone(&self.service);
        Box::pin(async move {
            let checked = match policy {
                // Only the application's extractor can check it.
                Policy::Custom(_) => Checked::refused(AuthError::NoToken, request.request()),
                _ => check(policy, request.request()).await,
            };
            if let Err(error) = checked.admitted {
                return Ok(checked.refusal(error, request));
            }
            let mut response = service.call(request).await?.map_into_boxed_body();
            if policy != Policy::Anyone {
                forbid_storing(response.response_mut());
            }
            let (request, mut response) = response.into_parts();
            checked.complete(&request, &mut response);
            let response = ServiceResponse::new(request, response);
            Ok(response)
        })
    }
}
