//! A service's routes, each with the policy that its handler's first argument states. Authentication runs before the body is
//! read or any other extractor runs, so a stranger's body is never parsed and 401 comes before 422.

use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::web::{self, ServiceConfig};
use actix_web::{FromRequest, Handler, Resource, Responder, Route, guard};

use crate::access::Access;
use crate::authorize::Authorize;
use crate::policy::Policy;
use crate::problem::ProblemDetails;

/// Argument lists that begin with a type that says who may call: only handlers that have one can be registered.
#[diagnostic::on_unimplemented(
    message = "this handler does not say who may call it",
    note = "its first argument must be `Anyone`, `CurrentUser`, `VerifyToken`, `IsAdmin`, `HasRole`, `AnyRole`, `HasScope` or \
            `IsService`"
)]
pub trait Guarded {
    /// The first argument's rule.
    const POLICY: Policy<'static>;
}

macro_rules! guarded {
    ($($rest:ident)*) => {
        impl<First: Access, $($rest),*> Guarded for (First, $($rest,)*) {
            const POLICY: Policy<'static> = First::POLICY;
        }
    };
}
guarded!();
guarded!(A);
guarded!(A B);
guarded!(A B C);
guarded!(A B C D);
guarded!(A B C D E);
guarded!(A B C D E F);
guarded!(A B C D E F G);
guarded!(A B C D E F G H);

/// The routes of a service, at a glance.
///
/// ```
/// use actix_web::{HttpResponse, Responder};
/// use auth::{Anyone, IsAdmin, Policy, Routes};
///
/// async fn list(_: Anyone) -> impl Responder {
///     HttpResponse::Ok()
/// }
/// async fn delete(IsAdmin(admin): IsAdmin) -> impl Responder {
///     tracing::info!(admin.id = %admin.id(), "deleted");
///     HttpResponse::NoContent()
/// }
///
/// let routes = Routes::new().get("/products", list).delete("/products/{id}", delete);
/// assert_eq!(routes.iter().last().unwrap().policy, Policy::AnyRole(&["admin"]));
/// ```
///
/// A handler that does not say who may call it does not compile:
///
/// ```compile_fail
/// # use actix_web::{HttpResponse, Responder};
/// # use auth::Routes;
/// async fn list() -> impl Responder {
///     HttpResponse::Ok()
/// }
/// Routes::new().get("/products", list);
/// ```
#[derive(Default)]
pub struct Routes {
    listed: Vec<(ListedRoute, Route)>,
}

/// What one can know of a route without calling it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoute {
    /// The method. `GET` answers `HEAD` too (RFC 9110 §9.3.2).
    pub method: Method,
    /// The path, with `{names}` where it varies.
    pub path: &'static str,
    /// Who may call.
    pub policy: Policy<'static>,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident: $method:ident;)+) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name<F, Args>(self, path: &'static str, handler: F) -> Self
        where
            F: Handler<Args>,
            F::Output: Responder + 'static,
            Args: FromRequest + Guarded + 'static,
        {
            self.add(Method::$method, path, handler)
        }
    )+};
}

impl Routes {
    /// No routes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    methods! {
        /// Adds a `GET` route, which answers `HEAD` too.
        get: GET;
        /// Adds a `POST` route.
        post: POST;
        /// Adds a `PUT` route.
        put: PUT;
        /// Adds a `PATCH` route.
        patch: PATCH;
        /// Adds a `DELETE` route.
        delete: DELETE;
    }

    fn add<F, Args>(mut self, method: Method, path: &'static str, handler: F) -> Self
    where
        F: Handler<Args>,
        F::Output: Responder + 'static,
        Args: FromRequest + Guarded + 'static,
    {
        let policy = Args::POLICY;
        let route = web::route().to(handler);
        let route = match policy {
            Policy::Anyone | Policy::Client => route,
            _ => route.wrap(Authorize::by(policy)),
        };
        self.listed.push((ListedRoute { method, path, policy }, route));
        self
    }

    /// Appends another list.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.listed.extend(other.listed);
        self
    }

    /// The routes, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &ListedRoute> {
        self.listed.iter().map(|(listed, _)| listed)
    }

    /// Registers the routes. Those of one path become one resource, so that a method that none of them has is answered with
    /// 405 and what would be allowed (RFC 9110 §15.5.6).
    pub fn configure(self, config: &mut ServiceConfig) {
        let mut resources: Vec<(&'static str, Vec<(Method, Route)>)> = Vec::new();
        for (ListedRoute { method, path, .. }, route) in self.listed {
            match resources.iter_mut().find(|(known, _)| *known == path) {
                Some((_, routes)) => routes.push((method, route)),
                None => resources.push((path, vec![(method, route)])),
            }
        }
        for (path, routes) in resources {
            config.service(resource(path, routes));
        }
    }
}

impl std::fmt::Debug for Routes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

fn resource(path: &str, routes: Vec<(Method, Route)>) -> Resource {
    let mut allowed: Vec<&str> = routes.iter().map(|(method, _)| method.as_str()).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allow = allowed.join(", ");
    let resource = web::resource(path).default_service(web::to(move || {
        let allow = HeaderValue::try_from(&allow);
        async move {
            let mut refusal =
                ProblemDetails::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed").respond();
            if let Ok(allow) = allow {
                refusal.headers_mut().insert(ALLOW, allow);
            }
            refusal
        }
    }));
    routes.into_iter().fold(resource, |resource, (method, route)| {
        resource.route(match method {
            Method::GET => route.guard(guard::Any(guard::Get()).or(guard::Head())),
            method => route.method(method),
        })
    })
}
