//! The state of the gateway, and of each of its worker threads.

use std::net::IpAddr;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use auth::{AccessCookie, Clock, CookieRemoval, Origins, User, Verifier};
use service_kit::{CookieSettings, Shutdown, TrustedProxies};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::documents::Documents;
use crate::identity::{Identities, IdentitySigner};
use crate::record::RequestMetrics;
use crate::table::Table;
use crate::upstream::Pool;

/// The state that all workers share.
pub(crate) struct Gateway {
    pub verifier: Verifier,
    pub clock: Clock,
    pub access_cookie: AccessCookie,
    pub refresh_cookie_removal: CookieRemoval,
    pub trusted_proxies: TrustedProxies,
    pub documents: Documents,
    /// Signs identity tokens, with `AUTH_STRATEGY=gateway`.
    pub identity_signer: Option<IdentitySigner>,
    table: RwLock<Arc<Table>>,
    /// When the gateway was asked to stop, it closes connections after the next response.
    shutdown: Shutdown,
}

impl Gateway {
    pub(crate) fn new(
        verifier: Verifier,
        clock: Clock,
        cookies: &CookieSettings,
        trusted_proxies: TrustedProxies,
        identity_signer: Option<IdentitySigner>,
        table: Table,
        shutdown: Shutdown,
    ) -> Self {
        Self {
            verifier,
            clock,
            access_cookie: cookies.access_cookie(),
            refresh_cookie_removal: CookieRemoval::new(cookies.names.refresh, cookies.origins.is_https()),
            trusted_proxies,
            documents: Documents::default(),
            identity_signer,
            table: RwLock::new(Arc::new(table)),
            shutdown,
        }
    }

    /// The origins whose pages may use cookies and WebSockets. The pages of the others, those in `CORS_ORIGINS`, may read responses.
    pub(crate) fn origins(&self) -> &Origins {
        self.access_cookie.origins()
    }

    /// The current public routes and roles.
    pub(crate) fn table(&self) -> Arc<Table> {
        // A poisoned lock is safe to use: the table is replaced as a whole.
        Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn replace_table(&self, table: Table) {
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(table);
    }

    /// The names of the things that the gateway lacks to be ready.
    pub(crate) fn missing(&self) -> &'static [&'static str] {
        if self.is_draining() {
            &["shutting down"]
        } else if !self.verifier.has_keys() {
            &["signing keys"]
        } else {
            &[]
        }
    }

    /// How long the user's token is still valid.
    pub(crate) fn time_left(&self, user: &User) -> Duration {
        let left = user.expires_at() - self.clock.now();
        left.to_std().unwrap_or_default()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.shutdown.is_draining()
    }
}

/// The state of one worker thread.
pub(crate) struct Worker {
    pub gateway: Arc<Gateway>,
    pub pool: Rc<Pool>,
    pub metrics: Rc<RequestMetrics>,
    pub identities: Rc<Identities>,
    /// The tasks of clients' connections and tunnels.
    pub connections: TaskTracker,
    /// Cancelled when connections should end after their current request, and tunnels at once.
    pub closing: CancellationToken,
}

/// The other end of a client's connection.
#[derive(Clone, Copy)]
pub(crate) struct Peer {
    pub address: IpAddr,
    /// Whether the connection is encrypted.
    pub is_tls: bool,
}
