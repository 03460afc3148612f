//! Finds cookies in the values of `Cookie` headers, and removes cookies from browsers, for programs of any framework.

/// The cookie of one name in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundCookie<'v> {
    /// The request does not carry the cookie.
    Missing,
    /// The cookie is empty or repeated, so it counts as none. Two hosts of one domain may each have set one, and the order in which a
    /// browser sends them does not say which is the right one.
    Unusable,
    /// The value, which is not empty. Any client can send any bytes.
    Value(&'v [u8]),
}

/// The cookies of a request as pairs of name and value, in the order in which they were sent. An HTTP/2 client may send several
/// `Cookie` headers (RFC 9113 §8.2.3). A pair without `=` is left out.
pub fn cookie_pairs<'v>(
    values: impl IntoIterator<Item = &'v [u8]>,
) -> impl Iterator<Item = (&'v [u8], &'v [u8])> {
    let pairs = values
        .into_iter()
        .flat_map(|value| value.split(|byte| *byte == b';'));
    pairs.filter_map(|pair| {
        let pair = pair.trim_ascii();
        let equals = pair.iter().position(|byte| *byte == b'=')?;
        let (name, value) = pair.split_at(equals);
        Some((name, value.get(1..).unwrap_or_default()))
    })
}

/// The cookie of this name in the values of a request's `Cookie` headers. Names are compared with case (RFC 6265 §5.4).
///
/// ```
/// use auth::{FoundCookie, find_cookie};
///
/// let header = b"theme=dark; session=a1b2; theme=light";
/// assert_eq!(find_cookie([&header[..]], "session"), FoundCookie::Value(b"a1b2"));
/// assert_eq!(find_cookie([&header[..]], "theme"), FoundCookie::Unusable);
/// assert_eq!(find_cookie([&header[..]], "Session"), FoundCookie::Missing);
/// ```
pub fn find_cookie<'v>(values: impl IntoIterator<Item = &'v [u8]>, name: &str) -> FoundCookie<'v> {
    let mut named = cookie_pairs(values).filter(|(found, _)| *found == name.as_bytes());
    match (named.next(), named.next()) {
        (None, _) => FoundCookie::Missing,
        (Some(_), Some(_)) => FoundCookie::Unusable,
        // Inside quotation marks, white space at the ends would get lost in an `Authorization` header.
        (Some((_, value)), None) => match unquoted(value).trim_ascii() {
            b"" => FoundCookie::Unusable,
            value => FoundCookie::Value(value),
        },
    }
}

/// Removes a cookie from browsers.
///
/// ```
/// use auth::CookieRemoval;
///
/// let removal = CookieRemoval::new("__Host-session", true);
/// let line = "__Host-session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax; Secure";
/// assert_eq!(removal.unless_set([&b"theme=dark"[..]]), Some(line));
/// assert_eq!(removal.unless_set([&b"__Host-session=a1b2; Path=/; Secure"[..]]), None);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CookieRemoval {
    name: String,
    line: String,
}

impl CookieRemoval {
    /// The removal of the cookie of this name, which was set for this host and all paths.
    #[must_use]
    pub fn new(name: impl Into<String>, is_https: bool) -> Self {
        let name = name.into();
        let secure = if is_https { "; Secure" } else { "" };
        let line = format!("{name}=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax{secure}");
        Self { name, line }
    }

    /// The value of `Set-Cookie` that removes the cookie. `None` if one of these values of the response's `Set-Cookie` headers already
    /// sets or removes the cookie.
    pub fn unless_set<'v>(&self, set_cookies: impl IntoIterator<Item = &'v [u8]>) -> Option<&str> {
        let sets = |value: &[u8]| {
            let rest = value.trim_ascii_start().strip_prefix(self.name.as_bytes());
            rest.is_some_and(|rest| rest.first() == Some(&b'='))
        };
        let is_set = set_cookies.into_iter().any(sets);
        (!is_set).then_some(self.line.as_str())
    }
}

/// A value may stand in quotation marks (RFC 6265 §4.1.1).
fn unquoted(value: &[u8]) -> &[u8] {
    let inner = value
        .strip_prefix(b"\"")
        .and_then(|rest| rest.strip_suffix(b"\""));
    inner.unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find<'v>(values: &[&'v str]) -> FoundCookie<'v> {
        find_cookie(values.iter().map(|value| value.as_bytes()), "access")
    }

    #[test]
    fn a_cookie_is_found_by_its_exact_name() {
        let token = FoundCookie::Value(b"a.b.c");
        for values in [
            &["access=a.b.c"][..],
            &["one=1; x=2;access=\"a.b.c\"; two=3=4", "Access=5; one=6"],
            &["access=\" a.b.c\t\""],
            &["city=Z\u{fc}rich; access=a.b.c"],
            &["x=1", " access=a.b.c "],
        ] {
            assert_eq!(find(values), token, "{values:?}");
        }
        assert_eq!(find(&["access=a=b"]), FoundCookie::Value(b"a=b"));
        for values in [
            &[][..],
            &[""],
            &["access"],
            &["one; =1; ;x", "xaccess=1; access2=1; access =1; ACCESS=1"],
        ] {
            assert_eq!(find(values), FoundCookie::Missing, "{values:?}");
        }
    }

    #[test]
    fn a_repeated_or_empty_cookie_is_unusable() {
        for values in [
            &["access=a; access=b"][..],
            &["access=a; access=a"],
            &["access=a", "access=a"],
            &["access=; access=a"],
            &["access="],
            &["access=\"\""],
            &["access=\" \""],
        ] {
            assert_eq!(find(values), FoundCookie::Unusable, "{values:?}");
        }
    }
}
