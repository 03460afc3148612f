//! The one expensive thing: hashing passwords. A few threads do it, of low priority and each with memory that it uses again;
//! a short queue waits for them; and what does not fit in there is refused at once. So a flood of logins costs refusals, never
//! memory, and never the requests that only verify tokens.

mod argon;

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

pub(crate) use self::argon::{BOUNDS, is_bearable};
use self::argon::{Memory, Work};
use crate::config::HashingConfig;

/// How long a password may wait for its turn.
const PATIENCE: Duration = Duration::from_secs(5);

/// Hashes and checks passwords. Clones share the slots.
#[derive(Clone, Debug)]
pub(crate) struct Hashing {
    queue: SyncSender<Job>,
    cost: argon2::Params,
    /// What the password of somebody unknown is compared with, so that they take as long as somebody known.
    decoy: Arc<str>,
}

#[derive(Debug)]
struct Job {
    work: Work,
    since: Instant,
    answer: oneshot::Sender<Result<Outcome, HashingError>>,
}

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
        // A slot takes a job out of the channel when it begins, so what is in there waits.
        let (queue, jobs) = sync_channel(config.queue);
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..NonZeroUsize::get(config.slots) {
            let jobs = Arc::clone(&jobs);
            std::thread::spawn(move || slot(&jobs));
        }
        Ok(Self { queue, cost: config.cost.clone(), decoy: argon::decoy(&config.cost)?.into() })
    }

    /// Hashes a password, normalised, into the PHC string format.
    pub(crate) async fn hash(&self, password: String) -> Result<String, HashingError> {
        match self.submit(Work::Hash { password, cost: self.cost.clone() }).await? {
            Outcome::Hash(hash) => Ok(hash),
            Outcome::Match(_) => Err(HashingError::Unusable("a comparison came back")),
        }
    }

    /// Whether the password, normalised, is the one of this hash. Without a hash it takes as long, and is not.
    pub(crate) async fn matches(&self, password: String, hash: Option<&str>) -> Result<bool, HashingError> {
        let work = Work::Compare { password, hash: hash.unwrap_or(&self.decoy).to_owned() };
        match self.submit(work).await? {
            Outcome::Match(matches) => Ok(matches && hash.is_some()),
            Outcome::Hash(_) => Err(HashingError::Unusable("a hash came back")),
        }
    }

    async fn submit(&self, work: Work) -> Result<Outcome, HashingError> {
        let (answer, answered) = oneshot::channel();
        self.queue.try_send(Job { work, since: Instant::now(), answer }).map_err(
            |refused| match refused {
                TrySendError::Full(_) | TrySendError::Disconnected(_) => HashingError::Busy,
            },
        )?;
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
        let Ok(Job { work, since, answer }) = job else { return };
        if answer.is_closed() {
            continue; // Whoever asked has hung up.
        }
        let outcome = if since.elapsed() > PATIENCE { Err(HashingError::Busy) } else { memory.run(work) };
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
    use super::*;

    fn hashing(slots: usize, queue: usize, memory_kib: u32) -> Hashing {
        let cost = argon2::Params::new(memory_kib, 1, 1, None).unwrap();
        Hashing::start(&HashingConfig { slots: NonZeroUsize::new(slots).unwrap(), queue, cost }).unwrap()
    }

    #[tokio::test]
    async fn a_password_matches_its_own_hash_only() {
        let hashing = hashing(1, 4, 64);
        let hash = hashing.hash("correct horse".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(hashing.matches("correct horse".to_owned(), Some(&hash)).await.unwrap());
        assert!(!hashing.matches("correct horsf".to_owned(), Some(&hash)).await.unwrap());
        assert!(!hashing.matches("correct horse".to_owned(), None).await.unwrap());
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
        assert!(cheaper.matches("correct horse".to_owned(), Some(&hash)).await.unwrap());
        let own = cheaper.hash("other".to_owned()).await.unwrap();
        assert!(
            cheaper.matches("other".to_owned(), Some(&own)).await.unwrap(),
            "memory of another size is no matter"
        );
    }

    #[tokio::test]
    async fn what_does_not_fit_in_the_queue_is_refused_and_the_rest_is_done() {
        let hashing = hashing(1, 2, 19 * 1024);
        let asked = (0..20).map(|_| hashing.hash("correct horse".to_owned()));
        let (done, refused): (Vec<_>, Vec<_>) =
            futures_util::future::join_all(asked).await.into_iter().partition(Result::is_ok);
        assert!((2..=4).contains(&done.len()), "one at work and two waiting: {}", done.len());
        assert!(refused.iter().all(|refusal| matches!(refusal, Err(HashingError::Busy))));
        assert!(hashing.hash("correct horse".to_owned()).await.is_ok(), "the slot is free again");
    }

    #[tokio::test]
    async fn what_nobody_waits_for_is_not_computed() {
        let hashing = hashing(1, 64, 19 * 1024);
        for _ in 0..60 {
            let work = Work::Hash { password: "correct horse".to_owned(), cost: hashing.cost.clone() };
            let (answer, gone) = oneshot::channel();
            drop(gone);
            hashing.queue.try_send(Job { work, since: Instant::now(), answer }).unwrap();
        }
        let begun = Instant::now();
        hashing.hash("correct horse".to_owned()).await.unwrap();
        let alone = Instant::now();
        hashing.hash("correct horse".to_owned()).await.unwrap();
        assert!(begun.elapsed() < alone.elapsed() * 20, "sixty others would take sixty times as long");
    }

    #[tokio::test]
    async fn what_waited_too_long_is_refused() {
        let hashing = hashing(1, 4, 64);
        let work = Work::Hash { password: "correct horse".to_owned(), cost: hashing.cost.clone() };
        let (answer, answered) = oneshot::channel();
        let since = Instant::now().checked_sub(PATIENCE * 2).unwrap();
        hashing.queue.try_send(Job { work, since, answer }).unwrap();
        assert!(matches!(answered.await.unwrap(), Err(HashingError::Busy)));
    }
}
