//! Reads gauges of a service's metrics.

use std::time::{Duration, Instant};

use crate::Failure;
use crate::wire::{Wire, get};

const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Waits until a gauge has a certain value: `None` if there is no such gauge. Returns whether that happens within this time.
pub(super) async fn becomes(
    port: u16,
    name: &str,
    is: impl Fn(Option<f64>) -> bool,
    within: Duration,
) -> Result<bool, Failure> {
    let mut wire = Wire::open(port).await?;
    let request = get("/metrics", "");
    let started = Instant::now();
    loop {
        let answer = wire.send(&request).await?;
        if is(read(std::str::from_utf8(answer.body)?, name)) {
            return Ok(true);
        }
        if started.elapsed() > within {
            return Ok(false);
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// The value of a gauge in the text format of Prometheus.
fn read(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(name)?;
        let (labels, value) = rest.rsplit_once(' ')?;
        (labels.is_empty() || labels.starts_with('{')).then(|| value.parse().ok())?
    })
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn a_gauge_is_read_with_and_without_labels() {
        let text = "# TYPE a gauge\na_b 1\na 2\n\nc{x=\"y z\"} 3.5\n";
        for (name, value) in [
            ("a", Some(2.0)),
            ("a_b", Some(1.0)),
            ("c", Some(3.5)),
            ("d", None),
        ] {
            assert_eq!(read(text, name), value, "{name}");
        }
    }
}
