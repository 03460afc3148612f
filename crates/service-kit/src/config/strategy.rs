//! How services decide about users: `AUTH_STRATEGY`. `docs/three-ways.md` compares the three strategies.

use std::net::SocketAddr;
use std::str::FromStr;

use auth::{Introspection, IntrospectionError};
use secrecy::SecretString;
use url::Url;

use super::client_secret;
use super::env::Env;
use super::platform::Platform;
use super::registry::reachable_ip;
use super::verification_keys::KeySource;

pub(super) const USER_SERVICE: &str = "user-service";
const GATEWAY: &str = "gateway";

/// How the services of the platform decide about users (`AUTH_STRATEGY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AuthStrategy {
    /// Each service verifies access tokens itself.
    #[default]
    Local,
    /// Each service also asks user-service on each request.
    Introspect,
    /// Each service accepts only identity tokens, which the gateway signs.
    Gateway,
}

impl AuthStrategy {
    const FORM: &str = "`local`, `introspect` or `gateway`";

    pub(super) fn read(env: &mut Env) -> Self {
        env.parse("AUTH_STRATEGY", Self::default(), Self::FORM)
    }
}

impl FromStr for AuthStrategy {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "local" => Ok(Self::Local),
            "introspect" => Ok(Self::Introspect),
            "gateway" => Ok(Self::Gateway),
            _ => Err(()),
        }
    }
}

/// How one program decides about users: the platform's [`AuthStrategy`], applied to this program.
///
/// | program | `local` | `introspect` | `gateway` |
/// | --- | --- | --- | --- |
/// | user-service | `AccessTokens` | `AccessTokens`: its database has the revocations | `IdentityTokens` |
/// | the gateway | `AccessTokens` | `AccessTokens`: the services ask | `AccessTokens`: it signs the identity tokens |
/// | a program that is not in the registry | `AccessTokens` | `AccessTokens` | `AccessTokens` |
/// | any other service | `AccessTokens` | `ConfirmedAccessTokens` | `IdentityTokens` |
#[derive(Clone, Debug)]
pub enum UserAuthentication {
    /// By access tokens, which the program verifies itself.
    AccessTokens,
    /// By access tokens, which user-service confirms on each request.
    ConfirmedAccessTokens(IntrospectionClient),
    /// By identity tokens. These are the gateway's keys (`GATEWAY_JWKS_URL`).
    IdentityTokens(KeySource),
}

/// A service's access to the introspection endpoint of user-service.
#[derive(Clone, Debug)]
pub struct IntrospectionClient {
    /// The URL of the endpoint.
    pub url: String,
    /// The service's name.
    pub name: String,
    /// The service's client secret (`<NAME>_SECRET`).
    pub secret: SecretString,
}

impl IntrospectionClient {
    /// The access of the service of this name to the user-service at this origin.
    pub(super) fn at(origin: &str, service: &str, secret: SecretString) -> Self {
        Self {
            url: format!("{origin}/oauth/introspect"),
            name: service.to_owned(),
            secret,
        }
    }

    pub(super) fn build(&self) -> Result<Introspection, IntrospectionError> {
        Introspection::at(&self.url, &self.name, self.secret.clone())
    }
}

impl UserAuthentication {
    /// Reads what this strategy requires of the service of this name.
    pub(super) fn read(
        env: &mut Env,
        service: &str,
        strategy: AuthStrategy,
        platform: &Platform<'_>,
    ) -> Self {
        let is_registered = platform.registry.find(service).is_some();
        match strategy {
            AuthStrategy::Introspect if is_registered && ![USER_SERVICE, GATEWAY].contains(&service) => {
                let secret = client_secret::read(env, service);
                Self::ConfirmedAccessTokens(IntrospectionClient::at(
                    platform.user_service_url,
                    service,
                    secret,
                ))
            }
            AuthStrategy::Gateway if is_registered && service != GATEWAY => {
                Self::IdentityTokens(KeySource::Jwks(gateway_jwks_url(env, platform)))
            }
            AuthStrategy::Local | AuthStrategy::Introspect | AuthStrategy::Gateway => Self::AccessTokens,
        }
    }
}

/// The URL of the gateway's key set. By default the gateway runs on this machine, listens on the same address as this program,
/// and publishes its keys at its inner port.
fn gateway_jwks_url(env: &mut Env, platform: &Platform<'_>) -> String {
    let Some(url) = env
        .text("GATEWAY_JWKS_URL")
        .or_else(|| default_jwks_url(platform))
    else {
        env.problem(
            "GATEWAY_JWKS_URL",
            "is missing: AUTH_STRATEGY=gateway requires it, because the registry has no gateway with an inner port",
        );
        return String::new();
    };
    if !Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
        env.problem("GATEWAY_JWKS_URL", "must be an http or https URL");
    }
    url
}

fn default_jwks_url(platform: &Platform<'_>) -> Option<String> {
    let gateway = platform.registry.find(GATEWAY)?;
    let port = gateway.inner_port(gateway.port(platform.port_base))?;
    let address = SocketAddr::new(reachable_ip(platform.bind), port);
    Some(format!("http://{address}/internal/jwks.json"))
}

#[cfg(test)]
mod tests {
    use super::super::neighbours::Neighbours;
    use super::super::settings::Settings;
    use super::*;

    const GATEWAY_ROW: &str =
        "[[service]]\nname = \"gateway\"\nport_offset = 0\ninner_port = true\ncalls = [\"user-service\"]\n";
    const SECRET: (&str, &str) = ("PRODUCT_SERVICE_SECRET", "not-a-secret");

    fn read(service: &str, vars: &[(&str, &str)]) -> Result<UserAuthentication, String> {
        let secrets = [SECRET, ("GATEWAY_SECRET", "not-a-secret")];
        let mut env = Env::from_vars(service, vars.iter().copied().chain(secrets));
        let settings = Settings::read(&mut env, service);
        env.finish(settings.auth.users)
            .map_err(|errors| errors.to_string())
    }

    /// A registry of a gateway, user-service and product-service.
    fn registry_with_gateway() -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let row = |name, offset, calls| {
            format!("[[service]]\nname = \"{name}\"\nport_offset = {offset}\ncalls = [{calls}]\n")
        };
        let rows = [
            GATEWAY_ROW,
            &row("user-service", 1, ""),
            &row("product-service", 2, "\"user-service\""),
        ];
        std::fs::write(file.path(), rows.concat()).unwrap();
        file
    }

    fn jwks_url(users: UserAuthentication) -> String {
        match users {
            UserAuthentication::IdentityTokens(KeySource::Jwks(url)) => url,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn services_verify_access_tokens_themselves_by_default() {
        for vars in [&[][..], &[("AUTH_STRATEGY", "")], &[("AUTH_STRATEGY", "local")]] {
            let users = read("product-service", vars).unwrap();
            assert!(matches!(users, UserAuthentication::AccessTokens), "{users:?}");
        }
    }

    #[test]
    fn an_unknown_strategy_is_a_problem() {
        for strategy in ["remote", "Local", "gateway,local"] {
            let vars = [("AUTH_STRATEGY", strategy), ("PORT", "http")];
            let problems = "PORT must be a port\nAUTH_STRATEGY must be `local`, `introspect` or `gateway`";
            assert_eq!(read("product-service", &vars).unwrap_err(), problems);
        }
    }

    #[test]
    fn with_introspect_a_service_asks_user_service_with_its_secret() {
        let vars = [
            ("AUTH_STRATEGY", "introspect"),
            ("USER_SERVICE_URL", "http://users:80"),
            SECRET,
        ];
        let users = read("product-service", &vars).unwrap();
        let UserAuthentication::ConfirmedAccessTokens(client) = &users else {
            panic!("{users:?}")
        };
        assert_eq!(client.url, "http://users/oauth/introspect");
        assert_eq!(client.name, "product-service");
        assert!(client.build().is_ok());
        assert!(!format!("{users:?}").contains(SECRET.1));
    }

    #[test]
    fn with_introspect_a_missing_secret_is_reported_once() {
        let problem = "is missing: generate one with `openssl rand -hex 32`, and set it for user-service too";
        let mut env = Env::from_vars("order-service", [("AUTH_STRATEGY", "introspect")]);
        let settings = Settings::read(&mut env, "order-service");
        Neighbours::read(&mut env, &settings, "order-service");
        let problems = env.finish(()).unwrap_err().to_string();
        assert_eq!(problems, format!("ORDER_SERVICE_SECRET {problem}"));

        // These call no other service, and need the secret to ask about tokens and to read the revocation feed.
        for (service, variable) in [
            ("product-service", "PRODUCT_SERVICE_SECRET"),
            ("gateway", "GATEWAY_SECRET"),
        ] {
            let mut env = Env::from_vars(service, []);
            Settings::read(&mut env, service);
            let problems = env.finish(()).unwrap_err().to_string();
            assert_eq!(problems, format!("{variable} {problem}"));
        }
    }

    #[test]
    fn programs_that_can_not_ask_or_have_nothing_to_ask_verify_access_tokens_themselves() {
        let registry = registry_with_gateway();
        let file = ("SERVICES_FILE", registry.path().to_str().unwrap());
        for (program, strategy) in [
            ("user-service", "introspect"),
            ("gateway", "introspect"),
            ("gateway", "gateway"),
            ("stack", "introspect"),
            ("stack", "gateway"),
        ] {
            let users = read(program, &[("AUTH_STRATEGY", strategy), file]).unwrap();
            assert!(
                matches!(users, UserAuthentication::AccessTokens),
                "{program}: {users:?}"
            );
        }
    }

    #[test]
    fn with_gateway_the_keys_are_at_the_gateways_inner_port() {
        let registry = registry_with_gateway();
        let gateway = [
            ("SERVICES_FILE", registry.path().to_str().unwrap()),
            ("AUTH_STRATEGY", "gateway"),
        ];
        for (vars, url) in [
            (&[][..], "http://127.0.0.1:9080/internal/jwks.json"),
            (
                &[("PORT_BASE", "9000")],
                "http://127.0.0.1:10000/internal/jwks.json",
            ),
            (&[("BIND", "::")], "http://[::1]:9080/internal/jwks.json"),
            (&[("GATEWAY_JWKS_URL", "http://edge/keys")], "http://edge/keys"),
        ] {
            for service in ["product-service", "user-service"] {
                let users = read(service, &[&gateway[..], vars].concat()).unwrap();
                assert_eq!(jwks_url(users), url);
            }
        }
    }

    #[test]
    fn with_gateway_a_missing_or_wrong_url_of_its_keys_is_a_problem() {
        let registry = registry_with_gateway();
        let rows = std::fs::read_to_string(registry.path()).unwrap();
        let file = ("SERVICES_FILE", registry.path().to_str().unwrap());
        let gateway = ("AUTH_STRATEGY", "gateway");

        for without_port in [
            rows.replace("inner_port = true\n", ""),
            rows.replace(GATEWAY_ROW, ""),
        ] {
            std::fs::write(registry.path(), without_port).unwrap();
            let problem = read("product-service", &[gateway, file]).unwrap_err();
            assert!(problem.starts_with("GATEWAY_JWKS_URL is missing: "), "{problem}");
        }

        let wrong = [gateway, ("GATEWAY_JWKS_URL", "edge:9080")];
        let problem = "GATEWAY_JWKS_URL must be an http or https URL";
        assert_eq!(read("product-service", &wrong).unwrap_err(), problem);
        let same = "http://127.0.0.1:8081/.well-known/jwks.json";
        let problem = "GATEWAY_JWKS_URL must not be AUTH_JWKS_URL: the gateway has its own keys";
        let vars = [gateway, ("GATEWAY_JWKS_URL", same)];
        assert_eq!(read("product-service", &vars).unwrap_err(), problem);
    }
}
