//! How long verified requests take while far more people log in than can be let in.

use std::cell::Cell;
use std::time::Duration;

use futures_util::future::try_join_all;
use serde_json::json;
use tokio::sync::Mutex;

use crate::load::Tally;
use crate::options::Options;
use crate::people::Person;
use crate::platform::Platform;
use crate::report::Finding;
use crate::wire::{Wire, get, post_json};
use crate::{Failure, say};

/// Twice as many as user-service lets wait.
const FLOOD: usize = 128;
/// Whoever is refused asks again so soon.
const AGAIN_AFTER: Duration = Duration::from_millis(100);
/// Between the requests that are timed, which are to be a sample and no load.
const PAUSE: Duration = Duration::from_millis(2);

/// Who is asked: the service that hashes, and one that does not.
const ASKED: [(&str, &str); 2] = [("user-service", "/users/me"), ("order-service", "/orders")];

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    say(&format!("flood: {FLOOD} log in at once"));
    let platform = Platform::start(&options.stack.program()?, None).await?;
    let [person] = Person::register(&platform, 1).await?.try_into().map_err(|_| "not one person")?;
    let token = person.log_in(&mut Wire::open(platform.port("user-service")?).await?).await?.access_token;

    let mut findings = Vec::new();
    for (service, path) in ASKED {
        let wires = [Mutex::new(Wire::open(platform.port(service)?).await?)];
        let probe = Probe { wires, request: get(path, &token) };
        probe.p99_ms(Duration::from_secs(1)).await?;
        let (mut idle, mut flooded) = (Vec::new(), Vec::new());
        for _ in 0..options.rounds {
            idle.push(probe.p99_ms(options.each()).await?);
            let mut flood = Flood::open(&platform).await?;
            flooded.push(tokio::select! {
                p99 = probe.p99_ms(options.each()) => p99?,
                Err(broken) = flood.go_on() => return Err(broken),
            });
            flood.ebb(&platform).await?;
        }
        findings.extend([
            Finding::new(format!("flood: {service}, p99 idle"), "ms", &idle),
            Finding::new(format!("flood: {service}, p99 during a login flood"), "ms", &flooded),
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

/// Those who try to log in, all at once, each with another address, which nobody has.
struct Flood {
    lines: Vec<(String, Wire)>,
    compared: Cell<u32>,
    refused: Cell<u32>,
}

impl Flood {
    async fn open(platform: &Platform) -> Result<Self, Failure> {
        let mut lines = Vec::new();
        for number in 0..FLOOD {
            let wire = Wire::open(platform.port("user-service")?).await?;
            lines.push((guess_at(&format!("nobody-{number}@example.com")), wire));
        }
        Ok(Self { lines, compared: Cell::default(), refused: Cell::default() })
    }

    /// Never ends by itself.
    async fn go_on(&mut self) -> Result<(), Failure> {
        let Self { lines, compared, refused } = self;
        let (compared, refused) = (&*compared, &*refused);
        let keep_guessing = async |(guess, wire): &mut (String, Wire)| loop {
            match wire.ask(guess).await?.status {
                401 => compared.set(compared.get() + 1),
                503 => {
                    refused.set(refused.get() + 1);
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
                status => return Err(format!("a guess was answered {status}").into()),
            }
        };
        try_join_all(lines.iter_mut().map(keep_guessing)).await.map(drop::<Vec<()>>)
    }

    /// Ends it, and waits until nobody of it is before whoever logs in next.
    async fn ebb(self, platform: &Platform) -> Result<(), Failure> {
        let (compared, refused) = (self.compared.get(), self.refused.get());
        if compared == 0 || refused == 0 {
            return Err(format!("no flood: {compared} were compared, {refused} refused").into());
        }
        drop(self);
        let mut wire = Wire::open(platform.port("user-service")?).await?;
        let guess = guess_at("nobody@example.com");
        let compared = async {
            while wire.ask(&guess).await?.status == 503 {}
            Ok(())
        };
        tokio::time::timeout(Duration::from_secs(30), compared).await?
    }
}

fn guess_at(email: &str) -> String {
    post_json("/auth/login", &json!({"email": email, "password": "a guess at a password"}))
}
