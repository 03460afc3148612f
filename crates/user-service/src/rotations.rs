//! Rotating refresh tokens: one statement and one commit for all that are shown while the one before is under way, so that a commit
//! carries on as many sessions as wait for it. Nobody waits for company.

use std::io;

use auth::Clock;
use chrono::{DateTime, Utc};
use db::Db;
use tokio::sync::{mpsc, oneshot};

use crate::config::Lifetimes;
use crate::store::{BorneSession, Rotation, RotationTimes, Sessions};

/// So many are rotated at once.
const MOST: usize = 64;

/// So many more may wait until there is no place in the queue, and they wait for that.
const QUEUE: usize = 1_024;

/// Rotates refresh tokens. Clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct Rotations(mpsc::Sender<Shown>);

/// A token that was shown, and whoever waits for what comes of it.
#[derive(Debug)]
struct Shown {
    rotation: Rotation,
    answer: oneshot::Sender<Result<Rotated, sqlx::Error>>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// What the session and its bearer are after the rotation, or without it, if it did not come to pass: whether the session goes
    /// on, and whether its bearer may log in, has to be looked at. `None` where the token was never one of ours.
    pub session: Option<BorneSession>,
    /// When that was: later than the call, where it had to wait.
    pub now: DateTime<Utc>,
}

impl Rotations {
    /// Starts to rotate, until the last clone is gone.
    pub(crate) fn start(db: Db, lifetimes: Lifetimes, clock: Clock) -> Self {
        let (shown, mut received) = mpsc::channel(QUEUE);
        let rotating = Rotating { db, lifetimes, clock };
        actix_web::rt::spawn(async move {
            let mut batch = Vec::new();
            while let 1.. = received.recv_many(&mut batch, MOST).await {
                // A task of its own, so that a panic costs one batch.
                let rotating = rotating.clone();
                let batch = std::mem::take(&mut batch);
                drop(actix_web::rt::spawn(async move { rotating.rotate_all(batch).await }).await);
            }
        });
        Self(shown)
    }

    /// Rotates a token, or finds out why not.
    pub(crate) async fn rotate(&self, rotation: Rotation) -> Result<Rotated, sqlx::Error> {
        db::bounded(async {
            let (answer, answered) = oneshot::channel();
            self.0
                .send(Shown { rotation, answer })
                .await
                .map_err(|_| sqlx::Error::WorkerCrashed)?;
            answered.await.map_err(|_| sqlx::Error::WorkerCrashed)?
        })
        .await
    }
}

/// Does the rotating.
#[derive(Clone, Debug)]
struct Rotating {
    db: Db,
    lifetimes: Lifetimes,
    clock: Clock,
}

impl Rotating {
    async fn rotate_all(&self, mut batch: Vec<Shown>) {
        // Whoever has hung up, or was told that it takes too long, is not here any more.
        batch.retain(|shown| !shown.answer.is_closed());
        if batch.is_empty() {
            return;
        }
        // One order for all that lock rows, so that two replicas don't wait for each other.
        batch.sort_by_key(|shown| shown.rotation.family_hash);
        let (rotations, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|shown| (shown.rotation, shown.answer))
            .unzip();
        match self.rotate(&rotations).await {
            // What the database can't take of one is not to be the others' loss.
            Err(error) if rotations.len() > 1 && !db::is_unavailable(&error) => {
                for (rotation, answer) in rotations.into_iter().zip(answers) {
                    Box::pin(self.rotate_all(vec![Shown { rotation, answer }])).await;
                }
            }
            outcome => {
                for (rotation, answer) in rotations.iter().zip(answers) {
                    let rotated = outcome.as_ref().map_err(retold).map(|(sessions, now)| Rotated {
                        session: sessions
                            .iter()
                            .find(|borne| borne.session.is_meant_by(rotation))
                            .cloned(),
                        now: *now,
                    });
                    // Nobody to tell is nothing to do: whoever shows the same token again gets the same successor.
                    drop(answer.send(rotated));
                }
            }
        }
    }

    /// What the sessions are afterwards, and when they were rotated.
    async fn rotate(
        &self,
        rotations: &[Rotation],
    ) -> Result<(Vec<BorneSession>, DateTime<Utc>), sqlx::Error> {
        Db::retry(async || {
            let mut conn = self.db.write().await?;
            let now = self.clock.now();
            let times = RotationTimes {
                now,
                token_expires_at: now + self.lifetimes.refresh,
                access_expires_at: self.lifetimes.access_expires_at(now),
            };
            Sessions(&mut conn).rotate(rotations, &times).await?;
            Ok((Sessions(&mut conn).find_borne(rotations).await?, now))
        })
        .await
    }
}

/// One error for many.
fn retold(error: &sqlx::Error) -> sqlx::Error {
    let text = error.to_string();
    if db::is_unavailable(error) {
        io::Error::other(text).into()
    } else {
        sqlx::Error::Protocol(text)
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use test_kit::TestDatabase;
    use uuid::Uuid;

    use super::*;
    use crate::domain::{EmailAddress, RefreshToken};
    use crate::startup::MIGRATIONS;
    use crate::store::{NewSession, NewUser, Users};

    const LIFETIMES: Lifetimes = Lifetimes {
        access: TimeDelta::minutes(15),
        refresh: TimeDelta::days(7),
        session: TimeDelta::days(30),
        grace: TimeDelta::seconds(10),
    };

    /// A database in which Ada has as many sessions as asked for, and their tokens.
    async fn sessions(count: u128) -> (TestDatabase, Rotating, Vec<RefreshToken>) {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let clock = Clock::fixed();
        let (now, user_id) = (clock.now(), Uuid::from_u128(1));
        let email = EmailAddress::parse("ada@example.com").unwrap();
        let new = NewUser {
            id: user_id,
            email: &email,
            name: "Ada",
            password_hash: "",
            roles: "user",
            now,
        };
        let mut tx = db.begin().await.unwrap();
        assert!(Users(&mut tx).add(&new).await.unwrap());
        let mut tokens = Vec::new();
        for id in 0..count {
            let token = RefreshToken::generate().unwrap();
            let new = NewSession {
                id: Uuid::from_u128(id),
                user_id,
                token: &token,
                now,
                token_expires_at: now + TimeDelta::hours(1),
                expires_at: now + LIFETIMES.session,
                access_expires_at: now,
                ip: "",
                user_agent: "",
            };
            Sessions(&mut tx).open(&new).await.unwrap();
            tokens.push(token);
        }
        tx.commit().await.unwrap();
        (
            database,
            Rotating {
                db,
                lifetimes: LIFETIMES,
                clock,
            },
            tokens,
        )
    }

    /// A rotation, and what answers it; `mark` tells its successor from others.
    fn shown(token: &RefreshToken, mark: u8) -> (Shown, oneshot::Receiver<Result<Rotated, sqlx::Error>>) {
        let (answer, answered) = oneshot::channel();
        let rotation = Rotation {
            family_hash: token.family_hash(),
            token_hash: token.hash(),
            successor_hash: [mark; 32],
            nonce: [mark; 32],
            ip: format!("192.0.2.{mark}"),
            user_agent: String::new(),
        };
        (Shown { rotation, answer }, answered)
    }

    fn nonce(rotated: Rotated) -> Option<Vec<u8>> {
        rotated.session.expect("a session").session.rotation_nonce
    }

    #[actix_web::test]
    async fn each_in_a_batch_gets_what_is_theirs() {
        let (_database, rotating, tokens) = sessions(7).await;
        let now = rotating.clock.now();
        let (mut batch, mut answers) = (Vec::new(), Vec::new());
        let stranger = RefreshToken::generate().unwrap();
        // The last of them twice, and somebody whose token was never ours.
        for (mark, token) in (1..).zip(tokens.iter().chain([&tokens[6], &stranger])) {
            let (shown, answered) = shown(token, mark);
            batch.push(shown);
            answers.push(answered);
        }
        rotating.rotate_all(batch).await;
        let mut rotated = Vec::new();
        for answer in answers {
            rotated.push(answer.await.unwrap().unwrap());
        }
        assert!(rotated.pop().unwrap().session.is_none());
        let [one, other] = [rotated.pop().unwrap(), rotated.pop().unwrap()].map(nonce);
        assert_eq!(one, other, "one of the two rotations came to pass");
        assert!(
            [[7; 32], [8; 32]]
                .iter()
                .any(|nonce| Some(nonce.as_slice()) == one.as_deref())
        );
        for (mark, Rotated { session, now: at }) in (1..).zip(rotated) {
            let BorneSession { session, bearer } = session.unwrap();
            assert_eq!(
                (session.id, bearer.id),
                (Uuid::from_u128(u128::from(mark) - 1), Uuid::from_u128(1))
            );
            assert_eq!(session.rotation_nonce, Some(vec![mark; 32]));
            assert_eq!(session.token_expires_at, now + LIFETIMES.refresh);
            assert!(
                at == now
                    && session.was_just_replaced(&tokens[usize::from(mark) - 1], now, TimeDelta::zero())
            );
        }
        let last = Sessions(&mut rotating.db.read().await.unwrap())
            .last_access_of(Uuid::from_u128(1))
            .await
            .unwrap();
        assert_eq!(last, Some(now + LIFETIMES.access + LIFETIMES.grace));
    }

    #[actix_web::test]
    async fn whoever_has_hung_up_is_not_rotated() {
        let (_database, rotating, tokens) = sessions(2).await;
        let ((gone, answered), (here, answer)) = (shown(&tokens[0], 1), shown(&tokens[1], 2));
        drop(answered);
        rotating.rotate_all(vec![gone, here]).await;
        assert_eq!(nonce(answer.await.unwrap().unwrap()), Some(vec![2; 32]));
        let session = Sessions(&mut rotating.db.read().await.unwrap())
            .find_by_token(&tokens[0])
            .await
            .unwrap();
        assert_eq!(session.unwrap().rotation_nonce, None);
    }

    #[actix_web::test]
    async fn what_the_database_cannot_take_of_one_is_not_the_others_loss() {
        let (database, rotating, tokens) = sessions(3).await;
        let (mut batch, mut answers) = (Vec::new(), Vec::new());
        for (mark, token) in (1..).zip(&tokens) {
            let (mut shown, answered) = shown(token, mark);
            if mark == 2 {
                // PostgreSQL has no place for it, SQLite has; and a call has been rid of it before.
                shown.rotation.user_agent = "\0".to_owned();
            }
            batch.push(shown);
            answers.push(answered);
        }
        rotating.rotate_all(batch).await;
        for (mark, answer) in (1..).zip(answers) {
            let answer = answer.await.unwrap();
            if mark == 2 && matches!(database.url(), db::DatabaseUrl::Postgres(_)) {
                assert!(!db::is_unavailable(&answer.unwrap_err()));
            } else {
                assert_eq!(nonce(answer.unwrap()), Some(vec![mark; 32]));
            }
        }
    }

    #[actix_web::test]
    async fn a_failure_is_told_to_everyone_and_the_next_are_rotated() {
        let (_database, Rotating { db, clock, .. }, tokens) = sessions(1).await;
        let rotations = Rotations::start(db.clone(), LIFETIMES, clock);
        let rotate = async |mark| rotations.rotate(shown(&tokens[0], mark).0.rotation).await;
        assert_eq!(nonce(rotate(1).await.unwrap()), Some(vec![1; 32]));
        db.close().await;
        for outcome in futures_util::future::join_all((0..3).map(rotate)).await {
            assert!(db::is_unavailable(&outcome.unwrap_err()));
        }
    }

    #[test]
    fn an_error_that_is_nobodys_absence_stays_one() {
        let closed = retold(&sqlx::Error::PoolClosed);
        assert!(
            db::is_unavailable(&closed) && closed.to_string().contains(&sqlx::Error::PoolClosed.to_string())
        );
        let retold = retold(&sqlx::Error::RowNotFound);
        assert!(
            !db::is_unavailable(&retold)
                && retold.to_string().contains(&sqlx::Error::RowNotFound.to_string())
        );
    }
}
