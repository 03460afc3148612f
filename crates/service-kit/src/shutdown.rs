//! When to stop.

use std::future::Future;
use std::io::Read as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use futures_util::FutureExt as _;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

/// Comes true when the service should stop.
pub struct Shutdown(Pin<Box<dyn Future<Output = ()> + Send>>);

impl Shutdown {
    /// On SIGINT or SIGTERM.
    ///
    /// # Errors
    /// When the signals can't be listened to.
    pub fn on_signal() -> std::io::Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self::when(async move {
            tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
        }))
    }

    /// Also when standard input closes: whoever holds its other end is gone, however they died.
    #[must_use]
    pub fn or_on_closed_input(self) -> Self {
        let (closed, on_closed) = oneshot::channel::<()>();
        std::thread::spawn(move || {
            let mut ignored = [0; 256];
            while std::io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
            drop(closed);
        });
        Self::when(async move {
            tokio::select! { () = self => (), _ = on_closed => () }
        })
    }

    /// The same, and what comes true with it as long as nobody waits for it: a start that hangs can be broken off, while whoever
    /// serves already ends in their own way.
    pub(crate) fn while_starting(self) -> (Self, impl Future<Output = ()>) {
        let told = self.shared();
        let is_awaited = Arc::new(AtomicBool::new(false));
        let (flag, wait) = (Arc::clone(&is_awaited), told.clone());
        let awaited = Self::when(async move {
            flag.store(true, Ordering::Relaxed);
            wait.await;
        });
        let unawaited = async move {
            told.await;
            if is_awaited.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
        };
        (awaited, unawaited)
    }

    /// When this future ends.
    #[must_use]
    pub fn when(ends: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(Box::pin(ends))
    }
}

impl Future for Shutdown {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }
}

impl std::fmt::Debug for Shutdown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Shutdown")
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    #[test]
    fn a_start_is_broken_off_and_a_service_that_waits_for_its_end_is_not() {
        let (_unheard, broken_off) = Shutdown::when(ready(())).while_starting();
        assert!(broken_off.now_or_never().is_some());

        let (mut serving, broken_off) = Shutdown::when(ready(())).while_starting();
        assert!((&mut serving).now_or_never().is_some());
        assert!(broken_off.now_or_never().is_none());

        let (serving, broken_off) = Shutdown::when(std::future::pending()).while_starting();
        assert!(serving.now_or_never().is_none() && broken_off.now_or_never().is_none());
    }
}
