//! How services learn of revocations: over server-sent events always, and over NATS if a server is installed.

use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;

use super::gauge;
use crate::Failure;
use crate::installed::Installed;
use crate::platform::Platform;
use crate::process::{Process, free_port};

/// The services that follow the feed.
pub(super) const FOLLOWERS: [&str; 4] = ["gateway", "product-service", "order-service", "inventory-service"];

const TIMEOUT: Duration = Duration::from_secs(10);

/// A transport of the feed.
#[derive(Debug)]
pub(super) enum Transport {
    ServerSentEvents,
    Nats(Box<Nats>),
}

/// A NATS server. Dropping this stops it.
#[derive(Debug)]
pub(super) struct Nats {
    url: String,
    // Stops before its directory is removed.
    _process: Process,
    _directory: TempDir,
}

impl Transport {
    /// All transports. For one that can't be measured, the reason.
    pub(super) async fn all() -> Result<[Result<Self, String>; 2], Failure> {
        let nats = match Nats::start().await? {
            Some(nats) => Ok(Self::Nats(Box::new(nats))),
            None => Err("NATS WAS NOT MEASURED: nats-server is not installed (on Debian: apt-get install nats-server)".into()),
        };
        Ok([Ok(Self::ServerSentEvents), nats])
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::ServerSentEvents => "SSE",
            Self::Nats(_) => "NATS",
        }
    }

    /// The variables of a platform that uses it.
    pub(super) fn variables(&self) -> Vec<(&str, &str)> {
        match self {
            Self::ServerSentEvents => Vec::new(),
            Self::Nats(nats) => vec![("NATS_URL", &nats.url)],
        }
    }

    /// Waits until all services follow it. Returns whether they do.
    pub(super) async fn is_followed(&self, platform: &Platform) -> Result<bool, Failure> {
        let over_nats = match self {
            Self::ServerSentEvents => 0.0,
            Self::Nats(_) => 1.0,
        };
        for service in FOLLOWERS {
            let port = platform.metrics_port(service)?;
            // A service that can follow only server-sent events does not have this metric.
            let follows = |gauge: Option<f64>| (gauge.unwrap_or_default() - over_nats).abs() < 0.5;
            if !gauge::becomes(port, "auth_feed_over_nats", follows, TIMEOUT).await? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Nats {
    /// Starts a server. `None` if none is installed.
    async fn start() -> Result<Option<Self>, Failure> {
        let Some(program) = Installed::find("nats-server") else {
            return Ok(None);
        };
        let (directory, port) = (tempfile::tempdir()?, free_port()?);
        let mut command = Command::new(&program.path);
        command
            .args([
                "--jetstream",
                "--addr",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--store_dir",
            ])
            .arg(directory.path());
        let process = Process::start(command, directory.path().join("log"), None, port).await?;
        Ok(Some(Self {
            url: format!("nats://127.0.0.1:{port}"),
            _process: process,
            _directory: directory,
        }))
    }
}
