//! A service's route list. Each route takes its policy from its handler's first argument. Access tokens are checked before the body
//! is read and before any other extractor runs, so the body of a refused request is never parsed. Only a custom policy is checked
//! by its own extractor, beside the other extractors.

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse, fn_service};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, ServiceConfig};
use actix_web::{Error, FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Route, guard};

use crate::access::Access;
use crate::authenticate::{check, forbid_storing};
use crate::policy::Policy;
use crate::problem::ProblemDetails;

/// Argument lists whose first argument is an [`Access`] type. [`Routes`] accepts only handlers with such arguments.
#[diagnostic::on_unimplemented(
    message = "this handler does not say who may call it",
    note = "its first argument must be `Anyone`, `CurrentUser`, `VerifyToken`, `IsAdmin`, `HasRole`, `AnyRole`, `HasScope`, \
            `IsService` or `FromService`"
)]
pub trait AccessFirst {
    /// The policy of the first argument.
    const POLICY: Policy;
}

macro_rules! access_first {
    ($($rest:ident)*) => {
        impl<First: Access, $($rest),*> AccessFirst for (First, $($rest,)*) {
            const POLICY: Policy = First::POLICY;
        }
    };
}
access_first!();
access_first!(A);
access_first!(A B);
access_first!(A B C);
access_first!(A B C D);
access_first!(A B C D E);
access_first!(A B C D E F);
access_first!(A B C D E F G);
access_first!(A B C D E F G H);

/// The route list of a service, with each route's policy.
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

/// A route's method, path and policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedRoute {
    /// The method. A `GET` route also serves `HEAD` (RFC 9110 §9.3.2).
    pub method: Method,
    /// The path pattern, such as `/products/{id}`.
    pub path: &'static str,
    /// The rule that says who may call.
    pub policy: Policy,
}

macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident: $method:ident;)+) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name<F, Args>(self, path: &'static str, handler: F) -> Self
        where
            F: Handler<Args>,
            F::Output: Responder + 'static,
            Args: FromRequest + AccessFirst + 'static,
        {
            self.add(Method::$method, path, handler)
        }
    )+};
}

impl Routes {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    methods! {
        /// Adds a `GET` route, which also serves `HEAD`.
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
        Args: FromRequest + AccessFirst + 'static,
    {
        let policy = Args::POLICY;
        // Not `web::route().to(handler).wrap(require(policy))`: it would cost two allocations more for each request.
        let route = web::route().service(fn_service(move |request| {
            answer(policy, handler.clone(), request)
        }));
        self.listed.push((ListedRoute { method, path, policy }, route));
        self
    }

    /// Calls this function with each response of the route that was added last, also with the refusal of a request that did not reach
    /// the handler.
    ///
    /// ```
    /// use actix_web::http::header::{HeaderValue, LINK};
    /// use actix_web::{HttpRequest, HttpResponse};
    /// use auth::{Routes, VerifyToken};
    ///
    /// async fn report(_: VerifyToken) -> &'static str {
    ///     "All is well."
    /// }
    ///
    /// fn link_to_help(_: &HttpRequest, response: &mut HttpResponse) {
    ///     response.headers_mut().insert(LINK, HeaderValue::from_static("</help>; rel=help"));
    /// }
    ///
    /// let routes = Routes::new().get("/report", report).on_response(link_to_help);
    /// ```
    #[must_use]
    pub fn on_response(mut self, complete: fn(&HttpRequest, &mut HttpResponse)) -> Self {
        if let Some((listed, route)) = self.listed.pop() {
            let route = route.wrap(from_fn(
                move |request: ServiceRequest, next: Next<BoxBody>| async move {
                    let (request, mut response) = next.call(request).await?.into_parts();
                    complete(&request, &mut response);
                    Ok(ServiceResponse::new(request, response))
                },
            ));
            self.listed.push((listed, route));
        }
        self
    }

    /// Appends the routes of another list.
    #[must_use]
    pub fn merge(mut self, other: Self) -> Self {
        self.listed.extend(other.listed);
        self
    }

    /// The routes, in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &ListedRoute> {
        self.listed.iter().map(|(listed, _)| listed)
    }

    /// Registers the routes. Routes with the same path become one resource, so that a request with another method gets 405 and an
    /// `Allow` header (RFC 9110 §15.5.6) instead of 404.
    pub fn configure(self, config: &mut ServiceConfig) {
        let mut resources: Vec<(&'static str, Vec<(Method, Route)>)> = Vec::new();
        for (ListedRoute { method, path, .. }, route) in self.listed {
            match resources.iter_mut().find(|(known_path, _)| *known_path == path) {
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

/// Applies the policy, then does what [`Route::to`] does: extracts the arguments and calls the handler.
async fn answer<F, Args>(
    policy: Policy,
    handler: F,
    request: ServiceRequest,
) -> Result<ServiceResponse, Error>
where
    F: Handler<Args>,
    F::Output: Responder + 'static,
    Args: FromRequest,
{
    let checked = check(policy, request.request()).await;
    if let Err(error) = checked.admitted {
        return Ok(checked.refusal(error, request));
    }
    let (request, mut payload) = request.into_parts();
    let mut response = match Args::from_request(&request, &mut payload).await {
        Ok(arguments) => handler
            .call(arguments)
            .await
            .respond_to(&request)
            .map_into_boxed_body(),
        Err(error) => HttpResponse::from_error(error),
    };
    // The application itself decides about its own credentials and its public resources.
    if !matches!(policy, Policy::Anyone | Policy::Custom(_)) {
        forbid_storing(&mut response);
    }
    checked.complete(&request, &mut response);
    Ok(ServiceResponse::new(request, response))
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
            let mut response = ProblemDetails::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed")
                .detail(
                    "This path does not support the method. The Allow header lists the supported methods.",
                )
                .respond();
            if let Ok(allow) = allow {
                response.headers_mut().insert(ALLOW, allow);
            }
            response
        }
    }));
    routes.into_iter().fold(resource, |resource, (method, route)| {
        // Not `Route::method`: on each request, actix-web would collect the methods for its own 405 response, which the default
        // service above replaces.
        resource.route(route.guard(guard::fn_guard(move |request| {
            let requested = &request.head().method;
            *requested == method || (method == Method::GET && *requested == Method::HEAD)
        })))
    })
}
