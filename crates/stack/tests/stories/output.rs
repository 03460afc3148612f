//! Captures the output of a program.

use std::io::Read;
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// The bytes that a pipe has delivered so far, and whether it has ended.
#[derive(Clone, Default)]
pub struct Output(Arc<Mutex<(Vec<u8>, bool)>>);

impl Output {
    pub fn capture(mut pipe: impl Read + Send + 'static) -> Self {
        let output = Self::default();
        let writer = output.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut bytes) {
                writer.0.lock().unwrap().0.extend_from_slice(&bytes[..read]);
            }
            writer.0.lock().unwrap().1 = true;
        });
        output
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().0).into_owned()
    }

    /// The lines that are JSON, such as those of the log.
    pub fn events(&self) -> Vec<Value> {
        self.text()
            .lines()
            .filter_map(|line| serde_json::from_str(line).ok())
            .collect()
    }

    pub fn has_ended(&self) -> bool {
        self.0.lock().unwrap().1
    }
}
