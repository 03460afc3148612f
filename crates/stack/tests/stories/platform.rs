//! The program `stack`, run in a place of its own.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::{Duration, Instant};

use db::DatabaseUrl;
use rustix::process::Signal;
use serde_json::{Value, json};
use service_kit::Register;
use sqlx::ConnectOptions as _;
use tempfile::TempDir;
use test_kit::{Answer, Client, TestDatabase};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::processes::{self, Process};
use crate::{SOON, eventually, within};

pub const STACK: &str = env!("CARGO_BIN_EXE_stack");
pub const SERVICES: [&str; 2] = ["user-service", "product-service"];
pub const PASSWORD: &str = "correct horse battery";

/// Where a platform lives: a working directory, ports, and databases. It outlives the platforms that run in it.
pub struct Place {
    directory: TempDir,
    pub port_base: u16,
    /// One for each service.
    databases: [TestDatabase; 2],
}

impl Place {
    pub async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let databases = [TestDatabase::new().await, TestDatabase::new().await];
        Self { directory, port_base: free_port_base(), databases }
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

    /// A program in this place, in a process group of its own as a shell makes it, and with nothing of the environment that the tests run in.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory.path()).process_group(0).env_clear();
        command.env("DATA_DIR", self.data("")).env("PORT_BASE", self.port_base.to_string());
        for (database, service) in self.databases.iter().zip(["USER_SERVICE", "PRODUCT_SERVICE"]) {
            // SQLite has its place in DATA_DIR.
            if let DatabaseUrl::Postgres(options) = database.url() {
                command.env(format!("{service}_DATABASE_URL"), options.to_url_lossy().as_str());
            }
        }
        command
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
        let DatabaseUrl::Postgres(options) = self.databases[0].url() else { return None };
        let mut server = options.to_url_lossy();
        server.set_path("");
        Some(server)
    }
}

/// `stack`, and all that it started.
pub struct Platform {
    stack: Child,
    /// What it said on standard output.
    pub output: Said,
    /// What it and its services said on standard error.
    pub log: Said,
    port_base: u16,
    begun: Instant,
    /// Clients of the services, as they are listed. To make one costs more than to use it.
    clients: [OnceLock<Client>; 2],
}

impl Platform {
    fn spawn(mut command: Command, port_base: u16) -> Self {
        let begun = Instant::now();
        let mut stack =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let output = Said::listen(stack.stdout.take().unwrap());
        let log = Said::listen(stack.stderr.take().unwrap());
        Self { stack, output, log, port_base, begun, clients: Default::default() }
    }

    /// Waits until it says how to use it, and says how long that took from the start.
    pub async fn wait_until_ready(&mut self) -> Duration {
        loop {
            // The end of the command by which to log in.
            if self.output.text().ends_with("}'\n\n") {
                return self.begun.elapsed();
            }
            let ended = self.stack.try_wait().unwrap();
            let told = || format!("{}\n{}", self.output.text(), self.log.text());
            assert!(ended.is_none(), "{ended:?} instead of being ready:\n{}", told());
            assert!(self.begun.elapsed() < SOON, "not ready in time:\n{}", told());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    pub fn pid(&self) -> u32 {
        self.stack.id()
    }

    /// The processes of the services.
    pub fn children(&self) -> Vec<Process> {
        processes::children_of(self.pid())
    }

    /// The process of this service, while there is one.
    pub fn pid_of(&self, service: &str) -> Option<u32> {
        let ends = format!(" service {service} ");
        self.children().into_iter().find(|child| child.arguments.ends_with(&ends)).map(|child| child.pid)
    }

    /// Kills a service.
    pub fn kill(&self, service: &str) -> u32 {
        let pid = self.pid_of(service).expect("a service that runs");
        processes::send(pid, Signal::KILL);
        pid
    }

    /// Waits until a service is ready, in another process than the one before.
    pub async fn wait_for_another(&self, service: &str, before: u32) {
        eventually(&format!("{service} runs again"), async || {
            self.pid_of(service).is_some_and(|pid| pid != before) && self.is_ready(service).await
        })
        .await;
    }

    /// Asks over a connection of its own: who asks may do so of a service that dies.
    pub async fn is_ready(&self, service: &str) -> bool {
        let Ok(mut connection) = TcpStream::connect(("127.0.0.1", self.port(service))).await else {
            return false;
        };
        let request = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
        let mut answer = Vec::new();
        connection.write_all(request).await.is_ok()
            && connection.read_to_end(&mut answer).await.is_ok()
            && answer.starts_with(b"HTTP/1.1 200 ")
    }

    pub fn send(&self, signal: Signal) {
        processes::send(self.pid(), signal);
    }

    /// Waits until the stack has ended, and all that it started with it.
    pub async fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the stack has ended", async || {
            ended = self.stack.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        self.wait_until_alone(Duration::from_secs(2)).await;
        ended.unwrap()
    }

    /// Kills the stack, and nothing else.
    pub fn kill_the_stack(&mut self) {
        self.stack.kill().unwrap();
        self.stack.wait().unwrap();
    }

    /// Waits until nothing is left of what the stack started.
    pub async fn wait_until_alone(&self, limit: Duration) {
        within(limit, "no process is left", async || self.is_alone()).await;
    }

    /// Whether all processes are gone: whatever the stack starts has its standard output and error, and a pipe ends when
    /// the last who could write into it does.
    fn is_alone(&self) -> bool {
        self.output.has_ended() && self.log.has_ended()
    }

    pub fn port(&self, service: &str) -> u16 {
        port(self.port_base, service)
    }

    pub fn url(&self, service: &str) -> String {
        format!("http://127.0.0.1:{}", self.port(service))
    }

    /// Somebody without a token, at this service.
    pub fn nobody_at(&self, service: &str) -> &Client {
        let index = SERVICES.iter().position(|known| *known == service).unwrap();
        self.clients[index].get_or_init(|| Client::new(self.url(service)))
    }

    /// Registers somebody.
    pub async fn register(&self, email: &str) -> Answer {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
        self.nobody_at("user-service").post("/auth/register", body).await
    }

    pub async fn login(&self, email: &str, password: &str) -> Answer {
        let body = json!({"email": email, "password": password});
        self.nobody_at("user-service").post("/auth/login", body).await
    }

    pub async fn refresh(&self, pair: &Value) -> Answer {
        let body = json!({"refresh_token": pair["refresh_token"]});
        self.nobody_at("user-service").post("/auth/refresh", body).await
    }

    /// Somebody who has registered and logged in: their tokens.
    pub async fn ada(&self) -> Value {
        self.register("ada@example.com").await.assert_status(201);
        self.login("ada@example.com", PASSWORD).await.assert_status(200).json()
    }

    /// Whoever has these tokens, at product-service.
    pub fn seller(&self, pair: &Value) -> Client {
        self.nobody_at("product-service").bearing(pair["access_token"].as_str().unwrap())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // The stack alone: its services have to end by themselves.
        drop(self.stack.kill());
        drop(self.stack.wait());
        let begun = Instant::now();
        while !self.is_alone() {
            if begun.elapsed() > SOON {
                assert!(std::thread::panicking(), "services outlived the stack:\n{}", self.log.text());
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// What came out of a pipe so far.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<(Vec<u8>, bool)>>);

impl Said {
    fn listen(mut pipe: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let heard = said.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut bytes) {
                heard.0.lock().unwrap().0.extend_from_slice(&bytes[..read]);
            }
            heard.0.lock().unwrap().1 = true;
        });
        said
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().0).into_owned()
    }

    /// The lines that are JSON, as the log's are.
    pub fn events(&self) -> Vec<Value> {
        self.text().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    fn has_ended(&self) -> bool {
        self.0.lock().unwrap().1
    }
}

pub fn port(port_base: u16, service: &str) -> u16 {
    Register::built_in().find(service).expect("a registered service").port(port_base)
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
