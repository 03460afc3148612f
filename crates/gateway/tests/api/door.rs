//! A gateway under test, in the process of the test.

use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use auth::testing::Issuer;
use gateway::Config;
use service_kit::{Env, KeySource, Runtime, Settings, Shutdown};
use tempfile::NamedTempFile;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::backend::Backend;

/// How long anything may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The routes of most tests. All lead to the same backend.
const ROUTES: &str = r#"
    [[service]]
    name = "gateway"
    port_offset = 0
    inner_port = true
    calls = []

    [[service]]
    name = "user-service"
    port_offset = 1
    calls = []
    [[service.route]]
    prefix = "/auth"
    token = "optional"
    cookies = ["countersign_refresh"]
    [[service.route]]
    prefix = "/.well-known"
    token = "ignored"

    [[service]]
    name = "product-service"
    port_offset = 2
    calls = []
    [[service.route]]
    prefix = "/api/products"
    upstream_prefix = "/products"
    token = "optional"
    first_byte_timeout = "700ms"
    timeout = "2s"
    retries = 0
    body_limit = 100000
    [[service.route]]
    prefix = "/api/orders"
    upstream_prefix = "/orders"
    token = "required"
    [[service.route]]
    prefix = "/api/limited"
    upstream_prefix = "/limited"
    token = "optional"
    rate_limit = "3/m"
    [[service.route]]
    prefix = "/api/socket"
    upstream_prefix = "/socket"
    token = "optional"
    upgrade = true
"#;

/// A running gateway with a backend. It stops on drop.
pub struct Door {
    pub address: SocketAddr,
    pub issuer: Issuer,
    pub backend: Backend,
    stop: Option<oneshot::Sender<()>>,
    _services: NamedTempFile,
}

impl Door {
    pub async fn open() -> Self {
        Self::open_with(&[]).await
    }

    /// Opens a gateway with these variables besides its own.
    pub async fn open_with(variables: &[(&str, &str)]) -> Self {
        let backend = Backend::start().await;
        let services = NamedTempFile::new().unwrap();
        std::fs::write(services.path(), ROUTES).unwrap();
        let origin = format!("http://{}", backend.address);
        let mut vars = vec![
            ("PORT", "0"),
            ("SERVICES_FILE", services.path().to_str().unwrap()),
            ("USER_SERVICE_URL", &origin),
            ("PRODUCT_SERVICE_URL", &origin),
        ];
        vars.extend(variables);

        let issuer = Issuer::new("gateway");
        let mut env = Env::from_vars("gateway", vars);
        let mut settings = Settings::read(&mut env, "gateway");
        settings.auth.keys = KeySource::Fixed(issuer.key_set());
        let config = Config::read(&mut env, settings);
        let config = env.finish(config).unwrap_or_else(|problems| panic!("{problems}"));

        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = Shutdown::when(async { drop(stopped.await) });
        let runtime = Runtime {
            listener,
            shutdown,
            clock: issuer.clock().clone(),
            revocations: issuer.revocations().clone(),
        };
        actix_web::rt::spawn(async move {
            if let Err(error) = gateway::startup::run(config, runtime).await {
                eprintln!("the gateway under test failed: {error}");
            }
        });
        Self {
            address,
            issuer,
            backend,
            stop: Some(stop),
            _services: services,
        }
    }

    /// Asks the gateway to stop.
    pub fn stop(&mut self) {
        self.stop = None;
    }

    /// Opens a connection.
    pub async fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// Sends bytes on a new connection, and returns everything up to the end of the connection.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        // The gateway may refuse the request before it has read all of it.
        drop(stream.write_all(bytes.as_ref()).await);
        read_to_end(&mut stream).await
    }

    /// Sends one request with these lines as its head.
    pub async fn get(&self, path: &str, lines: &[&str]) -> Answer {
        self.send(&format!("GET {path} HTTP/1.1"), lines, "").await
    }

    /// Sends one request, and asks for the end of the connection.
    pub async fn send(&self, request_line: &str, lines: &[&str], body: &str) -> Answer {
        let mut head = format!("{request_line}\r\nhost: localhost\r\nconnection: close\r\n");
        for line in lines {
            head.push_str(line);
            head.push_str("\r\n");
        }
        Answer::parse(&self.raw(format!("{head}\r\n{body}")).await)
    }

    /// A header with a user's token.
    pub fn bearer(&self) -> String {
        format!("authorization: Bearer {}", self.issuer.as_user().token())
    }
}

/// A response.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    pub fn parse(text: &str) -> Self {
        let (head, body) = text
            .split_once("\r\n\r\n")
            .unwrap_or_else(|| panic!("no response: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no status: {text:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        let mut values = lines
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value);
        let value = values.next();
        assert_eq!(values.next(), None, "{name} is repeated: {}", self.head);
        value
    }

    /// Asserts that this is a refusal of the gateway, with this status and code.
    #[track_caller]
    pub fn assert_problem(&self, status: u16, code: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(
            self.header("content-type"),
            Some("application/problem+json"),
            "{self:?}"
        );
        let problem: serde_json::Value = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem["code"], code);
        assert_eq!(problem["status"], status);
        assert_eq!(problem["request_id"], self.header("x-request-id").unwrap());
    }

    /// Asserts that this response came from the backend, which returns the user that the gateway named.
    #[track_caller]
    pub fn assert_forwarded(&self, user: &str) {
        assert_eq!((self.status, self.body.as_str()), (200, user), "{self:?}");
    }
}

/// Waits until this holds.
pub async fn eventually(holds: impl Fn() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(DEADLINE, waiting).await.expect("it holds in the end");
}

/// Reads up to the end of the connection.
pub async fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(DEADLINE, stream.read_to_end(&mut bytes)).await;
    // A reset is an end, too.
    drop(read.expect("the connection ends"));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Reads until this text has arrived.
pub async fn read_until(stream: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(text) {
        let read = timeout(DEADLINE, stream.read_buf(&mut bytes))
            .await
            .expect("bytes arrive")
            .unwrap();
        assert!(
            read > 0,
            "ended without {text:?}: {}",
            String::from_utf8_lossy(&bytes)
        );
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
