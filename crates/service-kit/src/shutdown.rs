//! The request to stop, from a signal, a closed standard input or a test.

use std::future::{Future, IntoFuture};
use std::io::Read as _;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A request to stop the service. Clones share it, and awaiting it waits until the service should stop.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    requested: CancellationToken,
    /// Cancelled once a server accepts requests. From then on the server itself reacts to the request.
    serving: CancellationToken,
}

impl Shutdown {
    /// Stops on SIGINT or SIGTERM. Call it inside a tokio runtime.
    ///
    /// # Errors
    /// When the signal handlers can't be installed.
    pub fn on_signal() -> std::io::Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self::when(async move {
            tokio::select! { _ = interrupt.recv() => (), _ = terminate.recv() => () }
        }))
    }

    /// Stops when this future ends. Call it inside a tokio runtime.
    #[must_use]
    pub fn when(request: impl Future<Output = ()> + Send + 'static) -> Self {
        let shutdown = Self::default();
        let requested = shutdown.requested.clone();
        tokio::spawn(async move {
            request.await;
            requested.cancel();
        });
        shutdown
    }

    /// Also stops when standard input closes: then the parent process has ended, however it ended.
    #[must_use]
    pub fn or_on_closed_input(self) -> Self {
        let requested = self.requested.clone();
        std::thread::spawn(move || {
            let mut ignored = [0; 256];
            while std::io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
            requested.cancel();
        });
        self
    }

    /// Waits until the service should stop.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// Reports that a server accepts requests and will stop by itself.
    pub(crate) fn serving(&self) {
        self.serving.cancel();
    }

    /// Waits for a request to stop that comes before [`serving`](Self::serving). It ends a startup that hangs.
    pub(crate) async fn requested_during_startup(&self) {
        tokio::select! {
            biased;
            () = self.serving.cancelled() => std::future::pending().await,
            () = self.requested.cancelled() => (),
        }
    }
}

impl IntoFuture for Shutdown {
    type Output = ();
    type IntoFuture = WaitForCancellationFutureOwned;

    fn into_future(self) -> Self::IntoFuture {
        self.requested.cancelled_owned()
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_shutdown_is_requested_when_its_future_ends_and_for_all_clones() {
        let (stop, stopped) = oneshot::channel::<()>();
        let shutdown = Shutdown::when(async { drop(stopped.await) });
        assert!(shutdown.requested().now_or_never().is_none());
        drop(stop);
        shutdown.clone().await;
        assert!(shutdown.requested().now_or_never().is_some());
    }

    #[tokio::test]
    async fn a_startup_is_cancelled_and_a_server_is_not() {
        let shutdown = Shutdown::when(pending());
        assert!(shutdown.requested_during_startup().now_or_never().is_none());
        shutdown.requested.cancel();
        assert!(shutdown.requested_during_startup().now_or_never().is_some());
        shutdown.serving();
        assert!(shutdown.requested_during_startup().now_or_never().is_none());
        assert!(shutdown.requested().now_or_never().is_some());
    }
}
