//! Who may call what: every route, as everybody, compared with the route's policy.

use actix_web::http::Method;
use auth::testing::TestToken;
use auth::{ListedRoute, Policy, Routes};
use service_kit::common_routes;

use crate::answer::TestResponse;
use crate::client::Client;
use crate::service::TestService;

/// Somebody to call as, and what is right for them.
struct Caller {
    name: &'static str,
    bearer: Option<TestToken>,
    /// Whether the credential is good at all.
    is_valid: bool,
}

/// Calls every route as nobody, as a user, as another, as support, as an admin, as a service, and with an expired, a
/// wrong-audience, a revoked and a stranger's token, and requires what the route's policy says: 401 where no good credential
/// came, 403 where it was not enough, and otherwise neither. A registered client is let in where only those are, which
/// [`TestService::with_client`] names.
pub async fn check(service: &TestService, routes: Routes) {
    let routes = routes.and(common_routes());
    let ada = || service.person("ada", &["user"]);
    let valid = |name, bearer| Caller {
        name,
        bearer: Some(bearer),
        is_valid: true,
    };
    let bad = |name, bearer| Caller {
        name,
        bearer: Some(bearer),
        is_valid: false,
    };
    let callers = [
        Caller {
            name: "nobody",
            bearer: None,
            is_valid: false,
        },
        valid("a user", ada()),
        valid("another user", service.person("bob", &["user"])),
        valid("support", service.person("support", &["user", "support"])),
        valid("an admin", service.person("admin", &["user", "admin"])),
        valid("order-service", service.issuer().as_service("order-service")),
        valid("another service", service.issuer().as_service("unknown-service")),
        bad("expired", ada().expired()),
        bad("wrong audience", ada().wrong_audience()),
        bad("revoked", ada().revoked()),
        bad("a stranger's", ada().signed_by_a_stranger()),
        bad(
            "an expired admin",
            service.person("admin", &["user", "admin"]).expired(),
        ),
        bad(
            "a service for another audience",
            service.issuer().as_service("order-service").wrong_audience(),
        ),
    ];
    let mut checked = 0;
    for route in routes.iter() {
        for caller in &callers {
            let client = caller
                .bearer
                .as_ref()
                .map_or_else(|| service.anonymous().clone(), |bearer| service.call_as(bearer));
            let answer = call(&client, route).await;
            let right = caller.verdict(route.policy);
            assert_eq!(
                Verdict::of(&answer),
                right,
                "{route:?} as {}: {}",
                caller.name,
                answer.body
            );
            checked += 1;
        }
        if let Policy::Custom(_) = route.policy {
            let answer = call(service.client(), route).await;
            assert_eq!(
                Verdict::of(&answer),
                Verdict::Admitted,
                "{route:?} as a client: {}",
                answer.body
            );
        }
    }
    assert!(
        checked > 50,
        "every service has routes, and there are many callers"
    );
}

async fn call(client: &Client, route: &ListedRoute) -> TestResponse {
    let path = route.path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057");
    let has_body = [Method::POST, Method::PUT, Method::PATCH].contains(&route.method);
    let build = |request: reqwest::RequestBuilder| {
        if has_body {
            request.json(&serde_json::json!({}))
        } else {
            request
        }
    };
    client.send(&route.method, &path, build).await
}

#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Admitted,
    Unauthenticated,
    Forbidden,
}

impl Verdict {
    fn of(answer: &TestResponse) -> Self {
        match answer.status {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            status => {
                assert!(status < 500, "{}: {}", answer.asked, answer.body);
                Self::Admitted
            }
        }
    }
}

impl Caller {
    fn verdict(&self, policy: Policy) -> Verdict {
        let open = matches!(policy, Policy::Anyone | Policy::Optional);
        let Some(bearer) = self.bearer.as_ref().filter(|_| self.is_valid) else {
            return if open {
                Verdict::Admitted
            } else {
                Verdict::Unauthenticated
            };
        };
        let claims = bearer.claims();
        let is_service = claims.roles.is_none();
        let holds = |wanted: &str| claims.roles.iter().flatten().any(|role| role == wanted);
        let admitted = match policy {
            Policy::Anyone | Policy::Optional => true,
            Policy::User => !is_service,
            Policy::AnyRole(roles) => roles.iter().any(|role| holds(role)),
            Policy::Scope(scope) => !is_service && claims.scope.split(' ').any(|held| held == scope),
            Policy::AnyService => is_service,
            Policy::Service(name) => is_service && claims.sub == name,
            // A token is no credential of another scheme.
            Policy::Custom(_) => return Verdict::Unauthenticated,
        };
        if admitted {
            Verdict::Admitted
        } else {
            Verdict::Forbidden
        }
    }
}
