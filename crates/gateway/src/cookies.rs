//! The cookies of a request. The access cookie becomes a bearer token, and only cookies that the route names reach the service.

use http::header::{COOKIE, HeaderMap, HeaderValue};

/// The cookies that the gateway uses or passes on.
#[derive(Debug, Default)]
pub(crate) struct Cookies {
    /// The value of the access cookie. A cookie that is repeated counts as none.
    pub access: Option<String>,
    /// The cookies that the service receives, as the value of a `Cookie` header. Empty if there are none.
    pub passed: String,
}

impl Cookies {
    /// Reads the cookies of a request (RFC 6265 §5.4). HTTP/2 clients may send several `Cookie` headers (RFC 9113 §8.2.3).
    pub(crate) fn read(headers: &HeaderMap, access_name: &str, passed_names: &[String]) -> Self {
        let mut cookies = Self::default();
        let mut access_count = 0_u32;
        let lines = headers.get_all(COOKIE).iter().map(HeaderValue::as_bytes);
        let pairs = lines.flat_map(|line| line.split(|byte| *byte == b';'));
        // A cookie with other characters is not one of the platform's.
        for pair in pairs.filter(|pair| pair.is_ascii()) {
            let pair = str::from_utf8(pair).unwrap_or_default().trim();
            let Some((name, value)) = pair.split_once('=') else {
                continue;
            };
            if name == access_name {
                access_count += 1;
                // At its end, white space would get lost on the way to the service.
                cookies.access = Some(unquoted(value).trim().to_owned());
            } else if passed_names.iter().any(|passed| passed == name) {
                let separator = if cookies.passed.is_empty() { "" } else { "; " };
                cookies.passed.push_str(separator);
                cookies.passed.push_str(pair);
            }
        }
        if access_count > 1 || cookies.access.as_ref().is_some_and(String::is_empty) {
            cookies.access = None;
        }
        cookies
    }

    /// Whether the request uses a cookie.
    pub(crate) fn are_used(&self) -> bool {
        self.access.is_some() || !self.passed.is_empty()
    }
}

/// A value may stand in quotation marks (RFC 6265 §4.1.1).
fn unquoted(value: &str) -> &str {
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> (Option<String>, String) {
        let headers = lines.iter().map(|line| (COOKIE, line.parse().unwrap())).collect();
        let Cookies { access, passed } =
            Cookies::read(&headers, "access", &["one".to_owned(), "two".to_owned()]);
        (access, passed)
    }

    #[test]
    fn only_named_cookies_pass() {
        let token = Some("a.b.c".to_owned());
        assert_eq!(read(&[]), (None, String::new()));
        assert_eq!(read(&["access=a.b.c"]), (token.clone(), String::new()));
        assert_eq!(
            read(&["one=1; x=2;access=\"a.b.c\"; two=3=4", "One=5; one=6"]),
            (token.clone(), "one=1; two=3=4; one=6".to_owned())
        );
        assert_eq!(read(&["access=\" a.b.c\t\""]), (token, String::new()));
        assert_eq!(read(&["one; =1; ;x"]), (None, String::new()));
        assert_eq!(
            read(&["city=Zürich; one=é; access=a.b.c; two=2"]),
            (Some("a.b.c".to_owned()), "two=2".to_owned())
        );
    }

    #[test]
    fn a_repeated_or_empty_access_cookie_counts_as_none() {
        for lines in [
            &["access=a; access=b"][..],
            &["access=a", "access=a"],
            &["access="],
            &["access=\" \""],
            &["access"],
        ] {
            assert_eq!(read(lines), (None, String::new()), "{lines:?}");
        }
    }
}
