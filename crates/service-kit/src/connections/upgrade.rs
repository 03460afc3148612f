//! Ignores the `Upgrade` header, as RFC 9110 §7.8 permits, and keeps the connection usable.
//!
//! actix-http treats `Connection: upgrade` as the end of HTTP on the connection: it repeats the header in the response and
//! closes the connection afterwards without notice. Some clients offer HTTP/2 with every request, such as the JDK's. They
//! lose the requests that they send at that moment. actix-http decides this while it parses the request, so the only place
//! to intervene from outside is the stream of bytes.

use std::sync::LazyLock;

use memchr::memmem::Finder;

/// Found in `Upgrade` and `upgrade`, which clients send. Other spellings reach the middleware, which closes the
/// connection with notice.
static UPGRADE: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new("pgrade"));

/// Hides the `Upgrade` headers in bytes that a client sent. It changes no lengths, so a request ends where it did before.
pub(super) fn hide_upgrade(received: &mut [u8]) {
    if UPGRADE.find(received).is_some() {
        rename_headers(received);
    }
}

/// Renames `Upgrade` headers, and `upgrade` in `Connection` headers, to `x-grade`.
///
/// Only between a request line and the next line that is no header. A body in which a client imitates a request line may be
/// changed too. That is harmless: its length stays the same, and no other request is affected.
fn rename_headers(received: &mut [u8]) {
    let mut in_head = false;
    for line in received.split_inclusive_mut(|byte| *byte == b'\n') {
        if is_request_line(line) {
            in_head = true;
        } else if !line.contains(&b':') {
            in_head = false;
        } else if in_head && starts_with(line, b"upgrade:") {
            hide_word(line);
        } else if in_head && starts_with(line, b"connection:") {
            let is_upgrade = |option: &&mut [u8]| option.trim_ascii().eq_ignore_ascii_case(b"upgrade");
            let value = line.get_mut(b"connection:".len()..).unwrap_or_default();
            value
                .split_mut(|byte| *byte == b',')
                .filter(is_upgrade)
                .for_each(hide_word);
        }
    }
}

fn is_request_line(line: &[u8]) -> bool {
    let line = line.trim_ascii_end();
    // It may follow a body without a line break, so only its end is certain.
    line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0")
}

fn starts_with(line: &[u8], name: &[u8]) -> bool {
    line.get(..name.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(name))
}

/// Changes the first word, `upgrade` in any case, to `x-grade`.
fn hide_word(text: &mut [u8]) {
    let start = text.len() - text.trim_ascii_start().len();
    if let Some(first_letters) = text.get_mut(start..start + 2) {
        first_letters.copy_from_slice(b"x-");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn received(bytes: &str) -> String {
        let mut bytes = bytes.as_bytes().to_vec();
        rename_headers(&mut bytes);
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn upgrade_headers_are_renamed() {
        assert_eq!(
            received(
                "POST / HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n{}\
                 GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive,  upgrade , x\r\nUPGRADE:a\r\n\r\n"
            ),
            "POST / HTTP/1.1\r\nConnection: x-grade, HTTP2-Settings\r\nx-grade: h2c\r\n\r\n{}\
             GET / HTTP/1.1\r\nhost: a\r\nconnection: keep-alive,  x-grade , x\r\nx-GRADE:a\r\n\r\n"
        );
    }

    #[test]
    fn everything_else_is_left_alone() {
        for bytes in [
            "GET /upgrade:1 HTTP/1.1\r\nhost: upgrade\r\nx-upgrade: upgrade\r\nupgrade-insecure-requests: 1\r\n\
             connection: close, upgrades\r\n\r\n",
            "POST / HTTP/1.1\r\nhost: a\r\n\r\n{\"connection\":\r\n\"upgrade\"}",
            // A chunk that begins with the header's name.
            "POST / HTTP/1.1\r\nhost: a\r\n\r\n8\r\nupgrade:\r\n0\r\n\r\n",
            "8\r\nupgrade:\r\n",
            "upgrade: a",
            "upgrad",
            "connection: upgrade",
            "\n:\n",
        ] {
            assert_eq!(received(bytes), bytes);
        }
    }
}
