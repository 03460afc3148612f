//! Measures the latency of verified requests during a flood of logins.

use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::load::Tally;
use crate::options::Options;
use crate::platform::Platform;
use crate::report::Finding;
use crate::users::User;
use crate::wire::{Wire, get, post_json};
use crate::{Failure, say};

/// The number of attackers: twice the length of user-service's queue.
const ATTACKERS: u32 = 128;
/// The delay of an attacker after a refusal.
const RETRY_DELAY: Duration = Duration::from_millis(100);
/// The pause between timed requests, so that they are a sample and not a load.
const PAUSE: Duration = Duration::from_millis(2);

/// The measured routes: one of the service that hashes, and one of a service that does not.
const ROUTES: [(&str, &str); 2] = [("user-service", "/users/me"), ("order-service", "/orders")];

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    say(&format!("flood: {ATTACKERS} concurrent attackers"));
    let platform = Platform::start(&options.stack.program()?, None).await?;
    let [user] = User::register(&platform, 1)
        .await?
        .try_into()
        .map_err(|_| "expected one user")?;
    let token = user
        .log_in(&mut Wire::open(platform.port("user-service")?).await?)
        .await?
        .access_token;

    let mut findings = Vec::new();
    for (service, path) in ROUTES {
        let wires = [Mutex::new(Wire::open(platform.port(service)?).await?)];
        let probe = Probe {
            wires,
            request: get(path, &token),
        };
        probe.p99_ms(Duration::from_secs(1)).await?;
        let (mut idle, mut flooded) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            idle.push(probe.p99_ms(options.each()).await?);
            let flood = Flood::start(&platform).await?;
            flooded.push(probe.p99_ms(options.each()).await?);
            flood.stop(&platform).await?;
        }
        findings.extend([
            Finding::new(format!("flood: {service}, p99 idle"), "ms", &idle),
            Finding::new(
                format!("flood: {service}, p99 during a login flood"),
                "ms",
                &flooded,
            ),
            Finding::ratio(format!("flood: {service}, p99 during ÷ idle"), &flooded, &idle).at_most(2.0),
        ]);
    }
    Ok(findings)
}

/// A user with a valid token.
struct Probe {
    wires: [Mutex<Wire>; 1],
    request: String,
}

impl Probe {
    async fn p99_ms(&self, duration: Duration) -> Result<f64, Failure> {
        let mut tally = Tally::with_pauses(PAUSE);
        let send = async |wire: &Mutex<Wire>| Ok(wire.lock().await.send(&self.request).await?.status);
        tally.add(&self.wires, duration, send).await?;
        tally.expect_only(200)?;
        Ok(tally.p99().as_secs_f64() * 1_000.0)
    }
}

/// Attackers that log in concurrently, each with a different unknown address. They run on a separate thread, so that timed requests
/// don't wait for the load generator.
struct Flood {
    thread: JoinHandle<Result<(), String>>,
    stop: oneshot::Sender<()>,
}

impl Flood {
    /// Starts the attackers, and returns after the first refusal.
    async fn start(platform: &Platform) -> Result<Self, Failure> {
        let port = platform.port("user-service")?;
        let (stop, stopped) = oneshot::channel();
        let (refused, mut first_refusal) = mpsc::channel(1);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(async {
                tokio::select! {
                    result = try_join_all((0..ATTACKERS).map(|number| keep_guessing(number, port, &refused))) => {
                        result.map(drop::<Vec<()>>).map_err(|error| error.to_string())
                    }
                    _ = stopped => Ok(()),
                }
            })
        });
        if tokio::time::timeout(Duration::from_secs(30), first_refusal.recv())
            .await?
            .is_some()
        {
            Ok(Self { thread, stop })
        } else {
            thread.join().map_err(|_| "the flood has panicked")??;
            Err("no attacker was refused".into())
        }
    }

    /// Stops the attackers, and waits until user-service has processed their queued guesses.
    async fn stop(self, platform: &Platform) -> Result<(), Failure> {
        // If the thread has ended by itself, it returns an error.
        drop(self.stop);
        self.thread.join().map_err(|_| "the flood has panicked")??;
        let mut wire = Wire::open(platform.port("user-service")?).await?;
        let guess = guess_at("unknown@example.com");
        let compared = async {
            while wire.send(&guess).await?.status == 503 {}
            Ok(())
        };
        tokio::time::timeout(Duration::from_secs(30), compared).await?
    }
}

/// Guesses until cancelled or failed. The start times differ, so that refused attackers don't return all at once.
async fn keep_guessing(number: u32, port: u16, refused: &mpsc::Sender<()>) -> Result<(), Failure> {
    tokio::time::sleep(RETRY_DELAY * number / ATTACKERS).await;
    let mut wire = Wire::open(port).await?;
    let guess = guess_at(&format!("unknown-{number}@example.com"));
    loop {
        match wire.send(&guess).await?.status {
            401 => {}
            503 => {
                // The channel has room for one message, which suffices.
                refused.try_send(()).ok();
                tokio::time::sleep(RETRY_DELAY).await;
            }
            status => return Err(format!("a guess got status {status}").into()),
        }
    }
}

fn guess_at(email: &str) -> String {
    post_json(
        "/auth/login",
        &json!({"email": email, "password": "a guess at a password"}),
    )
}
