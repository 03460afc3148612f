//! A restart of user-service with many readers: how soon the last one is ready again, and whether their return delays others.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::PROCESS_GONE;
use super::readers::Readers;
use super::sessions::Session;
use crate::load::Percentiles;
use crate::platform::Platform;
use crate::report::Finding;
use crate::wire::{Wire, get};
use crate::{Failure, cpu, say};

pub(super) const RESTARTS: usize = 3;
/// How long requests are measured before each restart. After ten seconds `stack` no longer counts the previous restart.
const BEFORE: Duration = Duration::from_millis(10_500);
/// The pause between timed requests, so that they are a sample and not a load.
const PAUSE: Duration = Duration::from_millis(2);
const POLL_INTERVAL: Duration = Duration::from_millis(2);
const TIMEOUT: Duration = Duration::from_secs(30);

/// The measurements of all restarts. Times are in milliseconds.
#[derive(Default)]
struct Restarts {
    up_after: Vec<f64>,
    ready_after: Vec<f64>,
    ready_after_up: Vec<f64>,
    attempts: Vec<f64>,
    p99_before: Vec<f64>,
    p99_during: Vec<f64>,
    max_during: Vec<f64>,
}

/// The readers have this number of revocations at first. Each of the sessions ends after a restart; the token of `kept` is that of
/// timed requests.
pub(super) async fn measure(
    platform: &Platform,
    readers: &Readers,
    ended: usize,
    sessions: &[Session],
    kept: &Session,
) -> Result<Vec<Finding>, Failure> {
    let mut restarts = Restarts::default();
    for (session, ended) in sessions.iter().zip(ended + 1..) {
        say("revocation: user-service restarts");
        restart(platform, readers, ended, session, kept, &mut restarts).await?;
    }
    let named = |what: &str| format!("readers: restart: {what}");
    Ok(vec![
        Finding::new(
            named("user-service answers again after"),
            "ms",
            &restarts.up_after,
        ),
        Finding::new(
            named("the last reader is up to date after"),
            "ms",
            &restarts.ready_after,
        ),
        Finding::new(
            named("that is, after the first answer"),
            "ms",
            &restarts.ready_after_up,
        ),
        Finding::new(
            named("connections of a reader, with failed ones"),
            "",
            &restarts.attempts,
        ),
        Finding::new(named("p99 of GET /users/me before"), "ms", &restarts.p99_before),
        Finding::new(
            named("p99 of GET /users/me while readers return"),
            "ms",
            &restarts.p99_during,
        ),
        Finding::new(
            named("max of GET /users/me while readers return"),
            "ms",
            &restarts.max_during,
        ),
        Finding::ratio(
            named("p99 while readers return ÷ before"),
            &restarts.p99_during,
            &restarts.p99_before,
        ),
    ])
}

async fn restart(
    platform: &Platform,
    readers: &Readers,
    ended: usize,
    session: &Session,
    kept: &Session,
    restarts: &mut Restarts,
) -> Result<(), Failure> {
    let port = platform.port("user-service")?;
    let request = get("/users/me", &kept.token);
    let started = Instant::now();
    let before = latencies(port, &request, || started.elapsed() > BEFORE).await?;
    let connections = readers.connections();

    let killed = Instant::now();
    stop_user_service(platform).await?;
    log_out_as_soon_as_possible(port, session).await?;
    let up = Instant::now();
    // A reader that was away gets this revocation before it is ready.
    let is_over = Cell::new(false);
    let return_of_readers = async {
        let last = readers
            .wait_until_each(move |verifier| verifier.revocations().len() >= ended)
            .await;
        is_over.set(true);
        last
    };
    let (ready, during) = tokio::try_join!(return_of_readers, latencies(port, &request, || is_over.get()))?;

    let ms = |duration: Duration| duration.as_secs_f64() * 1_000.0;
    let (before, during) = (Percentiles::of(before), Percentiles::of(during));
    restarts.up_after.push(ms(up - killed));
    restarts.ready_after.push(ms(ready - killed));
    restarts
        .ready_after_up
        .push(ms(ready.saturating_duration_since(up)));
    let attempts = u32::try_from(readers.connections() - connections)?;
    restarts
        .attempts
        .push(f64::from(attempts) / f64::from(readers.count()?));
    restarts.p99_before.push(before.p99);
    restarts.p99_during.push(during.p99);
    restarts.max_during.push(during.max);
    Ok(())
}

/// Requests `SIGTERM`, and waits until the process has ended. `stack` then starts another.
async fn stop_user_service(platform: &Platform) -> Result<(), Failure> {
    let stack = platform.pid().ok_or(PROCESS_GONE)?;
    let process = cpu::process_of_service(stack, "user-service")?;
    let pid = Pid::from_raw(process.try_into()?).ok_or(PROCESS_GONE)?;
    kill_process(pid, Signal::TERM)?;
    let ended = async {
        while cpu::is_running(process) {
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    };
    tokio::time::timeout(TIMEOUT, ended)
        .await
        .map_err(|_| "user-service did not stop")?;
    Ok(())
}

async fn log_out_as_soon_as_possible(port: u16, session: &Session) -> Result<(), Failure> {
    let started = Instant::now();
    loop {
        let log_out = async { session.log_out(&mut Wire::open(port).await?).await };
        match log_out.await {
            Ok(()) => return Ok(()),
            Err(error) if started.elapsed() > TIMEOUT => return Err(error),
            Err(_) => tokio::time::sleep(POLL_INTERVAL).await,
        }
    }
}

/// The times of requests until this is over, at least one.
async fn latencies(port: u16, request: &str, is_over: impl Fn() -> bool) -> Result<Vec<Duration>, Failure> {
    let mut wire = Wire::open(port).await?;
    let mut times = Vec::new();
    loop {
        let sent = Instant::now();
        let status = wire.send(request).await?.status;
        times.push(sent.elapsed());
        if status != 200 {
            return Err(format!("a request got status {status}").into());
        }
        if is_over() {
            return Ok(times);
        }
        tokio::time::sleep(PAUSE).await;
    }
}
