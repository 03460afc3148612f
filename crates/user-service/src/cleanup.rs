//! The cleanup: a background task that deletes expired rows, except sessions, which the next login of their user deletes (see
//! `sessions::open`).

use std::time::Duration;

use auth::Clock;
use db::{Db, Tx};

use crate::domain::{MAX_CLOCK_DIFFERENCE, NETWORK_LIFETIME, SENT_WINDOW, verifiers_seen_since};
use crate::store::{
    GenerationRows, LoginFailureRows, LoginNetworkRows, MailTokenRows, OutboxRows, RevocationRows,
    SigningKeyRows, UsedLoginRows, VerifierRows,
};

const INTERVAL: Duration = Duration::from_secs(60);

/// Deletes expired rows, now and every minute.
pub(crate) async fn run_cleanup(db: Db, clock: Clock) {
    loop {
        if let Err(error) = delete_expired(&db, &clock).await {
            tracing::warn!(%error, "expired rows can't be deleted");
        }
        tokio::time::sleep(INTERVAL).await;
    }
}

async fn delete_expired(db: &Db, clock: &Clock) -> Result<(), sqlx::Error> {
    let now = clock.now();
    db.transaction(async |tx: &mut Tx| LoginFailureRows(tx).delete_expired(now.timestamp_micros()).await)
        .await?;
    db.transaction(async |tx: &mut Tx| LoginNetworkRows(tx).delete_unused(now - NETWORK_LIFETIME).await)
        .await?;
    db.transaction(async |tx: &mut Tx| {
        RevocationRows(tx)
            .delete_expired(now - MAX_CLOCK_DIFFERENCE)
            .await
    })
    .await?;
    db.transaction(async |tx: &mut Tx| UsedLoginRows(tx).delete_expired(now - MAX_CLOCK_DIFFERENCE).await)
        .await?;
    db.transaction(async |tx: &mut Tx| GenerationRows(tx).delete_old().await)
        .await?;
    db.transaction(async |tx: &mut Tx| VerifierRows(tx).delete_unseen(verifiers_seen_since(now)).await)
        .await?;
    db.transaction(async |tx: &mut Tx| OutboxRows(tx).delete_sent(now - SENT_WINDOW).await)
        .await?;
    db.transaction(async |tx: &mut Tx| MailTokenRows(tx).delete_expired(now).await)
        .await?;
    db.transaction(async |tx: &mut Tx| SigningKeyRows(tx).delete_expired(now).await)
        .await
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use auth::Revocation;
    use chrono::TimeDelta;
    use test_kit::TestDatabase;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{Allowance, MailKind, MailToken, Network, TokenPurpose};
    use crate::store::{FeedRow, MIGRATIONS, NewMail, fixtures};

    #[actix_web::test]
    async fn cleanup_deletes_only_expired_rows() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let clock = Clock::fixed();
        let now = clock.now();
        let second = TimeDelta::seconds(1);
        let [recent, old] = ["192.0.2.1", "192.0.2.2"].map(|ip| Network::of(ip.parse().unwrap()));
        let session = |id, after: TimeDelta| {
            FeedRow::from(Revocation::Session {
                id: Uuid::from_u128(id),
                expires_at: (now + after).timestamp(),
            })
        };
        let unexpired = session(2, second - MAX_CLOCK_DIFFERENCE);
        let (allowance, micros) = (Allowance::of(NonZeroU32::MIN), now.timestamp_micros());
        let (account_with_expired_failure, account_with_failure) = ([1; 32], [2; 32]);
        let window = TimeDelta::minutes(15).num_microseconds().unwrap();

        let mut tx = db.begin().await.unwrap();
        let id = fixtures::add_ada(&mut tx, now).await;
        LoginNetworkRows(&mut tx)
            .remember(id, &recent, now - NETWORK_LIFETIME)
            .await
            .unwrap();
        LoginNetworkRows(&mut tx)
            .remember(id, &old, now - NETWORK_LIFETIME - second)
            .await
            .unwrap();
        for (account, at) in [
            (&account_with_expired_failure, micros - window - 1),
            (&account_with_failure, micros - window + 1),
        ] {
            let expires_at = LoginFailureRows(&mut tx)
                .record(account, &recent, allowance, at)
                .await
                .unwrap();
            assert_eq!(expires_at, Some(at + window));
        }
        RevocationRows(&mut tx)
            .add(&[session(1, -MAX_CLOCK_DIFFERENCE), unexpired.clone()])
            .await
            .unwrap();
        tx.commit().await.unwrap();
        delete_expired(&db, &clock).await.unwrap();

        let mut conn = db.read().await.unwrap();
        assert!(
            LoginNetworkRows(&mut conn)
                .is_known(Some(id), &recent)
                .await
                .unwrap()
        );
        assert!(
            !LoginNetworkRows(&mut conn)
                .is_known(Some(id), &old)
                .await
                .unwrap()
        );
        assert_eq!(
            LoginFailureRows(&mut conn)
                .failures_expire_at(&account_with_expired_failure, &recent)
                .await
                .unwrap(),
            0
        );
        assert_eq!(
            LoginFailureRows(&mut conn)
                .failures_expire_at(&account_with_failure, &recent)
                .await
                .unwrap(),
            micros + 1
        );
        assert_eq!(
            RevocationRows(&mut conn).page(0, 9, 9).await.unwrap(),
            [(2, unexpired)]
        );
    }

    #[actix_web::test]
    async fn a_finished_login_is_kept_for_replicas_whose_clocks_are_behind() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let clock = Clock::fixed();
        let add = async || {
            let mut tx = db.begin().await.unwrap();
            let is_new = UsedLoginRows(&mut tx).add(&[1; 32], Clock::fixed().now()).await;
            tx.commit().await.unwrap();
            is_new.unwrap()
        };
        assert!(add().await);
        clock.advance(MAX_CLOCK_DIFFERENCE);
        delete_expired(&db, &clock).await.unwrap();
        assert!(!add().await);
        clock.advance(TimeDelta::seconds(1));
        delete_expired(&db, &clock).await.unwrap();
        assert!(add().await);
    }

    #[actix_web::test]
    async fn cleanup_deletes_expired_tokens_of_mails_and_mails_that_were_sent_an_hour_ago() {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let clock = Clock::fixed();
        let now = clock.now();
        let (purpose, kind) = (TokenPurpose::ResetPassword, MailKind::ResetPassword);
        let (token, data) = (MailToken::generate().unwrap(), "{}");
        let mut tx = db.begin().await.unwrap();
        let ada = fixtures::add_ada(&mut tx, now).await;
        let id = Uuid::from_u128(1);
        MailTokenRows(&mut tx)
            .add(&token, ada, purpose, id, now)
            .await
            .unwrap();
        OutboxRows(&mut tx)
            .add(ada, &NewMail { id, kind, data, now })
            .await
            .unwrap();
        let leased = OutboxRows(&mut tx).lease_due(now, 1).await.unwrap();
        OutboxRows(&mut tx).set_sent(&leased[0], ada, now).await.unwrap();
        tx.commit().await.unwrap();

        let left = async || {
            delete_expired(&db, &clock).await.unwrap();
            let mut conn = db.read().await.unwrap();
            let past = now - TimeDelta::days(1);
            let token = MailTokenRows(&mut conn)
                .find(&token, purpose, past)
                .await
                .unwrap();
            let mails = OutboxRows(&mut conn)
                .count_before(&leased[0], ada, past, clock.now())
                .await
                .unwrap();
            (token.is_some(), mails)
        };
        assert_eq!(left().await, (true, 1));
        clock.advance(purpose.lifetime());
        assert_eq!(left().await, (false, 1));
        clock.advance(SENT_WINDOW - purpose.lifetime());
        assert_eq!(left().await, (false, 0));
    }
}
