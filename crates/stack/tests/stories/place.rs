//! Where a platform under test runs.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{LazyLock, Mutex};

use db::DatabaseUrl;
use futures_util::future::join_all;
use service_kit::Register;
use sqlx::ConnectOptions as _;
use tempfile::TempDir;
use test_kit::TestDatabase;

use crate::platform::Platform;

pub const STACK: &str = env!("CARGO_BIN_EXE_stack");
pub const SERVICES: [&str; 4] = [
    "user-service",
    "product-service",
    "order-service",
    "inventory-service",
];

/// Where a platform lives: a working directory, ports, and databases. It outlives the platforms that run in it.
pub struct Place {
    directory: TempDir,
    pub port_base: u16,
    /// One for each service.
    databases: Vec<TestDatabase>,
}

impl Place {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let databases = join_all(SERVICES.map(|_| TestDatabase::new())).await;
        Self {
            directory,
            port_base: free_port_base(),
            databases,
        }
    }

    /// Starts the platform, and waits until it says that it is ready.
    pub async fn platform(&self) -> Platform {
        self.platform_with(&[]).await
    }

    /// The same with more variables.
    pub async fn platform_with(&self, variables: &[(&str, &str)]) -> Platform {
        let mut platform = self.start(variables);
        platform.wait_until_ready().await;
        platform
    }

    /// Starts the platform, whatever becomes of it.
    pub fn start(&self, variables: &[(&str, &str)]) -> Platform {
        let mut command = self.command(STACK);
        command.envs(variables.iter().copied());
        Platform::spawn(command, self.port_base)
    }

    /// Starts it by a script that has the program as `$0`.
    pub fn start_by_shell(&self, script: &str) -> Platform {
        let mut command = self.command("/bin/sh");
        command.args(["-c", script, STACK]);
        Platform::spawn(command, self.port_base)
    }

    /// Starts it from another path.
    pub fn start_program(&self, program: &Path) -> Platform {
        Platform::spawn(self.command(program), self.port_base)
    }

    /// A program in this place: in a process group of its own, as a shell does it, and with nothing of the
    /// environment that the tests run in.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.directory.path())
            .process_group(0)
            .env_clear();
        command
            .env("DATA_DIR", self.data(""))
            .env("PORT_BASE", self.port_base.to_string());
        for service in SERVICES {
            if let DatabaseUrl::Postgres(options) = self.database(service) {
                let prefix = service.to_uppercase().replace('-', "_");
                command.env(format!("{prefix}_DATABASE_URL"), options.to_url_lossy().as_str());
            }
        }
        command
    }

    /// Where a service keeps its data.
    pub fn database(&self, service: &str) -> DatabaseUrl {
        let index = SERVICES.iter().position(|known| *known == service).unwrap();
        match self.databases[index].url() {
            // SQLite has its place in DATA_DIR.
            DatabaseUrl::Sqlite(_) => DatabaseUrl::Sqlite(self.data(&format!("{service}.db"))),
            postgres @ DatabaseUrl::Postgres(_) => postgres,
        }
    }

    /// A file of the working directory.
    pub fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of `DATA_DIR`.
    pub fn data(&self, name: &str) -> PathBuf {
        self.file("data").join(name)
    }

    /// A secret that the platform made up.
    pub fn secret(&self, name: &str) -> String {
        fs::read_to_string(self.data(name)).unwrap().trim_end().to_owned()
    }

    /// The server that PostgreSQL's databases are on, if that is what this run of the tests is for.
    pub fn server(&self) -> Option<url::Url> {
        let DatabaseUrl::Postgres(options) = self.databases[0].url() else {
            return None;
        };
        let mut server = options.to_url_lossy();
        server.set_path("");
        Some(server)
    }
}

pub fn port(port_base: u16, service: &str) -> u16 {
    Register::built_in()
        .find(service)
        .expect("a registered service")
        .port(port_base)
}

pub fn is_free(port: u16) -> bool {
    TcpListener::bind(("127.0.0.1", port)).is_ok()
}

/// Below the ports that the system hands out by itself, and not given to another test of this run.
fn free_port_base() -> u16 {
    static GIVEN: LazyLock<Mutex<HashSet<u16>>> = LazyLock::new(Mutex::default);
    loop {
        let mut random = [0; 2];
        aws_lc_rs::rand::fill(&mut random).unwrap();
        let base = 20_000 + u16::from_le_bytes(random) % 800 * 10;
        if SERVICES.iter().all(|service| is_free(port(base, service))) && GIVEN.lock().unwrap().insert(base) {
            return base;
        }
    }
}
