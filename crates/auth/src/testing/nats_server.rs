//! A separate NATS server for a test.

use std::fs;
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;
use uuid::Uuid;

use crate::nats::NatsUrl;

/// The program `nats-server` with JetStream, on a free port of this machine, with its own storage. It ends, and its storage is
/// deleted, when this value is dropped.
///
/// Its methods block the thread until the server has started or ended.
#[derive(Debug)]
pub struct NatsServer {
    directory: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl NatsServer {
    /// Starts a server that requires no credentials.
    ///
    /// # Panics
    /// If the program is not installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts a server with these lines in its configuration.
    ///
    /// # Panics
    /// If the program is not installed or does not start.
    #[must_use]
    pub fn start_with(config: &str) -> Self {
        let directory = std::env::temp_dir().join(format!("nats-server-{}", Uuid::new_v4()));
        fs::create_dir(&directory).expect("a new directory");
        fs::write(directory.join("config"), config).expect("a new file");
        let mut server = Self {
            directory,
            port: 0,
            process: None,
        };
        server.start_again();
        server
    }

    /// Starts the server again after [`stop`](Self::stop), on the same port.
    ///
    /// # Panics
    /// If it does not start.
    pub fn start_again(&mut self) {
        let port = if self.port == 0 { -1 } else { i32::from(self.port) };
        let start = |program| {
            Command::new(program)
                .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-js"])
                .arg("-sd")
                .arg(self.storage())
                .arg("-c")
                .arg(self.directory.join("config"))
                .arg("--ports_file_dir")
                .arg(&self.directory)
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
        };
        // Debian installs it where only root's PATH leads.
        let process = start("nats-server")
            .or_else(|_| start("/usr/sbin/nats-server"))
            .expect("the program nats-server, which this test needs (Debian and Ubuntu: `apt-get install nats-server`)");
        let ports = self.directory.join(format!("nats-server_{}.ports", process.id()));
        self.process = Some(process);
        self.port = eventually("the server listens", || port_in(&fs::read(&ports).ok()?));
        eventually("the server accepts connections", || {
            TcpStream::connect(("127.0.0.1", self.port)).ok()
        });
    }

    /// Ends the server at once. Its storage stays.
    pub fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            drop(process.kill());
            drop(process.wait());
        }
    }

    /// Deletes the storage of a stopped server.
    ///
    /// # Panics
    /// If the storage can't be deleted.
    pub fn delete_storage(&self) {
        fs::remove_dir_all(self.storage()).expect("the server's directory");
    }

    /// Suspends the server: its connections stay, and it does nothing until [`resume`](Self::resume).
    ///
    /// # Panics
    /// If it does not run.
    pub fn suspend(&self) {
        self.signal("-STOP");
    }

    /// Continues a suspended server.
    ///
    /// # Panics
    /// If it does not run.
    pub fn resume(&self) {
        self.signal("-CONT");
    }

    /// Its URL, without credentials.
    #[must_use]
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its URL with these credentials, `user:password`, or without any if they are empty.
    ///
    /// # Panics
    /// If the credentials can't be part of a URL.
    #[must_use]
    pub fn url_for(&self, credentials: &str) -> NatsUrl {
        let at = if credentials.is_empty() { "" } else { "@" };
        let url = format!("nats://{credentials}{at}127.0.0.1:{}", self.port);
        url.parse().expect("a URL")
    }

    fn storage(&self) -> PathBuf {
        self.directory.join("storage")
    }

    fn signal(&self, signal: &str) {
        let process = self.process.as_ref().expect("a running server");
        let status = Command::new("kill")
            .args([signal, &process.id().to_string()])
            .status();
        assert!(status.expect("the program kill").success());
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.stop();
        drop(fs::remove_dir_all(&self.directory));
    }
}

/// The port in the file in which the server writes where it listens.
fn port_in(file: &[u8]) -> Option<u16> {
    let ports: Value = serde_json::from_slice(file).ok()?;
    let url = ports.get("nats")?.get(0)?.as_str()?;
    url.rsplit_once(':')?.1.parse().ok()
}

fn eventually<T>(condition: &str, mut value: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Some(value) = value() {
            return value;
        }
        assert!(Instant::now() < deadline, "timed out: {condition}");
        sleep(Duration::from_millis(5));
    }
}
