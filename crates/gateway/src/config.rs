//! The configuration, read from the environment at start.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ServerConfig;
use service_kit::{AuthSettings, Env, Settings, TrustedProxies};

use crate::table::Table;
use crate::{NAME, tls};

/// The gateway's configuration.
pub struct Config {
    /// The inner address, for metrics and health checks.
    pub(crate) inner_listen: SocketAddr,
    /// The issuer and keys that tokens are verified with.
    pub(crate) auth: AuthSettings,
    pub(crate) trusted_proxies: TrustedProxies,
    pub(crate) edge: Edge,
}

/// The part of the configuration that SIGHUP reads again.
pub(crate) struct Edge {
    pub table: Table,
    /// `None` without TLS.
    pub tls: Option<Arc<ServerConfig>>,
}

impl Config {
    /// Reads the configuration. Problems are collected in `env`, which reports all of them together.
    pub fn read(env: &mut Env, settings: Settings) -> Self {
        let edge = Edge::read(env, &settings, &Table::default());
        let inner_listen = settings.inner_listen.unwrap_or_else(|| {
            env.problem(
                "services.toml",
                format!("must have a row `{NAME}` with inner_port = true"),
            );
            settings.listen
        });
        Self {
            inner_listen,
            edge,
            auth: settings.auth,
            trusted_proxies: settings.trusted_proxies,
        }
    }
}

impl Edge {
    fn read(env: &mut Env, settings: &Settings, previous: &Table) -> Self {
        Self {
            table: Table::read(env, settings, previous),
            tls: tls::read(env),
        }
    }

    /// Reads the routes, the roles and the certificate again.
    ///
    /// # Errors
    /// All problems together.
    pub(crate) fn reload(previous: &Table) -> Result<Self, service_kit::ConfigErrors> {
        let mut env = Env::load(NAME);
        let settings = Settings::read(&mut env, NAME);
        let edge = Self::read(&mut env, &settings, previous);
        env.finish(edge)
    }
}
