//! The same decision as middleware: for the route list, and for a whole scope of an application that is not ours.

use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::Error;
use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use futures_util::future::LocalBoxFuture;

use crate::policy::Policy;
use crate::request::{admit, forbid_storing};

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
    Authorize {
        rule: Rule::Roles(roles.into_iter().collect()),
    }
}

/// What [`authorize()`] makes.
#[derive(Clone, Debug)]
pub struct Authorize {
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Policy(Policy<'static>),
    Roles(Rc<[&'static str]>),
}

impl Authorize {
    /// Lets through who may, before the handler or any of its arguments looks at the request.
    pub(crate) fn by(policy: Policy<'static>) -> Self {
        Self {
            rule: Rule::Policy(policy),
        }
    }
}

impl Rule {
    fn policy(&self) -> Policy<'_> {
        match self {
            Self::Policy(policy) => *policy,
            Self::Roles(roles) => Policy::AnyRole(roles),
        }
    }
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
            rule: self.rule.clone(),
            service: Rc::new(service),
        }))
    }
}

/// The service behind [`authorize()`].
#[derive(Debug)]
pub struct AuthorizeMiddleware<S> {
    rule: Rule,
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
        let (rule, service) = (self.rule.clone(), Rc::clone(&self.service));
        Box::pin(async move {
            if let Err(refusal) = admit(rule.policy(), request.request()).await {
                return Ok(request.error_response(refusal));
            }
            let mut response = service.call(request).await?.map_into_boxed_body();
            forbid_storing(response.response_mut());
            Ok(response)
        })
    }
}
