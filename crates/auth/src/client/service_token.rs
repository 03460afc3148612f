//! The service token of outgoing calls. A background task fetches the token on first use and renews it before it expires. All
//! calls share the task, so that there is at most one fetch at a time.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::HeaderValue;
use tokio::sync::watch;
use tokio::time::Instant;

use super::token_endpoint::{IssuedToken, ServiceCredentials, TokenEndpoint, TokenError};
use crate::backoff::{Backoff, with_jitter};
use crate::outgoing::SILENT_AT_START;

/// The delay before a failed fetch is retried.
const BACKOFF: Backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
/// The same for the first token, while the token endpoint may be starting too.
const BACKOFF_AT_START: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_millis(250));
/// The minimum time between a fetch and the next fetch, if the neighbour refuses the token.
const REFUSED_COOLDOWN: Duration = Duration::from_secs(1);
/// A token is not used in the last seconds of its lifetime, since a request takes time to arrive.
const EXPIRY_MARGIN: Duration = Duration::from_secs(2);

/// A token for one audience.
#[derive(Clone, Debug)]
pub(super) struct ServiceToken {
    /// The value of `Authorization`, marked as sensitive so that `Debug` hides it.
    pub authorization: HeaderValue,
    /// The first token that was fetched has the number 1, the next one 2, and so on.
    number: u64,
    usable_until: Instant,
}

/// The newest token, and the error of the last fetch if it failed.
#[derive(Clone, Debug, Default)]
struct State {
    token: Option<ServiceToken>,
    error: Option<TokenError>,
}

impl State {
    /// The token if it meets the condition, else the error of the last fetch. Before the first fetch has ended there is neither,
    /// and the result is `InvalidResponse`. No caller of this function returns that result: each first waits for the fetch to
    /// end.
    fn token_if(&self, condition: impl Fn(&ServiceToken) -> bool) -> Result<ServiceToken, TokenError> {
        let token = self.token.as_ref().filter(|token| condition(token)).cloned();
        token.ok_or_else(|| self.error.clone().unwrap_or(TokenError::InvalidResponse))
    }
}

/// The service tokens for one audience.
#[derive(Debug)]
pub(super) struct ServiceTokens {
    endpoint: Arc<TokenEndpoint>,
    /// The number of the newest token that the neighbour refused.
    refused: watch::Sender<u64>,
    /// Receives the newest token from the background task. Before the task starts and after it ends, the channel has no sender.
    /// The method `receiver` then starts a task.
    state: Mutex<watch::Receiver<State>>,
}

impl ServiceTokens {
    pub fn new(http: reqwest::Client, credentials: ServiceCredentials, audience: &str) -> Self {
        let endpoint = TokenEndpoint {
            http,
            credentials,
            audience: audience.to_owned(),
        };
        let (_, not_started) = watch::channel(State::default());
        Self {
            endpoint: Arc::new(endpoint),
            refused: watch::Sender::default(),
            state: Mutex::new(not_started),
        }
    }

    /// A usable token. Waits for the fetch if there is none yet. Returns an error at once if there is none and the last fetch
    /// failed.
    pub async fn current(&self) -> Result<ServiceToken, TokenError> {
        let now = Instant::now();
        let is_usable = |token: &ServiceToken| now < token.usable_until;
        let is_settled = |state: &State| state.error.is_some() || state.token_if(is_usable).is_ok();

        let mut receiver = self.receiver();
        let state = receiver.wait_for(is_settled).await.map_err(task_ended)?;
        state.token_if(is_usable)
    }

    /// A newer token than `refused`, which the neighbour refused. A neighbour refuses an unexpired token after an emergency change
    /// of signing keys, or if the neighbour's clock is wrong.
    pub async fn replace(&self, refused: &ServiceToken) -> Result<ServiceToken, TokenError> {
        let is_newer = |token: &ServiceToken| token.number > refused.number;

        let mut receiver = self.receiver();
        // Another call may have caused the replacement already. The error of an earlier fetch is ignored here, since the task
        // tries again.
        if let Ok(token) = receiver.borrow_and_update().token_if(is_newer) {
            return Ok(token);
        }
        self.refused
            .send_modify(|newest| *newest = refused.number.max(*newest));
        receiver.changed().await.map_err(task_ended)?;
        receiver.borrow().token_if(is_newer)
    }

    /// A receiver of the background task's state. Starts the task on first use, since calls without a token need no task. Starts
    /// another task if the runtime of the first one has ended.
    fn receiver(&self) -> watch::Receiver<State> {
        let mut receiver = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let is_task_gone = receiver.has_changed().is_err();
        if is_task_gone {
            let token = receiver.borrow().token.clone();
            *receiver = self.spawn_task(token);
        }
        receiver.clone()
    }

    /// Spawns the background task. It ends when the last receiver is dropped.
    fn spawn_task(&self, token: Option<ServiceToken>) -> watch::Receiver<State> {
        let last_number = token.as_ref().map_or(0, |token| token.number);
        let (state, receiver) = watch::channel(State { token, error: None });
        let task = FetchTask {
            endpoint: Arc::clone(&self.endpoint),
            refused: self.refused.clone(),
            state,
            started: Instant::now(),
            last_number,
            failures: 0,
        };
        tokio::spawn(task.run());
        receiver
    }
}

struct FetchTask {
    endpoint: Arc<TokenEndpoint>,
    refused: watch::Sender<u64>,
    state: watch::Sender<State>,
    started: Instant,
    last_number: u64,
    failures: u32,
}

impl FetchTask {
    async fn run(mut self) {
        loop {
            let began = Instant::now();
            let pause = match self.endpoint.fetch().await {
                Ok(issued) => self.publish(issued, began),
                Err(error) => self.fail(error),
            };

            // Ends when the neighbour has refused the newest token, but not before the cooldown is over.
            let until_refused = async {
                let mut refused = self.refused.subscribe();
                let number = self.last_number;
                drop(refused.wait_for(|refused| number > 0 && *refused == number).await);
                tokio::time::sleep_until(began + REFUSED_COOLDOWN).await;
            };
            tokio::select! {
                () = self.state.closed() => return,
                () = tokio::time::sleep(pause) => {}
                () = until_refused => {}
            }
        }
    }

    /// Publishes a new token. Returns how long to wait before the token is renewed.
    fn publish(&mut self, issued: IssuedToken, began: Instant) -> Duration {
        self.last_number += 1;
        self.failures = 0;
        let token = ServiceToken {
            authorization: issued.authorization,
            number: self.last_number,
            usable_until: began + usable_for(issued.lifetime),
        };
        self.state.send_replace(State {
            token: Some(token),
            error: None,
        });
        renew_after(issued.lifetime)
    }

    /// Publishes an error. The last token stays in use. Returns how long to wait before the next fetch.
    fn fail(&mut self, error: TokenError) -> Duration {
        let audience = &self.endpoint.audience;
        let is_starting = self.last_number == 0
            && self.started.elapsed() < SILENT_AT_START
            && matches!(error, TokenError::NoResponse(_));
        if is_starting {
            tracing::debug!(audience, %error, "could not fetch a service token yet");
        } else {
            tracing::warn!(audience, %error, "could not fetch a service token");
        }
        self.state.send_modify(|state| state.error = Some(error));
        self.failures = self.failures.saturating_add(1);
        let backoff = if is_starting { BACKOFF_AT_START } else { BACKOFF };
        backoff.delay(self.failures)
    }
}

fn task_ended(_: watch::error::RecvError) -> TokenError {
    TokenError::NoResponse("the background task that fetches tokens has ended".to_owned())
}

/// How long a token with this lifetime is used, counted from the start of the fetch.
fn usable_for(lifetime: Duration) -> Duration {
    lifetime.saturating_sub(EXPIRY_MARGIN.min(lifetime / 4))
}

/// How long to wait before a token with this lifetime is renewed: 60 to 70 % of the lifetime.
fn renew_after(lifetime: Duration) -> Duration {
    // Half of the lifetime, plus 10 to 20 %.
    lifetime / 2 + with_jitter(lifetime / 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_while_it_is_usable() {
        for seconds in [1, 2, 5, 8, 10, 60, 900, u32::MAX] {
            let lifetime = Duration::from_secs(seconds.into());
            for _ in 0..100 {
                let renewal = renew_after(lifetime);
                assert!(lifetime / 2 < renewal, "{renewal:?} of {lifetime:?}");
                assert!(renewal < usable_for(lifetime), "{renewal:?} of {lifetime:?}");
                assert!(usable_for(lifetime) < lifetime);
            }
        }
        assert_eq!(usable_for(Duration::from_secs(900)), Duration::from_secs(898));
    }
}
