//! A service under test, in the process of the test.

use std::error::Error;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use auth::testing::{Issuer, TestToken};
use db::DatabaseUrl;
use service_kit::{Roles, Runtime, Shutdown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::client::Client;
use crate::database::TestDatabase;

/// After this time, a client sends the first segment of an ignored connection again, by a new connection.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(20);

/// A running service with its own port and database. It stops on drop.
#[derive(Debug)]
pub struct TestService {
    issuer: Issuer,
    address: SocketAddr,
    anonymous: Client,
    registered_client: Option<Client>,
    database: Arc<TestDatabase>,
    stop: Option<oneshot::Sender<()>>,
}

/// A running service; it ends with the error that stopped it.
pub type Running = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error>>>>>;

/// The arguments of a service under test.
#[derive(Debug)]
pub struct TestRuntime {
    /// Its database.
    pub database: DatabaseUrl,
    /// Its listener and shutdown signal, and the clock and revocations of the issuer.
    pub runtime: Runtime,
}

impl TestService {
    /// Runs a service that accepts the tokens of this issuer, on a new database.
    pub async fn spawn<F>(issuer: Issuer, run: impl FnOnce(TestRuntime) -> F) -> Self
    where
        F: Future<Output = Result<(), Box<dyn Error>>> + 'static,
    {
        Self::spawn_on(issuer, TestDatabase::new().await, run)
    }

    /// As [`spawn`](Self::spawn), on an existing database, which other replicas may use at the same time.
    pub fn spawn_on<F>(
        issuer: Issuer,
        database: impl Into<Arc<TestDatabase>>,
        run: impl FnOnce(TestRuntime) -> F,
    ) -> Self
    where
        F: Future<Output = Result<(), Box<dyn Error>>> + 'static,
    {
        let database = database.into();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stop, stopped) = oneshot::channel();
        let shutdown = Shutdown::when(async { drop(stopped.await) });
        let (clock, revocations) = (issuer.clock().clone(), issuer.revocations().clone());
        let runtime = Runtime {
            listener,
            shutdown,
            clock,
            revocations,
        };
        let running = run(TestRuntime {
            database: database.url(),
            runtime,
        });
        actix_web::rt::spawn(async move {
            if let Err(error) = running.await {
                eprintln!("the service under test failed: {error}");
            }
        });
        let anonymous = Client::new(format!("http://{address}"));
        Self {
            issuer,
            address,
            anonymous,
            registered_client: None,
            database,
            stop: Some(stop),
        }
    }

    /// Names a registered client, which [`contract::check`](crate::contract::check) needs for routes that only clients may call.
    pub fn with_registered_client(mut self, name: &str, secret: &str) -> Self {
        self.registered_client = Some(self.anonymous.with_basic_auth(name, secret));
        self
    }

    /// Requests that the service stops.
    pub fn request_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops the service and returns its database, for another service to run on.
    pub async fn stop(mut self) -> Arc<TestDatabase> {
        self.request_stop();
        // It has stopped when its port refuses connections. Shortly before, it ignores them.
        let connects = || {
            let connecting = tokio::net::TcpStream::connect(self.address);
            tokio::time::timeout(CONNECT_TIMEOUT, connecting)
        };
        while !matches!(connects().await, Ok(Err(_))) {
            tokio::task::yield_now().await;
        }
        Arc::clone(&self.database)
    }

    /// The issuer whose tokens the service accepts.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The service's database.
    pub fn database(&self) -> &Arc<TestDatabase> {
        &self.database
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A client without credentials.
    pub fn anonymous(&self) -> &Client {
        &self.anonymous
    }

    /// A user of this name with the role `user`. The same name is always the same user.
    pub fn user(&self, name: &str) -> Client {
        self.client_with(&self.user_token(name, &["user"]))
    }

    /// The registered client.
    pub(crate) fn registered_client(&self) -> &Client {
        self.registered_client.as_ref().expect(
            "TestService::with_registered_client, since the service has routes for registered clients",
        )
    }

    /// A user with the roles `user` and `support`.
    pub fn support(&self) -> Client {
        self.client_with(&self.user_token("support", &["user", "support"]))
    }

    /// A user with the roles `user` and `admin`.
    pub fn admin(&self) -> Client {
        self.client_with(&self.user_token("admin", &["user", "admin"]))
    }

    /// A service of this name.
    pub fn service(&self, name: &str) -> Client {
        self.client_with(&self.issuer.as_service(name))
    }

    /// A client with this token.
    pub fn client_with(&self, token: &TestToken) -> Client {
        self.anonymous.with_token(&token.token())
    }

    /// The token of the user of this name, which a test may change before it is sent.
    pub fn user_token(&self, name: &str, roles: &[&str]) -> TestToken {
        let scope = Roles::built_in().scope_of(roles);
        self.issuer
            .as_roles(roles)
            .id(id_of(name))
            .name(name)
            .scope(&scope)
    }

    /// Sends these bytes on a new connection and returns everything up to the end of the connection, within 20 seconds.
    pub async fn raw(&self, request: &[u8]) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.address)
            .await
            .expect("a connection");
        stream.write_all(request).await.expect("the service reads");
        let mut response = Vec::new();
        let read = tokio::time::timeout(
            std::time::Duration::from_secs(20),
            stream.read_to_end(&mut response),
        )
        .await;
        drop(read.expect("the service closes the connection"));
        String::from_utf8_lossy(&response).into_owned()
    }
}

/// The id of the user of this name.
fn id_of(name: &str) -> Uuid {
    let mut bytes = [0x5a; 16];
    for (index, byte) in name.bytes().enumerate() {
        bytes[index % 16] ^= byte;
    }
    uuid::Builder::from_random_bytes(bytes).into_uuid()
}
