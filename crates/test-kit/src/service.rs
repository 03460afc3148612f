//! A service that runs inside the test.

use std::error::Error;
use std::future::Future;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;

use auth::testing::{Issuer, TestToken};
use db::DatabaseUrl;
use service_kit::{Roles, Runtime, Shutdown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::client::Client;
use crate::database::TestDatabase;

/// A service on a port of its own, with a database of its own. It stops when this is dropped.
#[derive(Debug)]
pub struct TestService {
    issuer: Issuer,
    address: SocketAddr,
    nobody: Client,
    client: Option<Client>,
    database: Arc<TestDatabase>,
    stop: Option<oneshot::Sender<()>>,
}

/// A service that runs, or why it does not any more.
pub type Running = Pin<Box<dyn Future<Output = Result<(), Box<dyn Error>>>>>;

/// What a service under test is given.
#[derive(Debug)]
pub struct TestRuntime {
    /// Its database.
    pub database: DatabaseUrl,
    /// Its port, its shutdown, and the issuer's clock and revocations.
    pub runtime: Runtime,
}

impl TestService {
    /// Runs a service that believes this issuer.
    pub async fn spawn<F>(issuer: Issuer, run: impl FnOnce(TestRuntime) -> F) -> Self
    where
        F: Future<Output = Result<(), Box<dyn Error>>> + 'static,
    {
        Self::spawn_on(issuer, TestDatabase::new().await, run)
    }

    /// As [`spawn`](Self::spawn), on a database that was there before, perhaps beside another replica.
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
        let nobody = Client::new(format!("http://{address}"));
        Self {
            issuer,
            address,
            nobody,
            client: None,
            database,
            stop: Some(stop),
        }
    }

    /// Knows a registered client from now on, for checks of routes that let in none but those.
    pub fn with_client(mut self, name: &str, secret: &str) -> Self {
        self.client = Some(self.nobody.with_basic_auth(name, secret));
        self
    }

    /// Stops the service and hands over its database, so that another can be run on it.
    pub async fn stop(mut self) -> Arc<TestDatabase> {
        drop(self.stop.take());
        // It is gone when nothing listens there any more.
        while tokio::net::TcpStream::connect(self.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        Arc::clone(&self.database)
    }

    /// Who signs the tokens that the service believes.
    pub fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// The service's database.
    pub fn database(&self) -> &Arc<TestDatabase> {
        &self.database
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> &Client {
        &self.nobody
    }

    /// Somebody of this name, with the role `user`. The same name is the same person.
    pub fn user(&self, name: &str) -> Client {
        self.call_as(&self.person(name, &["user"]))
    }

    /// The registered client.
    pub(crate) fn client(&self) -> &Client {
        self.client
            .as_ref()
            .expect("a client, by TestService::with_client, for the routes that take one")
    }

    /// Somebody with the roles `user` and `support`.
    pub fn support(&self) -> Client {
        self.call_as(&self.person("support", &["user", "support"]))
    }

    /// Somebody with the roles `user` and `admin`.
    pub fn admin(&self) -> Client {
        self.call_as(&self.person("admin", &["user", "admin"]))
    }

    /// A service of this name.
    pub fn service(&self, name: &str) -> Client {
        self.call_as(&self.issuer.as_service(name))
    }

    /// Whoever bears this.
    pub fn call_as(&self, bearer: &TestToken) -> Client {
        self.nobody.with_token(&bearer.token())
    }

    /// A person's bearer, to be made worse before it is called with.
    pub fn person(&self, name: &str, roles: &[&str]) -> TestToken {
        let scope = Roles::built_in().scope_of(roles);
        self.issuer
            .as_roles(roles)
            .id(id_of(name))
            .name(name)
            .scope(&scope)
    }

    /// Sends bytes as they are, and returns all that comes back until the service closes the connection.
    pub async fn raw(&self, request: &[u8]) -> String {
        let mut stream = tokio::net::TcpStream::connect(self.address)
            .await
            .expect("a connection");
        stream.write_all(request).await.expect("bytes that can be sent");
        let mut answer = Vec::new();
        let read = tokio::time::timeout(
            std::time::Duration::from_secs(20),
            stream.read_to_end(&mut answer),
        )
        .await;
        drop(read.expect("an answer, and an end to it"));
        String::from_utf8_lossy(&answer).into_owned()
    }
}

/// The id of the person of this name.
fn id_of(name: &str) -> Uuid {
    let mut bytes = [0x5a; 16];
    for (index, byte) in name.bytes().enumerate() {
        bytes[index % 16] ^= byte;
    }
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
