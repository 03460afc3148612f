//! Reads requests strictly, so that ambiguous framing fails the test.

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

pub(super) async fn read_head(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            let head: Vec<u8> = buffer.drain(..end + 4).collect();
            return Some(String::from_utf8_lossy(&head).into_owned());
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

/// Reads a body as its framing says. `None` if it breaks off. The framing must be unambiguous.
pub(super) async fn read_body(stream: &mut TcpStream, buffer: &mut Vec<u8>, head: &str) -> Option<Vec<u8>> {
    let lower = head.to_lowercase();
    let length = lower
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "));
    let is_chunked = lower.contains("\r\ntransfer-encoding: chunked\r\n");
    assert!(!(is_chunked && length.is_some()), "both framings: {head}");
    if is_chunked {
        let mut body = Vec::new();
        loop {
            let line = read_line(stream, buffer).await?;
            let size =
                usize::from_str_radix(&line, 16).unwrap_or_else(|_| panic!("a chunk's size: {line:?}"));
            body.extend(read_exactly(stream, buffer, size).await?);
            assert_eq!(
                read_line(stream, buffer).await?,
                "",
                "the end of a chunk, without trailers"
            );
            if size == 0 {
                return Some(body);
            }
        }
    }
    let length = length.map_or(0, |length| length.trim().parse().expect("a length"));
    read_exactly(stream, buffer, length).await
}

async fn read_line(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<String> {
    loop {
        if let Some(end) = buffer.windows(2).position(|window| window == b"\r\n") {
            let line: Vec<u8> = buffer.drain(..end + 2).collect();
            return Some(String::from_utf8_lossy(&line[..end]).into_owned());
        }
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

async fn read_exactly(stream: &mut TcpStream, buffer: &mut Vec<u8>, length: usize) -> Option<Vec<u8>> {
    while buffer.len() < length {
        if stream.read_buf(buffer).await.unwrap_or(0) == 0 {
            return None;
        }
    }
    Some(buffer.drain(..length).collect())
}
