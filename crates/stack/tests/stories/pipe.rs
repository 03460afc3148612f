//! What comes out of a program.

use std::io::Read;
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// What came out of a pipe so far.
#[derive(Clone, Default)]
pub struct Said(Arc<Mutex<(Vec<u8>, bool)>>);

impl Said {
    pub fn listen(mut pipe: impl Read + Send + 'static) -> Self {
        let said = Self::default();
        let heard = said.clone();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(read @ 1..) = pipe.read(&mut bytes) {
                heard.0.lock().unwrap().0.extend_from_slice(&bytes[..read]);
            }
            heard.0.lock().unwrap().1 = true;
        });
        said
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap().0).into_owned()
    }

    /// The lines that are JSON, as the log's are.
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
