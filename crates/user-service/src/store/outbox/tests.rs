//! The outbox on both engines.

use auth::Clock;
use chrono::TimeDelta;
use db::{Db, Tx};
use test_kit::TestDatabase;

use super::*;
use crate::store::{MIGRATIONS, fixtures};

struct Outbox {
    tx: Tx,
    ada: Uuid,
    now: DateTime<Utc>,
    ids: u128,
    _database: TestDatabase,
}

impl Outbox {
    async fn new() -> Self {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let now = Clock::fixed().now();
        let mut tx = db.begin().await.unwrap();
        Self {
            ada: fixtures::add_ada(&mut tx, now).await,
            tx,
            now,
            ids: 0,
            _database: database,
        }
    }

    fn rows(&mut self) -> OutboxRows<'_> {
        OutboxRows(&mut self.tx)
    }

    async fn add(&mut self, kind: MailKind, address: Option<&str>) {
        self.ids += 1;
        let (ada, now) = (self.ada, self.now);
        let id = Uuid::from_u128(self.ids);
        let mail = NewMail {
            id,
            kind,
            data: "{}",
            now,
        };
        match address {
            None => self.rows().add(ada, &mail).await.unwrap(),
            Some(address) => {
                let address = EmailAddress::parse(address).unwrap();
                self.rows().add_reset(&address, &mail).await.unwrap();
            }
        }
    }

    async fn lease(&mut self, after: TimeDelta, limit: i64) -> Vec<LeasedMail> {
        let now = self.now + after;
        self.rows().lease_due(now, limit).await.unwrap()
    }
}

const NO_TIME: TimeDelta = TimeDelta::zero();

#[actix_web::test]
async fn a_mail_is_leased_to_one_worker_until_the_lease_ends() {
    let mut outbox = Outbox::new().await;
    for _ in 0..3 {
        outbox.add(MailKind::NewSignIn, None).await;
    }
    assert_eq!(outbox.lease(NO_TIME, 2).await.len(), 2);
    assert_eq!(outbox.lease(NO_TIME, 9).await.len(), 1);
    assert_eq!(
        outbox
            .lease(MAIL_LEASE - TimeDelta::microseconds(1), 9)
            .await
            .len(),
        0
    );
    let renewed = outbox.lease(MAIL_LEASE, 1).await.remove(0);
    let almost = outbox.now + MAIL_LEASE * 2 - TimeDelta::microseconds(1);
    outbox.rows().renew_lease(&renewed, almost).await.unwrap();
    assert_eq!(outbox.lease(MAIL_LEASE * 2, 9).await.len(), 2);
    let expired = outbox.lease(MAIL_LEASE * 3, 9).await;
    assert_eq!(expired.len(), 3);
    // The first worker has lost its lease.
    outbox
        .rows()
        .renew_lease(&renewed, almost + MAIL_LEASE * 9)
        .await
        .unwrap();
    // A lease by a wrong clock, two years ahead.
    assert_eq!(outbox.lease(TimeDelta::days(730), 9).await.len(), 3);
    assert_eq!(outbox.lease(NO_TIME, 9).await.len(), 3);
    let (ada, now) = (outbox.ada, outbox.now);
    outbox.rows().set_sent(&expired[0], ada, now).await.unwrap();
    outbox.rows().delete(&expired[1]).await.unwrap();
    assert_eq!(outbox.rows().waiting().await.unwrap(), 3);
}

#[actix_web::test]
async fn repeated_requests_share_a_mail_that_waits_and_not_one_that_is_being_sent() {
    let mut outbox = Outbox::new().await;
    for _ in 0..2 {
        outbox.add(MailKind::VerifyEmail, None).await;
        outbox.add(MailKind::ResetPassword, Some("ada@example.com")).await;
        outbox.add(MailKind::ResetPassword, Some("ADA@example.com")).await;
        outbox.add(MailKind::PasswordChanged, None).await;
    }
    assert_eq!(outbox.rows().waiting().await.unwrap(), 4);
    let leased = outbox.lease(NO_TIME, 9).await;
    assert_eq!(leased.len(), 4);
    outbox.add(MailKind::VerifyEmail, None).await;
    outbox.add(MailKind::ResetPassword, Some("ada@example.com")).await;
    assert_eq!(outbox.rows().waiting().await.unwrap(), 6);

    // Of the mails that could not be sent, those that were requested again go. The other one is not tried at once.
    let (now, mut deleted) = (outbox.now, 0);
    for mail in &leased {
        if let Some(replacement) = outbox.rows().find_replacement(mail).await.unwrap() {
            let not_before = now + SHORT_DELAY;
            outbox
                .rows()
                .set_not_before(replacement, not_before)
                .await
                .unwrap();
            outbox.rows().delete(mail).await.unwrap();
            deleted += 1;
        } else {
            outbox.rows().release(mail).await.unwrap();
        }
    }
    assert_eq!(deleted, 2);
    assert_eq!(outbox.lease(NO_TIME, 9).await.len(), 2);
    assert_eq!(outbox.lease(SHORT_DELAY, 9).await.len(), 2);
}

#[actix_web::test]
async fn a_mail_that_is_requested_again_is_new_and_due_within_a_minute() {
    let mut outbox = Outbox::new().await;
    let add = async |outbox: &mut Outbox| {
        outbox.add(MailKind::VerifyEmail, None).await;
        outbox.add(MailKind::ResetPassword, Some("ada@example.com")).await;
    };
    add(&mut outbox).await;
    // A mail that is due already is not postponed.
    outbox.now += TimeDelta::hours(1);
    add(&mut outbox).await;
    let leased = outbox.lease(NO_TIME, 9).await;
    assert_eq!(leased.len(), 2);
    let next = outbox.now + TimeDelta::hours(2);
    for mail in &leased {
        outbox.rows().postpone(mail, 9, next).await.unwrap();
    }
    for _ in 0..2 {
        add(&mut outbox).await;
    }
    let just_before = SHORT_DELAY - TimeDelta::microseconds(1);
    assert_eq!(outbox.lease(just_before, 9).await.len(), 0);
    let leased = outbox.lease(SHORT_DELAY, 9).await;
    assert_eq!(leased.len(), 2);
    for mail in leased {
        assert_eq!((mail.attempts, mail.created_at), (0, outbox.now));
    }
}

#[actix_web::test]
async fn requests_for_unknown_addresses_are_deleted_and_sent_mails_forget_the_address() {
    let mut outbox = Outbox::new().await;
    outbox.add(MailKind::ResetPassword, Some("ada@example.com")).await;
    outbox
        .add(MailKind::ResetPassword, Some("unknown@example.com"))
        .await;
    let after_all = Resets {
        number: 0,
        last: None,
        unknown: 0,
    };
    assert_eq!(outbox.rows().resets_after("z", 9).await.unwrap(), after_all);
    let unknown = Resets {
        number: 2,
        last: Some("unknown@example.com".to_owned()),
        unknown: 1,
    };
    assert_eq!(outbox.rows().resets_after("", 9).await.unwrap(), unknown);
    let known = outbox.rows().resets_after("", 1).await.unwrap();
    assert_eq!(
        (known.last.as_deref(), known.unknown),
        (Some("ada@example.com"), 0)
    );
    outbox
        .rows()
        .delete_unknown("", "unknown@example.co")
        .await
        .unwrap();
    assert_eq!(outbox.rows().waiting().await.unwrap(), 2);
    outbox
        .rows()
        .delete_unknown("ada@example.com", "unknown@example.com")
        .await
        .unwrap();
    let leased = outbox.lease(NO_TIME, 9).await;
    assert_eq!(leased.len(), 1);
    assert_eq!(leased[0].address.as_deref(), Some("ada@example.com"));
    let (ada, now) = (outbox.ada, outbox.now);
    outbox.rows().set_sent(&leased[0], ada, now).await.unwrap();
    assert_eq!(outbox.rows().waiting().await.unwrap(), 0);
    let sent = async |outbox: &mut Outbox, since| {
        outbox
            .rows()
            .count_before(&leased[0], ada, since, now)
            .await
            .unwrap()
    };
    assert_eq!(sent(&mut outbox, now - TimeDelta::seconds(1)).await, 1);
    assert_eq!(sent(&mut outbox, now).await, 0);
    outbox.rows().delete_sent(now).await.unwrap();
    assert_eq!(sent(&mut outbox, now - TimeDelta::seconds(1)).await, 0);
}

#[actix_web::test]
async fn mails_that_were_sent_or_leased_before_count_except_those_of_a_wrong_clock() {
    let mut outbox = Outbox::new().await;
    for _ in 0..4 {
        outbox.add(MailKind::NewSignIn, None).await;
    }
    let mut leased = outbox.lease(NO_TIME, 9).await;
    leased.sort_unstable_by_key(|mail| mail.id);
    let (ada, now) = (outbox.ada, outbox.now);
    let before = async |outbox: &mut Outbox, index: usize, now| {
        let since = now - TimeDelta::hours(1);
        outbox
            .rows()
            .count_before(&leased[index], ada, since, now)
            .await
            .unwrap()
    };
    assert_eq!(before(&mut outbox, 0, now).await, 0);
    assert_eq!(before(&mut outbox, 3, now).await, 3);
    outbox.rows().set_sent(&leased[3], ada, now).await.unwrap();
    assert_eq!(before(&mut outbox, 0, now).await, 1);
    assert_eq!(before(&mut outbox, 0, now - MAX_CLOCK_DIFFERENCE).await, 1);
    let earlier = now - MAX_CLOCK_DIFFERENCE - TimeDelta::microseconds(1);
    assert_eq!(before(&mut outbox, 0, earlier).await, 0);
}

#[actix_web::test]
async fn a_users_unsent_resets_are_deleted_and_no_other_mails() {
    let mut outbox = Outbox::new().await;
    outbox.add(MailKind::ResetPassword, Some("ADA@example.com")).await;
    let leased = outbox.lease(NO_TIME, 9).await;
    outbox.add(MailKind::ResetPassword, Some("ada@example.com")).await;
    outbox.add(MailKind::ResetPassword, Some("bob@example.com")).await;
    outbox.add(MailKind::NewSignIn, None).await;
    let ada = outbox.ada;
    assert!(outbox.rows().is_leased(&leased[0]).await.unwrap());
    outbox.rows().delete_unsent_resets(ada).await.unwrap();
    assert_eq!(outbox.rows().waiting().await.unwrap(), 2);
    assert!(!outbox.rows().is_leased(&leased[0]).await.unwrap());
}
