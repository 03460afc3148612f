//! The same decision as middleware: for the route list, and for a whole scope of an application that is not ours.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::middleware::Next;
use futures_util::future::LocalBoxFuture;

use crate::policy::Policy;
use crate::request::{admit, forbid_storing};

/// Lets through who may, before the handler or any of its arguments looks at the request.
pub(crate) async fn authenticate<B: MessageBody + 'static>(
    policy: Policy<'static>,
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Err(refusal) = admit(policy, request.request()).await {
        return Ok(request.error_response(refusal));
    }
    let mut response = next.call(request).await?.map_into_boxed_body();
    forbid_storing(response.response_mut());
    Ok(response)
}

/// Middleware that lets in users with at least one of these roles, for a whole [`web::scope`](actix_web::web::scope).
///
/// ```
/// use actix_web::{App, web};
/// use auth::authorize;
///
/// let app = App::new().service(
///     web::scope("/admin").wrap(authorize(["support", "admin"])).route("/", web::get().to(|| async { "hello" })),
/// );
/// ```
///
/// The application's data must hold a `Data<Verifier>`, as for the extractors.
#[must_use]
pub fn authorize(roles: impl IntoIterator<Item = &'static str>) -> Authorize {
    Authorize { roles: roles.into_iter().collect() }
}

/// What [`authorize()`] makes.
#[derive(Clone, Debug)]
pub struct Authorize {
    roles: Rc<[&'static str]>,
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
        ready(Ok(AuthorizeMiddleware { roles: Rc::clone(&self.roles), service: Rc::new(service) }))
    }
}

/// The service behind [`authorize()`].
#[derive(Debug)]
pub struct AuthorizeMiddleware<S> {
    roles: Rc<[&'static str]>,
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
        let (roles, service) = (Rc::clone(&self.roles), Rc::clone(&self.service));
        Box::pin(async move {
            if let Err(refusal) = admit(Policy::AnyRole(&roles), request.request()).await {
                return Ok(request.error_response(refusal));
            }
            let mut response = service.call(request).await?.map_into_boxed_body();
            forbid_storing(response.response_mut());
            Ok(response)
        })
    }
}
