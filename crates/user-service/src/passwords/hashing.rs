//! Password hashing, the only expensive operation of this service. A few threads, the hashing slots, hash at low priority. Each
//! slot reuses its memory. Jobs wait in a short queue; when the queue is full, a job is refused at once. So a flood of logins is
//! refused, and takes no memory or CPU from requests that only verify tokens.

mod argon2id;
mod config;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

pub(crate) use self::argon2id::HashingError;
use self::argon2id::{Memory, Outcome, Work};
pub use self::config::HashingConfig;
use crate::error::UserError;

/// How long a job may wait for a slot.
const MAX_WAIT: Duration = Duration::from_secs(5);

const SLOT_STOPPED: HashingError = HashingError::Internal("a hashing slot has stopped");

/// Hashes and compares passwords. Clones share the slots.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    jobs: Sender<Job>,
    /// One permit for each job that runs or waits.
    permits: Arc<Semaphore>,
    cost: argon2::Params,
    /// The hash with which the password of an unknown user is compared, so that the comparison takes the same time as for a known
    /// user.
    decoy: Arc<str>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    queued_at: Instant,
    answer: oneshot::Sender<Result<Outcome, HashingError>>,
    permit: Permit,
}

/// The permission for one job to run or to wait in the queue. The job keeps its permit until it is done or skipped. A caller that
/// disconnects does not free the permit, so an attacker gains no additional permits by disconnecting early.
#[derive(Debug)]
pub(crate) struct Permit(
    #[expect(dead_code, reason = "returned to the semaphore on drop")] OwnedSemaphorePermit,
);

impl Hashing {
    /// Starts the slots.
    pub(crate) fn start(config: &HashingConfig) -> Result<Self, HashingError> {
        let (jobs, received) = channel();
        let received = Arc::new(Mutex::new(received));
        for _ in 0..config.slots.get() {
            let received = Arc::clone(&received);
            std::thread::spawn(move || run_slot(&received));
        }
        Ok(Self {
            jobs,
            permits: Arc::new(Semaphore::new(config.slots.get() + config.queue)),
            cost: config.cost.clone(),
            decoy: argon2id::decoy(&config.cost)?.into(),
        })
    }

    /// Whether a permit is available now.
    pub(crate) fn has_capacity(&self) -> bool {
        self.permits.available_permits() > 0
    }

    /// Acquires a permit, for a caller that has other work to do before it submits the job.
    pub(crate) fn acquire(&self) -> Result<Permit, HashingError> {
        Arc::clone(&self.permits)
            .try_acquire_owned()
            .map(Permit)
            .map_err(|_| HashingError::Busy)
    }

    /// Whether a hash was made at another cost than the configured cost. Returns false for an invalid hash.
    pub(crate) fn is_outdated(&self, hash: &str) -> bool {
        argon2id::cost_of(hash).is_ok_and(|cost| !argon2id::is_same_cost(&cost, &self.cost))
    }

    /// Hashes a normalized password into the PHC string format.
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashingError> {
        let cost = self.cost.clone();
        let work = Work::Hash { password, cost };
        match self.submit(self.acquire()?, work).await? {
            Outcome::Hash(hash) => Ok(hash),
            Outcome::Match(_) => Err(HashingError::Internal(
                "a slot returned a comparison instead of a hash",
            )),
        }
    }

    /// Whether the normalized password has this hash. Without a hash or with an invalid hash, the result is false and takes the
    /// same time.
    pub(crate) async fn matches(
        &self,
        permit: Permit,
        password: String,
        hash: Option<&str>,
    ) -> Result<bool, HashingError> {
        let valid = hash.filter(|hash| {
            argon2id::cost_of(hash)
                .inspect_err(|error| tracing::error!(%error, "a stored password hash is refused"))
                .is_ok()
        });
        let work = Work::Compare {
            password,
            hash: valid.unwrap_or(&self.decoy).to_owned(),
        };
        match self.submit(permit, work).await? {
            Outcome::Match(matches) => Ok(matches && valid.is_some()),
            Outcome::Hash(_) => Err(HashingError::Internal(
                "a slot returned a hash instead of a comparison",
            )),
        }
    }

    async fn submit(&self, permit: Permit, work: Work) -> Result<Outcome, HashingError> {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            work,
            queued_at: Instant::now(),
            answer,
            permit,
        };
        self.jobs.send(job).map_err(|_| SLOT_STOPPED)?;
        answered.await.unwrap_or(Err(SLOT_STOPPED))
    }
}

impl From<HashingError> for UserError {
    fn from(error: HashingError) -> Self {
        match error {
            HashingError::Busy => Self::Busy,
            HashingError::InvalidStoredHash(_)
            | HashingError::Internal(_)
            | HashingError::NoRandomness(_) => Self::Internal(error.into()),
        }
    }
}

/// Runs jobs until every [`Hashing`] is dropped.
fn run_slot(jobs: &Mutex<Receiver<Job>>) {
    lower_priority();
    let mut memory = Memory::default();
    loop {
        // The slot keeps the lock while it waits for a job. The other slots then wait for the lock instead of a job.
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job {
            work,
            queued_at,
            answer,
            permit,
        }) = job
        else {
            return;
        };
        // Skip callers that disconnected.
        if answer.is_closed() {
            continue;
        }

        let outcome = if queued_at.elapsed() > MAX_WAIT {
            Err(HashingError::Busy)
        } else {
            catch_panic(|| memory.run(work))
        };
        drop(permit);
        // The caller may have disconnected meanwhile.
        drop(answer.send(outcome));
    }
}

/// Runs a job. A job that panics returns an error, so that its slot survives: without this, each panic would cost a slot until the
/// next start.
fn catch_panic(job: impl FnOnce() -> Result<Outcome, HashingError>) -> Result<Outcome, HashingError> {
    // The memory may have any content after a panic. The next hash overwrites the memory.
    catch_unwind(AssertUnwindSafe(job)).unwrap_or(Err(HashingError::Internal("hashing panicked")))
}

/// Lets the threads that verify tokens run first.
#[cfg(target_os = "linux")]
fn lower_priority() {
    let this_thread = rustix::thread::gettid();
    if let Err(error) = rustix::process::setpriority_process(Some(this_thread), 10) {
        tracing::warn!(%error, "the priority of a hashing slot can't be lowered");
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
            .matches(hashing.acquire().unwrap(), password.to_owned(), hash)
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
            "each hash has its own salt"
        );
    }

    #[test]
    fn a_panic_in_a_job_becomes_an_error() {
        let outcome = catch_panic(|| panic!("the first job"));
        assert!(matches!(outcome, Err(HashingError::Internal(_))));
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_compared_at_that_cost() {
        let hash = hashing(1, 4, 256).hash("correct horse".to_owned()).await.unwrap();
        let cheaper = hashing(1, 4, 64);
        assert!(matches(&cheaper, "correct horse", Some(&hash)).await);
        let own = cheaper.hash("other".to_owned()).await.unwrap();
        assert!(
            matches(&cheaper, "other", Some(&own)).await,
            "the memory of the earlier hash is reused"
        );
    }

    #[tokio::test]
    async fn an_invalid_hash_matches_no_password_and_takes_as_long_as_a_valid_one() {
        let hashing = hashing(1, 4, 19 * 1024);
        let hash = hashing.hash("correct horse".to_owned()).await.unwrap();
        let absurd = hash.replace("m=19456", "m=4294967295");
        // The quickest of several runs is the least disturbed by other processes.
        let quickest = async |hash: &str, expected: bool| {
            let mut quickest = Duration::MAX;
            for _ in 0..5 {
                let begun = Instant::now();
                assert_eq!(matches(&hashing, "correct horse", Some(hash)).await, expected);
                quickest = quickest.min(begun.elapsed());
            }
            quickest
        };
        let valid = quickest(&hash, true).await;
        for invalid in [&absurd, "x"] {
            let taken = quickest(invalid, false).await;
            assert!(taken > valid / 4, "{taken:?}, {valid:?}");
        }
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_outdated() {
        let (old, new) = (hashing(1, 4, 256), hashing(1, 4, 64));
        let hash = old.hash("correct horse".to_owned()).await.unwrap();
        assert!(new.is_outdated(&hash) && !old.is_outdated(&hash));
        assert!(!new.is_outdated("x"), "an invalid hash is not outdated");
    }

    #[tokio::test]
    async fn a_job_whose_caller_disconnected_keeps_its_permit_until_its_turn() {
        let hashing = hashing(1, 2, 256 * 1024);
        let mut running = Box::pin(hashing.hash("correct horse".to_owned()));
        assert!((&mut running).now_or_never().is_none());
        for _ in 0..2 {
            let work = Work::Hash {
                password: "correct horse".to_owned(),
                cost: hashing.cost.clone(),
            };
            let answer = hashing.submit(hashing.acquire().unwrap(), work).now_or_never();
            assert!(answer.is_none(), "the job waits, and its caller has disconnected");
        }
        assert!(!hashing.has_capacity());
        assert!(matches!(
            hashing.hash("correct horse".to_owned()).await,
            Err(HashingError::Busy)
        ));
        running.await.unwrap();
        while !hashing.has_capacity() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_full_queue_refuses_further_passwords_and_serves_the_others() {
        let hashing = hashing(1, 2, 19 * 1024);
        let hashes = (0..20).map(|_| hashing.hash("correct horse".to_owned()));
        let (done, refused): (Vec<_>, Vec<_>) = futures_util::future::join_all(hashes)
            .await
            .into_iter()
            .partition(Result::is_ok);
        assert_eq!(done.len(), 3, "one running and two waiting");
        assert!(
            refused
                .iter()
                .all(|refused| matches!(refused, Err(HashingError::Busy)))
        );
        assert!(
            hashing.hash("correct horse".to_owned()).await.is_ok(),
            "the slot is free again"
        );
    }

    #[tokio::test]
    async fn a_job_whose_caller_disconnected_is_not_computed() {
        let hashing = hashing(1, 64, 19 * 1024);
        for _ in 0..60 {
            let work = Work::Hash {
                password: "correct horse".to_owned(),
                cost: hashing.cost.clone(),
            };
            let (answer, disconnected) = oneshot::channel();
            drop(disconnected);
            let permit = hashing.acquire().unwrap();
            hashing
                .jobs
                .send(Job {
                    work,
                    queued_at: Instant::now(),
                    answer,
                    permit,
                })
                .unwrap();
        }
        let begun = Instant::now();
        hashing.hash("correct horse".to_owned()).await.unwrap();
        let alone = Instant::now();
        hashing.hash("correct horse".to_owned()).await.unwrap();
        assert!(
            begun.elapsed() < alone.elapsed() * 20,
            "sixty computed jobs would take sixty times as long"
        );
    }

    #[tokio::test]
    async fn a_job_that_waited_too_long_is_refused() {
        let hashing = hashing(1, 4, 64);
        let work = Work::Hash {
            password: "correct horse".to_owned(),
            cost: hashing.cost.clone(),
        };
        let (answer, answered) = oneshot::channel();
        let queued_at = Instant::now().checked_sub(MAX_WAIT * 2).unwrap();
        let permit = hashing.acquire().unwrap();
        hashing
            .jobs
            .send(Job {
                work,
                queued_at,
                answer,
                permit,
            })
            .unwrap();
        assert!(matches!(answered.await.unwrap(), Err(HashingError::Busy)));
    }
}
