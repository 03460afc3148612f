//! A running `stack`.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::output::Output;
use crate::processes::{self, Process};
use crate::sandbox::{GATEWAY, Sandbox, is_free, port, ports, services};
use crate::{DEADLINE, eventually, within};

pub const PASSWORD: &str = "correct horse battery";
/// Variables for tests with many logins.
pub const CHEAP_HASHES: [(&str, &str); 2] = [("ARGON2_MEMORY_KIB", "64"), ("ARGON2_PASSES", "1")];

/// `stack` and its child processes.
pub struct Platform {
    stack: Child,
    /// Standard output of `stack`.
    pub output: Output,
    /// Standard error of `stack` and its services.
    pub log: Output,
    port_base: u16,
    started: Instant,
    /// One client per service, in the order of `services()`. Creating a client costs more than using it.
    clients: Vec<OnceLock<Client>>,
}

impl Platform {
    pub fn spawn(mut command: Command, port_base: u16) -> Self {
        let started = Instant::now();
        let mut stack = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Output::capture(stack.stdout.take().unwrap());
        let log = Output::capture(stack.stderr.take().unwrap());
        Self {
            stack,
            output,
            log,
            port_base,
            started,
            clients: services().map(|_| OnceLock::new()).collect(),
        }
    }

    /// Waits until `stack` prints how to use the platform, and returns the time since the start.
    pub async fn wait_until_ready(&mut self) -> Duration {
        loop {
            // The printed command for the login ends like this.
            if self.output.text().ends_with("}'\n\n") {
                return self.started.elapsed();
            }
            let ended = self.stack.try_wait().unwrap();
            let logs = || format!("{}\n{}", self.output.text(), self.log.text());
            assert!(ended.is_none(), "{ended:?} before it was ready:\n{}", logs());
            assert!(
                self.started.elapsed() < DEADLINE,
                "not ready in time:\n{}",
                logs()
            );
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

    /// The process of this service, if it runs.
    pub fn pid_of(&self, service: &str) -> Option<u32> {
        let suffix = format!(" service {service} ");
        self.children()
            .into_iter()
            .find(|child| child.arguments.ends_with(&suffix))
            .map(|child| child.pid)
    }

    /// Kills a service, and returns the id of its process.
    pub fn kill(&self, service: &str) -> u32 {
        let pid = self.pid_of(service).expect("a service that runs");
        processes::send(pid, Signal::KILL);
        pid
    }

    /// Waits until a service is ready in a new process.
    pub async fn wait_for_restart(&self, service: &str, before: u32) {
        eventually(&format!("{service} runs again"), async || {
            self.pid_of(service).is_some_and(|pid| pid != before) && self.is_ready(service).await
        })
        .await;
    }

    /// Uses a new connection, because the service may die during the request.
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

    /// Whether `stack` itself runs.
    pub fn is_running(&mut self) -> bool {
        self.stack.try_wait().unwrap().is_none()
    }

    /// Waits until `stack` and all its child processes have ended.
    pub async fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the stack has ended", async || {
            ended = self.stack.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        within(Duration::from_secs(2), "no process is left", async || {
            self.has_no_processes()
        })
        .await;
        ended.unwrap()
    }

    /// Kills `stack` only, and waits until all its child processes have ended.
    pub async fn kill_stack(&mut self) {
        self.stack.kill().unwrap();
        self.stack.wait().unwrap();
        self.wait_until_gone().await;
    }

    /// Waits until no process and no open port is left. A dying process closes its pipes before its port.
    pub async fn wait_until_gone(&self) {
        within(
            Duration::from_secs(15),
            "neither a process nor a port is left",
            async || {
                let mut ports = services().flat_map(|service| ports(self.port_base, service));
                self.has_no_processes() && ports.all(is_free)
            },
        )
        .await;
    }

    /// Whether all processes have ended. Child processes inherit standard output and error, and a pipe ends when its last writer
    /// does.
    fn has_no_processes(&self) -> bool {
        self.output.has_ended() && self.log.has_ended()
    }

    pub fn port(&self, service: &str) -> u16 {
        port(self.port_base, service)
    }

    pub fn url(&self, service: &str) -> String {
        format!("http://127.0.0.1:{}", self.port(service))
    }

    /// An anonymous caller at the gateway, as clients are.
    pub fn anonymous(&self) -> &Client {
        self.anonymous_at(GATEWAY)
    }

    /// An anonymous caller of a service.
    pub fn anonymous_at(&self, service: &str) -> &Client {
        let index = services().position(|known| known == service).unwrap();
        self.clients[index].get_or_init(|| Client::new(self.url(service)))
    }

    /// Registers a user.
    pub async fn register(&self, email: &str) -> TestResponse {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
        self.anonymous().post("/auth/register", body).await
    }

    pub async fn login(&self, email: &str, password: &str) -> TestResponse {
        let body = json!({"email": email, "password": password});
        self.anonymous().post("/auth/login", body).await
    }

    /// Logs the first admin in. Returns the token pair.
    pub async fn login_admin(&self, sandbox: &Sandbox) -> Value {
        let password = sandbox.secret("admin-password");
        self.login("admin@example.com", &password)
            .await
            .assert_status(200)
            .json()
    }

    /// user-service, as this service calls it with its client secret.
    pub fn client_of_user_service(&self, sandbox: &Sandbox, service: &str) -> Client {
        let secret = sandbox.secret(&format!("{service}-secret"));
        self.anonymous_at("user-service")
            .with_basic_auth(service, &secret)
    }

    /// A token with which one service calls another.
    pub async fn issue_service_token(&self, sandbox: &Sandbox, caller: &str, audience: &str) -> String {
        let form = format!("grant_type=client_credentials&audience={audience}");
        let client = self.client_of_user_service(sandbox, caller);
        let answer = client.post_form("/oauth/token", &form).await;
        let token = answer.assert_status(200).json();
        token["access_token"].as_str().unwrap().to_owned()
    }

    /// Another service, and a token with which it calls this one. Requires
    /// [`platform_where_all_call_all`](Sandbox::platform_where_all_call_all).
    pub async fn service_token(&self, sandbox: &Sandbox, audience: &str) -> (&'static str, String) {
        let caller = if audience == "order-service" {
            GATEWAY
        } else {
            "order-service"
        };
        (caller, self.issue_service_token(sandbox, caller, audience).await)
    }

    pub async fn refresh(&self, pair: &Value) -> TestResponse {
        let body = json!({"refresh_token": pair["refresh_token"]});
        self.anonymous().post("/auth/refresh", body).await
    }

    /// Registers Ada and logs her in. Returns her token pair.
    pub async fn register_ada(&self) -> Value {
        self.register("ada@example.com").await.assert_status(201);
        self.login("ada@example.com", PASSWORD)
            .await
            .assert_status(200)
            .json()
    }

    /// A client of product-service with this token pair.
    pub fn seller(&self, pair: &Value) -> Client {
        self.anonymous_at("product-service")
            .with_token(pair["access_token"].as_str().unwrap())
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        // Kill only `stack`: its services must stop by themselves.
        drop(self.stack.kill());
        drop(self.stack.wait());
        let started = Instant::now();
        while !self.has_no_processes() {
            if started.elapsed() > DEADLINE {
                assert!(
                    std::thread::panicking(),
                    "services outlived stack:\n{}",
                    self.log.text()
                );
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
