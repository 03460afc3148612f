//! The program `stack`, while it runs.

use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use serde_json::{Value, json};
use test_kit::{Client, TestResponse};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::pipe::Said;
use crate::place::{SERVICES, is_free, port};
use crate::processes::{self, Process};
use crate::{SOON, eventually, within};

pub const PASSWORD: &str = "correct horse battery";

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
    clients: [OnceLock<Client>; SERVICES.len()],
}

impl Platform {
    pub fn spawn(mut command: Command, port_base: u16) -> Self {
        let begun = Instant::now();
        let mut stack = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = Said::listen(stack.stdout.take().unwrap());
        let log = Said::listen(stack.stderr.take().unwrap());
        Self {
            stack,
            output,
            log,
            port_base,
            begun,
            clients: Default::default(),
        }
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
        self.children()
            .into_iter()
            .find(|child| child.arguments.ends_with(&ends))
            .map(|child| child.pid)
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

    /// Whether the stack itself runs.
    pub fn is_running(&mut self) -> bool {
        self.stack.try_wait().unwrap().is_none()
    }

    /// Waits until the stack has ended, and all that it started with it.
    pub async fn end(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the stack has ended", async || {
            ended = self.stack.try_wait().unwrap();
            ended.is_some()
        })
        .await;
        within(Duration::from_secs(2), "no process is left", async || {
            self.is_alone()
        })
        .await;
        ended.unwrap()
    }

    /// Kills the stack and nothing else, and waits until all that it started has ended too.
    pub async fn kill_the_stack(&mut self) {
        self.stack.kill().unwrap();
        self.stack.wait().unwrap();
        self.wait_until_gone().await;
    }

    /// Waits until nothing is left of the platform. A process that dies closes its pipes first, and its port later.
    pub async fn wait_until_gone(&self) {
        within(
            Duration::from_secs(15),
            "neither a process nor a port is left",
            async || self.is_alone() && SERVICES.iter().all(|service| is_free(self.port(service))),
        )
        .await;
    }

    /// Whether all processes are gone: whatever the stack starts has its standard output and error, and a pipe
    /// ends when the last who could write into it does.
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
    pub async fn register(&self, email: &str) -> TestResponse {
        let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
        self.nobody_at("user-service").post("/auth/register", body).await
    }

    pub async fn login(&self, email: &str, password: &str) -> TestResponse {
        let body = json!({"email": email, "password": password});
        self.nobody_at("user-service").post("/auth/login", body).await
    }

    pub async fn refresh(&self, pair: &Value) -> TestResponse {
        let body = json!({"refresh_token": pair["refresh_token"]});
        self.nobody_at("user-service").post("/auth/refresh", body).await
    }

    /// Somebody who has registered and logged in: their tokens.
    pub async fn ada(&self) -> Value {
        self.register("ada@example.com").await.assert_status(201);
        self.login("ada@example.com", PASSWORD)
            .await
            .assert_status(200)
            .json()
    }

    /// Whoever has these tokens, at product-service.
    pub fn seller(&self, pair: &Value) -> Client {
        self.nobody_at("product-service")
            .with_token(pair["access_token"].as_str().unwrap())
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
                assert!(
                    std::thread::panicking(),
                    "services outlived the stack:\n{}",
                    self.log.text()
                );
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}
