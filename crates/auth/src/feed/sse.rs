//! Reads a stream of server-sent events (WHATWG HTML, "Server-sent events").

/// The maximum length of a line, and of the data of one event, in bytes.
const MAX_BYTES: usize = 64 * 1024;

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ServerSentEvent {
    /// The event's type. Empty if it has none.
    pub name: String,
    pub data: String,
    /// The id of this event or, if it has none, of the last event that had one.
    pub id: String,
}

/// A line or an event is too long, or a line is not UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the response is not a stream of events")]
pub(super) struct InvalidStream;

/// Splits the bytes of a response into events.
#[derive(Debug, Default)]
pub(super) struct EventParser {
    /// The beginning of a line.
    line: Vec<u8>,
    /// The last byte was a carriage return. A line feed after it belongs to the same end of line.
    after_carriage_return: bool,
    event: ServerSentEvent,
    has_data: bool,
}

impl EventParser {
    /// Reads the next bytes and passes each complete event to `receive`.
    pub fn read<E: From<InvalidStream>>(
        &mut self,
        bytes: &[u8],
        mut receive: impl FnMut(ServerSentEvent) -> Result<(), E>,
    ) -> Result<(), E> {
        for &byte in bytes {
            let is_line_feed_of_pair = byte == b'\n' && self.after_carriage_return;
            self.after_carriage_return = byte == b'\r';
            match byte {
                b'\n' if is_line_feed_of_pair => {}
                b'\n' | b'\r' => {
                    if let Some(event) = self.end_line()? {
                        receive(event)?;
                    }
                }
                _ if self.line.len() == MAX_BYTES => return Err(InvalidStream.into()),
                _ => self.line.push(byte),
            }
        }
        Ok(())
    }

    /// Whether the memory that the parser holds between two parts of a stream is within its bounds.
    #[cfg(any(fuzzing, test))]
    pub fn is_bounded(&self) -> bool {
        let texts = [&self.event.name, &self.event.data, &self.event.id];
        self.line.len() <= MAX_BYTES && texts.iter().all(|text| text.len() <= MAX_BYTES)
    }

    /// Processes the line. An empty line ends an event.
    fn end_line(&mut self) -> Result<Option<ServerSentEvent>, InvalidStream> {
        if self.line.is_empty() {
            return Ok(self.end_event());
        }
        let line = std::str::from_utf8(&self.line).map_err(|_| InvalidStream)?;
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if self.has_data {
                    self.event.data.push('\n');
                }
                if self.event.data.len() + value.len() > MAX_BYTES {
                    return Err(InvalidStream);
                }
                self.event.data.push_str(value);
                self.has_data = true;
            }
            "id" if !value.contains('\0') => value.clone_into(&mut self.event.id),
            // A comment (an empty field name), `retry`, or a field of a later version.
            _ => {}
        }
        self.line.clear();
        Ok(None)
    }

    /// The event, if it has data. The id stays for the following events.
    fn end_event(&mut self) -> Option<ServerSentEvent> {
        let id = self.event.id.clone();
        let event = std::mem::replace(
            &mut self.event,
            ServerSentEvent {
                id,
                ..ServerSentEvent::default()
            },
        );
        std::mem::take(&mut self.has_data).then_some(event)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(chunks: &[&[u8]]) -> Result<Vec<ServerSentEvent>, InvalidStream> {
        let (mut parser, mut events) = (EventParser::default(), Vec::new());
        for chunk in chunks {
            parser.read(chunk, |event| {
                events.push(event);
                Ok::<_, InvalidStream>(())
            })?;
        }
        Ok(events)
    }

    fn event(name: &str, data: &str, id: &str) -> ServerSentEvent {
        ServerSentEvent {
            name: name.to_owned(),
            data: data.to_owned(),
            id: id.to_owned(),
        }
    }

    #[test]
    fn fields_are_read_as_the_standard_says() {
        let stream = b": a comment\nid: 1\nevent: a\ndata: x\n\ndata:y\ndata: z\n\nevent: without data\n\nid\ndata\n\nretry: 5\ndata:  w\n\n";
        let expected = [
            event("a", "x", "1"),
            event("", "y\nz", "1"),
            event("", "", ""),
            event("", " w", ""),
        ];
        assert_eq!(read(&[stream]).unwrap(), expected);
    }

    #[test]
    fn every_end_of_line_is_known_and_an_unfinished_event_is_not_delivered() {
        for stream in [
            "event: a\ndata: x\n\nda",
            "event: a\r\ndata: x\r\n\r\n",
            "event: a\rdata: x\r\r",
        ] {
            assert_eq!(
                read(&[stream.as_bytes()]).unwrap(),
                [event("a", "x", "")],
                "{stream:?}"
            );
        }
        assert_eq!(read(&[b"data: x\n"]).unwrap(), []);
    }

    #[test]
    fn long_lines_long_data_and_bytes_that_are_not_text_are_refused() {
        assert_eq!(read(&[&vec![b'a'; MAX_BYTES]]), Ok(Vec::new()));
        assert_eq!(read(&[&vec![b'a'; MAX_BYTES + 1]]), Err(InvalidStream));
        let half = format!("data: {}\n", "a".repeat(MAX_BYTES / 2));
        assert_eq!(read(&[half.as_bytes()]), Ok(Vec::new()));
        assert_eq!(
            read(&[half.as_bytes(), half.as_bytes(), b"data:\n"]),
            Err(InvalidStream)
        );
        assert_eq!(read(&[b"data: \xff\n"]), Err(InvalidStream));
    }

    proptest! {
        #[test]
        fn events_do_not_depend_on_how_the_stream_is_cut(
            text in "([a-z]{0,4}(:)?( )?[a-zé]{0,3}(\n|\r|\r\n)){0,20}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let chunks: Vec<_> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(read(&chunks), read(&[bytes]));
        }
    }
}
