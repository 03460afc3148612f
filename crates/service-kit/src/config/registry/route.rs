//! The public routes of a service: which of its paths the gateway forwards to, and under which conditions.

use std::time::Duration;

use serde::Deserialize;

use crate::config::cookies::CookieNames;
use crate::config::rate_limit::RateLimit;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_FIRST_BYTE_TIMEOUT: Duration = Duration::from_secs(10);
const MAX_TIMEOUT: Duration = Duration::from_secs(3_600);
const DEFAULT_RETRIES: u32 = 2;
const MAX_RETRIES: u32 = 10;
const DEFAULT_BODY_LIMIT: u64 = 1024 * 1024;
const MAX_BODY_LIMIT: i64 = 1 << 40;

/// The first segments that neither prefix may have: of paths for services and operators only, and of paths that the gateway and each
/// service answer themselves.
const RESERVED: [&str; 7] = [
    "internal",
    "oauth",
    "reservations",
    "metrics",
    "health",
    "docs",
    "openapi.json",
];

/// A prefix of paths that the gateway forwards to a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicRoute {
    /// The prefix in the client's path, such as `/api/products`. It covers whole segments: not `/api/products2`.
    pub prefix: String,
    /// The service's own prefix, which replaces `prefix`, such as `/products`.
    pub upstream_prefix: String,
    /// How the gateway treats access tokens.
    pub token: TokenRule,
    /// The names of the cookies that the service receives. The gateway removes all others.
    pub cookies: Vec<String>,
    /// How long a request and its response may take in all.
    pub timeout: Duration,
    /// How long the service may take to begin its response.
    pub first_byte_timeout: Duration,
    /// How many times the gateway tries again to connect to the service.
    pub retries: u32,
    /// The maximum length of a request's body, in bytes.
    pub body_limit: u64,
    /// The rate limit of each client. `None`: the gateway's default.
    pub rate_limit: Option<RateLimit>,
    /// Whether the connection may become a WebSocket.
    pub upgrade: bool,
}

/// How the gateway treats the access token of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenRule {
    /// A request without a user's valid token is refused.
    Required,
    /// A user's valid token identifies the caller. A request with an invalid token or without one is forwarded as anonymous, and
    /// the service decides.
    Optional,
    /// Tokens are not verified.
    Ignored,
}

/// A route as `services.toml` has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RouteEntry {
    pub prefix: String,
    upstream_prefix: Option<String>,
    token: String,
    #[serde(default)]
    cookies: Vec<String>,
    timeout: Option<String>,
    first_byte_timeout: Option<String>,
    retries: Option<u32>,
    body_limit: Option<i64>,
    rate_limit: Option<String>,
    #[serde(default)]
    upgrade: bool,
}

impl RouteEntry {
    /// Checks the entry, and adds all problems to `problems`.
    pub fn check(self, is_user_service: bool, problems: &mut Vec<String>) -> PublicRoute {
        let prefix = self.prefix;
        let mut problem = |message: String| problems.push(format!("the route `{prefix}`: {message}"));

        if let Some(fault) = prefix_fault(&prefix) {
            problem(format!("prefix {fault}"));
        }
        let upstream_prefix = self.upstream_prefix.unwrap_or_else(|| prefix.clone());
        if let Some(fault) = prefix_fault(&upstream_prefix) {
            problem(format!("upstream_prefix {fault}"));
        }
        let token = match self.token.as_str() {
            "required" => TokenRule::Required,
            "optional" => TokenRule::Optional,
            "ignored" => TokenRule::Ignored,
            _ => {
                problem("token must be `required`, `optional` or `ignored`".to_owned());
                TokenRule::Required
            }
        };
        for cookie in &self.cookies {
            if let Some(fault) = cookie_fault(cookie, is_user_service) {
                problem(format!("`{cookie}` in cookies {fault}"));
            }
        }
        let mut duration = |name, text: Option<String>, default| {
            let Some(text) = text else {
                return default;
            };
            let parsed = humantime::parse_duration(&text).ok();
            let valid = parsed.filter(|time| !time.is_zero() && *time <= MAX_TIMEOUT);
            valid.unwrap_or_else(|| {
                problem(format!(
                    "{name} must be a duration such as `30s`, at most an hour"
                ));
                default
            })
        };
        let timeout = duration("timeout", self.timeout, DEFAULT_TIMEOUT);
        let first_byte_timeout = duration(
            "first_byte_timeout",
            self.first_byte_timeout,
            DEFAULT_FIRST_BYTE_TIMEOUT.min(timeout),
        );
        if first_byte_timeout > timeout {
            problem("first_byte_timeout must not be longer than timeout".to_owned());
        }
        let retries = self.retries.unwrap_or(DEFAULT_RETRIES);
        if retries > MAX_RETRIES {
            problem(format!("retries must be at most {MAX_RETRIES}"));
        }
        let body_limit = match self.body_limit {
            None => DEFAULT_BODY_LIMIT,
            Some(bytes) if (0..=MAX_BODY_LIMIT).contains(&bytes) => bytes.unsigned_abs(),
            Some(_) => {
                problem(format!(
                    "body_limit must be a number of bytes from 0 to {MAX_BODY_LIMIT}"
                ));
                DEFAULT_BODY_LIMIT
            }
        };
        let rate_limit = self.rate_limit.and_then(|text| {
            let limit = text.parse().ok();
            if limit.is_none() {
                problem(format!("rate_limit must be {}", RateLimit::FORM));
            }
            limit
        });

        PublicRoute {
            upstream_prefix,
            token,
            cookies: self.cookies,
            timeout,
            first_byte_timeout,
            retries,
            body_limit,
            rate_limit,
            upgrade: self.upgrade,
            prefix,
        }
    }
}

/// Why this text can't be a prefix of paths. `None` if it can.
fn prefix_fault(prefix: &str) -> Option<String> {
    let Some(segments) = prefix.strip_prefix('/') else {
        return Some("must begin with a slash".to_owned());
    };
    // Without characters that have several spellings in a path.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let is_segment = |segment: &str| {
        !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(is_plain)
    };
    if !segments.split('/').all(is_segment) {
        return Some(
            "must consist of one or more segments of letters, digits, `-`, `.`, `_` and `~`, without a slash at the end"
                .to_owned(),
        );
    }
    let first = segments.split('/').next().unwrap_or_default();
    RESERVED
        .contains(&first)
        .then(|| format!("must not begin with `/{first}`, which is never public"))
}

/// Why the service can't receive the cookie of this name. `None` if it can.
fn cookie_fault(name: &str, is_user_service: bool) -> Option<&'static str> {
    if !is_cookie_name(name) {
        Some("is not the name of a cookie")
    } else if CookieNames::include_access(name) {
        Some("is the access cookie, which the gateway turns into a bearer token")
    } else if CookieNames::include(name.as_bytes()) && !is_user_service {
        Some("is a cookie of user-service, which no other service may receive")
    } else {
        None
    }
}

/// A `token` of RFC 9110 §5.6.2, as RFC 6265 §4.1.1 requires.
fn is_cookie_name(name: &str) -> bool {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_token)
}
