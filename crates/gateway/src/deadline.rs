//! A timer whose end moves.

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer whose end moves with each request or each part of a body. It is set anew only when it fires or must fire earlier, which is
/// cheaper than at each move.
#[derive(Default)]
pub(crate) struct Deadline {
    /// Created at the first wait.
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// Ready when `end` has passed. `None`: never.
    pub(crate) fn poll(&mut self, end: Option<Instant>, cx: &mut Context<'_>) -> Poll<()> {
        let Some(end) = end else {
            return Poll::Pending;
        };
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(end)));
        if end < sleep.deadline() {
            sleep.as_mut().reset(end);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if sleep.deadline() >= end {
                return Poll::Ready(());
            }
            // It was set for an earlier end.
            sleep.as_mut().reset(end);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_end_moves_in_both_directions() {
        let start = Instant::now();
        let mut deadline = Deadline::default();
        let mut poll = async |seconds: Option<u64>| {
            let end = seconds.map(|seconds| start + Duration::from_secs(seconds));
            poll_fn(|cx| Poll::Ready(deadline.poll(end, cx).is_ready())).await
        };
        assert!(!poll(Some(10)).await && !poll(Some(20)).await && !poll(None).await);
        tokio::time::advance(Duration::from_secs(15)).await;
        assert!(!poll(Some(20)).await);
        assert!(poll(Some(12)).await);
        assert!(!poll(Some(20)).await);
        tokio::time::advance(Duration::from_secs(6)).await;
        assert!(poll(Some(20)).await && !poll(None).await);
    }
}
