//! A gateway under test, in the process of the test.

use std::net::{SocketAddr, TcpListener};

use auth::testing::Issuer;
use gateway::Config;
use service_kit::{Env, KeySource, Runtime, Settings, Shutdown};
use tempfile::NamedTempFile;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::backend::Backend;
use crate::client::{Answer, Client};

/// The routes of most tests. All lead to the same backend.
pub const ROUTES: &str = r#"
    [[service]]
    name = "gateway"
    port_offset = 0
    inner_port = true
    calls = ["user-service"]

    [[service]]
    name = "user-service"
    port_offset = 1
    calls = []
    [[service.route]]
    prefix = "/auth"
    token = "optional"
    cookies = ["countersign_refresh", "__Host-countersign-refresh"]
    first_byte_timeout = "2s"
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
    prefix = "/api/uploads"
    upstream_prefix = "/uploads"
    token = "ignored"
    timeout = "2s"
    body_limit = 100000000
    [[service.route]]
    prefix = "/api/socket"
    upstream_prefix = "/socket"
    token = "optional"
    upgrade = true
    [[service.route]]
    prefix = "/api/cart"
    upstream_prefix = "/cart"
    token = "optional"
    cookies = ["cart"]
"#;

/// A running gateway with a backend. It stops on drop.
pub struct TestGateway {
    pub address: SocketAddr,
    pub issuer: Issuer,
    pub backend: Backend,
    stop: Option<oneshot::Sender<()>>,
    _services: NamedTempFile,
}

impl TestGateway {
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
            ("GATEWAY_SECRET", "not-a-secret"),
            ("SERVICES_FILE", services.path().to_str().unwrap()),
            ("USER_SERVICE_URL", &origin),
            ("PRODUCT_SERVICE_URL", &origin),
        ];
        vars.extend(variables);

        let issuer = Issuer::new("gateway");
        let mut env = Env::from_vars("gateway", vars);
        let mut settings = Settings::read(&mut env, "gateway");
        settings.auth.keys = KeySource::Fixed(issuer.key_set());
        // The test itself revokes tokens.
        settings.auth.feed = None;
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
        self.client().connect().await
    }

    /// Sends bytes on a new connection, and returns everything up to the end of the connection.
    pub async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        self.client().raw(bytes).await
    }

    /// Sends one request with these lines in its head.
    pub async fn get(&self, path: &str, lines: &[&str]) -> Answer {
        self.client().get(path, lines).await
    }

    /// Sends one request, and asks for the end of the connection.
    pub async fn send(&self, request_line: &str, lines: &[&str], body: &str) -> Answer {
        self.client().send(request_line, lines, body).await
    }

    fn client(&self) -> Client {
        Client(self.address)
    }

    /// A header with a user's token.
    pub fn bearer(&self) -> String {
        format!("authorization: Bearer {}", self.issuer.as_user().token())
    }
}
