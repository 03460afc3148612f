//! Many rotations while tokens are issued and verified: no valid token is ever refused, and every expired or revoked one is.

use std::cell::{Cell, RefCell};
use std::time::Duration;

use actix_web::rt::time::sleep;
use auth::Verifier;
use chrono::TimeDelta;
use futures_util::future::{join, join_all};
use serde_json::{Value, json};
use test_kit::TestService;

use crate::database::{number, text};
use crate::verifiers::{INVENTORY, ORDERS, VerifiersFixture, eventually};
use crate::{is_long, logged_in, logged_in_admin, refresh, register, with_token};

/// The status on a machine that is too slow for this load. It refuses no token.
const DATABASE_IS_BUSY: u16 = 503;
const ACTIVE: &str = "select kid from signing_keys where state = 'active'";
/// The lifetime of a token and the leeway of a verifier.
const LIFETIME: TimeDelta = TimeDelta::seconds(300 + 30);
/// Between two pairs of rotations. Long enough that at most eight keys are retiring, each for eleven minutes, and short enough that the
/// replicas are seen within three minutes.
const BETWEEN_ROTATIONS: TimeDelta = TimeDelta::seconds(165);
/// How long an expired token is tried.
const TRIED_AFTER_EXPIRY: TimeDelta = TimeDelta::minutes(10);

/// A token that was issued.
#[derive(Clone)]
struct Issued {
    text: String,
    is_service: bool,
    at: chrono::DateTime<chrono::Utc>,
}

/// Two replicas, two verifiers, and all tokens that are tried.
struct Load {
    fixture: VerifiersFixture,
    other: TestService,
    orders: Verifier,
    inventory: Verifier,
    tokens: RefCell<Vec<Issued>>,
    issued: Cell<usize>,
    is_over: Cell<bool>,
    accepted: Cell<usize>,
    refused: Cell<usize>,
}

impl Load {
    async fn start() -> Self {
        let fixture = VerifiersFixture::with_token_lifetime("5m").await;
        let other = fixture.replica().await;
        Self {
            orders: fixture.verifier(ORDERS, &fixture.users).await,
            inventory: fixture.verifier(INVENTORY, &fixture.users).await,
            fixture,
            other,
            tokens: RefCell::default(),
            issued: Cell::default(),
            is_over: Cell::default(),
            accepted: Cell::default(),
            refused: Cell::default(),
        }
    }

    fn now(&self) -> chrono::DateTime<chrono::Utc> {
        self.fixture.users.issuer().clock().now()
    }

    /// Adds a token that was issued at `at` or later.
    fn add(&self, text: &str, is_service: bool, at: chrono::DateTime<chrono::Utc>) {
        let text = text.to_owned();
        self.tokens.borrow_mut().push(Issued { text, is_service, at });
        self.issued.set(self.issued.get() + 1);
    }

    /// Refreshes one session repeatedly, at one replica and then at the other.
    async fn refresh(&self, email: &str) {
        let mut pair = logged_in(&self.fixture.users, email).await;
        for replica in [&self.fixture.users, &self.other].into_iter().cycle() {
            if self.is_over.get() {
                return;
            }
            let at = self.now();
            let refreshed = refresh(replica, &pair["refresh_token"]).await;
            if refreshed.status == DATABASE_IS_BUSY {
                pair = logged_in(&self.fixture.users, email).await;
                continue;
            }
            pair = refreshed.assert_status(200).json();
            self.add(pair["access_token"].as_str().unwrap(), false, at);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Issues service tokens.
    async fn issue_service_tokens(&self) {
        while !self.is_over.get() {
            let at = self.now();
            let token = self.fixture.service_token(ORDERS, INVENTORY).await;
            self.add(&token, true, at);
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Verifies all tokens repeatedly with the keys that the verifiers hold at that moment.
    async fn verify(&self) {
        while !self.is_over.get() {
            let now = self.now();
            self.tokens
                .borrow_mut()
                .retain(|token| now < token.at + LIFETIME + TRIED_AFTER_EXPIRY);
            let tokens = self.tokens.borrow().clone();
            for token in &tokens {
                self.check(token, &self.inventory);
                if !token.is_service {
                    self.check(token, &self.orders);
                }
            }
            sleep(Duration::from_millis(1)).await;
        }
    }

    fn check(&self, token: &Issued, verifier: &Verifier) {
        let before = self.now();
        let verdict = verifier.verify_with_current_keys(&token.text);
        self.judge(
            token,
            before,
            verdict.map(drop).map_err(|error| format!("{error:?}")),
        );
    }

    /// Compares a verdict with what the token's age requires. The clock may have advanced since `before`.
    fn judge(&self, token: &Issued, before: chrono::DateTime<chrono::Utc>, verdict: Result<(), String>) {
        match verdict {
            // `at` is before the issue, by less than the time between two rotations.
            Ok(()) => {
                assert!(
                    before < token.at + LIFETIME + BETWEEN_ROTATIONS,
                    "an expired token was accepted"
                );
                self.accepted.set(self.accepted.get() + 1);
            }
            Err(error) => {
                let age = self.now() - token.at;
                assert!(age >= LIFETIME - TimeDelta::seconds(1), "after {age}: {error}");
                self.refused.set(self.refused.get() + 1);
            }
        }
    }

    /// Calls both replicas with the newest and the oldest users' tokens.
    async fn call(&self) {
        while !self.is_over.get() {
            let users: Vec<_> = {
                let tokens = self.tokens.borrow();
                tokens.iter().filter(|token| !token.is_service).cloned().collect()
            };
            for token in users.first().into_iter().chain(users.last()) {
                for replica in [&self.fixture.users, &self.other] {
                    let before = self.now();
                    let response = replica.anonymous().with_token(&token.text).get("/users/me").await;
                    let verdict = match response.status {
                        200 => Ok(()),
                        401 => Err(response.body),
                        DATABASE_IS_BUSY => continue,
                        status => panic!("{status}: {}", response.body),
                    };
                    self.judge(token, before, verdict);
                }
            }
            sleep(Duration::from_millis(5)).await;
        }
    }

    /// Rotates the keys twice in a row, until this number of rotations is done. The second rotation has to wait for the verifiers.
    async fn rotate(&self, rotations: usize) {
        let users = &self.fixture.users;
        for _ in 0..rotations / 2 {
            let root = logged_in_admin(users).await;
            for _ in 0..2 {
                let before = text(users, ACTIVE).await;
                root.post("/admin/keys/rotate", json!({}))
                    .await
                    .assert_status(200);
                eventually("the rotation is done", async || {
                    text(users, ACTIVE).await != before
                })
                .await;
            }
            // Some tokens of the newest key.
            let enough = self.issued.get() + 10;
            eventually("new tokens are issued", async || self.issued.get() >= enough).await;
            // The clock would outrun a replica that has not recorded itself yet.
            let holds_next = "select count(*) from verifiers join signing_keys on kids like '%' || kid || '%'
                where service = 'user-service' and state = 'next'";
            eventually("both replicas have the next key", async || {
                number(users, holds_next).await == 2
            })
            .await;
            users.issuer().clock().advance(BETWEEN_ROTATIONS);
        }
    }

    /// Discards all keys, and waits until the verifiers refuse all tokens.
    async fn discard_keys(&self) {
        let root = logged_in_admin(&self.fixture.users).await;
        root.post("/admin/keys/rotate", json!({"emergency": true}))
            .await
            .assert_status(200);
        for token in self.tokens.take() {
            eventually("all verifiers refuse the token", async || {
                [&self.orders, &self.inventory]
                    .into_iter()
                    .all(|verifier| verifier.verify_with_current_keys(&token.text).is_err())
            })
            .await;
        }
    }
}

#[actix_web::test]
async fn no_valid_token_is_refused_while_keys_are_rotated_and_every_expired_or_revoked_one_is() {
    let rotations = if is_long() { 100 } else { 12 };
    let load = Load::start().await;
    let emails: Vec<_> = (0..4).map(|user| format!("user{user}@example.com")).collect();
    for email in &emails {
        register(&load.fixture.users, email).await;
    }

    let driver = async {
        load.rotate(rotations).await;
        load.is_over.set(true);
    };
    let refreshes = join_all(emails.iter().map(|email| load.refresh(email)));
    let checks = join(load.verify(), load.call());
    join(driver, join(checks, join(refreshes, load.issue_service_tokens()))).await;
    let (accepted, refused) = (load.accepted.get(), load.refused.get());
    println!("{rotations} rotations: {accepted} valid tokens accepted, {refused} expired ones refused");
    assert!(
        accepted > rotations * 100 && refused > rotations,
        "{accepted} {refused}"
    );

    load.discard_keys().await;
    let pair: Value = logged_in(&load.fixture.users, &emails[0]).await;
    with_token(&load.other, &pair)
        .get("/users/me")
        .await
        .assert_status(200);
    let token = pair["access_token"].as_str().unwrap();
    for verifier in [&load.orders, &load.inventory] {
        let verified = verifier.verify(token).await;
        assert!(verified.is_ok(), "{verified:?}");
    }
}
