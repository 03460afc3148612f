//! The OpenAPI documents of the services, joined into one.

mod answers;
mod components;
mod join;
mod own_pages;
mod security;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::Client;
use serde_json::Value;
use service_kit::outgoing;
use tokio::sync::Mutex;
use tokio::task::{JoinError, JoinSet, spawn_blocking};
use tokio::time::Instant;

use crate::table::Table;

/// How long a joined document is used before the services are asked again.
const MAX_AGE: Duration = Duration::from_secs(30);
/// The same for a document that lacks the routes of a service which did not answer, and for the failure if no service answered.
const MAX_INCOMPLETE_AGE: Duration = Duration::from_secs(5);
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// The joined document, and what it was made from.
#[derive(Default)]
pub(crate) struct Documents {
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    client: Option<Client>,
    /// The last document of each service. It is kept while the service does not answer.
    by_service: HashMap<String, Value>,
    /// `None` if no service has answered yet. Responses share these bytes: a client may leave many of them unread.
    joined: Option<Bytes>,
    /// Until when the services are not asked again.
    fresh_until: Option<Instant>,
}

impl Documents {
    /// The document of all public routes, as JSON. `None` if no service has answered yet.
    pub(crate) async fn joined(&self, table: &Arc<Table>) -> Option<Bytes> {
        // Held while the services are asked, so that they are asked once.
        let mut state = Arc::clone(&self.state).lock_owned().await;
        if state.fresh_until.is_some_and(|end| Instant::now() < end) {
            return state.joined.clone();
        }
        let table = Arc::clone(table);
        // A separate task: when the client disconnects, its request ends, and the next one would start again.
        let refresh = tokio::spawn(async move {
            state.refresh(&table).await;
            state.joined.clone()
        });
        // A refresh fails only with its worker.
        refresh.await.ok().flatten()
    }
}

impl State {
    /// Asks all services at the same time, and joins their documents.
    async fn refresh(&mut self, table: &Table) {
        let is_complete = match self.client().await {
            Ok(client) => self.fetch_all(&client, table).await,
            Err(error) => {
                tracing::error!(%error, "could not create the HTTP client for OpenAPI documents");
                false
            }
        };
        if !self.by_service.is_empty() {
            self.joined = Some(join::join(&self.by_service, table).to_string().into());
        }
        let max_age = if is_complete { MAX_AGE } else { MAX_INCOMPLETE_AGE };
        self.fresh_until = Some(Instant::now() + max_age);
    }

    /// The client, which is created once.
    async fn client(&mut self) -> Result<Client, ClientError> {
        if let Some(client) = &self.client {
            return Ok(client.clone());
        }
        // Not on the worker's thread: it would stop until the client has read the system's certificates.
        let client = spawn_blocking(build_client).await??;
        Ok(self.client.insert(client).clone())
    }

    /// Returns whether all services have answered.
    async fn fetch_all(&mut self, client: &Client, table: &Table) -> bool {
        let mut fetches = JoinSet::new();
        for upstream in table.upstreams() {
            let (client, upstream) = (client.clone(), Arc::clone(upstream));
            fetches.spawn(async move {
                let document = fetch(&client, &upstream.url).await;
                (upstream, document)
            });
        }
        let mut is_complete = true;
        for (upstream, document) in fetches.join_all().await {
            match document {
                Ok(document) => {
                    self.by_service.insert(upstream.name.clone(), document);
                }
                Err(error) => {
                    is_complete = false;
                    let service = &upstream.name;
                    tracing::warn!(service, %error, "could not fetch the service's OpenAPI document");
                }
            }
        }
        is_complete
    }
}

/// Why there is no HTTP client.
#[derive(Debug, thiserror::Error)]
enum ClientError {
    #[error(transparent)]
    Build(#[from] reqwest::Error),
    #[error(transparent)]
    Thread(#[from] JoinError),
}

fn build_client() -> Result<Client, reqwest::Error> {
    outgoing::client_builder()
        .timeout(FETCH_TIMEOUT)
        // A connection would belong to the worker that opened it, and another worker may fetch next.
        .pool_max_idle_per_host(0)
        .build()
}

/// Why a service's document is missing.
#[derive(Debug, thiserror::Error)]
enum FetchError {
    #[error(transparent)]
    Http(#[from] reqwest::Error),
    #[error("more than {MAX_DOCUMENT_BYTES} bytes")]
    TooLong,
    #[error(transparent)]
    Json(#[from] serde_json::Error),
}

async fn fetch(client: &Client, url: &str) -> Result<Value, FetchError> {
    let url = format!("{url}/openapi.json");
    let response = client.get(url).send().await?.error_for_status()?;
    let document = outgoing::read_body(response, MAX_DOCUMENT_BYTES).await?;
    Ok(serde_json::from_slice(&document.ok_or(FetchError::TooLong)?)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn all_responses_share_one_copy_of_the_document() {
        let state = State {
            joined: Some(Bytes::from("{}".to_owned())),
            fresh_until: Some(Instant::now() + MAX_AGE),
            ..State::default()
        };
        let documents = Documents {
            state: Arc::new(Mutex::new(state)),
        };
        let table = Arc::default();
        let one = documents.joined(&table).await.unwrap();
        let other = documents.joined(&table).await.unwrap();
        assert_eq!(one.as_ptr(), other.as_ptr());
    }
}
