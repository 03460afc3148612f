//! A running `stack` with fresh data.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use db::DatabaseUrl;
use rustix::process::{Pid, Signal, kill_process};
use service_kit::Registry;
use sqlx::ConnectOptions as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use uuid::Uuid;

use crate::Failure;
use crate::database::Server;

const START_TIMEOUT: Duration = Duration::from_secs(60);
/// Longer than `stack` waits for its services.
const STOP_TIMEOUT: Duration = Duration::from_secs(15);

/// A ready platform. Dropping this stops it.
#[derive(Debug)]
pub(crate) struct Platform {
    stack: Child,
    /// Its standard output, kept open so that it can continue to write.
    output: Lines<BufReader<ChildStdout>>,
    port_base: u16,
    databases: Vec<(String, DatabaseUrl)>,
    directory: TempDir,
    /// The time from the start until it was ready.
    pub(crate) started_in: Duration,
}

impl Platform {
    /// Starts the program, on SQLite or with new databases on this server, and waits until it is ready.
    pub(crate) async fn start(stack: &Path, server: Option<&Server>) -> Result<Self, Failure> {
        Self::start_with(stack, server, &[]).await
    }

    /// Like [`start`](Self::start), with additional variables.
    pub(crate) async fn start_with(
        stack: &Path,
        server: Option<&Server>,
        variables: &[(&str, &str)],
    ) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let (data, log) = (directory.path().join("data"), directory.path().join("log"));
        let port_base = free_port_base()?;
        let program = fs::canonicalize(stack).map_err(|error| format!("{}: {error}", stack.display()))?;
        let mut command = Command::new(program);
        // Without the environment and the `.env` of this program.
        command.current_dir(&directory).env_clear().env("DATA_DIR", &data);
        command
            .env("PORT_BASE", port_base.to_string())
            .env("ACCESS_TOKEN_TTL", "1d")
            .env("RUST_LOG", "warn");
        // Disables the throttle, which would refuse guesses before they are hashed.
        command.env("LOGIN_FREE_FAILURES", "1000000");
        command.envs(variables.iter().copied());
        let mut databases = Vec::new();
        // The gateway has no database.
        for service in Registry::built_in()
            .iter()
            .filter(|service| !service.has_inner_port)
        {
            let database = match server {
                None => DatabaseUrl::Sqlite(data.join(format!("{}.db", service.name))),
                Some(server) => {
                    let options = server.database().await?;
                    let variable = format!("{}_DATABASE_URL", service.variable_prefix());
                    command.env(variable, options.to_url_lossy().as_str());
                    DatabaseUrl::Postgres(Box::new(options))
                }
            };
            databases.push((service.name.clone(), database));
        }
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?);
        let started = Instant::now();
        let mut stack = command.spawn()?;
        let output = BufReader::new(stack.stdout.take().ok_or("stack has no standard output")?).lines();
        let started_in = Duration::ZERO;
        let mut platform = Self {
            stack,
            output,
            port_base,
            databases,
            directory,
            started_in,
        };
        match tokio::time::timeout(START_TIMEOUT, platform.prints_how_to_log_in()).await {
            Ok(true) => {
                platform.started_in = started.elapsed();
                Ok(platform)
            }
            _ => Err(format!("the platform did not start:\n{}", fs::read_to_string(log)?).into()),
        }
    }

    /// Waits for the login instructions, which `stack` prints when all services are ready.
    async fn prints_how_to_log_in(&mut self) -> bool {
        while let Ok(Some(line)) = self.output.next_line().await {
            if line.starts_with("Log in as ") {
                return true;
            }
        }
        false
    }

    pub(crate) fn pid(&self) -> Option<u32> {
        self.stack.id()
    }

    pub(crate) fn url(&self, service: &str) -> Result<String, Failure> {
        Ok(format!("http://127.0.0.1:{}", self.port(service)?))
    }

    pub(crate) fn port(&self, service: &str) -> Result<u16, Failure> {
        let registry = Registry::built_in();
        let service = registry.find(service).ok_or("unknown service")?;
        Ok(service.port(self.port_base))
    }

    /// The port of a service's metrics.
    pub(crate) fn metrics_port(&self, service: &str) -> Result<u16, Failure> {
        let registry = Registry::built_in();
        let service = registry.find(service).ok_or("unknown service")?;
        let port = service.port(self.port_base);
        Ok(service.inner_port(port).unwrap_or(port))
    }

    /// The database of a service.
    pub(crate) fn database(&self, service: &str) -> Result<&DatabaseUrl, Failure> {
        let database = self.databases.iter().find(|(name, _)| name == service);
        database
            .map(|(_, database)| database)
            .ok_or_else(|| format!("unknown service {service}").into())
    }

    /// A file in `DATA_DIR`.
    pub(crate) fn data(&self, name: &str) -> PathBuf {
        self.directory.path().join("data").join(name)
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        let pid = self
            .stack
            .id()
            .and_then(|pid| Pid::from_raw(pid.try_into().ok()?));
        if pid.is_none_or(|pid| kill_process(pid, Signal::TERM).is_err()) {
            return;
        }
        let started = Instant::now();
        while matches!(self.stack.try_wait(), Ok(None)) {
            if started.elapsed() > STOP_TIMEOUT {
                drop(self.stack.start_kill());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// A port base below the system's ephemeral ports. Inner ports are higher by 1000, so that every second thousand remains for them.
fn free_port_base() -> Result<u16, Failure> {
    let registry = Registry::built_in();
    for _ in 0..100 {
        let [thousands, tens, ..] = Uuid::new_v4().into_bytes().map(u16::from);
        let base = 20_000 + thousands % 6 * 2_000 + tens % 100 * 10;
        let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        let mut ports = registry.iter().flat_map(|service| {
            let port = service.port(base);
            [Some(port), service.inner_port(port)].into_iter().flatten()
        });
        if ports.all(is_free) {
            return Ok(base);
        }
    }
    Err("no free ports".into())
}
