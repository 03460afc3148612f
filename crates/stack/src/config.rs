//! Reads the platform's configuration, and generates the secrets that it lacks.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{ConfigErrors, Env, RegisteredService, Registry, Settings, Telemetry};
use url::Url;

use crate::generated::{Generated, GeneratedError, hex};
use crate::platform::launcher;

const ADMIN_EMAIL: &str = "admin@example.com";
const USER_SERVICE: &str = "user-service";

/// The platform's configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub telemetry: Telemetry,
    pub registry: Registry,
    pub services: Vec<ServiceConfig>,
    /// A PostgreSQL server, on which each service gets its own database.
    pub server: Option<Url>,
    pub data_dir: PathBuf,
    pub admin: Option<GeneratedAdmin>,
}

/// The configuration of one service.
#[derive(Clone, Debug)]
pub(crate) struct ServiceConfig {
    pub name: String,
    prefix: String,
    /// The addresses on which the service listens: for requests and, if it has an inner port, for health checks.
    pub listen: Vec<SocketAddr>,
    /// The URL at which programs on this machine reach the service.
    pub url: String,
    /// The origin at which the service answers health checks: that of its inner port, if it has one.
    pub inner_url: String,
    /// Whether this program contains the service. The operator starts the others.
    pub is_contained: bool,
    /// Whether the service calls others, and so needs a client secret.
    calls_others: bool,
    /// Whether the service needs a database on the common server: it stores data, and has no `<SERVICE>_DATABASE_URL`.
    pub needs_database: bool,
    /// Variables for this service only, in addition to the environment of this process.
    pub variables: BTreeMap<String, String>,
}

impl ServiceConfig {
    /// Whether this is the gateway, the only service that clients reach.
    pub(crate) fn is_gateway(&self) -> bool {
        self.name == gateway::NAME
    }

    pub(crate) fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.variables
            .insert(format!("{}_{variable}", self.prefix), value.into());
    }
}

/// The generated first admin, if the environment names none.
#[derive(Debug)]
pub(crate) struct GeneratedAdmin {
    pub email: &'static str,
    pub password_file: PathBuf,
    /// The password, if this start generated it.
    pub fresh_password: Option<SecretString>,
}

/// Why the platform can't be configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the configuration is invalid:\n{0}")]
    Invalid(#[from] ConfigErrors),
    #[error(transparent)]
    Generated(#[from] GeneratedError),
}

impl Config {
    /// Reads the environment, and generates missing secrets in `DATA_DIR`.
    pub(crate) fn read() -> Result<(Self, Generated), ConfigError> {
        let mut env = Env::load("stack");
        let settings = Settings::read(&mut env, "stack");
        let telemetry = Telemetry::read(&mut env);
        let server = server(&mut env);
        let port_base = env.parse("PORT_BASE", 8080, "a port");
        let services = settings
            .registry
            .iter()
            .map(|service| service_config(&mut env, service, settings.listen.ip(), port_base))
            .collect();
        let config = Self {
            telemetry,
            registry: settings.registry,
            services,
            server,
            data_dir: settings.data_dir,
            admin: None,
        };
        let mut config = env.finish(config)?;

        config.set_neighbour_urls()?;
        let missing = Missing::read(&config.services)?;
        let generated = Generated::open(&config.data_dir)?;
        config.generate(&missing, &generated)?;
        Ok((config, generated))
    }

    /// Gives each service the URLs of the others that its environment lacks, and that of the gateway's keys. By default a service
    /// expects all others at its own address, where they don't listen if they have another `<SERVICE>_BIND`.
    fn set_neighbour_urls(&mut self) -> Result<(), ConfigErrors> {
        let url_of = |service: &ServiceConfig| {
            if service.is_gateway() {
                let jwks_url = format!("{}/internal/jwks.json", service.inner_url);
                ("GATEWAY_JWKS_URL".to_owned(), jwks_url)
            } else {
                (format!("{}_URL", service.prefix), service.url.clone())
            }
        };
        let urls: Vec<_> = self.services.iter().map(url_of).collect();
        for service in &mut self.services {
            let mut env = Env::load(&service.name);
            for (variable, url) in &urls {
                if env.text(variable).is_none() {
                    service.set(variable, url);
                }
            }
            env.finish(())?;
        }
        Ok(())
    }

    fn generate(&mut self, missing: &Missing, generated: &Generated) -> Result<(), ConfigError> {
        let mut secret_files = Vec::new();
        for service in self
            .services
            .iter_mut()
            .filter(|service| missing.client_secrets.contains(&service.name))
        {
            let secret = generated.secret(&format!("{}-secret", service.name), 32, hex)?;
            let file = secret.file.to_string_lossy().into_owned();
            service.set("SECRET_FILE", &file);
            secret_files.push((format!("{}_SECRET_FILE", service.prefix), file));
        }

        let Some(service) = self
            .services
            .iter_mut()
            .find(|service| service.name == USER_SERVICE)
        else {
            return Ok(());
        };
        for (variable, file) in secret_files {
            service.set(&variable, file);
        }
        if missing.key {
            let key = generated.secret("key-encryption-key", 32, |bytes| STANDARD.encode(bytes))?;
            service.set("KEY_ENCRYPTION_KEY_FILE", key.file.to_string_lossy());
        }
        if missing.admin {
            let password = generated.secret("admin-password", 12, |bytes| STANDARD.encode(bytes))?;
            service.set("ADMIN_EMAIL", ADMIN_EMAIL);
            service.set("ADMIN_PASSWORD_FILE", password.file.to_string_lossy());
            self.admin = Some(GeneratedAdmin {
                email: ADMIN_EMAIL,
                fresh_password: password.is_fresh.then(|| password.value.expose_secret().into()),
                password_file: password.file,
            });
        }
        Ok(())
    }
}

/// The secrets that the environment lacks.
struct Missing {
    key: bool,
    admin: bool,
    /// The services whose client secret neither they nor user-service have.
    client_secrets: Vec<String>,
}

impl Missing {
    /// Reads the environment as each service will, so that variables with a service's prefix count too.
    fn read(services: &[ServiceConfig]) -> Result<Self, ConfigErrors> {
        let mut user_service = Env::load(USER_SERVICE);
        let mut missing = Self {
            key: user_service.secret("KEY_ENCRYPTION_KEY").is_none(),
            admin: user_service.text("ADMIN_EMAIL").is_none()
                & user_service.secret("ADMIN_PASSWORD").is_none(),
            client_secrets: Vec::new(),
        };
        for service in services.iter().filter(|service| service.calls_others) {
            let mut env = Env::load(&service.name);
            let variable = format!("{}_SECRET", service.prefix);
            if env.secret(&variable).is_none() & user_service.secret(&variable).is_none() {
                missing.client_secrets.push(service.name.clone());
            }
            env.finish(())?;
        }
        // A secret file that can't be read is an error, and not a missing secret.
        user_service.finish(missing)
    }
}

fn service_config(env: &mut Env, service: &RegisteredService, bind: IpAddr, port_base: u16) -> ServiceConfig {
    let prefix = service.variable_prefix();
    let bind = env.parse(&format!("{prefix}_BIND"), bind, "an IP address");
    let port = service.port(port_base);
    let inner_port = service.inner_port(port);
    let address = service.local_address(bind, port_base);
    let inner_address = SocketAddr::new(address.ip(), inner_port.unwrap_or(port));
    let has_own_database = env.secret(&format!("{prefix}_DATABASE_URL")).is_some();
    let is_gateway = service.name == gateway::NAME;
    let is_contained = launcher(&service.name).is_some();
    let mut config = ServiceConfig {
        name: service.name.clone(),
        is_contained,
        listen: [Some(port), inner_port]
            .into_iter()
            .flatten()
            .map(|port| SocketAddr::new(bind, port))
            .collect(),
        url: if is_gateway && has_certificate(env, &prefix) {
            format!("https://{address}")
        } else {
            format!("http://{address}")
        },
        inner_url: format!("http://{inner_address}"),
        calls_others: !service.calls.is_empty(),
        needs_database: is_contained && service.has_database && !has_own_database,
        variables: BTreeMap::new(),
        prefix,
    };
    config.set("BIND", bind.to_string());
    config.set("PORT", port.to_string());
    if !is_gateway {
        trust_gateway(env, &mut config, address.ip());
    }
    config
}

/// Whether the gateway has a certificate, so that it speaks TLS.
fn has_certificate(env: &mut Env, prefix: &str) -> bool {
    env.secret(&format!("{prefix}_TLS_CERT")).is_some() || env.secret("TLS_CERT").is_some()
}

/// Lets a service believe the gateway about the client's address, in addition to the proxies that the environment names for all
/// services. A service with its own `<SERVICE>_TRUSTED_PROXIES` keeps that.
fn trust_gateway(env: &mut Env, service: &mut ServiceConfig, address: IpAddr) {
    if env.text(&format!("{}_TRUSTED_PROXIES", service.prefix)).is_some() {
        return;
    }
    let gateway = address_of_gateway(address).to_string();
    let trusted = match env.text("TRUSTED_PROXIES") {
        Some(proxies) => format!("{proxies},{gateway}"),
        None => gateway,
    };
    service.set("TRUSTED_PROXIES", trusted);
}

/// The address from which the gateway connects to a service at this address. Connections to an address of this machine come from
/// that address, except those to the other loopback addresses, which come from 127.0.0.1.
fn address_of_gateway(service: IpAddr) -> IpAddr {
    if service.is_loopback() && service.is_ipv4() {
        Ipv4Addr::LOCALHOST.into()
    } else {
        service
    }
}

/// The server in `DATABASE_URL`. It must not name a database, because services must not share one.
fn server(env: &mut Env) -> Option<Url> {
    let text = env.secret("DATABASE_URL")?;
    let url = Url::parse(text.expose_secret()).ok();
    let server = url.filter(|url| {
        matches!(url.scheme(), "postgres" | "postgresql") && url.path().trim_matches('/').is_empty()
    });
    if server.is_none() {
        let form = "must name a PostgreSQL server and no database, such as `postgres://<user>:<password>@<host>`: each \
                    service gets its own database there (or set `<SERVICE>_DATABASE_URL` for each service)";
        env.problem("DATABASE_URL", form);
    }
    server
}
