//! The rotation of refresh tokens, in batches: requests that arrive while a batch is processed wait for the next batches. A batch
//! costs one update, one query and one commit. A request that arrives alone is not delayed.

use std::io;

use auth::Clock;
use chrono::{DateTime, Utc};
use db::Db;
use tokio::sync::{mpsc, oneshot};

use crate::domain::{Lifetimes, SessionWithUser};
use crate::store::{Rotation, RotationRows, RotationTimes};

/// The largest batch.
const MAX_BATCH: usize = 64;
/// How many requests may be in the queue. Further requests wait for a place in it.
const QUEUE: usize = 1_024;

/// Rotates refresh tokens. Clones share the queue.
#[derive(Clone, Debug)]
pub(crate) struct RotationQueue(mpsc::Sender<RotationRequest>);

/// A rotation, and the channel to the caller that waits for its outcome.
#[derive(Debug)]
struct RotationRequest {
    rotation: Rotation,
    answer: oneshot::Sender<Result<RotationOutcome, sqlx::Error>>,
}

/// The state of the session after a rotation was attempted.
#[derive(Debug)]
pub(crate) struct RotationOutcome {
    /// The session and its user, whether or not the rotation took effect: the caller has to check that the session is live and
    /// that the user is not disabled. `None` if no session has the token's family.
    pub session: Option<SessionWithUser>,
    /// The time of the attempt, which is later than the arrival of the request if the request waited in the queue.
    pub attempted_at: DateTime<Utc>,
}

impl RotationQueue {
    /// Starts the worker, which runs until the last clone is dropped.
    pub(crate) fn start(db: Db, lifetimes: Lifetimes, clock: Clock) -> Self {
        let (requests, mut received) = mpsc::channel(QUEUE);
        let worker = RotationWorker { db, lifetimes, clock };
        actix_web::rt::spawn(async move {
            let mut batch = Vec::new();
            while received.recv_many(&mut batch, MAX_BATCH).await > 0 {
                // A panic in a separate task fails only this batch. The worker continues with the next batch.
                let worker = worker.clone();
                let batch = std::mem::take(&mut batch);
                drop(actix_web::rt::spawn(async move { worker.process(batch).await }).await);
            }
        });
        Self(requests)
    }

    /// Attempts a rotation, and returns the state of the session afterwards.
    pub(crate) async fn rotate(&self, rotation: Rotation) -> Result<RotationOutcome, sqlx::Error> {
        db::bounded(async {
            let (answer, answered) = oneshot::channel();
            self.0
                .send(RotationRequest { rotation, answer })
                .await
                .map_err(|_| sqlx::Error::WorkerCrashed)?;
            answered.await.map_err(|_| sqlx::Error::WorkerCrashed)?
        })
        .await
    }
}

/// Processes batches of rotations.
#[derive(Clone, Debug)]
struct RotationWorker {
    db: Db,
    lifetimes: Lifetimes,
    clock: Clock,
}

impl RotationWorker {
    async fn process(&self, mut batch: Vec<RotationRequest>) {
        // Skip callers that disconnected or timed out.
        batch.retain(|request| !request.answer.is_closed());
        if batch.is_empty() {
            return;
        }
        // All replicas name the rows in the same order, so that deadlocks are rare. `Db::retry` repeats what failed by a deadlock.
        batch.sort_by_key(|request| request.rotation.family_hash);

        let (rotations, answers): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|request| (request.rotation, request.answer))
            .unzip();
        match self.rotate(&rotations).await {
            // The database rejected the batch. Process the requests one by one, so that only the rejected one fails.
            Err(error) if rotations.len() > 1 && !db::is_unavailable(&error) => {
                for (rotation, answer) in rotations.into_iter().zip(answers) {
                    Box::pin(self.process(vec![RotationRequest { rotation, answer }])).await;
                }
            }
            result => {
                for (rotation, answer) in rotations.iter().zip(answers) {
                    // A caller that disconnected can present its token again, and gets the same successor.
                    drop(answer.send(outcome_of(rotation, &result)));
                }
            }
        }
    }

    /// Attempts the rotations. Returns the sessions after the attempt, and the time of the attempt.
    async fn rotate(
        &self,
        rotations: &[Rotation],
    ) -> Result<(Vec<SessionWithUser>, DateTime<Utc>), sqlx::Error> {
        Db::retry(async || {
            let mut conn = self.db.write().await?;
            let now = self.clock.now();
            let times = RotationTimes {
                now,
                token_expires_at: now + self.lifetimes.refresh,
                access_expires_at: self.lifetimes.latest_access_expiry(now),
            };
            RotationRows(&mut conn).rotate(rotations, &times).await?;
            Ok((RotationRows(&mut conn).find_with_user(rotations).await?, now))
        })
        .await
    }
}

/// The outcome of one rotation, from the result of its batch.
fn outcome_of(
    rotation: &Rotation,
    result: &Result<(Vec<SessionWithUser>, DateTime<Utc>), sqlx::Error>,
) -> Result<RotationOutcome, sqlx::Error> {
    let (sessions, attempted_at) = result.as_ref().map_err(share_error)?;
    let session = sessions
        .iter()
        .find(|found| found.session.is_of_family(&rotation.family_hash));
    Ok(RotationOutcome {
        session: session.cloned(),
        attempted_at: *attempted_at,
    })
}

/// A copy of a batch's error for one of its callers. `db::is_unavailable` is the same for the copy.
fn share_error(error: &sqlx::Error) -> sqlx::Error {
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
    use crate::domain::RefreshToken;
    use crate::store::{MIGRATIONS, NewSession, SessionRows, fixtures};

    const LIFETIMES: Lifetimes = Lifetimes {
        access: TimeDelta::minutes(15),
        refresh: TimeDelta::days(7),
        session: TimeDelta::days(30),
        grace: TimeDelta::seconds(10),
    };

    /// A database in which Ada has `count` sessions, a worker on this database, and the sessions' refresh tokens.
    async fn sessions(count: u128) -> (TestDatabase, RotationWorker, Vec<RefreshToken>) {
        let database = TestDatabase::new().await;
        let db = Db::open(&database.url(), &MIGRATIONS).await.unwrap();
        let clock = Clock::fixed();
        let now = clock.now();
        let mut tx = db.begin().await.unwrap();
        let user_id = fixtures::add_ada(&mut tx, now).await;
        let mut tokens = Vec::new();
        for id in 0..count {
            let token = RefreshToken::generate().unwrap();
            let session = NewSession {
                expires_at: now + LIFETIMES.session,
                access_expires_at: now,
                ..fixtures::new_session(Uuid::from_u128(id), user_id, &token, now)
            };
            SessionRows(&mut tx).open(&session).await.unwrap();
            tokens.push(token);
        }
        tx.commit().await.unwrap();

        let worker = RotationWorker {
            db,
            lifetimes: LIFETIMES,
            clock,
        };
        (database, worker, tokens)
    }

    /// A request, and the receiver of its outcome; `mark` identifies the successor.
    fn request(
        token: &RefreshToken,
        mark: u8,
    ) -> (
        RotationRequest,
        oneshot::Receiver<Result<RotationOutcome, sqlx::Error>>,
    ) {
        let (answer, answered) = oneshot::channel();
        let rotation = Rotation {
            family_hash: token.family_hash(),
            token_hash: token.hash(),
            successor_hash: [mark; 32],
            nonce: [mark; 32],
            ip: format!("192.0.2.{mark}"),
            user_agent: String::new(),
        };
        (RotationRequest { rotation, answer }, answered)
    }

    fn nonce(outcome: RotationOutcome) -> Option<Vec<u8>> {
        outcome.session.expect("a session").session.rotation_nonce
    }

    #[actix_web::test]
    async fn each_request_of_a_batch_gets_its_own_session() {
        let (_database, worker, tokens) = sessions(7).await;
        let now = worker.clock.now();
        let (mut batch, mut answers) = (Vec::new(), Vec::new());
        let unknown = RefreshToken::generate().unwrap();
        // The last token twice, and a token of no session.
        for (mark, token) in (1..).zip(tokens.iter().chain([&tokens[6], &unknown])) {
            let (request, answered) = request(token, mark);
            batch.push(request);
            answers.push(answered);
        }
        worker.process(batch).await;
        let mut outcomes = Vec::new();
        for answer in answers {
            outcomes.push(answer.await.unwrap().unwrap());
        }
        assert!(outcomes.pop().unwrap().session.is_none());
        let [one, other] = [outcomes.pop().unwrap(), outcomes.pop().unwrap()].map(nonce);
        assert_eq!(one, other, "only one of the two rotations took effect");
        assert!(
            [[7; 32], [8; 32]]
                .iter()
                .any(|nonce| Some(nonce.as_slice()) == one.as_deref())
        );
        for (
            mark,
            RotationOutcome {
                session,
                attempted_at,
            },
        ) in (1..).zip(outcomes)
        {
            let SessionWithUser { session, user } = session.unwrap();
            assert_eq!(
                (session.id, user.id),
                (Uuid::from_u128(u128::from(mark) - 1), Uuid::from_u128(1))
            );
            assert_eq!(session.rotation_nonce, Some(vec![mark; 32]));
            assert_eq!(session.token_expires_at, now + LIFETIMES.refresh);
            assert!(
                attempted_at == now
                    && session.is_previous_within(&tokens[usize::from(mark) - 1], now, TimeDelta::zero())
            );
        }
        let last = SessionRows(&mut worker.db.read().await.unwrap())
            .last_access_expiry(Uuid::from_u128(1))
            .await
            .unwrap();
        assert_eq!(last, Some(now + LIFETIMES.access + LIFETIMES.grace));
    }

    #[actix_web::test]
    async fn a_token_whose_caller_disconnected_is_not_rotated() {
        let (_database, worker, tokens) = sessions(2).await;
        let ((disconnected, answered), (waiting, answer)) = (request(&tokens[0], 1), request(&tokens[1], 2));
        drop(answered);
        worker.process(vec![disconnected, waiting]).await;
        assert_eq!(nonce(answer.await.unwrap().unwrap()), Some(vec![2; 32]));
        let session = SessionRows(&mut worker.db.read().await.unwrap())
            .find_by_family(&tokens[0])
            .await
            .unwrap();
        assert_eq!(session.unwrap().rotation_nonce, None);
    }

    #[actix_web::test]
    async fn a_row_that_the_database_rejects_fails_only_its_own_caller() {
        let (database, worker, tokens) = sessions(3).await;
        let (mut batch, mut answers) = (Vec::new(), Vec::new());
        for (mark, token) in (1..).zip(&tokens) {
            let (mut request, answered) = request(token, mark);
            if mark == 2 {
                // PostgreSQL rejects a NUL in text; SQLite accepts a NUL. In production, the request context removes NULs.
                request.rotation.user_agent = "\0".to_owned();
            }
            batch.push(request);
            answers.push(answered);
        }
        worker.process(batch).await;
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
    async fn a_failure_reaches_every_caller_and_the_worker_continues() {
        let (_database, RotationWorker { db, clock, .. }, tokens) = sessions(1).await;
        let rotations = RotationQueue::start(db.clone(), LIFETIMES, clock);
        let rotate = async |mark| rotations.rotate(request(&tokens[0], mark).0.rotation).await;
        assert_eq!(nonce(rotate(1).await.unwrap()), Some(vec![1; 32]));
        db.close().await;
        for outcome in futures_util::future::join_all((0..3).map(rotate)).await {
            assert!(db::is_unavailable(&outcome.unwrap_err()));
        }
    }

    #[test]
    fn a_shared_error_keeps_its_text_and_whether_the_database_is_unavailable() {
        let closed = share_error(&sqlx::Error::PoolClosed);
        assert!(
            db::is_unavailable(&closed) && closed.to_string().contains(&sqlx::Error::PoolClosed.to_string())
        );
        let other = share_error(&sqlx::Error::RowNotFound);
        assert!(
            !db::is_unavailable(&other) && other.to_string().contains(&sqlx::Error::RowNotFound.to_string())
        );
    }
}
