//! Streams of server-sent events, for `crate::fuzzing`. The parser is private to the feed.

use super::event::FeedEvent;
use super::sse::{EventParser, InvalidStream, ServerSentEvent};
use crate::fuzzing::check_event;

type Outcome = (Vec<ServerSentEvent>, Result<(), InvalidStream>);

/// The first byte is the length of the parts in which the rest, the stream, arrives.
pub fn server_sent_events(input: &[u8]) {
    let [length, stream @ ..] = input else { return };
    let (events, outcome) = read(
        &mut EventParser::default(),
        stream.chunks(usize::from(*length).max(1)),
    );
    assert_eq!(
        read(&mut EventParser::default(), [stream]),
        (events.clone(), outcome),
        "in one part"
    );
    if outcome.is_ok() {
        assert_eq!(events, simply_read(stream), "by a simpler parser");
    }
    for event in events {
        if let Ok(event) = FeedEvent::parse(&event.name, &event.data, &event.id) {
            check_event(&event);
            check_stream(&event);
        }
    }
}

fn read<'c>(parser: &mut EventParser, chunks: impl IntoIterator<Item = &'c [u8]>) -> Outcome {
    let mut events = Vec::new();
    for chunk in chunks {
        let outcome = parser.read(chunk, |event| {
            events.push(event);
            Ok(())
        });
        assert!(parser.is_bounded());
        if outcome.is_err() {
            return (events, outcome);
        }
    }
    (events, Ok(()))
}

/// A second parser, which has the whole stream.
fn simply_read(stream: &[u8]) -> Vec<ServerSentEvent> {
    let text = String::from_utf8_lossy(stream)
        .replace("\r\n", "\n")
        .replace('\r', "\n");
    let (complete, _) = text.rsplit_once('\n').unwrap_or_default();
    let mut id = String::new();
    let mut events = Vec::new();
    let mut name = String::new();
    let mut data: Vec<&str> = Vec::new();
    for line in complete.split('\n') {
        if line.is_empty() {
            if !data.is_empty() {
                events.push(ServerSentEvent {
                    name: name.clone(),
                    data: data.join("\n"),
                    id: id.clone(),
                });
            }
            (name, data) = (String::new(), Vec::new());
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut name),
            "data" => data.push(value),
            "id" if !value.contains('\0') => value.clone_into(&mut id),
            _ => {}
        }
    }
    events
}

/// An event that is written as a server-sent event is read as the same event.
fn check_stream(event: &FeedEvent) {
    let written = event.to_server_sent_event();
    let (events, outcome) = read(&mut EventParser::default(), [written.as_bytes()]);
    assert_eq!(outcome, Ok(()));
    let [read] = events.as_slice() else {
        panic!("{events:?}")
    };
    assert_eq!(
        FeedEvent::parse(&read.name, &read.data, &read.id).as_ref(),
        Ok(event)
    );
}
