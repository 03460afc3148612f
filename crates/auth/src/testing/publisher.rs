//! A publisher of revocations in the test's process, with the faults that a feed can have.

use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes, Data, Json};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use uuid::Uuid;

use super::Issuer;
use crate::client::ServiceCredentials;
use crate::feed::{FeedEvent, FeedPosition, RevocationFeed};
use crate::revocation::Revocation;
use crate::strategy::Introspection;

const HEAD_INTERVAL: Duration = Duration::from_secs(1);

/// A program that publishes revocations as user-service does: at `/internal/revocations`, with tokens from `/oauth/token`. It also
/// answers `/oauth/introspect` and accepts the keys that verifiers hold. It runs until the actix system of the test ends.
#[derive(Clone, Debug)]
pub struct Publisher {
    origin: String,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    issuer: Issuer,
    generation: Uuid,
    /// The events so far, except heads. The first has the number 1.
    log: Vec<FeedEvent>,
    /// The number before the first event of the log.
    before_log: i64,
    streams: Vec<UnboundedSender<Bytes>>,
    is_reachable: bool,
    is_silent: bool,
    is_active: Option<bool>,
    introspections: usize,
    connections: Vec<Option<String>>,
    refused_connections: usize,
    held_keys: Vec<Value>,
    /// The status of the response to a report.
    report_status: StatusCode,
}

impl Publisher {
    /// Starts a publisher whose tokens this issuer signs. Its feed is empty.
    ///
    /// # Panics
    /// If no port is free.
    #[must_use]
    pub fn start(issuer: &Issuer) -> Self {
        let state = Arc::new(Mutex::new(State {
            issuer: issuer.clone(),
            generation: Uuid::new_v4(),
            log: Vec::new(),
            before_log: 0,
            streams: Vec::new(),
            is_reachable: true,
            is_silent: false,
            is_active: None,
            introspections: 0,
            connections: Vec::new(),
            refused_connections: 0,
            held_keys: Vec::new(),
            report_status: StatusCode::NO_CONTENT,
        }));
        let data = Data::from(Arc::clone(&state));
        let server = HttpServer::new(move || {
            App::new()
                .app_data(data.clone())
                .route("/oauth/token", web::post().to(token))
                .route("/oauth/introspect", web::post().to(introspect))
                .route("/internal/revocations", web::get().to(revocations))
                .route("/internal/keys/held", web::post().to(held))
        })
        .workers(1)
        .disable_signals()
        .bind("127.0.0.1:0")
        .expect("a free port");
        let address = *server.addrs().first().expect("an address");
        actix_web::rt::spawn(server.run());

        let publisher = Self {
            origin: format!("http://{address}"),
            state,
        };
        let heads = publisher.clone();
        actix_web::rt::spawn(async move {
            loop {
                tokio::time::sleep(HEAD_INTERVAL).await;
                heads.send_head();
            }
        });
        publisher
    }

    /// Its origin.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Its feed, as a service of this name reads it.
    ///
    /// # Panics
    /// If the TLS library can't start.
    #[must_use]
    pub fn feed(&self, service: &str) -> RevocationFeed {
        let token_url = format!("{}/oauth/token", self.origin);
        let credentials = ServiceCredentials::new(service, "not-a-secret".into(), token_url);
        RevocationFeed::at(&credentials, "user-service", &self.origin).expect("a feed")
    }

    /// Its introspection endpoint.
    ///
    /// # Panics
    /// If the TLS library can't start.
    #[must_use]
    pub fn introspection(&self, service: &str) -> Introspection {
        let url = format!("{}/oauth/introspect", self.origin);
        Introspection::at(&url, service, "not-a-secret".into()).expect("an endpoint")
    }

    /// Publishes a revocation.
    pub fn publish(&self, revocation: Revocation) {
        let mut state = self.state();
        let event = FeedEvent::Revocation(state.next_position(), revocation);
        state.log.push(event.clone());
        state.send(&event);
    }

    /// Adds a revocation to the feed, but does not send it to the connected readers.
    pub fn lose(&self, revocation: Revocation) {
        let mut state = self.state();
        let event = FeedEvent::Revocation(state.next_position(), revocation);
        state.log.push(event);
    }

    /// Sends an event that is not in the log.
    pub fn send(&self, event: &FeedEvent) {
        self.state().send(event);
    }

    /// Announces that the published keys have changed.
    pub fn announce_keys(&self) {
        let mut state = self.state();
        let event = FeedEvent::Keys(state.next_position());
        state.log.push(event.clone());
        state.send(&event);
    }

    /// Sends the position of the newest event, as the publisher does each second.
    pub fn send_head(&self) {
        let mut state = self.state();
        if !state.is_silent {
            let head = FeedEvent::Head(state.position());
            state.send(&head);
        }
    }

    /// The position of the newest event.
    #[must_use]
    pub fn position(&self) -> FeedPosition {
        self.state().position()
    }

    /// Forgets the events so far, and begins a new generation after them, as after a restored backup.
    pub fn restore_backup(&self) {
        let mut state = self.state();
        state.generation = Uuid::new_v4();
        state.log.clear();
    }

    /// Ends all connections and refuses new ones, until [`recover`](Self::recover).
    pub fn fail(&self) {
        let mut state = self.state();
        state.is_reachable = false;
        state.streams.clear();
    }

    /// Keeps the connections, but sends nothing on its own, until [`recover`](Self::recover).
    pub fn fall_silent(&self) {
        self.state().is_silent = true;
    }

    /// Ends all connections. Readers connect again.
    pub fn disconnect(&self) {
        self.state().streams.clear();
    }

    /// Works again.
    pub fn recover(&self) {
        let mut state = self.state();
        state.is_reachable = true;
        state.is_silent = false;
    }

    /// Sets the answer of the introspection endpoint: active, inactive, or 503 with `None`, which is the default.
    pub fn set_active(&self, is_active: Option<bool>) {
        self.state().is_active = is_active;
    }

    /// How often the introspection endpoint was asked.
    #[must_use]
    pub fn introspections(&self) -> usize {
        self.state().introspections
    }

    /// The `Last-Event-ID` of each connection so far.
    #[must_use]
    pub fn connections(&self) -> Vec<Option<String>> {
        self.state().connections.clone()
    }

    /// How many readers are connected.
    #[must_use]
    pub fn readers(&self) -> usize {
        let streams = &self.state().streams;
        streams.iter().filter(|stream| !stream.is_closed()).count()
    }

    /// How many connections were refused.
    #[must_use]
    pub fn refused_connections(&self) -> usize {
        self.state().refused_connections
    }

    /// Answers reports of held keys with this status from now on.
    ///
    /// # Panics
    /// If it is not a status.
    pub fn answer_reports(&self, status: u16) {
        self.state().report_status = StatusCode::from_u16(status).expect("a status");
    }

    /// The reports of held keys so far, also those that failed.
    #[must_use]
    pub fn held_keys(&self) -> Vec<Value> {
        self.state().held_keys.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn position(&self) -> FeedPosition {
        FeedPosition {
            generation: self.generation,
            seq: self.before_log + i64::try_from(self.log.len()).unwrap_or(i64::MAX),
        }
    }

    fn next_position(&self) -> FeedPosition {
        let newest = self.position();
        FeedPosition {
            seq: newest.seq + 1,
            ..newest
        }
    }

    fn send(&mut self, event: &FeedEvent) {
        let text = encode(event);
        self.streams.retain(|stream| stream.send(text.clone()).is_ok());
    }

    /// The first events for a reader at this position. `None` if the position is unknown.
    fn backlog(&self, from: Option<&str>) -> Option<Vec<FeedEvent>> {
        let from = match from {
            None => self.before_log,
            Some(id) => {
                let position: FeedPosition = id.parse().ok()?;
                let is_known = position.generation == self.generation && position.seq <= self.position().seq;
                is_known.then_some(position.seq)?
            }
        };
        let is_new = |event: &&FeedEvent| event.position().is_some_and(|position| position.seq > from);
        let events = self.log.iter().filter(is_new).cloned();
        Some(events.chain([FeedEvent::Ready(self.position())]).collect())
    }
}

fn encode(event: &FeedEvent) -> Bytes {
    event.to_server_sent_event().into()
}

/// Any client gets a token: who may read the feed is tested with user-service.
async fn token(state: Data<Mutex<State>>) -> HttpResponse {
    let state = lock(&state);
    let token = state.issuer.as_service("reader").token();
    HttpResponse::Ok().json(json!({"access_token": token, "token_type": "Bearer", "expires_in": 900}))
}

async fn introspect(state: Data<Mutex<State>>) -> HttpResponse {
    let mut state = lock(&state);
    state.introspections += 1;
    match state.is_active {
        Some(is_active) => HttpResponse::Ok().json(json!({"active": is_active})),
        None => HttpResponse::ServiceUnavailable().finish(),
    }
}

async fn held(state: Data<Mutex<State>>, Json(body): Json<Value>) -> HttpResponse {
    let mut state = lock(&state);
    state.held_keys.push(body);
    HttpResponse::build(state.report_status).finish()
}

async fn revocations(request: HttpRequest, state: Data<Mutex<State>>) -> HttpResponse {
    let mut state = lock(&state);
    if !state.is_reachable {
        state.refused_connections += 1;
        return HttpResponse::ServiceUnavailable().finish();
    }
    let from = request.headers().get("last-event-id");
    let from = from.and_then(|id| id.to_str().ok()).map(str::to_owned);
    state.connections.push(from.clone());
    let (sender, receiver) = unbounded_channel();
    match state.backlog(from.as_deref()) {
        Some(events) => {
            for event in &events {
                drop(sender.send(encode(event)));
            }
            state.streams.push(sender);
        }
        None => drop(sender.send(encode(&FeedEvent::Reset))),
    }
    HttpResponse::Ok()
        .content_type("text/event-stream")
        .streaming(Box::pin(stream::unfold(receiver, next_chunk)))
}

type Chunk = (Result<Bytes, Infallible>, UnboundedReceiver<Bytes>);

async fn next_chunk(mut receiver: UnboundedReceiver<Bytes>) -> Option<Chunk> {
    let chunk = receiver.recv().await?;
    Some((Ok(chunk), receiver))
}
