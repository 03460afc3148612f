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
    db.transaction(async |tx: &mut Tx| LoginFailures(tx).forget_faded(now.timestamp_micros()).await)
        .await?;
    db.transaction(async |tx: &mut Tx| LoginNetworks(tx).forget_unused(now - NETWORKS_FOR).await)
        .await?;
    db.transaction(async |tx: &mut Tx| RevocationRows(tx).forget_ended(now).await)
        .await
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use auth::Revocation;
    use test_kit::TestDatabase;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Allowance, EmailAddress, Network};
    use crate::startup::MIGRATIONS;
    use crate::store::{NewUser, Users};

    #[actix_web::test]
    async fn what_is_over_is_forgotten_and_nothing_else() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let clock = Clock::fixed();
        let (now, id) = (clock.now(), Uuid::from_u128(1));
        let second = TimeDelta::seconds(1);
        let email = EmailAddress::parse("ada@example.com").unwrap();
        let ada = NewUser {
            id,
            email: &email,
            name: "Ada",
            password_hash: "",
            roles: "user",
            now,
        };
        let [lately, long_ago] = ["192.0.2.1", "192.0.2.2"].map(|ip| Network::of(ip.parse().unwrap()));
        let session = |id, after: TimeDelta| Revocation::Session {
            id: Uuid::from_u128(id),
            expires_at: (now + after).timestamp(),
        };
        let going_on = session(2, second);
        let (allowance, micros) = (Allowance::of(NonZeroU32::MIN), now.timestamp_micros());
        let (faded, fading) = ([1; 32], [2; 32]);
        let window = TimeDelta::minutes(15).num_microseconds().unwrap();

        let mut tx = db.begin().await.unwrap();
        assert!(Users(&mut tx).add(&ada).await.unwrap());
        LoginNetworks(&mut tx)
            .remember(id, &lately, now - NETWORKS_FOR)
            .await
            .unwrap();
        LoginNetworks(&mut tx)
            .remember(id, &long_ago, now - NETWORKS_FOR - second)
            .await
            .unwrap();
        for (account, at) in [(&faded, micros - window - 1), (&fading, micros - window + 1)] {
            let counted = LoginFailures(&mut tx)
                .count(account, &lately, allowance, at)
                .await
                .unwrap();
            assert_eq!(counted, Some(at + window));
        }
        RevocationRows(&mut tx)
            .add(&[session(1, TimeDelta::zero()), going_on])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        forget(&db, &clock).await.unwrap();

        let mut conn = db.read().await.unwrap();
        assert!(LoginNetworks(&mut conn).know(Some(id), &lately).await.unwrap());
        assert!(!LoginNetworks(&mut conn).know(Some(id), &long_ago).await.unwrap());
        assert_eq!(
            LoginFailures(&mut conn).fades_at(&faded, &lately).await.unwrap(),
            0
        );
        assert_eq!(
            LoginFailures(&mut conn).fades_at(&fading, &lately).await.unwrap(),
            micros + 1
        );
        assert_eq!(RevocationRows(&mut conn).after(0).await.unwrap(), [(2, going_on)]);
    }
}
