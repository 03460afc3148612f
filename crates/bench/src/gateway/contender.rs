//! The compared gateways, and how each is started.

use std::fs;
use std::path::{Path, PathBuf};

use bench::tokens::VerificationKey;
use secrecy::ExposeSecret as _;
use tokio::process::Command;

use super::certificate::Certificate;
use super::tokens::{Tokens, Users};
use crate::Failure;
use crate::installed::Installed;
use crate::process::{Process, free_port};

const SERVICES: &str = include_str!("services.toml");
const HAPROXY: &str = include_str!("haproxy.cfg");
const NGINX: &str = include_str!("nginx.conf");

/// A kind of gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Our gateway, with tokens signed with Ed25519.
    EdDsa,
    /// Our gateway, with HS256 tokens.
    Hs256,
    /// `HAProxy`, which verifies HS256 tokens.
    HaProxy,
    /// nginx, which checks nothing.
    Nginx,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::EdDsa => "ours, EdDSA",
            Self::Hs256 => "ours, HS256",
            Self::HaProxy => "HAProxy, HS256",
            Self::Nginx => "nginx, no check",
        }
    }

    pub(super) fn is_ours(self) -> bool {
        matches!(self, Self::EdDsa | Self::Hs256)
    }

    /// Whether it verifies tokens.
    pub(super) fn verifies(self) -> bool {
        self != Self::Nginx
    }
}

/// The programs of all gateways.
#[derive(Debug)]
pub(super) struct Programs {
    pub stack: PathBuf,
    pub haproxy: Option<Installed>,
    pub nginx: Option<Installed>,
}

impl Programs {
    /// The versions of the other gateways, and which of them are missing.
    pub(super) fn describe(&self) -> Vec<String> {
        let programs = [("HAProxy", &self.haproxy), ("nginx", &self.nginx)];
        let describe = |(name, program): (_, &Option<Installed>)| match program {
            Some(program) => program.version.clone(),
            None => format!(
                "{name} IS NOT INSTALLED, so its rows are missing (on Debian: apt-get install haproxy nginx)"
            ),
        };
        programs.map(describe).into()
    }
}

/// The parts of a benchmark that all gateways are started with.
pub(super) struct Setup<'s> {
    pub directory: &'s Path,
    pub programs: &'s Programs,
    pub users: &'s Users,
    pub core: usize,
    /// The port of the service, and that of the key set.
    pub backend: u16,
    pub keys: u16,
}

/// A running gateway. Dropping this stops it.
pub(super) struct Contender {
    pub kind: Kind,
    pub port: u16,
    pub process: Process,
}

impl Contender {
    /// Starts a gateway, which terminates TLS if there is a certificate. `None` if its program is not installed.
    pub(super) async fn start(
        kind: Kind,
        setup: &Setup<'_>,
        tls: Option<&Certificate>,
    ) -> Result<Option<Self>, Failure> {
        let port = free_port()?;
        let directory = setup.directory.join(port.to_string());
        fs::create_dir(&directory)?;
        let place = Place { directory, port, tls };
        let command = match kind {
            Kind::EdDsa => ours(setup, &place, &setup.users.eddsa)?,
            Kind::Hs256 => ours(setup, &place, &setup.users.hs256)?,
            Kind::HaProxy => match &setup.programs.haproxy {
                Some(program) => haproxy(program, setup, &place)?,
                None => return Ok(None),
            },
            Kind::Nginx => match &setup.programs.nginx {
                Some(program) => nginx(program, setup, &place)?,
                None => return Ok(None),
            },
        };
        let log = place.directory.join("log");
        let process = Process::start(command, log, Some(setup.core), port).await?;
        Ok(Some(Self { kind, port, process }))
    }
}

/// Where one gateway has its files, and where it listens.
struct Place<'p> {
    directory: PathBuf,
    port: u16,
    tls: Option<&'p Certificate>,
}

/// Our gateway, in production's configuration, without rate limits. It has one worker, because it may use one core.
fn ours(setup: &Setup<'_>, place: &Place<'_>, tokens: &Tokens) -> Result<Command, Failure> {
    let services = place.directory.join("services.toml");
    fs::write(&services, SERVICES)?;
    let mut command = Command::new(fs::canonicalize(&setup.programs.stack)?);
    // Without the environment and the `.env` of this program.
    command.current_dir(&place.directory).env_clear();
    command
        .args(["service", "gateway"])
        .env("SERVICES_FILE", services)
        .env("DATA_DIR", &place.directory)
        .env("PORT", place.port.to_string())
        .env("PUBLIC_URL", bench::tokens::ISSUER)
        .env(
            "PRODUCT_SERVICE_URL",
            format!("http://127.0.0.1:{}", setup.backend),
        )
        .env("RATE_LIMIT", "0")
        .env("RUST_LOG", "warn");
    match tokens.signer.verification_key() {
        VerificationKey::KeySet(_) => {
            let url = format!("http://127.0.0.1:{}{}", setup.keys, super::backend::KEYS);
            command.env("AUTH_JWKS_URL", url)
        }
        VerificationKey::Secret(secret) => command.env("JWT_SECRET", secret.expose_secret()),
    };
    if let Some(tls) = place.tls {
        command.env("TLS_CERT", &tls.chain).env("TLS_KEY", &tls.key);
    }
    Ok(command)
}

fn haproxy(program: &Installed, setup: &Setup<'_>, place: &Place<'_>) -> Result<Command, Failure> {
    let VerificationKey::Secret(secret) = setup.users.hs256.signer.verification_key() else {
        return Err("HS256 needs a secret".into());
    };
    let tls = place
        .tls
        .map(|tls| format!(" ssl crt {} alpn http/1.1", tls.bundle.display()));
    let listen = format!("127.0.0.1:{}{}", place.port, tls.unwrap_or_default());
    let text = HAPROXY
        .replace("{LISTEN}", &listen)
        .replace("{SECRET}", secret.expose_secret())
        .replace("{ISSUER}", bench::tokens::ISSUER)
        .replace("{AUDIENCE}", bench::tokens::AUDIENCE)
        .replace("{BACKEND}", &setup.backend.to_string());
    let path = place.directory.join("haproxy.cfg");
    fs::write(&path, text)?;
    let mut command = Command::new(&program.path);
    command.args(["-db", "-f"]).arg(path);
    Ok(command)
}

fn nginx(program: &Installed, setup: &Setup<'_>, place: &Place<'_>) -> Result<Command, Failure> {
    let (suffix, lines) = match place.tls {
        None => ("", String::new()),
        Some(tls) => (
            " ssl",
            format!(
                "ssl_protocols TLSv1.3; ssl_certificate {}; ssl_certificate_key {};",
                tls.chain.display(),
                tls.key.display()
            ),
        ),
    };
    let text = NGINX
        .replace("{LISTEN}", &format!("127.0.0.1:{}{suffix}", place.port))
        .replace("{TLS}", &lines)
        .replace("{DIRECTORY}", &place.directory.display().to_string())
        .replace("{BACKEND}", &setup.backend.to_string());
    let path = place.directory.join("nginx.conf");
    fs::write(&path, text)?;
    let mut command = Command::new(&program.path);
    command
        .arg("-p")
        .arg(&place.directory)
        .args(["-e", "stderr", "-c"])
        .arg(path);
    Ok(command)
}
