//! The worker that sends the mails of the outbox. Several replicas may each run one: a mail is leased to one of them.
//!
//! While the server can't be reached, the worker tries again with growing delays, with one mail at a time. The mails wait in the
//! outbox, and none of them counts as attempted.

use std::error::Error;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use auth::{Backoff, Clock};
use db::{Db, Tx};
use service_kit::Shutdown;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::config::MailConfig;
use super::delivery::{Delivery, ServerState};
use super::outbox::Outbox;
use crate::store::{LeasedMail, OutboxRows};

/// How many mails are sent at the same time.
const CONCURRENCY: usize = 4;
/// How often the worker looks for mails that are due again, or that another replica added, and inspects the outbox.
const POLL_INTERVAL: Duration = Duration::from_secs(1);
/// How many requested password resets the worker inspects at once.
const BATCH: i64 = 1_000;
/// How long mails that are being sent may take when the service stops.
const STOP_GRACE: Duration = Duration::from_secs(3);
/// The delays while the server can't be reached.
const OUTAGE: Backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(60));

/// Sends the mails of the outbox.
#[derive(Clone, Debug)]
pub(crate) struct MailWorker {
    db: Db,
    clock: Clock,
    outbox: Outbox,
    delivery: Arc<Delivery>,
    shutdown: Shutdown,
    /// The mails that are being sent. They outlive [`run`](Self::run), so that [`finish`](Self::finish) can wait for them.
    deliveries: Arc<Mutex<JoinSet<ServerState>>>,
}

/// The state of the regular [inspection](MailWorker::inspect) of the outbox.
#[derive(Debug, Default)]
struct Inspection {
    next: Option<Instant>,
    /// The address key up to which the requested password resets were inspected.
    position: String,
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
        shutdown: Shutdown,
    ) -> Result<Self, Box<dyn Error>> {
        let delivery = Delivery::new(config, db.clone(), clock.clone(), shutdown.clone())?;
        Ok(Self {
            delivery: Arc::new(delivery),
            db,
            clock,
            outbox,
            shutdown,
            deliveries: Arc::default(),
        })
    }

    /// Sends mails until the service should stop. Does not return: `finish` waits for the mails that are then being sent.
    pub(crate) async fn run(self) {
        let (mut outage, mut inspection) = (Outage::default(), Inspection::default());
        // Tasks, because a delivery that has a connection to the database must go on while `lease` waits for one.
        let mut deliveries = self.deliveries.lock().await;
        while !self.shutdown.is_draining() {
            if let Err(error) = self.inspect(&mut inspection).await {
                tracing::warn!(%error, "the outbox can't be inspected");
            }
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
                () = self.shutdown.requested() => {}
                () = sleep(outage.pause().unwrap_or(POLL_INTERVAL).min(POLL_INTERVAL)) => {}
            }
        }
        drop(deliveries);
        pending::<()>().await;
    }

    /// Waits a few seconds for the mails that are being sent when the service stops. Mails that the server has not been asked to take are
    /// free for other workers. The rest stays leased, because it may have been delivered. Call it after `run` was dropped.
    pub(crate) async fn finish(&self) {
        let mut deliveries = self.deliveries.lock().await;
        let all = async { while deliveries.join_next().await.is_some() {} };
        if timeout(STOP_GRACE, all).await.is_err() {
            tracing::warn!(
                mails = deliveries.len(),
                "stopped while mails were being sent; they are tried again later"
            );
        }
        deliveries.shutdown().await;
    }

    /// Once a second: counts the mails that wait, and deletes requested password resets for unknown addresses, even while none can be
    /// sent, so that a flood of such requests does not fill the outbox. Without such resets it only reads. However many mails wait, a
    /// transaction is short.
    async fn inspect(&self, inspection: &mut Inspection) -> Result<(), sqlx::Error> {
        if inspection.next.is_some_and(|next| Instant::now() < next) {
            return Ok(());
        }
        inspection.next = Some(Instant::now() + POLL_INTERVAL);
        let waiting = OutboxRows(&mut self.db.read().await?).waiting().await?;
        #[expect(clippy::cast_precision_loss, reason = "no outbox has that many mails")]
        metrics::gauge!("mails_waiting").set(waiting as f64);

        loop {
            let after = &inspection.position;
            let mut conn = self.db.read().await?;
            let resets = OutboxRows(&mut conn).resets_after(after, BATCH).await?;
            drop(conn);
            let last = resets.last.unwrap_or_default();
            if resets.unknown > 0 {
                let delete = async |tx: &mut Tx| OutboxRows(tx).delete_unknown(after, &last).await;
                self.db.transaction(delete).await?;
            }
            let is_end = resets.number < BATCH;
            inspection.position = if is_end { String::new() } else { last };
            // During a flood, deletes faster than one batch each second.
            if is_end || resets.unknown == 0 {
                return Ok(());
            }
        }
    }

    /// Leases at most `free` mails that are due. Opens no transaction if there is none, because on SQLite that would delay requests.
    async fn lease(&self, free: usize) -> Result<Vec<LeasedMail>, sqlx::Error> {
        let now = self.clock.now();
        if free == 0 || !OutboxRows(&mut self.db.read().await?).has_due(now).await? {
            return Ok(Vec::new());
        }
        let limit = i64::try_from(free).unwrap_or(i64::MAX);
        let lease = async |tx: &mut Tx| OutboxRows(tx).lease_due(now, limit).await;
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

    /// How long until the server is tried again.
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

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use test_kit::TestDatabase;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{EmailAddress, MailKind};
    use crate::mail::config::Destination;
    use crate::store::{MIGRATIONS, NewMail, fixtures};

    /// A worker with an outbox in which a mail to Ada is postponed.
    async fn worker_with_postponed_mail() -> (MailWorker, TestDatabase) {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let config = MailConfig {
            connect_timeout: Duration::ZERO,
            send_timeout: Duration::ZERO,
            destination: Destination::Files("/nonexistent/outbox".into()),
            from: "mail@shop.example".parse().unwrap(),
            public_url: "http://localhost".to_owned(),
        };
        let (outbox, clock) = (Outbox::default(), Clock::fixed());
        let worker = MailWorker::new(&config, db, outbox, clock, Shutdown::when(pending())).unwrap();

        let now = worker.clock.now();
        let mut tx = worker.db.begin().await.unwrap();
        let ada = fixtures::add_ada(&mut tx, now).await;
        let mail = new_mail(1, MailKind::NewSignIn, now);
        OutboxRows(&mut tx).add(ada, &mail).await.unwrap();
        let leased = OutboxRows(&mut tx).lease_due(now, 1).await.unwrap();
        let next = now + TimeDelta::hours(1);
        OutboxRows(&mut tx).postpone(&leased[0], 1, next).await.unwrap();
        tx.commit().await.unwrap();
        (worker, database)
    }

    fn new_mail(id: u128, kind: MailKind, now: DateTime<Utc>) -> NewMail<'static> {
        NewMail {
            id: Uuid::from_u128(id),
            kind,
            data: "{}",
            now,
        }
    }

    /// Adds requested resets for Ada and for this number of unknown addresses, before and after hers in the order of the keys.
    async fn add_resets(worker: &MailWorker, unknown: u128) {
        let now = worker.clock.now();
        let mut tx = worker.db.begin().await.unwrap();
        let unknown = (0..unknown).map(|n| format!("{}{n}@example.com", if n % 2 == 0 { 'a' } else { 'z' }));
        let addresses = unknown.chain(["ada@example.com".to_owned()]);
        for (id, address) in (100..).zip(addresses) {
            let address = EmailAddress::parse(&address).unwrap();
            let mail = new_mail(id, MailKind::ResetPassword, now);
            OutboxRows(&mut tx).add_reset(&address, &mail).await.unwrap();
        }
        tx.commit().await.unwrap();
    }

    async fn waiting(worker: &MailWorker) -> i64 {
        let mut conn = worker.db.read().await.unwrap();
        OutboxRows(&mut conn).waiting().await.unwrap()
    }

    #[actix_web::test]
    async fn a_worker_writes_nothing_while_no_mail_can_be_sent() {
        let (worker, _database) = worker_with_postponed_mail().await;
        add_resets(&worker, 0).await;
        // On SQLite no other transaction can begin meanwhile.
        let _writing = worker.db.begin().await.unwrap();
        worker.inspect(&mut Inspection::default()).await.unwrap();
        assert_eq!(worker.lease(0).await.unwrap().len(), 0);
        worker.clock.advance(TimeDelta::hours(-1));
        assert_eq!(worker.lease(9).await.unwrap().len(), 0);
    }

    #[actix_web::test]
    async fn a_flood_of_resets_for_unknown_addresses_is_deleted_once_a_second() {
        let (worker, _database) = worker_with_postponed_mail().await;
        let flood = u128::try_from(BATCH).unwrap() * 5 / 2;
        add_resets(&worker, flood).await;
        let mut inspection = Inspection::default();
        worker.inspect(&mut inspection).await.unwrap();
        assert_eq!(waiting(&worker).await, 2);
        assert_eq!(inspection.position, "");

        add_resets(&worker, 1).await;
        worker.inspect(&mut inspection).await.unwrap();
        assert_eq!(waiting(&worker).await, 3);
        inspection.next = None;
        worker.inspect(&mut inspection).await.unwrap();
        assert_eq!(waiting(&worker).await, 2);
    }
}
