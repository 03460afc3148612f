//! The callers that a route admits: every kind of caller, compared with the route's policy.

use auth::Policy;
use auth::testing::TestToken;
use service_kit::CookieNames;

use super::target::Target;
use crate::client::Client;
use crate::response::TestResponse;
use crate::service::TestService;

/// The origin of services under test, whose pages may use cookies.
const OWN_ORIGIN: &str = "http://localhost:8080";

/// A caller, and whether a verifier accepts its token.
struct Caller {
    name: &'static str,
    token: Option<TestToken>,
    is_valid: bool,
}

/// Calls the route as an anonymous caller, as users with different roles, as a service, and with tokens that are expired,
/// revoked, for another audience or signed by another issuer. The response has to be 401 without a valid token, 403 where
/// the policy does not admit the caller, and neither otherwise, whether the token is in the header or in the access cookie.
/// A registered client has to be admitted where the policy asks for one.
pub(super) async fn check(target: &Target<'_>) {
    let route = target.route;
    for caller in callers(target.service) {
        for client in caller.clients(target.service) {
            let response = target.call(&client).await;
            assert_eq!(
                Outcome::of(&response),
                caller.expected(route.policy),
                "{route:?} as {} with {client:?}: {}",
                caller.name,
                response.body
            );
        }
    }
    if let Policy::Custom(_) = route.policy {
        let response = target.call(target.service.registered_client()).await;
        assert_eq!(
            Outcome::of(&response),
            Outcome::Admitted,
            "{route:?} as a registered client: {}",
            response.body
        );
    }
}

fn callers(service: &TestService) -> Vec<Caller> {
    let ada = || service.user_token("ada", &["user"]);
    let admin = || service.user_token("admin", &["user", "admin"]);
    let order_service = || service.issuer().as_service("order-service");
    let valid = |name, token| Caller {
        name,
        token: Some(token),
        is_valid: true,
    };
    let invalid = |name, token| Caller {
        name,
        token: Some(token),
        is_valid: false,
    };
    vec![
        Caller {
            name: "an anonymous caller",
            token: None,
            is_valid: false,
        },
        valid("a user", ada()),
        valid("another user", service.user_token("bob", &["user"])),
        valid("support", service.user_token("support", &["user", "support"])),
        valid("an admin", admin()),
        valid("order-service", order_service()),
        valid("another service", service.issuer().as_service("unknown-service")),
        invalid("a user with an expired token", ada().expired()),
        invalid("a user with a token for another audience", ada().wrong_audience()),
        invalid("a user with a revoked token", ada().revoked()),
        invalid("a user of another issuer", ada().signed_by_a_stranger()),
        invalid("an admin with an expired token", admin().expired()),
        invalid(
            "a service with a token for another audience",
            order_service().wrong_audience(),
        ),
    ]
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Admitted,
    Unauthenticated,
    Forbidden,
}

impl Outcome {
    fn of(response: &TestResponse) -> Self {
        match response.status {
            401 => Self::Unauthenticated,
            403 => Self::Forbidden,
            status => {
                assert!(status < 500, "{}: {}", response.request, response.body);
                Self::Admitted
            }
        }
    }
}

impl Caller {
    /// A client that sends the token in the header, and one that sends it in the access cookie.
    fn clients(&self, service: &TestService) -> Vec<Client> {
        let Some(token) = &self.token else {
            return vec![service.anonymous().clone()];
        };
        let cookie = format!("{}={}", CookieNames::HTTP.access, token.token());
        let browser = service.anonymous().with("cookie", &cookie);
        vec![service.client_with(token), browser.with("origin", OWN_ORIGIN)]
    }

    fn expected(&self, policy: Policy) -> Outcome {
        let is_open = matches!(policy, Policy::Anyone | Policy::Optional);
        let Some(token) = self.token.as_ref().filter(|_| self.is_valid) else {
            return if is_open {
                Outcome::Admitted
            } else {
                Outcome::Unauthenticated
            };
        };
        let claims = token.claims();
        let is_service = claims.roles.is_none();
        let has_role = |wanted: &str| claims.roles.iter().flatten().any(|role| role == wanted);
        let is_admitted = match policy {
            Policy::Anyone | Policy::Optional => true,
            Policy::User => !is_service,
            Policy::AnyRole(roles) => roles.iter().any(|role| has_role(role)),
            Policy::Scope(wanted) => !is_service && claims.scope.split(' ').any(|scope| scope == wanted),
            Policy::AnyService => is_service,
            Policy::Service(name) => is_service && claims.sub == name,
            // An access token is not a credential of another scheme.
            Policy::Custom(_) => return Outcome::Unauthenticated,
        };
        if is_admitted {
            Outcome::Admitted
        } else {
            Outcome::Forbidden
        }
    }
}
