//! Forgetting what nobody will ask for any more.

use std::time::Duration;

use auth::Clock;
use chrono::TimeDelta;
use db::{Db, Tx};

use crate::store::{LoginFailures, LoginNetworks, RevocationRows};

const EVERY: Duration = Duration::from_secs(60);
/// A network that somebody has not logged in from for so long is not known any more.
const NETWORKS_FOR: TimeDelta = TimeDelta::days(180);

/// Forgets, now and every minute.
pub(crate) async fn keep_forgetting(db: Db, clock: Clock) {
    loop {
        if let Err(error) = forget(&db, &clock).await {
            tracing::warn!(%error, "what is over can't be forgotten");
        }
        tokio::time::sleep(EVERY).await;
    }
}

async fn forget(db: &Db, clock: &Clock) -> Result<(), sqlx::Error> {
    let now = clock.now();
    db.transaction(async |tx: &mut Tx| LoginFailures(tx).forget_faded(now.timestamp_micros()).await).await?;
    db.transaction(async |tx: &mut Tx| LoginNetworks(tx).forget_unused(now - NETWORKS_FOR).await).await?;
    db.transaction(async |tx: &mut Tx| RevocationRows(tx).forget_ended(now).await).await
}
