//! Reports to the publisher which keys this verifier holds, so that it signs with a new key only when every verifier has that key.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::Notify;
use tokio::time::timeout;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::client::ServiceClient;
use crate::keys::{Keys, RefetchReason};

/// How often a report is repeated. The publisher forgets a verifier that it has not heard for some time.
const INTERVAL: Duration = Duration::from_secs(60);
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));

/// Reports the keys of a verifier.
#[derive(Debug)]
pub(super) struct Reporter {
    pub client: ServiceClient,
    pub instance: Uuid,
    pub keys: Keys,
    /// Wakes the reporter: the published keys may have changed.
    pub changed: Arc<Notify>,
}

/// The body of a report.
#[derive(Serialize)]
struct HeldKeys {
    instance: Uuid,
    kids: Vec<String>,
}

impl Reporter {
    /// Reports the keys every minute, and after each change. Then it first fetches them.
    pub async fn run(self) {
        loop {
            let is_change = timeout(INTERVAL, self.changed.notified()).await.is_ok();
            if is_change {
                self.keys.refetch(RefetchReason::Announced).await;
            }
            self.report().await;
        }
    }

    /// Reports until that succeeds, or the keys change again.
    async fn report(&self) {
        let mut failures = 0;
        loop {
            let kids = self.keys.ids();
            // A shared secret has no id and is never rotated.
            if kids.is_empty() || self.send(kids).await {
                return;
            }
            failures += 1;
            if timeout(BACKOFF.delay(failures), self.changed.notified())
                .await
                .is_ok()
            {
                self.keys.refetch(RefetchReason::Announced).await;
            }
        }
    }

    async fn send(&self, kids: Vec<String>) -> bool {
        let body = HeldKeys {
            instance: self.instance,
            kids,
        };
        let sent = self
            .client
            .post("/internal/keys/held")
            .json(&body)
            .idempotent()
            .send()
            .await;
        match sent {
            // A refused report is not repeated: the publisher does not wait for this verifier.
            Ok(response) if response.status() < 500 => {
                if response.status() >= 400 {
                    tracing::warn!(status = response.status(), "the report of the keys was refused");
                }
                true
            }
            Ok(response) => {
                tracing::debug!(status = response.status(), "could not report the keys");
                false
            }
            Err(error) => {
                tracing::debug!(%error, "could not report the keys");
                false
            }
        }
    }
}
