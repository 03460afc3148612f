//! The requests of a load: one for each token, all to the same path.

use super::backend::{BODY_BYTES, LARGE, SMALL};

/// The prefix of the gateway's route.
pub(super) const PREFIX: &str = "/api";

/// The kind of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// `GET` of a small JSON object.
    Small,
    /// `POST` of 64 KiB.
    Upload,
    /// `GET` of 64 KiB.
    Download,
}

/// The heads of the requests, and the body that all of them have.
pub(super) struct Requests {
    heads: Vec<String>,
    body: Vec<u8>,
}

impl Requests {
    pub(super) fn new(shape: Shape, tokens: &[String]) -> Self {
        let (line, body) = match shape {
            Shape::Small => (format!("GET {PREFIX}{SMALL}"), Vec::new()),
            Shape::Download => (format!("GET {PREFIX}{LARGE}"), Vec::new()),
            Shape::Upload => (format!("POST {PREFIX}{SMALL}"), vec![b'x'; BODY_BYTES]),
        };
        let length = match body.len() {
            0 => String::new(),
            length => format!("content-type: application/octet-stream\r\ncontent-length: {length}\r\n"),
        };
        let head = |token| {
            format!("{line} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n{length}\r\n")
        };
        Self {
            heads: tokens.iter().map(head).collect(),
            body,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.heads.len()
    }

    /// Replaces the content of `buffer` with the request of this number.
    pub(super) fn write(&self, number: usize, buffer: &mut Vec<u8>) {
        buffer.clear();
        buffer.extend_from_slice(self.heads.get(number).map_or(&[], |head| head.as_bytes()));
        buffer.extend_from_slice(&self.body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_its_token_and_its_body() {
        let tokens = ["one".to_owned(), "two".to_owned()];
        let mut buffer = b"rest".to_vec();

        Requests::new(Shape::Small, &tokens).write(1, &mut buffer);
        assert_eq!(
            buffer,
            b"GET /api/products/42 HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer two\r\n\r\n"
        );

        Requests::new(Shape::Upload, &tokens).write(0, &mut buffer);
        assert!(buffer.starts_with(b"POST /api/products/42 HTTP/1.1\r\n"));
        assert!(buffer.ends_with(&vec![b'x'; BODY_BYTES]));
    }
}
