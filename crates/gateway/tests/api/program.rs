//! The program `gateway`, in its own process.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::backend::Backend;
use crate::client::{Client, eventually};
use crate::test_gateway::ROUTES;

/// A gateway with a backend. It ends when the test does.
pub struct Program {
    pub backend: Backend,
    child: Child,
    directory: TempDir,
    log: Log,
}

/// The lines of the log so far.
type Log = Arc<Mutex<Vec<Value>>>;

impl Program {
    /// Starts the program with these variables besides its own, and waits until it listens.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        let directory = TempDir::new().unwrap();
        let backend = Backend::start().await;
        let products = format!("http://{}", backend.address);
        // The same backend at another address: no two services of a platform share one.
        let users = format!("http://localhost:{}", backend.address.port());
        let services = directory.path().join("services.toml");
        std::fs::write(&services, ROUTES).unwrap();
        let mut child = command(&directory)
            .env("SERVICES_FILE", services)
            .envs([
                ("PORT", "0"),
                ("LOG_FORMAT", "json"),
                ("USER_SERVICE_URL", &users),
                ("PRODUCT_SERVICE_URL", &products),
            ])
            .envs(variables.iter().copied())
            .spawn()
            .unwrap();
        let log = Log::default();
        let (mut lines, written) = (
            BufReader::new(child.stderr.take().unwrap()).lines(),
            Arc::clone(&log),
        );
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                let event = serde_json::from_str(&line).unwrap_or(Value::String(line));
                written.lock().unwrap().push(event);
            }
        });
        let program = Self {
            backend,
            child,
            directory,
            log,
        };
        eventually(|| program.addresses().len() == 2).await;
        program
    }

    /// The file with the routes.
    pub fn services_file(&self) -> PathBuf {
        self.directory.path().join("services.toml")
    }

    /// The events of the log with this message.
    pub fn events(&self, message: &str) -> Vec<Value> {
        let mut events = self.log.lock().unwrap().clone();
        events.retain(|event| event["message"] == message);
        events
    }

    /// Clients' port.
    pub fn client(&self) -> Client {
        Client(self.addresses()[0])
    }

    /// The inner port.
    pub fn inner(&self) -> Client {
        Client(self.addresses()[1])
    }

    /// The addresses in the log: first the one for clients, and then the inner one.
    fn addresses(&self) -> Vec<SocketAddr> {
        let events = self.events("listening");
        events
            .iter()
            .map(|event| event["address"].as_str().unwrap().parse().unwrap())
            .collect()
    }

    /// Waits until the program is ready.
    pub async fn becomes_ready(&self) {
        while self.inner().get("/health/ready", &[]).await.status != 200 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Makes the program read its configuration again, and waits until it has.
    pub async fn reload(&self) {
        let count = || self.events("routes, roles and certificate were read again").len();
        let before = count();
        self.send_sighup();
        eventually(|| count() > before).await;
    }

    pub fn send_sighup(&self) {
        let id = self.child.id().unwrap().try_into().unwrap();
        kill_process(Pid::from_raw(id).unwrap(), Signal::HUP).unwrap();
    }
}

/// The program, without the environment of the tests.
pub fn command(directory: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gateway"));
    command
        .current_dir(directory.path())
        .env_clear()
        .env("GATEWAY_SECRET", "not-a-secret")
        .kill_on_drop(true)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}
