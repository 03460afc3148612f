//! Captures what a test logs.

use std::io;
use std::sync::{Arc, Mutex};

use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

/// The log of this thread, from [`start`](Self::start) until this is dropped.
pub struct CapturedLog {
    written: Written,
    _logging: DefaultGuard,
    // With one subscriber, tracing lets the thread that reaches an event first decide whether it is ever logged, and the threads
    // of other tests have no subscriber. With two, it asks both.
    _second: Dispatch,
}

impl CapturedLog {
    pub fn start() -> Self {
        let written = Written::default();
        let writer = written.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        Self {
            written,
            _logging: tracing::subscriber::set_default(subscriber),
            _second: Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish()),
        }
    }

    /// The lines since the last call.
    pub fn take_lines(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.written.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
