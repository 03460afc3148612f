//! The one expensive thing: hashing passwords. A few threads do it, of low priority and each with memory that it uses again;
//! a short queue waits for them; and what does not fit in there is refused at once. So a flood of logins costs refusals, never
//! memory, and never the requests that only verify tokens.

mod argon;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub(crate) use self::argon::{BOUNDS, is_bearable};
use self::argon::{Memory, Work};
use crate::config::HashingConfig;

/// How long a password may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hashes and checks passwords. Clones share the slots.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    jobs: Sender<Job>,
    /// One for each job that is at work or may wait.
    places: Arc<Semaphore>,
    cost: argon2::Params,
    /// What the password of somebody unknown is compared with, so that they take as long as somebody known.
    decoy: Arc<str>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    since: Instant,
    answer: oneshot::Sender<Result<Outcome, HashingError>>,
    place: Place,
}

/// A place at work or in the queue. It goes with the work until that is done, or was not worth doing: who hangs up does not make
/// room for another by that.
#[derive(Debug)]
pub(crate) struct Place(
    #[expect(dead_code, reason = "held, and given back when dropped")] OwnedSemaphorePermit,
);

#[derive(Debug)]
enum Outcome {
    Hash(String),
    Match(bool),
}

/// Why a password was not hashed or compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HashingError {
    /// Every slot is taken and the queue is full, or the wait was too long.
    #[error("every hashing slot is taken")]
    Busy,
    /// The stored hash is none that this service would make or compute.
    #[error("a stored password hash can't be used: {0}")]
    Unusable(&'static str),
    /// There is no randomness for a salt.
    #[error("no randomness")]
    NoRandomness,
}

impl Hashing {
    /// Starts the slots.
    pub(crate) fn start(config: &HashingConfig) -> Result<Self, HashingError> {
        let (jobs, received) = channel();
        let received = Arc::new(Mutex::new(received));
        for _ in 0..config.slots.get() {
            let received = Arc::clone(&received);
            std::thread::spawn(move || slot(&received));
        }
        Ok(Self {
            jobs,
            places: Arc::new(Semaphore::new(config.slots.get() + config.queue)),
            cost: config.cost.clone(),
            decoy: argon::decoy(&config.cost)?.into(),
        })
    }

    /// Whether one more would be taken now. Asked before anything else is done for a password, so that a flood costs nothing.
    pub(crate) fn has_room(&self) -> bool {
        self.places.available_permits() > 0
    }

    /// Takes a place, for what has to be done between that and the work.
    pub(crate) fn take_place(&self) -> Result<Place, HashingError> {
        Arc::clone(&self.places)
            .try_acquire_owned()
            .map(Place)
            .map_err(|_| HashingError::Busy)
    }

    /// Whether a hash was made at another cost than hashes are made at now.
    pub(crate) fn is_outdated(&self, hash: &str) -> bool {
        argon::cost_of(hash).is_ok_and(|cost| !argon::is_same(&cost, &self.cost))
    }

    /// Hashes a password, normalised, into the PHC string format.
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashingError> {
        match self
            .submit(
                self.take_place()?,
                Work::Hash {
                    password,
                    cost: self.cost.clone(),
                },
            )
            .await?
        {
            Outcome::Hash(hash) => Ok(hash),
            Outcome::Match(_) => Err(HashingError::Unusable("a comparison came back")),
        }
    }

    /// Whether the password, normalised, is the one of this hash. Without a hash, or with one that can't be used, it takes as
    /// long, and is not.
    pub(crate) async fn matches(
        &self,
        place: Place,
        password: String,
        hash: Option<&str>,
    ) -> Result<bool, HashingError> {
        let usable = hash.filter(|hash| {
            argon::cost_of(hash)
                .inspect_err(|error| tracing::error!(%error, "a stored hash is refused"))
                .is_ok()
        });
        let work = Work::Compare {
            password,
            hash: usable.unwrap_or(&self.decoy).to_owned(),
        };
        match self.submit(place, work).await? {
            Outcome::Match(matches) => Ok(matches && usable.is_some()),
            Outcome::Hash(_) => Err(HashingError::Unusable("a hash came back")),
        }
    }

    async fn submit(&self, place: Place, work: Work) -> Result<Outcome, HashingError> {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            work,
            since: Instant::now(),
            answer,
            place,
        };
        self.jobs.send(job).map_err(|_| HashingError::Busy)?;
        answered.await.unwrap_or(Err(HashingError::Busy))
    }
}

/// Works until nobody can ask any more.
fn slot(jobs: &Mutex<Receiver<Job>>) {
    lower_priority();
    let mut memory = Memory::default();
    loop {
        // The lock is held while waiting, which keeps the other slots from nothing but waiting.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job {
            work,
            since,
            answer,
            place,
        }) = job
        else {
            return;
        };
        if answer.is_closed() {
            continue; // Whoever asked has hung up.
        }
        let outcome = if since.elapsed() > PATIENCE {
            Err(HashingError::Busy)
        } else {
            memory.run(work)
        };
        drop(place);
        // Nobody to tell is nothing to do.
        drop(answer.send(outcome));
    }
}

/// The requests that verify tokens go first.
#[cfg(target_os = "linux")]
fn lower_priority() {
    let this_thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(this_thread), 10) {
        tracing::warn!(%error, "hashing slots keep their priority");
    }
}

#[cfg(not(target_os = "linux"))]
fn lower_priority() {}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;

    use futures_util::FutureExt as _;

    use super::*;

    fn hashing(slots: usize, queue: usize, memory_kib: u32) -> Hashing {
        let cost = argon2::Params::new(memory_kib, 1, 1, None).unwrap();
        Hashing::start(&HashingConfig {
            slots: NonZeroUsize::new(slots).unwrap(),
            queue,
            cost,
        })
        .unwrap()
    }

    async fn matches(hashing: &Hashing, password: &str, hash: Option<&str>) -> bool {
        hashing
            .matches(hashing.take_place().unwrap(), password.to_owned(), hash)
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hashing = hashing(1, 4, 64);
        let hash = hashing.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(matches(&hashing, "correct horse", Some(&hash)).await);
        assert!(!matches(&hashing, "correct horsf", Some(&hash)).await);
        assert!(!matches(&hashing, "correct horse", None).await);
        assert_ne!(
            hash,
            hashing.hash("correct horse".to_owned()).await.unwrap(),
            "each has a salt of its own"
        );
    }

    #[tokio::test]
    async fn hashes_of_another_cost_are_compared_at_theirs() {
        let hash = hashing(1, 4, 256).hash("correct horse".to_owned()).await.unwrap();
        let cheaper = hashing(1, 4, 64);
        assert!(matches(&cheaper, "correct horse", Some(&hash)).await);
        let own = cheaper.hash("other".to_owned()).await.unwrap();
        assert!(
            matches(&cheaper, "other", Some(&own)).await,
            "memory of another size is no matter"
        );
    }

    #[tokio::test]
    async fn a_hash_that_can_t_be_used_is_nobody_s_and_takes_as_long_as_one_that_can() {
        let hashing = hashing(1, 4, 19 * 1024);
        let hash = hashing.hash("correct horse".to_owned()).await.unwrap();
        let absurd = hash.replace("m=19456", "m=4294967295");
        // The quickest of a few tries is the one that nothing else in the machine disturbed.
        let quickest = async |hash: &str, expected: bool| {
            let mut quickest = Duration::MAX;
            for _ in 0..5 {
                let begun = Instant::now();
                assert_eq!(matches(&hashing, "correct horse", Some(hash)).await, expected);
                quickest = quickest.min(begun.elapsed());
            }
            quickest
        };
        let usable = quickest(&hash, true).await;
        for unusable in [&absurd, "x"] {
            let taken = quickest(unusable, false).await;
            assert!(taken > usable / 4, "{taken:?}, {usable:?}");
        }
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_outdated() {
        let (old, new) = (hashing(1, 4, 256), hashing(1, 4, 64));
        let hash = old.hash("correct horse".to_owned()).await.unwrap();
        assert!(new.is_outdated(&hash) && !old.is_outdated(&hash));
        assert!(!new.is_outdated("x"), "what can't be used can't be renewed");
    }

    #[tokio::test]
    async fn whoever_hangs_up_keeps_their_place_until_it_is_their_turn() {
        let hashing = hashing(1, 2, 256 * 1024);
        let mut at_work = Box::pin(hashing.hash("correct horse".to_owned()));
        assert!((&mut at_work).now_or_never().is_none());
        for _ in 0..2 {
            let work = Work::Hash {
                password: "correct horse".to_owned(),
                cost: hashing.cost.clone(),
            };
            let asked = hashing.submit(hashing.take_place().unwrap(), work).now_or_never();
            assert!(asked.is_none(), "it was asked, and nobody waits for the answer");
        }
        assert!(!hashing.has_room());
        assert!(matches!(
            hashing.hash("correct horse".to_owned()).await,
            Err(HashingError::Busy)
        ));
        at_work.await.unwrap();
        while !hashing.has_room() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn what_does_not_fit_in_the_queue_is_refused_and_the_rest_is_done() {
        let hashing = hashing(1, 2, 19 * 1024);
        let asked = (0..20).map(|_| hashing.hash("correct horse".to_owned()));
        let (done, refused): (Vec<_>, Vec<_>) = futures_util::future::join_all(asked)
            .await
            .into_iter()
            .partition(Result::is_ok);
        assert_eq!(done.len(), 3, "one at work and two waiting");
        assert!(
            refused
                .iter()
                .all(|refusal| matches!(refusal, Err(HashingError::Busy)))
        );
        assert!(
            hashing.hash("correct horse".to_owned()).await.is_ok(),
            "the slot is free again"
        );
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_computed() {
        let hashing = hashing(1, 64, 19 * 1024);
        for _ in 0..60 {
            let work = Work::Hash {
                password: "correct horse".to_owned(),
                cost: hashing.cost.clone(),
            };
            let (answer, gone) = oneshot::channel();
            drop(gone);
            let place = hashing.take_place().unwrap();
            hashing
                .jobs
                .send(Job {
                    work,
                    since: Instant::now(),
                    answer,
                    place,
                })
                .unwrap();
        }
        let begun = Instant::now();
        hashing.hash("correct horse".to_owned()).await.unwrap();
        let alone = Instant::now();
        hashing.hash("correct horse".to_owned()).await.unwrap();
        assert!(
            begun.elapsed() < alone.elapsed() * 20,
            "sixty others would take sixty times as long"
        );
    }

    #[tokio::test]
    async fn what_waited_too_long_is_refused() {
        let hashing = hashing(1, 4, 64);
        let work = Work::Hash {
            password: "correct horse".to_owned(),
            cost: hashing.cost.clone(),
        };
        let (answer, answered) = oneshot::channel();
        let since = Instant::now().checked_sub(PATIENCE * 2).unwrap();
        let place = hashing.take_place().unwrap();
        hashing
            .jobs
            .send(Job {
                work,
                since,
                answer,
                place,
            })
            .unwrap();
        assert!(matches!(answered.await.unwrap(), Err(HashingError::Busy)));
    }
}
