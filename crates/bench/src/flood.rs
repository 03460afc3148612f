//! How long verified requests take while far more people log in than can be let in.

use std::thread::JoinHandle;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;
use tokio::sync::{Mutex, mpsc, oneshot};

use crate::load::Tally;
use crate::options::Options;
use crate::people::Person;
use crate::platform::Platform;
use crate::report::Finding;
use crate::wire::{Wire, get, post_json};
use crate::{Failure, say};

/// Twice as many as user-service lets wait.
const FLOOD: u32 = 128;
/// Whoever is refused asks again so soon.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Between the requests that are timed, which are to be a sample and no load.
const PAUSE: Duration = Duration::from_millis(2);

/// Who is asked: the service that hashes, and one that does not.
const ASKED: [(&str, &str); 2] = [("user-service", "/users/me"), ("order-service", "/orders")];

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    say(&format!("flood: {FLOOD} log in at once"));
    let platform = Platform::start(&options.stack.program()?, None).await?;
    let [person] = Person::register(&platform, 1)
        .await?
        .try_into()
        .map_err(|_| "not one person")?;
    let token = person
        .log_in(&mut Wire::open(platform.port("user-service")?).await?)
        .await?
        .access_token;

    let mut findings = Vec::new();
    for (service, path) in ASKED {
        let wires = [Mutex::new(Wire::open(platform.port(service)?).await?)];
        let probe = Probe {
            wires,
            request: get(path, &token),
        };
        probe.p99_ms(Duration::from_secs(1)).await?;
        let (mut idle, mut flooded) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            idle.push(probe.p99_ms(options.each()).await?);
            let flood = Flood::rise(&platform).await?;
            flooded.push(probe.p99_ms(options.each()).await?);
            flood.ebb(&platform).await?;
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

/// Somebody with a good token.
struct Probe {
    wires: [Mutex<Wire>; 1],
    request: String,
}

impl Probe {
    async fn p99_ms(&self, duration: Duration) -> Result<f64, Failure> {
        let mut tally = Tally::with_pauses(PAUSE);
        let ask = async |wire: &Mutex<Wire>| Ok(wire.lock().await.ask(&self.request).await?.status);
        tally.add(&self.wires, duration, ask).await?;
        tally.expect_only(200)?;
        Ok(tally.p99().as_secs_f64() * 1_000.0)
    }
}

/// Those who try to log in, all at once, each with another address, which nobody has. They are on a thread of their own, so that
/// nobody whose requests are timed waits for the load generator.
struct Flood {
    thread: JoinHandle<Result<(), String>>,
    over: oneshot::Sender<()>,
}

impl Flood {
    /// Returns once some are refused.
    async fn rise(platform: &Platform) -> Result<Self, Failure> {
        let port = platform.port("user-service")?;
        let (over, ebb) = oneshot::channel();
        let (refused, mut height) = mpsc::channel(1);
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = runtime.map_err(|error| error.to_string())?;
            runtime.block_on(async {
                tokio::select! {
                    result = try_join_all((0..FLOOD).map(|number| keep_guessing(number, port, &refused))) => {
                        result.map(drop::<Vec<()>>).map_err(|error| error.to_string())
                    }
                    _ = ebb => Ok(()),
                }
            })
        });
        if tokio::time::timeout(Duration::from_secs(30), height.recv())
            .await?
            .is_some()
        {
            Ok(Self { thread, over })
        } else {
            thread.join().map_err(|_| "the flood has panicked")??;
            Err("nobody was refused".into())
        }
    }

    /// Ends it, and waits until nobody of it is before whoever logs in next.
    async fn ebb(self, platform: &Platform) -> Result<(), Failure> {
        // Where it ended by itself, that is an error, and the thread says which.
        drop(self.over);
        self.thread.join().map_err(|_| "the flood has panicked")??;
        let mut wire = Wire::open(platform.port("user-service")?).await?;
        let guess = guess_at("nobody@example.com");
        let compared = async {
            while wire.ask(&guess).await?.status == 503 {}
            Ok(())
        };
        tokio::time::timeout(Duration::from_secs(30), compared).await?
    }
}

/// Never ends by itself. Those who are refused come back one after the other, not all at once.
async fn keep_guessing(number: u32, port: u16, refused: &mpsc::Sender<()>) -> Result<(), Failure> {
    tokio::time::sleep(AGAIN_AFTER * number / FLOOD).await;
    let mut wire = Wire::open(port).await?;
    let guess = guess_at(&format!("nobody-{number}@example.com"));
    loop {
        match wire.ask(&guess).await?.status {
            401 => {}
            503 => {
                // Once is enough to be heard.
                refused.try_send(()).ok();
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            status => return Err(format!("a guess was answered {status}").into()),
        }
    }
}

fn guess_at(email: &str) -> String {
    post_json(
        "/auth/login",
        &json!({"email": email, "password": "a guess at a password"}),
    )
}
