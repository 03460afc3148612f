//! Frames of HTTP/2 (RFC 9113 §4), for header fields that no library sends.

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::client::DEADLINE;

const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
/// `END_STREAM` and `END_HEADERS`.
const WHOLE_REQUEST: u8 = 5;

/// The first frame by which a server reacts to a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Reaction {
    Response,
    /// The server reset the stream, with this error code (RFC 9113 §7).
    Reset(u32),
    /// The server ended the connection.
    End,
}

/// Sends a request that has these fields as its head, on a new connection.
pub async fn react<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, fields: &[(&str, &str)]) -> Reaction {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, WHOLE_REQUEST, 1, &head(fields)));
    stream.write_all(&bytes).await.unwrap();
    timeout(DEADLINE, read_reaction(&mut stream))
        .await
        .expect("the server reacts")
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Encodes fields as literals without indexing (RFC 7541 §6.2.2).
fn head(fields: &[(&str, &str)]) -> Vec<u8> {
    let mut head = Vec::new();
    for (name, value) in fields {
        head.push(0);
        for text in [name, value] {
            // Longer texts need more than one byte for their length.
            assert!(text.len() < 127, "{text}");
            head.push(u8::try_from(text.len()).unwrap());
            head.extend(text.as_bytes());
        }
    }
    head
}

async fn read_reaction<S: AsyncRead + Unpin>(stream: &mut S) -> Reaction {
    loop {
        let mut prefix = [0; 9];
        if stream.read_exact(&mut prefix).await.is_err() {
            return Reaction::End;
        }
        let length = u32::from_be_bytes([0, prefix[0], prefix[1], prefix[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).await.unwrap();
        match prefix[3] {
            HEADERS => return Reaction::Response,
            RST_STREAM => return Reaction::Reset(u32::from_be_bytes(payload.try_into().unwrap())),
            GOAWAY => return Reaction::End,
            _ => {}
        }
    }
}
