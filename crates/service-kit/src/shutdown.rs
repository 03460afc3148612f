//! When to stop.

use std::future::Future;
use std::io::Read as _;
use std::pin::Pin;
use std::task::{Context, Poll};

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
