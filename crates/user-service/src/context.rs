//! The context of a request, for the audit log and for the list of sessions: its time and its client.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::OnceLock;

use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use auth::Clock;
use chrono::{DateTime, Utc};
use service_kit::{ClientAddress, RequestId};

use crate::domain::{Network, Origin};

/// The maximum length of a stored `User-Agent`, in bytes. A longer value is cut.
const MAX_USER_AGENT_BYTES: usize = 200;

/// The time, the client's address and the id of a request.
#[derive(Clone, Debug)]
pub struct RequestContext {
    clock: Clock,
    time: OnceLock<DateTime<Utc>>,
    address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl RequestContext {
    /// The context of an action of the service itself, which has no request.
    pub(crate) fn internal(clock: Clock) -> Self {
        Self {
            clock,
            time: OnceLock::new(),
            address: None,
            user_agent: None,
            request_id: None,
        }
    }

    /// The time at which the handler first asks for the time, which is after the body arrived. Later calls return the same time.
    pub(crate) fn time(&self) -> DateTime<Utc> {
        *self.time.get_or_init(|| self.clock.now())
    }

    /// The client's address, if known.
    pub(crate) fn ip(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// The network by which the client's failed logins are counted.
    pub(crate) fn network(&self) -> Network {
        self.address.map_or(Network::NO_ADDRESS, Network::of)
    }
}

impl From<&RequestContext> for Origin {
    fn from(context: &RequestContext) -> Self {
        Self {
            at: context.time(),
            ip: context.ip(),
            user_agent: context.user_agent.clone(),
            request_id: context.request_id.clone(),
        }
    }
}

impl FromRequest for RequestContext {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let clock = request
            .app_data::<Data<Clock>>()
            .map_or_else(Clock::system, |clock| Clock::clone(clock));
        let address = ClientAddress::from_request(request, payload).into_inner();
        let user_agent = request.headers().get(USER_AGENT);
        let request_id = request
            .extensions()
            .get::<RequestId>()
            .map(|id| id.as_str().to_owned());
        ready(Ok(Self {
            address: address.ok().map(|ClientAddress(address)| address),
            user_agent: user_agent.map(|value| printable(value.as_bytes())),
            request_id,
            ..Self::internal(clock)
        }))
    }
}

/// The beginning of a `User-Agent` as valid text without control characters.
fn printable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut printable: String = text.chars().filter(|c| !c.is_control()).collect();
    printable.truncate(printable.floor_char_boundary(MAX_USER_AGENT_BYTES));
    printable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_agent_loses_control_characters_and_is_cut_at_200_bytes() {
        assert_eq!(printable(b"Shop/1.0 (a\tb)\0\x7f"), "Shop/1.0 (ab)");
        assert_eq!(printable(b"\xff"), "\u{fffd}");
        assert_eq!(printable("é".repeat(150).as_bytes()), "é".repeat(100));
        assert_eq!(printable(format!("x{}", "é".repeat(150)).as_bytes()).len(), 199);
    }
}
