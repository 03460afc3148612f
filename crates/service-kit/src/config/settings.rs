//! What every service has to know: where it listens, whom it trusts to sign, how it logs.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use auth::{KeySet, Keys, RemoteKeys, RemoteKeysError, SharedSecret, Verifier};
use secrecy::ExposeSecret as _;
use url::{Position, Url};

use super::env::Env;
use super::register::{DEFAULT_PORT_BASE, Register, RegisteredService};
use crate::address::TrustedProxies;
use crate::runtime::Runtime;

/// The settings that all services share.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where to listen (`BIND`, `PORT`).
    pub listen: SocketAddr,
    /// Where embedded databases and generated secrets live (`DATA_DIR`).
    pub data_dir: PathBuf,
    /// The platform's own origin, without a slash at its end (`PUBLIC_URL`).
    pub public_url: String,
    /// The first port of the platform (`PORT_BASE`).
    pub port_base: u16,
    /// Where user-service is (`USER_SERVICE_URL`), without a slash at its end.
    pub user_service_url: String,
    /// Whose word on where a request comes from to take (`TRUSTED_PROXIES`).
    pub trusted_proxies: TrustedProxies,
    /// Whose tokens to believe.
    pub auth: AuthSettings,
}

/// Whose tokens a service believes.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// `iss` of every token (`AUTH_ISSUER`).
    pub issuer: String,
    /// `aud` of people's tokens (`AUTH_AUDIENCE`).
    pub audience: String,
    /// The keys that tokens are verified with.
    pub keys: KeySource,
}

/// Where a service has its verification keys from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// A JWK Set at this URL (`AUTH_JWKS_URL`).
    Jwks(String),
    /// One shared secret (`JWT_SECRET`).
    Secret(SharedSecret),
    /// These keys. No variable sets them: tests do, which sign their own tokens.
    Fixed(KeySet),
}

impl AuthSettings {
    /// The verifier for the service of this name. It may begin to follow a JWKS URL, so call it inside a tokio runtime.
    ///
    /// # Errors
    /// When the TLS library can't be started.
    pub fn verifier(&self, service: &str, runtime: &Runtime) -> Result<Verifier, RemoteKeysError> {
        let keys = match &self.keys {
            KeySource::Jwks(url) => Keys::remote(RemoteKeys::at(url)?),
            KeySource::Secret(secret) => Keys::fixed(secret.clone().into()),
            KeySource::Fixed(keys) => Keys::fixed(keys.clone()),
        };
        Ok(self.verifier_with(service, runtime, keys))
    }

    /// The verifier for the service of this name, with keys from elsewhere.
    #[must_use]
    pub fn verifier_with(&self, service: &str, runtime: &Runtime, keys: Keys) -> Verifier {
        Verifier::builder(service, &self.issuer, keys)
            .audience(&self.audience)
            .clock(runtime.clock.clone())
            .revocations(runtime.revocations.clone())
            .build()
    }
}

impl Settings {
    /// Reads the settings of the service of this name.
    pub fn read(env: &mut Env, service: &str) -> Self {
        let port_base = env.parse("PORT_BASE", DEFAULT_PORT_BASE, "a port");
        let register = Register::built_in();
        let port_of = |name: &str| {
            register
                .find(name)
                .map_or(port_base, |service| service.port(port_base))
        };
        let bind = env.parse("BIND", IpAddr::V4(Ipv4Addr::LOCALHOST), "an IP address");
        let port = env.parse("PORT", port_of(service), "a port");
        let public_url = origin(env, "PUBLIC_URL", &format!("http://localhost:{port_base}"));
        let user_service = register.find("user-service");
        let user_service_url = user_service
            .map(|service| url_of(env, service, port_base))
            .unwrap_or_default();
        Self {
            listen: SocketAddr::new(bind, port),
            data_dir: env.text("DATA_DIR").unwrap_or_else(|| "./data".to_owned()).into(),
            auth: AuthSettings {
                issuer: env.text("AUTH_ISSUER").unwrap_or_else(|| public_url.clone()),
                audience: env.text("AUTH_AUDIENCE").unwrap_or_else(|| "platform".to_owned()),
                keys: key_source(env, &user_service_url),
            },
            trusted_proxies: env.parse("TRUSTED_PROXIES", TrustedProxies::default(), TrustedProxies::FORM),
            public_url,
            port_base,
            user_service_url,
        }
    }
}

/// Where a service is, without a slash at its end: `<NAME>_URL`, or its own port on this machine.
pub(super) fn url_of(env: &mut Env, service: &RegisteredService, port_base: u16) -> String {
    // Not `localhost`: on [::1], where this platform does not listen, anybody on the machine may.
    let default = format!("http://127.0.0.1:{}", service.port(port_base));
    origin(env, &format!("{}_URL", service.variable_prefix()), &default)
}

/// Reads a URL that is an origin alone (RFC 6454 §4): a scheme, a host, perhaps a port.
fn origin(env: &mut Env, name: &str, default: &str) -> String {
    let text = env.text(name).unwrap_or_else(|| default.to_owned());
    match Url::parse(&text) {
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url[Position::BeforePath..].len() <= 1
                && url.username().is_empty() =>
        {
            url.origin().ascii_serialization()
        }
        _ => {
            env.problem(
                name,
                "must be an origin such as `https://shop.example`, without a path",
            );
            default.to_owned()
        }
    }
}

fn key_source(env: &mut Env, user_service: &str) -> KeySource {
    let url = env
        .text("AUTH_JWKS_URL")
        .unwrap_or_else(|| format!("{user_service}/.well-known/jwks.json"));
    let Some(secret) = env.secret("JWT_SECRET") else {
        if !Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https")) {
            env.problem("AUTH_JWKS_URL", "must be an http or https URL");
        }
        return KeySource::Jwks(url);
    };
    match SharedSecret::new(secret.expose_secret().into()) {
        Ok(secret) => KeySource::Secret(secret),
        Err(weakness) => {
            env.problem("JWT_SECRET", weakness.to_string());
            KeySource::Jwks(url)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Settings, String> {
        let mut env = Env::from_vars("product-service", vars.iter().copied());
        let settings = Settings::read(&mut env, "product-service");
        env.finish(settings).map_err(|errors| errors.to_string())
    }

    #[test]
    fn everything_has_a_default_that_runs_on_one_machine() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8082");
        assert_eq!(settings.public_url, "http://localhost:8080");
        assert_eq!(settings.auth.issuer, "http://localhost:8080");
        assert_eq!(settings.auth.audience, "platform");
        let KeySource::Jwks(url) = settings.auth.keys else {
            panic!("a secret out of nowhere")
        };
        assert_eq!(url, "http://127.0.0.1:8081/.well-known/jwks.json");
    }

    #[test]
    fn ports_follow_the_base_and_the_issuer_follows_the_public_url() {
        let settings = read(&[("PORT_BASE", "9000"), ("PUBLIC_URL", "https://Shop.example/")]).unwrap();
        assert_eq!(settings.listen.port(), 9002);
        assert_eq!(settings.auth.issuer, "https://shop.example");
        let KeySource::Jwks(url) = settings.auth.keys else {
            panic!("a secret out of nowhere")
        };
        assert_eq!(url, "http://127.0.0.1:9001/.well-known/jwks.json");
    }

    #[test]
    fn a_shared_secret_takes_the_place_of_the_key_set() {
        let settings = read(&[("JWT_SECRET", "abcdefghijklmnopqrstuvwxyz012345")]).unwrap();
        assert!(matches!(settings.auth.keys, KeySource::Secret(_)));
    }

    #[test]
    fn what_is_wrong_is_told_by_name_and_without_the_secret() {
        let problems = read(&[
            ("PORT", "99999"),
            ("BIND", "localhost"),
            ("PUBLIC_URL", "shop.example/path"),
            ("USER_SERVICE_URL", "http://user-service:8081/v1"),
            ("AUTH_JWKS_URL", "file:///keys"),
        ])
        .unwrap_err();
        let named: Vec<_> = problems
            .lines()
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert_eq!(
            named,
            ["BIND", "PORT", "PUBLIC_URL", "USER_SERVICE_URL", "AUTH_JWKS_URL"]
        );

        let problems = read(&[("JWT_SECRET", "changeme")]).unwrap_err();
        assert!(
            problems.starts_with("JWT_SECRET must have at least 32 bytes"),
            "{problems}"
        );
        assert!(!problems.contains("changeme"));
    }
}
