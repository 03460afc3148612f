//! The request to stop, from a signal, a closed standard input or a test.

use std::future::{Future, IntoFuture};
use std::io::Read as _;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A request to stop the service. Clones share it, and awaiting it waits until the service should stop.
///
/// From the request on, the service drains: it is not ready, and closes each connection after the next response. It goes on
/// accepting connections until the delay is over, and then as long as there are connections in the queue of its
/// [`Listener`](crate::Listener).
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    requested: CancellationToken,
    /// The time of the request.
    since: Arc<OnceLock<Instant>>,
    delay: Duration,
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
        let inner = shutdown.clone();
        tokio::spawn(async move {
            request.await;
            inner.request();
        });
        shutdown
    }

    /// Accepts connections for at least this long after the request. Load balancers need that time to notice that the service
    /// is not ready.
    #[must_use]
    pub fn with_delay(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Also stops when standard input closes: then the parent process has ended, however it ended.
    #[must_use]
    pub fn or_on_closed_input(self) -> Self {
        let inner = self.clone();
        std::thread::spawn(move || {
            let mut ignored = [0; 256];
            while std::io::stdin().read(&mut ignored).is_ok_and(|read| read > 0) {}
            inner.request();
        });
        self
    }

    fn request(&self) {
        self.since.get_or_init(Instant::now);
        self.requested.cancel();
    }

    /// Waits until the service should stop.
    pub async fn requested(&self) {
        self.requested.cancelled().await;
    }

    /// Whether the service should stop. Cheap enough for each request.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.since.get().is_some()
    }

    /// Waits until the service should stop and the delay is over.
    pub async fn delay_over(&self) {
        self.requested().await;
        if let Some(since) = self.since.get() {
            tokio::time::sleep_until(*since + self.delay).await;
        }
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
        assert!(!shutdown.is_draining());
        shutdown.clone().await;
        assert!(shutdown.requested().now_or_never().is_some());
        assert!(shutdown.is_draining());
    }

    #[tokio::test(start_paused = true)]
    async fn the_delay_begins_with_the_request() {
        let shutdown = Shutdown::default().with_delay(Duration::from_secs(5));
        assert!(shutdown.delay_over().now_or_never().is_none());
        shutdown.request();
        let requested = Instant::now();
        tokio::time::sleep(Duration::from_secs(2)).await;
        // A second request changes nothing.
        shutdown.request();
        shutdown.delay_over().await;
        assert_eq!(requested.elapsed(), Duration::from_secs(5));
        shutdown.delay_over().await;
        assert_eq!(requested.elapsed(), Duration::from_secs(5));
    }

    #[tokio::test]
    async fn a_startup_is_cancelled_and_a_server_is_not() {
        let shutdown = Shutdown::when(pending());
        assert!(shutdown.requested_during_startup().now_or_never().is_none());
        shutdown.request();
        assert!(shutdown.requested_during_startup().now_or_never().is_some());
        shutdown.serving();
        assert!(shutdown.requested_during_startup().now_or_never().is_none());
        assert!(shutdown.requested().now_or_never().is_some());
    }
}
