//! The stream of the revocation feed.

use std::future::{Ready, ready};
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use auth::{Clock, FeedPosition, IsService, Service};
use futures_util::StreamExt as _;
use garde::Validate;
use serde::Deserialize;
use service_kit::{Id, Query, RequestError, Shutdown};
use utoipa::IntoParams;

use crate::error::UserError;
use crate::feed::Feed;
use crate::key_rotation::{KeyRotation, OpenStream};

/// The maximum duration of a stream. A reader connects again with a new token.
const MAX_STREAM: Duration = Duration::from_mins(15);

#[derive(Deserialize, Validate, IntoParams)]
#[garde(allow_unvalidated)]
#[into_params(parameter_in = Query)]
pub struct Reader {
    /// Identifies the reader among the replicas of its service.
    #[param(value_type = Option<Uuid>)]
    instance: Option<Id>,
}

/// `Last-Event-ID`: the position of a reader that resumes.
pub struct LastEventId(Option<FeedPosition>);

/// `GET /internal/revocations`: streams revocations as server-sent events.
///
/// Without `Last-Event-ID`, first all revocations that have not expired. With it, those after it, or a `reset` if this service does
/// not know it; then the reader must begin again without it. Then `ready`, and from then on each event as it happens, and each
/// second a `head` with the number of the newest event. A reader that hears nothing for several seconds must connect again.
#[utoipa::path(
    get, path = "/internal/revocations", tag = "internal", operation_id = "stream_revocations",
    params(Reader, ("Last-Event-ID" = Option<String>, Header, description = "The id of the last event that the reader has")),
    responses(
        (
            status = 200, content_type = "text/event-stream", body = String,
            description = "The events `revocation`, `keys`, `ready`, `head` and `reset`, each with an id except `reset`",
            example = json!("event: ready\nid: 5d3f8a52-1c7b-4e90-9a6d-2b8e4f7c0d55:7\ndata: {\"seq\":7}\n\n"),
        ),
        (status = 503, description = "`database_unavailable`"),
    ),
)]
#[tracing::instrument(skip_all, fields(service.name = caller.name(), service.instance = query.instance.map(tracing::field::display)))]
pub async fn revocations(
    caller: IsService,
    Query(query): Query<Reader>,
    LastEventId(after): LastEventId,
    feed: Data<Feed>,
    rotation: Data<KeyRotation>,
    clock: Data<Clock>,
    shutdown: Data<Shutdown>,
) -> Result<HttpResponse, UserError> {
    let subscription = feed.subscribe(after).await?;
    let stream = match query.instance {
        Some(Id(instance)) => rotation.open_stream(caller.name(), instance).await,
        None => None,
    };
    let end = end_of_stream(&caller, &clock, Shutdown::clone(&shutdown), stream);
    let events = subscription.into_stream().take_until(end);
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .streaming(events))
}

/// Waits until the service should stop or the caller's token expires. Until the end, the caller counts as a verifier.
fn end_of_stream(
    caller: &Service,
    clock: &Clock,
    shutdown: Shutdown,
    stream: Option<OpenStream>,
) -> impl Future<Output = ()> + use<> {
    // An attacker with a stolen key chooses the expiry of forged tokens.
    let expires_in = (caller.expires_at() - clock.now())
        .to_std()
        .unwrap_or_default()
        .min(MAX_STREAM);
    // Readers leave at once when this replica begins to stop. Those that come nevertheless have found no other replica, and stay until
    // it stops to answer.
    let is_draining = shutdown.is_draining();
    let stopping = async move {
        if is_draining {
            shutdown.delay_over().await;
        } else {
            shutdown.requested().await;
        }
    };
    async move {
        let _stream = stream;
        tokio::select! {
            () = stopping => {}
            () = tokio::time::sleep(expires_in) => {}
        }
    }
}

impl FromRequest for LastEventId {
    type Error = RequestError;
    type Future = Ready<Result<Self, RequestError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request).map(Self))
    }
}

fn parse(request: &HttpRequest) -> Result<Option<FeedPosition>, RequestError> {
    let invalid = || RequestError::InvalidHeader("Last-Event-ID");
    let mut values = request.headers().get_all("last-event-id");
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid());
    }
    let text = value.to_str().map_err(|_| invalid())?;
    text.parse().map(Some).map_err(|_| invalid())
}
