//! The feed with many readers: how soon the last one has a revocation, and what that costs user-service.

use std::time::{Duration, Instant};

use super::readers::{Readers, allow_files_for};
use super::restart::{self, RESTARTS};
use super::{Options, PROCESS_GONE, VARIABLES, sessions};
use crate::load::Percentiles;
use crate::platform::Platform;
use crate::report::{DelayRow, Finding};
use crate::wire::Wire;
use crate::{Failure, cpu, say};

const LOGOUTS: usize = 100;
/// How long nothing happens but heartbeats.
const IDLE: Duration = Duration::from_secs(5);

pub(super) struct FanOut {
    /// Until the last reader has a revocation.
    pub arrivals: DelayRow,
    pub figures: Vec<Finding>,
}

pub(super) async fn measure(options: &Options) -> Result<FanOut, Failure> {
    let count = options.readers;
    say(&format!("revocation: {count} readers of the feed"));
    allow_files_for(count)?;
    let platform = Platform::start_with(&options.stack.program()?, None, &VARIABLES).await?;
    let mut sessions = sessions::open(&platform, LOGOUTS + RESTARTS + 1).await?;
    let readers = Readers::start(&platform, count).await?;
    let all_ready = readers.wait_until_each(auth::Verifier::has_revocations).await?;
    let mut figures = vec![Finding::new(
        format!("readers: {count} start at once, the last one is ready after"),
        "ms",
        &[(all_ready - readers.started).as_secs_f64() * 1_000.0],
    )];

    let kept = sessions.pop().ok_or("no session")?;
    let restarted = sessions.split_off(LOGOUTS);
    let stack = platform.pid().ok_or(PROCESS_GONE)?;
    let user_service = || cpu::used_by_service(stack, "user-service");
    let mut wire = Wire::open(platform.port("user-service")?).await?;

    let before = user_service()?;
    tokio::time::sleep(IDLE).await;
    let heartbeats = user_service()?.saturating_sub(before).div_f64(IDLE.as_secs_f64());
    let (mut arrivals, before, started) = (Vec::new(), user_service()?, Instant::now());
    for (session, ended) in sessions.iter().zip(1..) {
        session.log_out(&mut wire).await?;
        let done = Instant::now();
        let last = readers
            .wait_until_each(move |verifier| verifier.revocations().len() >= ended)
            .await?;
        arrivals.push(last.saturating_duration_since(done));
    }
    let used = user_service()?.saturating_sub(before);
    let each = used.saturating_sub(heartbeats.mul_f64(started.elapsed().as_secs_f64()));
    figures.extend([
        Finding::new(
            format!("readers: user-service's CPU for the heartbeats of {count}, per second"),
            "ms",
            &[heartbeats.as_secs_f64() * 1_000.0],
        ),
        Finding::new(
            format!("readers: user-service's CPU for a logout and its event to {count}"),
            "ms",
            &[each.as_secs_f64() * 1_000.0 / f64::from(u32::try_from(LOGOUTS)?)],
        ),
    ]);
    figures.extend(restart::measure(&platform, &readers, LOGOUTS, &restarted, &kept).await?);
    Ok(FanOut {
        arrivals: DelayRow {
            transport: "SSE",
            until: format!("the last of {count} readers has the revocation"),
            time: Percentiles::of(arrivals),
        },
        figures,
    })
}
