//! A sandbox in which a platform under test runs.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};
use std::time::Duration;

use db::DatabaseUrl;
use futures_util::future::join_all;
use service_kit::Registry;
use sqlx::ConnectOptions as _;
use tempfile::TempDir;
use test_kit::TestDatabase;

use crate::platform::{CHEAP_HASHES, Platform};

pub const STACK: &str = env!("CARGO_BIN_EXE_stack");
const POLL_INTERVAL: Duration = Duration::from_millis(10);
pub const GATEWAY: &str = "gateway";

/// The services of the platform.
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::built_in);

/// The names of all services, in the order of `services.toml`.
pub fn services() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|service| service.name.as_str())
}

/// The services behind the gateway.
pub fn inner_services() -> impl Iterator<Item = &'static str> {
    services().filter(|service| *service != GATEWAY)
}

/// The services that store data.
pub fn services_with_database() -> impl Iterator<Item = &'static str> {
    let stored = REGISTRY.iter().filter(|service| service.has_database);
    stored.map(|service| service.name.as_str())
}

/// A working directory, ports, and databases. Several platforms can run in it, one after the other.
pub struct Sandbox {
    directory: TempDir,
    pub port_base: u16,
    /// One per service that stores data.
    databases: Vec<TestDatabase>,
    _turn: Turn,
}

/// Sandboxes share the machine, except one that needs all of it.
static MACHINE: RwLock<()> = RwLock::new(());

/// Held while a sandbox exists.
enum Turn {
    Shared(#[expect(dead_code, reason = "held")] RwLockReadGuard<'static, ()>),
    Alone(#[expect(dead_code, reason = "held")] RwLockWriteGuard<'static, ()>),
}

impl Turn {
    /// Waits until no test has the machine for itself. A test may have several sandboxes.
    async fn shared() -> Self {
        loop {
            match MACHINE.try_read() {
                Ok(guard) => return Self::Shared(guard),
                // Another test has failed.
                Err(TryLockError::Poisoned(error)) => return Self::Shared(error.into_inner()),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }

    /// Waits until there is no other sandbox.
    async fn alone() -> Self {
        loop {
            match MACHINE.try_write() {
                Ok(guard) => return Self::Alone(guard),
                Err(TryLockError::Poisoned(error)) => return Self::Alone(error.into_inner()),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(POLL_INTERVAL).await,
            }
        }
    }
}

impl Sandbox {
    pub async fn new() -> Self {
        Self::with(Turn::shared().await).await
    }

    /// Like [`new`](Self::new), for a test that puts the whole machine under load: no other story runs meanwhile.
    pub async fn alone() -> Self {
        Self::with(Turn::alone().await).await
    }

    async fn with(turn: Turn) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let databases = join_all(services_with_database().map(|_| TestDatabase::new())).await;
        Self {
            directory,
            port_base: free_port_base(),
            databases,
            _turn: turn,
        }
    }

    /// Starts the platform, and waits until it reports that it is ready.
    pub async fn platform(&self) -> Platform {
        self.platform_with(&[]).await
    }

    /// Like [`platform`](Self::platform), with additional variables.
    pub async fn platform_with(&self, variables: &[(&str, &str)]) -> Platform {
        let mut platform = self.start(variables);
        platform.wait_until_ready().await;
        platform
    }

    /// Like [`platform`](Self::platform), with cheap hashes, and a registry in which each service may call every other. So tests
    /// can get service tokens for each service.
    pub async fn platform_where_all_call_all(&self) -> Platform {
        let registry = self.file("all-call-all.toml");
        fs::write(
            &registry,
            with_all_calls(include_str!("../../../../services.toml")),
        )
        .unwrap();
        let mut variables = vec![("SERVICES_FILE", registry.to_str().unwrap())];
        variables.extend(CHEAP_HASHES);
        self.platform_with(&variables).await
    }

    /// Starts the platform, and does not wait.
    pub fn start(&self, variables: &[(&str, &str)]) -> Platform {
        let mut command = self.command(STACK);
        command.envs(variables.iter().copied());
        Platform::spawn(command, self.port_base)
    }

    /// Starts the platform with a shell script, whose `$0` is the program.
    pub fn start_by_shell(&self, script: &str) -> Platform {
        let mut command = self.command("/bin/sh");
        command.args(["-c", script, STACK]);
        Platform::spawn(command, self.port_base)
    }

    /// Starts the platform from another path.
    pub fn start_program(&self, program: &Path) -> Platform {
        Platform::spawn(self.command(program), self.port_base)
    }

    /// A command in this sandbox: in its own process group, as a shell starts it, and without the environment of the tests.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .process_group(0)
            .env_clear();
        command
            .env("DATA_DIR", self.data(""))
            .env("PORT_BASE", self.port_base.to_string())
            // All clients of a test have one address.
            .env("RATE_LIMIT", "0");
        for service in services_with_database() {
            if let DatabaseUrl::Postgres(options) = self.database(service) {
                let prefix = service.to_uppercase().replace('-', "_");
                command.env(format!("{prefix}_DATABASE_URL"), options.to_url_lossy().as_str());
            }
        }
        command
    }

    /// The database of a service.
    pub fn database(&self, service: &str) -> DatabaseUrl {
        let index = services_with_database()
            .position(|known| known == service)
            .unwrap();
        match self.databases[index].url() {
            // SQLite files are in DATA_DIR.
            DatabaseUrl::Sqlite(_) => DatabaseUrl::Sqlite(self.data(&format!("{service}.db"))),
            postgres @ DatabaseUrl::Postgres(_) => postgres,
        }
    }

    /// A file in the working directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file in `DATA_DIR`.
    pub fn data(&self, name: &str) -> PathBuf {
        self.file("data").join(name)
    }

    /// A secret that the platform generated.
    pub fn secret(&self, name: &str) -> String {
        fs::read_to_string(self.data(name)).unwrap().trim_end().to_owned()
    }

    /// The PostgreSQL server of the databases, if the tests run on PostgreSQL.
    pub fn server(&self) -> Option<url::Url> {
        let DatabaseUrl::Postgres(options) = self.databases[0].url() else {
            return None;
        };
        let mut server = options.to_url_lossy();
        server.set_path("");
        Some(server)
    }
}

/// This registry, changed so that each service calls every other one. user-service calls none.
fn with_all_calls(registry: &str) -> String {
    let mut own = "";
    let mut changed = Vec::new();
    for line in registry.lines() {
        own = line.strip_prefix("name = ").unwrap_or(own).trim_matches('"');
        let others: Vec<_> = services().filter(|service| *service != own).collect();
        if line.starts_with("calls = [\"") {
            changed.push(format!("calls = {others:?}"));
        } else {
            changed.push(line.to_owned());
        }
    }
    changed.join("\n")
}

pub fn port(port_base: u16, service: &str) -> u16 {
    let service = REGISTRY.find(service).expect("a registered service");
    service.port(port_base)
}

/// All ports of a service: the one for requests and, for the gateway, the inner one.
pub fn ports(port_base: u16, service: &str) -> impl Iterator<Item = u16> {
    let service = REGISTRY.find(service).expect("a registered service");
    let port = service.port(port_base);
    [Some(port), service.inner_port(port)].into_iter().flatten()
}

pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// A port base below the system's ephemeral ports, used by no other test of this run. Inner ports are higher by 1000, so that every
/// second thousand remains for them. The distance between two bases is a multiple of ten that leaves room for all services.
fn free_port_base() -> u16 {
    static USED: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    let last = services().map(|service| port(0, service)).max().unwrap();
    let distance = (last / 10 + 1) * 10;
    loop {
        let mut random = [0; 2];
        aws_lc_rs::rand::fill(&mut random).unwrap();
        let [thousands, step] = random.map(u16::from);
        let base = 20_000 + thousands % 6 * 2_000 + step % (1_000 / distance) * distance;
        let mut ports = services().flat_map(|service| ports(base, service));
        if ports.all(is_free) && USED.lock().unwrap().insert(base) {
            return base;
        }
    }
}
