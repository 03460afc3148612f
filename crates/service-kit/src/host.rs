//! The `Host` header. actix-http refuses requests of HTTP/1.1 that have none or several, but accepts any value.

use std::net::Ipv6Addr;

use actix_web::dev::RequestHead;
use actix_web::http::header::HOST;

use crate::problem::RequestError;

/// Refuses a `Host` header that is neither empty nor a host with an optional port (RFC 9110 §7.2, RFC 9112 §3.2).
pub(crate) fn check(head: &RequestHead) -> Result<(), RequestError> {
    let is_valid = head
        .headers()
        .get(HOST)
        .is_none_or(|host| is_host(host.as_bytes()));
    if is_valid {
        Ok(())
    } else {
        Err(RequestError::InvalidHeader("Host"))
    }
}

/// Whether this is a host with an optional port, or empty (RFC 9110 §7.2).
#[must_use]
pub fn is_host(value: &[u8]) -> bool {
    if let Some(literal) = value.strip_prefix(b"[") {
        let Some(end) = literal.iter().position(|byte| *byte == b']') else {
            return false;
        };
        let (address, port) = literal.split_at(end);
        let is_address = str::from_utf8(address).is_ok_and(|address| address.parse::<Ipv6Addr>().is_ok());
        return is_address && is_port(port.strip_prefix(b"]").unwrap_or(port));
    }
    let end = value.iter().position(|byte| *byte == b':').unwrap_or(value.len());
    let (name, port) = value.split_at(end);
    is_name(name) && is_port(port) && (!name.is_empty() || port.is_empty())
}

/// `reg-name` of RFC 3986 §3.2.2, without checking what follows a percent sign.
fn is_name(name: &[u8]) -> bool {
    name.iter().all(|byte| {
        matches!(byte, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'%')
            || matches!(byte, b'!' | b'$' | b'&'..=b',' | b';' | b'=')
    })
}

/// Nothing, or a colon and a number up to 65535 (RFC 3986 §3.2.3 allows an empty one).
fn is_port(port: &[u8]) -> bool {
    let Some(digits) = port.strip_prefix(b":") else {
        return port.is_empty();
    };
    digits.is_empty()
        || digits.iter().all(u8::is_ascii_digit)
            && str::from_utf8(digits).is_ok_and(|digits| digits.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_an_optional_port() {
        for valid in [
            "",
            "a",
            "localhost:8080",
            "example.com",
            "xn--bcher-kva.example",
            "my_service",
            "127.0.0.1:1",
            "a:",
            "a:65535",
            "[::1]",
            "[2001:db8::7]:8080",
            "a%20b",
            "EXAMPLE.com.",
        ] {
            assert!(is_host(valid.as_bytes()), "{valid}");
        }
        for invalid in [
            "a b",
            "a,b c",
            "user@example.com",
            "user:password@example.com",
            "a:b",
            "a:1:2",
            "a:65536",
            "a:-1",
            "a:+1",
            ":80",
            "::1",
            "[::1",
            "[::1]8080",
            "[::1]x",
            "[a]",
            "[]",
            "a/b",
            "http://a",
            "a?b",
            "a#b",
            "a\\b",
            "<a>",
            "a\"b",
            "\u{e9}",
            "{id}",
        ] {
            assert!(!is_host(invalid.as_bytes()), "{invalid}");
        }
    }
}
