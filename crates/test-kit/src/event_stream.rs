//! A stream of server-sent events, as a test reads it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::timeout;

/// How long a test waits for the next event.
const DEADLINE: Duration = Duration::from_secs(20);

/// A server-sent event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSentEvent {
    /// The type.
    pub name: String,
    /// The id. Empty if it has none.
    pub id: String,
    /// The data.
    pub data: String,
}

/// A response that is a stream of events.
#[derive(Debug)]
pub struct EventStream {
    response: reqwest::Response,
    text: String,
    events: VecDeque<ServerSentEvent>,
}

impl EventStream {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self {
            response,
            text: String::new(),
            events: VecDeque::new(),
        }
    }

    /// A header of the response, or an empty string without that header.
    pub fn header(&self, name: &str) -> &str {
        self.response
            .headers()
            .get(name)
            .map_or("", |value| value.to_str().expect("a header of visible ASCII"))
    }

    /// Waits for the next event. `None` at the end of the stream.
    pub async fn next(&mut self) -> Option<ServerSentEvent> {
        timeout(DEADLINE, self.read_event())
            .await
            .expect("an event within 20 seconds")
    }

    async fn read_event(&mut self) -> Option<ServerSentEvent> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            // A stream that breaks off ends too.
            let chunk = self.response.chunk().await.ok().flatten()?;
            self.text
                .push_str(std::str::from_utf8(&chunk).expect("chunks of whole characters"));
            while let Some(end) = self.text.find("\n\n") {
                self.events.push_back(parse(&self.text[..end]));
                self.text.drain(..end + 2);
            }
        }
    }
}

fn parse(event: &str) -> ServerSentEvent {
    let field = |name: &str| {
        let mut values = event.lines().filter_map(|line| line.strip_prefix(name));
        values.next().unwrap_or_default().to_owned()
    };
    ServerSentEvent {
        name: field("event: "),
        id: field("id: "),
        data: field("data: "),
    }
}
