//! The settings that all services share: addresses, directories, and which tokens are valid.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::auth_settings::AuthSettings;
use super::env::Env;
use super::platform::Platform;
use super::registry::{DEFAULT_PORT_BASE, RegisteredService, Registry};
use super::roles::Roles;
use crate::client_address::TrustedProxies;

/// The settings that all services share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The address on which to listen (`BIND`, `PORT`).
    pub listen: SocketAddr,
    /// The inner address, for metrics and health checks, of a program whose `listen` clients can reach.
    pub inner_listen: Option<SocketAddr>,
    /// The directory of embedded databases and generated secrets (`DATA_DIR`).
    pub data_dir: PathBuf,
    /// The platform's public origin, without a trailing slash (`PUBLIC_URL`).
    pub public_url: String,
    /// The first port of the platform (`PORT_BASE`).
    pub port_base: u16,
    /// The services of the platform (`SERVICES_FILE`).
    pub registry: Registry,
    /// The roles of users (`ROLES_FILE`).
    pub roles: Roles,
    /// The origin of user-service, without a trailing slash (`USER_SERVICE_URL`).
    pub user_service_url: String,
    /// The proxies whose `X-Forwarded-For` is trusted (`TRUSTED_PROXIES`).
    pub trusted_proxies: TrustedProxies,
    /// Which tokens are valid.
    pub auth: AuthSettings,
}

impl Settings {
    /// The address at which the program answers health checks.
    #[must_use]
    pub fn health_address(&self) -> SocketAddr {
        self.inner_listen.unwrap_or(self.listen)
    }

    /// The origin of a service, without a trailing slash: `<NAME>_URL`. By default the service runs on this machine.
    pub fn service_url(&self, env: &mut Env, service: &RegisteredService) -> String {
        url_of(env, service, self.listen.ip(), self.port_base)
    }

    /// Reads the settings of the service of this name.
    pub fn read(env: &mut Env, service: &str) -> Self {
        let registry = Registry::read(env);
        let port_base = env.parse("PORT_BASE", DEFAULT_PORT_BASE, "a port");
        let row = registry.find(service);
        let default_port = row.map_or(port_base, |service| service.port(port_base));
        let bind = env.parse("BIND", IpAddr::V4(Ipv4Addr::LOCALHOST), "an IP address");
        let port = env.parse("PORT", default_port, "a port");
        let inner_port = row.and_then(|service| service.inner_port(port));
        if inner_port.is_none() && row.is_some_and(|service| service.has_inner_port) {
            env.problem(
                "PORT",
                "must leave room for the inner port, which is higher by 1000",
            );
        }

        let public_url = origin(env, "PUBLIC_URL", &format!("http://localhost:{port_base}"));
        let user_service_url = registry
            .find("user-service")
            .map(|service| url_of(env, service, bind, port_base))
            .unwrap_or_default();

        let platform = Platform {
            registry: &registry,
            public_url: &public_url,
            user_service_url: &user_service_url,
            bind,
            port_base,
        };
        let roles = Roles::read(env);
        let auth = AuthSettings::read(env, service, &platform, &roles);

        Self {
            listen: SocketAddr::new(bind, port),
            inner_listen: inner_port.map(|port| SocketAddr::new(bind, port)),
            data_dir: env.text("DATA_DIR").unwrap_or_else(|| "./data".to_owned()).into(),
            auth,
            trusted_proxies: env.parse("TRUSTED_PROXIES", TrustedProxies::default(), TrustedProxies::FORM),
            public_url,
            port_base,
            registry,
            roles,
            user_service_url,
        }
    }
}

/// The origin of a service, without a trailing slash: `<NAME>_URL`. By default the service runs on this machine, listens on the
/// same address as this one, and has its own port.
pub(super) fn url_of(env: &mut Env, service: &RegisteredService, bind: IpAddr, port_base: u16) -> String {
    // Not `localhost`: that may resolve to another address than the service's, where any local program can listen.
    let default = service.local_url(bind, port_base);
    origin(env, &format!("{}_URL", service.variable_prefix()), &default)
}

/// Reads a URL that is only an origin (RFC 6454 §4): a scheme, a host and optionally a port.
fn origin(env: &mut Env, name: &str, default: &str) -> String {
    let text = env.text(name).unwrap_or_else(|| default.to_owned());
    auth::parse_origin(&text).unwrap_or_else(|| {
        env.problem(
            name,
            "must be an origin such as `https://shop.example`, without a path",
        );
        default.to_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::KeySource;

    fn read(vars: &[(&str, &str)]) -> Result<Settings, String> {
        let secret = ("PRODUCT_SERVICE_SECRET", "not-a-secret");
        let mut env = Env::from_vars("product-service", vars.iter().copied().chain([secret]));
        let settings = Settings::read(&mut env, "product-service");
        env.finish(settings).map_err(|errors| errors.to_string())
    }

    #[test]
    fn all_settings_have_defaults_for_one_machine() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8082");
        assert_eq!(settings.public_url, "http://localhost:8080");
        assert_eq!(settings.auth.issuer, "http://localhost:8080");
        assert_eq!(settings.auth.audience, "platform");
        let KeySource::Jwks(url) = settings.auth.keys else {
            panic!("not a key set")
        };
        assert_eq!(url, "http://127.0.0.1:8081/.well-known/jwks.json");
    }

    #[test]
    fn ports_follow_the_base_and_the_issuer_follows_the_public_url() {
        let settings = read(&[("PORT_BASE", "9000"), ("PUBLIC_URL", "https://Shop.example/")]).unwrap();
        assert_eq!(settings.listen.port(), 9002);
        assert_eq!(settings.auth.issuer, "https://shop.example");
        let KeySource::Jwks(url) = settings.auth.keys else {
            panic!("not a key set")
        };
        assert_eq!(url, "http://127.0.0.1:9001/.well-known/jwks.json");
    }

    #[test]
    fn a_shared_secret_replaces_the_key_set() {
        let settings = read(&[("JWT_SECRET", "abcdefghijklmnopqrstuvwxyz012345")]).unwrap();
        assert!(matches!(settings.auth.keys, KeySource::Secret(_)));
    }

    #[test]
    fn problems_name_their_variables_and_show_no_secret() {
        let problems = read(&[
            ("PORT", "99999"),
            ("BIND", "localhost"),
            ("PUBLIC_URL", "shop.example/path"),
            ("USER_SERVICE_URL", "http://user-service:8081/v1"),
            ("AUTH_JWKS_URL", "file:///keys"),
        ])
        .unwrap_err();
        let variables: Vec<_> = problems
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(
            variables,
            ["BIND", "PORT", "PUBLIC_URL", "USER_SERVICE_URL", "AUTH_JWKS_URL"]
        );

        let problems = read(&[("JWT_SECRET", "changeme")]).unwrap_err();
        assert!(
            problems.starts_with("JWT_SECRET must have at least 32 bytes"),
            "{problems}"
        );
        assert!(!problems.contains("changeme"));
    }
    #[test]
    fn problems_name_prefixed_variables_and_files_as_they_were_set() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "changeme").unwrap();
        let problems = read(&[
            ("PRODUCT_SERVICE_PORT", "99999"),
            ("PRODUCT_SERVICE_PUBLIC_URL", "shop.example/path"),
            ("JWT_SECRET_FILE", file.path().to_str().unwrap()),
        ])
        .unwrap_err();
        let variables: Vec<_> = problems
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(
            variables,
            [
                "PRODUCT_SERVICE_PORT",
                "PRODUCT_SERVICE_PUBLIC_URL",
                "JWT_SECRET_FILE"
            ]
        );
    }

    #[test]
    fn a_service_may_listen_on_ipv6() {
        let settings = read(&[("BIND", "::1")]).unwrap();
        assert_eq!(settings.listen.to_string(), "[::1]:8082");
        assert_eq!(settings.user_service_url, "http://[::1]:8081");
        let KeySource::Jwks(url) = settings.auth.keys else {
            panic!("not a key set")
        };
        assert_eq!(url, "http://[::1]:8081/.well-known/jwks.json");

        let elsewhere = read(&[("BIND", "::"), ("USER_SERVICE_URL", "http://[2001:db8::7]:80/")]).unwrap();
        assert_eq!(elsewhere.listen.to_string(), "[::]:8082");
        assert_eq!(elsewhere.user_service_url, "http://[2001:db8::7]");
    }

    #[test]
    fn kubernetes_service_links_do_not_change_the_port() {
        let links = [
            ("PRODUCT_SERVICE_PORT", "tcp://10.0.0.12:8082"),
            ("PRODUCT_SERVICE_SERVICE_HOST", "10.0.0.12"),
            ("PRODUCT_SERVICE_SERVICE_PORT", "8082"),
            ("PRODUCT_SERVICE_PORT_8082_TCP", "tcp://10.0.0.12:8082"),
            ("PRODUCT_SERVICE_PORT_8082_TCP_PROTO", "tcp"),
            ("PRODUCT_SERVICE_PORT_8082_TCP_PORT", "8082"),
            ("PRODUCT_SERVICE_PORT_8082_TCP_ADDR", "10.0.0.12"),
            ("USER_SERVICE_PORT", "tcp://10.0.0.11:8081"),
        ];
        assert_eq!(read(&links).unwrap().listen.port(), 8082);
        let with_port = [&links[..], &[("PORT", "80")]].concat();
        assert_eq!(read(&with_port).unwrap().listen.port(), 80);
    }
}
