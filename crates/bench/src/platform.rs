//! The program `stack`, with data of its own, while it runs.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use db::DatabaseUrl;
use rustix::process::{Pid, Signal, kill_process};
use service_kit::Register;
use sqlx::ConnectOptions as _;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use uuid::Uuid;

use crate::Failure;
use crate::database::Server;

const READY_WITHIN: Duration = Duration::from_secs(60);
/// Longer than the stack waits for its services.
const GONE_WITHIN: Duration = Duration::from_secs(15);

/// A platform that is ready. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Platform {
    stack: Child,
    /// What it says. It may go on saying things.
    output: Lines<BufReader<ChildStdout>>,
    port_base: u16,
    databases: Vec<(String, DatabaseUrl)>,
    directory: TempDir,
    /// How long it took from its start until it was ready.
    pub(crate) started_in: Duration,
}

impl Platform {
    /// Starts the program, with SQLite or with databases of its own on this server, and waits until it is ready.
    pub(crate) async fn start(stack: &Path, server: Option<&Server>) -> Result<Self, Failure> {
        Self::start_with(stack, server, &[]).await
    }

    /// As [`start`](Self::start), with these variables.
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
        // Nothing of the environment, and of a `.env`, that this program was started in.
        command.current_dir(&directory).env_clear().env("DATA_DIR", &data);
        command
            .env("PORT_BASE", port_base.to_string())
            .env("ACCESS_TOKEN_TTL", "1d")
            .env("RUST_LOG", "warn");
        // What is measured is what hashing costs, and not how soon a guesser is stopped before it.
        command.env("LOGIN_FREE_FAILURES", "1000000");
        command.envs(variables.iter().copied());
        let mut databases = Vec::new();
        for service in Register::built_in().iter() {
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
        let begun = Instant::now();
        let mut stack = command.spawn()?;
        let output = BufReader::new(stack.stdout.take().ok_or("a program without output")?).lines();
        let started_in = Duration::ZERO;
        let mut platform = Self {
            stack,
            output,
            port_base,
            databases,
            directory,
            started_in,
        };
        match tokio::time::timeout(READY_WITHIN, platform.says_how_to_log_in()).await {
            Ok(true) => {
                platform.started_in = begun.elapsed();
                Ok(platform)
            }
            _ => Err(format!("the platform did not start:\n{}", fs::read_to_string(log)?).into()),
        }
    }

    /// It does so once everything is ready.
    async fn says_how_to_log_in(&mut self) -> bool {
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
        let register = Register::built_in();
        let service = register.find(service).ok_or("there is no such service")?;
        Ok(service.port(self.port_base))
    }

    /// Where a service keeps its data.
    pub(crate) fn database(&self, service: &str) -> Result<&DatabaseUrl, Failure> {
        let database = self.databases.iter().find(|(name, _)| name == service);
        database
            .map(|(_, database)| database)
            .ok_or_else(|| format!("there is no {service}").into())
    }

    /// A file of `DATA_DIR`.
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
        let begun = Instant::now();
        while matches!(self.stack.try_wait(), Ok(None)) {
            if begun.elapsed() > GONE_WITHIN {
                drop(self.stack.start_kill());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Below the ports that the system hands out by itself.
fn free_port_base() -> Result<u16, Failure> {
    let register = Register::built_in();
    for _ in 0..100 {
        let [high, low, ..] = *Uuid::new_v4().as_bytes();
        let base = 20_000 + u16::from_be_bytes([high, low]) % 800 * 10;
        let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if register.iter().all(|service| is_free(service.port(base))) {
            return Ok(base);
        }
    }
    Err("no ports are free".into())
}
