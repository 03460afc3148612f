//! The OpenAPI documents of the services, joined into one.

mod join;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::table::Table;

/// How long a joined document is used before the services are asked again.
const MAX_AGE: Duration = Duration::from_secs(30);
/// The same for a document that lacks the routes of a service which did not answer.
const MAX_INCOMPLETE_AGE: Duration = Duration::from_secs(5);
const FETCH_TIMEOUT: Duration = Duration::from_secs(2);
const MAX_DOCUMENT_BYTES: usize = 4 * 1024 * 1024;

/// The joined document, and what it was made from.
#[derive(Default)]
pub(crate) struct Documents {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The last document of each service. It is kept while the service does not answer.
    by_service: HashMap<String, Value>,
    joined: Option<(Arc<str>, Instant)>,
    /// How long the joined document may be used.
    max_age: Duration,
}

impl Documents {
    /// The document of all public routes, as JSON. `None` if no service has answered yet.
    pub(crate) async fn joined(&self, table: &Table) -> Option<Arc<str>> {
        // Held while the services are asked, so that they are asked once.
        let mut state = self.state.lock().await;
        if let Some((joined, _)) = state
            .joined
            .as_ref()
            .filter(|(_, since)| since.elapsed() < state.max_age)
        {
            return Some(Arc::clone(joined));
        }
        let mut is_complete = true;
        for upstream in table.upstreams() {
            match fetch(&upstream.url).await {
                Ok(document) => {
                    state.by_service.insert(upstream.name.clone(), document);
                }
                Err(error) => {
                    is_complete = false;
                    let service = &upstream.name;
                    tracing::warn!(service, %error, "could not fetch the service's OpenAPI document");
                }
            }
        }
        if state.by_service.is_empty() {
            return None;
        }
        let joined: Arc<str> = join::join(&state.by_service, table).to_string().into();
        state.joined = Some((Arc::clone(&joined), Instant::now()));
        state.max_age = if is_complete { MAX_AGE } else { MAX_INCOMPLETE_AGE };
        Some(joined)
    }
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

async fn fetch(url: &str) -> Result<Value, FetchError> {
    let client = reqwest::Client::builder()
        .timeout(FETCH_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()?;
    let url = format!("{url}/openapi.json");
    let mut response = client.get(url).send().await?.error_for_status()?;
    let mut document = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if document.len() + chunk.len() > MAX_DOCUMENT_BYTES {
            return Err(FetchError::TooLong);
        }
        document.extend_from_slice(&chunk);
    }
    Ok(serde_json::from_slice(&document)?)
}
