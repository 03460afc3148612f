//! What the platform is told, and what is made up where it is not told.

use std::collections::BTreeMap;
use std::path::PathBuf;

use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use service_kit::{ConfigErrors, Env, Register, RegisteredService, Settings, Telemetry};
use url::Url;

use crate::generated::{Generated, GeneratedError};

const ADMIN_EMAIL: &str = "admin@example.com";
const USER_SERVICE: &str = "user-service";

/// The platform's configuration.
#[derive(Debug)]
pub(crate) struct Config {
    pub telemetry: Telemetry,
    pub services: Vec<Configured>,
    /// A PostgreSQL server, on which each service gets a database of its own.
    pub server: Option<Url>,
    pub data_dir: PathBuf,
    pub admin: Option<GeneratedAdmin>,
}

/// A service, as it is going to be started.
#[derive(Clone, Debug)]
pub(crate) struct Configured {
    pub name: String,
    prefix: String,
    pub port: u16,
    /// Whether it was told of a database that is not the others' server's.
    pub has_own_database: bool,
    /// Variables for it alone, on top of this program's own environment.
    pub variables: BTreeMap<String, String>,
}

impl Configured {
    pub(crate) fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.variables
            .insert(format!("{}_{variable}", self.prefix), value.into());
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }
}

/// The first admin, where nobody was named.
#[derive(Debug)]
pub(crate) struct GeneratedAdmin {
    pub email: &'static str,
    pub password_file: PathBuf,
    /// The password, if it was made just now.
    pub fresh_password: Option<SecretString>,
}

/// Why the platform can't be configured.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    #[error("the configuration is not valid:\n{0}")]
    Invalid(#[from] ConfigErrors),
    #[error(transparent)]
    Generated(#[from] GeneratedError),
}

impl Config {
    /// Reads the environment, and makes up what is missing into `DATA_DIR`.
    pub(crate) fn read() -> Result<(Self, Generated), ConfigError> {
        let mut env = Env::load("stack");
        let settings = Settings::read(&mut env, "stack");
        let telemetry = Telemetry::read(&mut env);
        let server = server(&mut env);
        let port_base = env.parse("PORT_BASE", 8080, "a port");
        let register = Register::built_in();
        let services = register
            .iter()
            .map(|service| configured(&mut env, service, port_base))
            .collect();
        let config = Self {
            telemetry,
            services,
            server,
            data_dir: settings.data_dir,
            admin: None,
        };
        let mut config = env.finish(config)?;
        let missing = Missing::read(&config.services)?;
        let generated = Generated::open(&config.data_dir)?;
        config.make_up(&missing, &generated)?;
        Ok((config, generated))
    }

    fn make_up(&mut self, missing: &Missing, generated: &Generated) -> Result<(), ConfigError> {
        let mut secret_files = Vec::new();
        for service in self
            .services
            .iter_mut()
            .filter(|service| missing.clients.contains(&service.name))
        {
            // Without a character that HTTP Basic would want encoded: people call with it too.
            let secret = generated.secret(&format!("{}-secret", service.name), 32, &URL_SAFE_NO_PAD)?;
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
            let key = generated.secret("key-encryption-key", 32, &STANDARD)?;
            service.set("KEY_ENCRYPTION_KEY_FILE", key.file.to_string_lossy());
        }
        if missing.admin {
            let password = generated.secret("admin-password", 12, &STANDARD)?;
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

/// What nobody was told.
struct Missing {
    key: bool,
    admin: bool,
    /// The services of whose secret neither they nor user-service were told.
    clients: Vec<String>,
}

impl Missing {
    /// Looks as each service will, so that its own form of a variable counts too.
    fn read(services: &[Configured]) -> Result<Self, ConfigErrors> {
        let mut user_service = Env::load(USER_SERVICE);
        let mut missing = Self {
            key: user_service.secret("KEY_ENCRYPTION_KEY").is_none(),
            admin: user_service.text("ADMIN_EMAIL").is_none()
                & user_service.secret("ADMIN_PASSWORD").is_none(),
            clients: Vec::new(),
        };
        for service in services.iter().filter(|service| service.name != USER_SERVICE) {
            let mut itself = Env::load(&service.name);
            let variable = format!("{}_SECRET", service.prefix);
            if itself.secret(&variable).is_none() & user_service.secret(&variable).is_none() {
                missing.clients.push(service.name.clone());
            }
            itself.finish(())?;
        }
        // What was given and can't be read is not missing.
        user_service.finish(missing)
    }
}

fn configured(env: &mut Env, service: &RegisteredService, port_base: u16) -> Configured {
    let prefix = service.variable_prefix();
    let has_own_database = env.secret(&format!("{prefix}_DATABASE_URL")).is_some();
    let (name, port) = (service.name.clone(), service.port(port_base));
    let mut configured = Configured {
        name,
        prefix,
        port,
        has_own_database,
        variables: BTreeMap::new(),
    };
    configured.set("PORT", port.to_string());
    configured
}

/// `DATABASE_URL`, for all services together, can only be a server: no two of them may share a database.
fn server(env: &mut Env) -> Option<Url> {
    let text = env.secret("DATABASE_URL")?;
    let url = Url::parse(text.expose_secret()).ok();
    let server = url.filter(|url| {
        matches!(url.scheme(), "postgres" | "postgresql") && url.path().trim_matches('/').is_empty()
    });
    if server.is_none() {
        let form = "must name a PostgreSQL server and no database, such as `postgres://<user>:<password>@<host>`: each \
                    service gets a database of its own (or its own `<SERVICE>_DATABASE_URL`)";
        env.problem("DATABASE_URL", form);
    }
    server
}
