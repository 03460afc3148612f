//! Where a browser goes after a login: only to pages of the platform's own origin and of `CORS_ORIGINS`, so that an attacker can't use
//! the login to send users to another site (RFC 9700 §4.11).

use serde::{Deserialize, Serialize};
use url::Url;

/// The longest `return_to`, in bytes. It has to fit into a cookie.
const MAX_BYTES: usize = 1024;

/// The URL of a page to which a browser may be sent.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct ReturnTo(Url);

impl ReturnTo {
    /// Reads a path of the platform's own origin, such as `/orders?page=2`, or a URL whose origin is the own one or is allowed.
    /// `None` for everything else, also for text that browsers read differently, such as `//evil.example` and `/\evil.example`.
    pub(crate) fn parse(text: &str, own_origin: &str, is_allowed: impl Fn(&str) -> bool) -> Option<Self> {
        let is_forbidden = |c: char| c.is_control() || c.is_whitespace() || c == '\\';
        if text.len() > MAX_BYTES || text.contains(is_forbidden) {
            return None;
        }
        let own = Url::parse(own_origin).ok()?;
        let url = if text.starts_with('/') {
            if text.starts_with("//") {
                return None;
            }
            own.join(text).ok()?
        } else {
            Url::parse(text).ok()?
        };
        let has_user = !url.username().is_empty() || url.password().is_some();
        let is_web = matches!(url.scheme(), "http" | "https");
        let is_known = url.origin() == own.origin() || is_allowed(&url.origin().ascii_serialization());
        // The URL has characters percent-encoded, so it can be longer than the text.
        let fits = url.as_str().len() <= MAX_BYTES;
        (is_web && is_known && !has_user && fits).then_some(Self(url))
    }

    /// The URL to send the browser to.
    pub(crate) fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The URL with the parameter `error`, for a login that failed.
    pub(crate) fn with_error(&self, code: &str) -> String {
        let mut url = self.0.clone();
        url.query_pairs_mut().append_pair("error", code);
        url.into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const OWN: &str = "https://shop.example";

    fn parse(text: &str) -> Option<String> {
        let parsed = ReturnTo::parse(text, OWN, |origin| origin == "https://app.example:8443");
        parsed.map(|url| url.as_str().to_owned())
    }

    #[test]
    fn a_page_of_an_allowed_origin_is_accepted() {
        for (text, url) in [
            ("/", "https://shop.example/"),
            ("/orders?page=2#top", "https://shop.example/orders?page=2#top"),
            ("/a/../b", "https://shop.example/b"),
            ("/.//evil.example", "https://shop.example//evil.example"),
            ("/%2f%2fevil.example", "https://shop.example/%2f%2fevil.example"),
            (
                "/?next=https://evil.example",
                "https://shop.example/?next=https://evil.example",
            ),
            ("https://shop.example", "https://shop.example/"),
            ("HTTPS://Shop.Example:443/x", "https://shop.example/x"),
            ("https://app.example:8443/x", "https://app.example:8443/x"),
        ] {
            assert_eq!(parse(text).as_deref(), Some(url), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let long = format!("/{}", "a".repeat(MAX_BYTES));
        let long_when_encoded = format!("/{}", "\u{e9}".repeat(400));
        for text in [
            "",
            "orders",
            "?x",
            "#x",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/a\\b",
            "/\t/evil.example",
            "/\n/evil.example",
            "/a\u{0}",
            "/a\u{7f}",
            "/a\u{85}b",
            " /a",
            "/a b",
            "http://shop.example/",
            "https://shop.example:8443/",
            "https://app.example/",
            "https://app.example:443/",
            "https://shop.example.evil.example/",
            "https://shop.example@evil.example/",
            "https://user@shop.example/",
            "https://user:pass@shop.example/",
            "https:evil.example",
            "https:/evil.example",
            "https:///evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "blob:https://shop.example/x",
            "ftp://shop.example/",
            "//shop.example/",
            &long,
            &long_when_encoded,
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn an_error_is_added_to_the_query() {
        let with_error = |text: &str| {
            let url = ReturnTo::parse(text, OWN, |_| false).unwrap();
            url.with_error("email_taken")
        };
        assert_eq!(with_error("/a"), "https://shop.example/a?error=email_taken");
        assert_eq!(
            with_error("/a?b=c#d"),
            "https://shop.example/a?b=c&error=email_taken#d"
        );
    }

    proptest! {
        #[test]
        fn an_accepted_text_leads_to_an_allowed_origin(text in "[/\\\\:.@?#a-zA-Z0-9%\\t ]{0,40}") {
            if let Some(url) = parse(&text) {
                prop_assert!(url.starts_with("https://shop.example/") || url.starts_with("https://app.example:8443/"));
            }
        }
    }
}
