//! Measures service tokens per second, and per second of user-service's processor time.

use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio::sync::Mutex;

use crate::load::Tally;
use crate::options::Options;
use crate::platform::Platform;
use crate::report::Finding;
use crate::wire::{Wire, post};
use crate::{Failure, cpu, say};

/// Enough that user-service always has a pending request.
const CONNECTIONS: usize = 16;

pub(crate) async fn measure(options: &Options) -> Result<Vec<Finding>, Failure> {
    say("service-token: order-service requests tokens for inventory-service");
    let platform = Platform::start(&options.stack.program()?, None).await?;
    let secret = fs::read_to_string(platform.data("order-service-secret"))?;
    let credentials = STANDARD.encode(format!("order-service:{}", secret.trim_end()));
    let request = post(
        "/oauth/token",
        &format!("content-type: application/x-www-form-urlencoded\r\nauthorization: Basic {credentials}"),
        "grant_type=client_credentials&audience=inventory-service",
    );
    let mut wires = Vec::new();
    for _ in 0..CONNECTIONS {
        wires.push(Mutex::new(Wire::open(platform.port("user-service")?).await?));
    }
    let send = async |wire: &Mutex<Wire>| Ok(wire.lock().await.send(&request).await?.status);
    let stack = platform.pid().ok_or("the platform has stopped")?;
    let used = || cpu::used_by_service(stack, "user-service");

    Tally::default().add(&wires, Duration::from_secs(1), send).await?;
    let (mut per_second, mut per_cpu_second) = (Vec::new(), Vec::new());
    for _ in 0..options.rounds {
        let (mut tally, before) = (Tally::default(), used()?);
        tally.add(&wires, options.each(), send).await?;
        tally.expect_only(200)?;
        per_cpu_second.push(f64::from(tally.count()) / used()?.saturating_sub(before).as_secs_f64());
        per_second.push(tally.per_second());
    }
    Ok(vec![
        Finding::new("service-token: tokens", "/s", &per_second),
        Finding::new("service-token: tokens a second of CPU", "/s", &per_cpu_second).at_least(5_000.0),
    ])
}
