//! Many verifiers in one process, each with its own reader of the feed, as in a service.

use std::fs;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use auth::{Keys, Profile, RemoteKeys, RevocationFeed, ServiceCredentials, Verifier};
use bench::tokens::ISSUER;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::Failure;
use crate::platform::Platform;

/// The service as which they read.
const READER: &str = "product-service";
const TIMEOUT: Duration = Duration::from_secs(60);
/// How long a waiting thread sleeps before it looks again: the resolution of all times.
const POLL_INTERVAL: Duration = Duration::from_micros(200);
/// The connections of a reader: its stream, its report of keys, and the key set. Some files more for the rest.
const FILES_PER_READER: u64 = 3;
const OTHER_FILES: u64 = 200;

/// Running readers, on a separate thread. They stop when this is dropped.
pub(super) struct Readers {
    verifiers: Arc<[Verifier]>,
    thread: Option<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    /// When all of them began to connect.
    pub started: Instant,
}

impl Readers {
    pub(super) async fn start(platform: &Platform, count: u32) -> Result<Self, Failure> {
        let origin = platform.url("user-service")?;
        let secret = fs::read_to_string(platform.data(&format!("{READER}-secret")))?;
        let secret = SecretString::from(secret.trim_end());
        let (built, when_built) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = std::thread::spawn(move || {
            run(&origin, &secret, count, built, stopped);
        });
        let (verifiers, started) = when_built.await??;
        Ok(Self {
            verifiers,
            thread: Some(thread),
            stop: Some(stop),
            started,
        })
    }

    /// Waits until this holds for each reader, and returns when that was.
    pub(super) async fn wait_until_each(
        &self,
        holds: impl Fn(&Verifier) -> bool + Send + 'static,
    ) -> Result<Instant, Failure> {
        // The thread ends when the readers stop.
        let verifiers = Arc::downgrade(&self.verifiers);
        let wait = move || {
            let (started, mut next) = (Instant::now(), 0);
            while let Some(verifiers) = verifiers.upgrade() {
                next += verifiers
                    .iter()
                    .skip(next)
                    .take_while(|verifier| holds(verifier))
                    .count();
                if next == verifiers.len() {
                    return Ok(Instant::now());
                }
                if started.elapsed() > TIMEOUT {
                    return Err(format!("reader {next} was not there within {TIMEOUT:?}"));
                }
                drop(verifiers);
                std::thread::sleep(POLL_INTERVAL);
            }
            Err("the readers have stopped".to_owned())
        };
        Ok(tokio::task::spawn_blocking(wait).await??)
    }

    pub(super) fn count(&self) -> Result<u32, Failure> {
        Ok(self.verifiers.len().try_into()?)
    }

    /// How often all of them have connected or tried to.
    pub(super) fn connections(&self) -> u64 {
        let feeds = self
            .verifiers
            .iter()
            .filter_map(|verifier| verifier.statistics().feed);
        feeds.map(|feed| feed.connections).sum()
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has made the measurement fail.
            drop(thread.join());
        }
    }
}

type Built = Result<(Arc<[Verifier]>, Instant), String>;

/// Runs the readers until the channel closes.
fn run(
    origin: &str,
    secret: &SecretString,
    count: u32,
    built: oneshot::Sender<Built>,
    stopped: oneshot::Receiver<()>,
) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return drop(built.send(Err(error.to_string()))),
    };
    runtime.block_on(async {
        // No task runs before this one waits, so the readers begin at the same time.
        let verifiers: Result<Arc<[_]>, Failure> = (0..count).map(|_| verifier(origin, secret)).collect();
        let verifiers = verifiers.map(|verifiers| (verifiers, Instant::now()));
        drop(built.send(verifiers.map_err(|error| error.to_string())));
        // An error means the end, too.
        drop(stopped.await);
    });
}

fn verifier(origin: &str, secret: &SecretString) -> Result<Verifier, Failure> {
    let credentials = ServiceCredentials::new(READER, secret.clone(), format!("{origin}/oauth/token"));
    let feed = RevocationFeed::at(&credentials, "user-service", origin)?;
    let keys = Keys::remote(RemoteKeys::at(&format!("{origin}/.well-known/jwks.json"))?);
    // They verify no tokens.
    let verifier = Verifier::builder(ISSUER, keys, Profile::countersign(READER)).cache_bytes(4_096);
    Ok(verifier.feed(feed).build())
}

/// Raises the limit of open files of this process and of its children, if it is too low for this number of readers.
pub(super) fn allow_files_for(readers: u32) -> Result<(), Failure> {
    let count = u64::from(readers) * FILES_PER_READER + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= count) {
        return Ok(());
    }
    let more = Rlimit {
        current: Some(count),
        ..limit
    };
    setrlimit(Resource::Nofile, more).map_err(|error| {
        format!("{readers} readers need {count} open files (see `ulimit -Hn`): {error}").into()
    })
}
