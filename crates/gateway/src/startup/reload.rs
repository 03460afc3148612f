//! SIGHUP: the gateway reads its routes, the roles and its certificate again.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Edge;
use crate::worker::Gateway;

/// The current certificate. `None` without TLS.
pub(super) type Tls = Arc<RwLock<Option<Arc<ServerConfig>>>>;

/// Reloads at each SIGHUP. The gateway keeps what it has if the new configuration is invalid.
pub(super) async fn on_signal(gateway: Arc<Gateway>, tls: Tls) {
    let mut signals = match signal(SignalKind::hangup()) {
        Ok(signals) => signals,
        Err(error) => {
            tracing::error!(%error, "can't listen for SIGHUP");
            return;
        }
    };
    while signals.recv().await.is_some() {
        match Edge::reload(&gateway.table()) {
            Ok(edge) => {
                gateway.replace_table(edge.table);
                *tls.write().unwrap_or_else(PoisonError::into_inner) = edge.tls;
                tracing::info!("routes, roles and certificate were read again");
            }
            Err(problems) => {
                for problem in problems.0 {
                    tracing::error!(%problem, "the new configuration is invalid; keeping the old one");
                }
            }
        }
    }
}
