//! The worker that sends the mails of the outbox. Several replicas may each run one: a mail is leased to one of them.
//!
//! While the server can't be reached, the worker tries again with growing delays, with one mail at a time. The mails wait in the
//! outbox, and none of them counts as attempted.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use auth::{Backoff, Clock};
use db::{Db, Tx};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::config::MailConfig;
use super::delivery::{Delivery, ServerState};
use super::outbox::Outbox;
use crate::store::{LeasedMail, OutboxRows};

/// How many mails are sent at the same time.
const CONCURRENCY: usize = 4;
/// How often the worker looks for mails that are due again, or that another replica added.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// The delays while the server can't be reached.
const OUTAGE: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));

/// Sends the mails of the outbox.
#[derive(Clone, Debug)]
pub(crate) struct MailWorker {
    db: Db,
    clock: Clock,
    outbox: Outbox,
    delivery: Arc<Delivery>,
}

/// An outage of the server. It is logged once, and its end too.
#[derive(Debug, Default)]
struct Outage {
    /// Consecutive failures.
    failures: u32,
    /// When the server is tried again.
    next_attempt: Option<Instant>,
}

impl MailWorker {
    pub(crate) fn new(
        config: &MailConfig,
        db: Db,
        outbox: Outbox,
        clock: Clock,
    ) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            delivery: Arc::new(Delivery::new(config, db.clone(), clock.clone())?),
            db,
            clock,
            outbox,
        })
    }

    /// Sends mails, forever. A mail that is being sent when this future is dropped stays leased for a while.
    pub(crate) async fn run(self) {
        let mut outage = Outage::default();
        // Tasks, because a delivery that has a connection to the database must go on while `lease` waits for one.
        let mut deliveries = JoinSet::new();
        loop {
            let free = outage.concurrency().saturating_sub(deliveries.len());
            match self.lease(free).await {
                Ok(mails) => {
                    for mail in mails {
                        let delivery = Arc::clone(&self.delivery);
                        deliveries.spawn_local(async move { delivery.deliver(mail).await });
                    }
                }
                Err(error) => tracing::warn!(%error, "the outbox can't be read"),
            }
            tokio::select! {
                Some(delivered) = deliveries.join_next() => match delivered {
                    Ok(state) => outage.update(state),
                    Err(error) => tracing::error!(%error, "sending a mail failed; it is tried again"),
                },
                () = self.outbox.added() => {}
                () = sleep(outage.pause().unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL)) => {}
            }
        }
    }

    /// Leases at most `free` mails that are due. Also deletes the requested password resets for unknown addresses, even while none can
    /// be sent, so that a flood of such requests does not fill the outbox.
    async fn lease(&self, free: usize) -> Result<Vec<LeasedMail>, sqlx::Error> {
        let waiting = OutboxRows(&mut self.db.read().await?).waiting().await?;
        #[expect(clippy::cast_precision_loss, reason = "no outbox has that many mails")]
        metrics::gauge!("mails_waiting").set(waiting as f64);
        if waiting == 0 {
            return Ok(Vec::new());
        }
        let (now, limit) = (self.clock.now(), i64::try_from(free).unwrap_or(i64::MAX));
        let lease = async |tx: &mut Tx| {
            OutboxRows(tx).delete_unknown().await?;
            match limit {
                0 => Ok::<_, sqlx::Error>(Vec::new()),
                limit => OutboxRows(tx).lease_due(now, limit).await,
            }
        };
        self.db.transaction(lease).await
    }
}

impl Outage {
    /// How many mails may be sent at the same time.
    fn concurrency(&self) -> usize {
        match (self.failures, self.pause()) {
            (0, _) => CONCURRENCY,
            (_, None) => 1,
            (_, Some(_)) => 0,
        }
    }

    /// How long the server is still left alone.
    fn pause(&self) -> Option<Duration> {
        let rest = self.next_attempt?.saturating_duration_since(Instant::now());
        (!rest.is_zero()).then_some(rest)
    }

    fn update(&mut self, state: ServerState) {
        match state {
            ServerState::Unknown => {}
            ServerState::Works => {
                if self.failures > 0 {
                    tracing::info!("mails can be sent again");
                }
                *self = Self::default();
            }
            // A mail that was being sent when the pause began.
            ServerState::Fails(_) if self.pause().is_some() => {}
            ServerState::Fails(error) => {
                if self.failures == 0 {
                    tracing::warn!(error, "mails can't be sent; they wait in the outbox");
                }
                self.failures = self.failures.saturating_add(1);
                self.next_attempt = Some(Instant::now() + OUTAGE.delay(self.failures));
            }
        }
    }
}
