//! The feed over HTTP: server-sent events. The publisher repeats what a reader missed.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::stream::{once, try_unfold};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _};
use reqwest::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, StatusCode};
use uuid::Uuid;

use super::event::FeedEvent;
use super::position::FeedPosition;
use super::sse::EventParser;
use super::transport::{Ended, Events, Transport, until_silent};
use crate::client::{CallError, ServiceClient};
use crate::freshness::STALE_AFTER;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const SILENCE: Duration = Duration::from_secs(STALE_AFTER.unsigned_abs());

/// `GET /internal/revocations` of the publisher.
#[derive(Debug)]
pub(super) struct Http {
    pub client: ServiceClient,
    pub instance: Uuid,
}

impl Transport for Http {
    fn connect(&self, after: Option<FeedPosition>) -> Events {
        once(open(self.client.clone(), self.instance, after))
            .try_flatten()
            .boxed()
    }
}

async fn open(
    client: ServiceClient,
    instance: Uuid,
    after: Option<FeedPosition>,
) -> Result<impl Stream<Item = Result<FeedEvent, Ended>>, Ended> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream"));
    if let Some(position) = after
        && let Ok(id) = HeaderValue::try_from(position.to_string())
    {
        headers.insert(LAST_EVENT_ID, id);
    }
    let path = format!("/internal/revocations?instance={instance}");
    let response = client.open_stream(&path, headers).await?;
    if response.status() != StatusCode::OK {
        return Err(Ended::Status(response.status()));
    }
    let connection = Connection {
        response,
        parser: EventParser::default(),
        events: VecDeque::new(),
    };
    let events = try_unfold(connection, |mut connection| async {
        let event = connection.next().await?;
        Ok(event.map(|event| (event, connection)))
    });
    Ok(until_silent(events, SILENCE))
}

struct Connection {
    response: Response,
    parser: EventParser,
    /// Events that were read and not yet delivered.
    events: VecDeque<FeedEvent>,
}

impl Connection {
    async fn next(&mut self) -> Result<Option<FeedEvent>, Ended> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Ok(Some(event));
            }
            let Some(chunk) = self.response.chunk().await.map_err(CallError::NoResponse)? else {
                return Ok(None);
            };
            let events = &mut self.events;
            self.parser.read(&chunk, |event| {
                events.push_back(FeedEvent::parse(&event.name, &event.data, &event.id)?);
                Ok::<_, Ended>(())
            })?;
        }
    }
}
