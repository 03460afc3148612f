//! The service token that calls bear: fetched by client credentials (RFC 6749 §4.4) and renewed before it ends. One task
//! fetches, so there is never more than one fetch in flight, however many calls wait for it.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::Instant;
use url::form_urlencoded;

use super::retry::spread;
use crate::bounded;

const MAX_ANSWER_BYTES: usize = 64 * 1024;
const FETCH_TIMEOUT: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A token that a neighbour does not take causes no further fetch for this long after the last.
const REFUSED_PAUSE: Duration = Duration::from_secs(1);
/// A token is not used any more this long before its end: it has to get there.
const MARGIN: Duration = Duration::from_secs(2);

/// As whom a service asks for tokens, and where.
#[derive(Clone, Debug)]
pub struct ServiceCredentials {
    pub(super) name: String,
    secret: SecretString,
    pub(super) token_url: String,
}

impl ServiceCredentials {
    /// The service of this name, with its client secret, and the URL of the token endpoint.
    #[must_use]
    pub fn new(name: impl Into<String>, secret: SecretString, token_url: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            secret,
            token_url: token_url.into(),
        }
    }

    /// RFC 6749 §2.3.1: both parts are form-encoded first.
    fn basic(&self) -> HeaderValue {
        let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let pair = format!("{}:{}", encode(&self.name), encode(self.secret.expose_secret()));
        // Base64 has no character that a header could not have.
        let mut value = HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair)))
            .unwrap_or(HeaderValue::from_static("Basic"));
        value.set_sensitive(true);
        value
    }
}

/// Why there is no service token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The token endpoint could not be reached, or did not answer in time.
    #[error("the token endpoint gave no answer: {0}")]
    NoAnswer(String),
    /// It refused, with this status and this code of RFC 6749 §5.2.
    #[error("the token endpoint refused: {status} {code}")]
    Refused {
        /// The status of its answer.
        status: u16,
        /// `error` of its answer, or nothing.
        code: String,
    },
    /// It answered with what is no bearer token.
    #[error("the token endpoint's answer is no token")]
    Garbled,
}

impl TokenError {
    fn no_answer(error: &reqwest::Error) -> Self {
        // What reqwest says itself is only that, and the URL. What went wrong says the innermost cause.
        let causes = std::iter::successors(error.source(), |error| (*error).source());
        Self::NoAnswer(
            causes
                .last()
                .map_or_else(|| "broken off".to_owned(), ToString::to_string),
        )
    }

    fn cut_off(_: watch::error::RecvError) -> Self {
        Self::NoAnswer("the runtime that fetched it has ended".to_owned())
    }
}

/// A token for one audience.
#[derive(Clone, Debug)]
pub(super) struct Held {
    /// `Authorization`, whole, and marked as sensitive, so that `Debug` does not tell it.
    pub authorization: HeaderValue,
    /// Tells this token from those before it.
    pub number: u64,
    ends_at: Instant,
}

/// What the task knows: the newest token, and why there is none newer.
#[derive(Clone, Debug, Default)]
struct Known {
    held: Option<Held>,
    error: Option<TokenError>,
}

impl Known {
    fn held_if(&self, is_good: impl Fn(&Held) -> bool) -> Result<Held, TokenError> {
        let held = self.held.as_ref().filter(|held| is_good(held)).cloned();
        held.ok_or_else(|| self.error.clone().unwrap_or(TokenError::Garbled))
    }
}

/// Hands out tokens for one audience.
#[derive(Debug)]
pub(super) struct Tokens {
    fetcher: Arc<Fetcher>,
    /// The number of the newest token that the neighbour did not take.
    refused: watch::Sender<u64>,
    /// What the task tells, once there is one.
    known: Mutex<watch::Receiver<Known>>,
}

#[derive(Debug)]
struct Fetcher {
    http: reqwest::Client,
    credentials: ServiceCredentials,
    audience: String,
}

impl Tokens {
    pub fn new(http: reqwest::Client, credentials: ServiceCredentials, audience: &str) -> Self {
        let audience = audience.to_owned();
        let fetcher = Arc::new(Fetcher {
            http,
            credentials,
            audience,
        });
        let (_, untold) = watch::channel(Known::default());
        Self {
            fetcher,
            refused: watch::Sender::default(),
            known: Mutex::new(untold),
        }
    }

    /// A token that has not ended. Waits for the first one, and not where the last fetch failed.
    pub async fn current(&self) -> Result<Held, TokenError> {
        let now = Instant::now();
        let is_good = |held: &Held| now < held.ends_at;
        let mut known = self.known();
        let is_told = |known: &Known| known.error.is_some() || known.held_if(is_good).is_ok();
        known
            .wait_for(is_told)
            .await
            .map_err(TokenError::cut_off)?
            .held_if(is_good)
    }

    /// A token in place of one that was refused though it should have been good: the signing keys may have been changed in an
    /// emergency, or the neighbour's clock may differ.
    pub async fn replace(&self, refused: &Held) -> Result<Held, TokenError> {
        let is_newer = |held: &Held| held.number > refused.number;
        let mut known = self.known();
        // Others may have been refused before, and have it replaced. That an earlier fetch failed says nothing about the next.
        if let Ok(held) = known.borrow_and_update().held_if(is_newer) {
            return Ok(held);
        }
        self.refused
            .send_modify(|newest| *newest = refused.number.max(*newest));
        known.changed().await.map_err(TokenError::cut_off)?;
        known.borrow().held_if(is_newer)
    }

    /// What the task tells. It is started on first use, since who calls only what is public needs no token; and again where the
    /// runtime ended that it was started in.
    fn known(&self) -> watch::Receiver<Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.has_changed().is_err() {
            let held = known.borrow().held.clone();
            *known = self.follow(held);
        }
        known.clone()
    }

    /// Starts the task that fetches, for as long as anyone may ask.
    fn follow(&self, held: Option<Held>) -> watch::Receiver<Known> {
        let (mut number, mut failures) = (held.as_ref().map_or(0, |held| held.number), 0);
        let (known, told) = watch::channel(Known { held, error: None });
        let (fetcher, refused) = (Arc::clone(&self.fetcher), self.refused.clone());
        tokio::spawn(async move {
            loop {
                let begun = Instant::now();
                let pause = match fetcher.fetch().await {
                    Ok(Issued { authorization, life }) => {
                        (number, failures) = (number + 1, 0);
                        let ends_at = begun + usable(life);
                        let held = Some(Held {
                            authorization,
                            number,
                            ends_at,
                        });
                        known.send_replace(Known { held, error: None });
                        renewal(life)
                    }
                    Err(error) => {
                        tracing::warn!(audience = fetcher.audience, %error, "no service token");
                        known.send_modify(|known| known.error = Some(error));
                        failures += 1;
                        spread(pause_after(failures))
                    }
                };
                let is_refused = async {
                    let mut refused = refused.subscribe();
                    drop(refused.wait_for(|refused| number > 0 && *refused == number).await);
                    tokio::time::sleep_until(begun + REFUSED_PAUSE).await;
                };
                tokio::select! {
                    () = known.closed() => return,
                    () = tokio::time::sleep(pause) => {}
                    () = is_refused => {}
                }
            }
        });
        told
    }
}

/// For how long a token of this life is used.
fn usable(life: Duration) -> Duration {
    life.saturating_sub(MARGIN.min(life / 4))
}

/// When a token of this life is renewed: at 60 to 70 % of it.
fn renewal(life: Duration) -> Duration {
    life / 2 + spread(life / 5)
}

fn pause_after(failures: u32) -> Duration {
    FIRST_PAUSE
        .saturating_mul(2_u32.saturating_pow(failures))
        .min(LONGEST_PAUSE)
}

struct Issued {
    authorization: HeaderValue,
    life: Duration,
}

/// RFC 6749 §5.1 and §5.2 in one.
#[derive(Deserialize)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<u32>,
    error: Option<String>,
}

impl Answer {
    fn into_issued(self) -> Option<Issued> {
        self.token_type
            .filter(|kind| kind.eq_ignore_ascii_case("bearer"))?;
        let life = Duration::from_secs(self.expires_in.filter(|seconds| *seconds > 0)?.into());
        let mut authorization = HeaderValue::from_str(&format!("Bearer {}", self.access_token?)).ok()?;
        authorization.set_sensitive(true);
        Some(Issued { authorization, life })
    }
}

impl Fetcher {
    async fn fetch(&self) -> Result<Issued, TokenError> {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "client_credentials")
            .append_pair("audience", &self.audience)
            .finish();
        let request = self
            .http
            .post(&self.credentials.token_url)
            .timeout(FETCH_TIMEOUT)
            .header(AUTHORIZATION, self.credentials.basic())
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(body);
        let response = request
            .send()
            .await
            .map_err(|error| TokenError::no_answer(&error))?;
        let status = response.status();
        let body = bounded::body(response, MAX_ANSWER_BYTES)
            .await
            .map_err(|error| TokenError::no_answer(&error))?;
        let answer: Option<Answer> = serde_json::from_slice(&body.unwrap_or_default()).ok();
        if !status.is_success() {
            let code = answer.and_then(|answer| answer.error).unwrap_or_default();
            return Err(TokenError::Refused {
                status: status.as_u16(),
                code,
            });
        }
        answer.and_then(Answer::into_issued).ok_or(TokenError::Garbled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_while_it_can_be_used() {
        for seconds in [1, 2, 5, 8, 10, 60, 900, u32::MAX] {
            let life = Duration::from_secs(seconds.into());
            for _ in 0..100 {
                let renewal = renewal(life);
                assert!(
                    life / 2 < renewal && renewal < usable(life) && usable(life) < life,
                    "{renewal:?} of {life:?}"
                );
            }
        }
        assert_eq!(usable(Duration::from_secs(900)), Duration::from_secs(898));
    }

    #[test]
    fn an_endpoint_that_fails_is_asked_less_and_less_often_but_never_given_up() {
        let pauses = [1, 2, 3, 4, 5, 1_000, u32::MAX].map(|failures| pause_after(failures).as_millis());
        assert_eq!(pauses, [100, 200, 400, 800, 1_000, 1_000, 1_000]);
    }
}
