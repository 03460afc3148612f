//! The call that is being answered: what the audit log and a list of sessions tell of it.

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

use crate::domain::Network;

/// As much of `User-Agent` is kept as tells programs apart, in bytes.
const USER_AGENT_BYTES: usize = 200;

/// When a call came, from where, and by what id the logs know it.
#[derive(Clone, Debug)]
pub struct Call {
    clock: Clock,
    at: OnceLock<DateTime<Utc>>,
    address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Call {
    /// Nobody called: the service itself does something, as it starts.
    pub(crate) fn own(clock: Clock) -> Self {
        Self {
            clock,
            at: OnceLock::new(),
            address: None,
            user_agent: None,
            request_id: None,
        }
    }

    /// When it came: the moment when its handler first asks, since whoever calls may take their time with the body.
    pub(crate) fn at(&self) -> DateTime<Utc> {
        *self.at.get_or_init(|| self.clock.now())
    }

    /// The caller's address.
    pub(crate) fn ip(&self) -> Option<String> {
        self.address.map(|address| address.to_string())
    }

    /// The network that the caller's tries to log in are counted by.
    pub(crate) fn network(&self) -> Network {
        self.address.map_or_else(Network::any, Network::of)
    }
}

impl FromRequest for Call {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let clock = request
            .app_data::<Data<Clock>>()
            .map_or_else(Clock::system, |clock| Clock::clone(clock));
        let address = ClientAddress::from_request(request, payload).into_inner();
        ready(Ok(Self {
            address: address.ok().map(|ClientAddress(address)| address),
            user_agent: request
                .headers()
                .get(USER_AGENT)
                .map(|value| readable(value.as_bytes())),
            request_id: request
                .extensions()
                .get::<RequestId>()
                .map(|id| id.as_str().to_owned()),
            ..Self::own(clock)
        }))
    }
}

/// The beginning of what a program says of itself, without what can't be shown.
fn readable(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let mut readable: String = text.chars().filter(|c| !c.is_control()).collect();
    readable.truncate(readable.floor_char_boundary(USER_AGENT_BYTES));
    readable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_user_agent_as_much_is_kept_as_can_be_shown() {
        assert_eq!(readable(b"Shop/1.0 (a\tb)\0\x7f"), "Shop/1.0 (ab)");
        assert_eq!(readable(b"\xff"), "\u{fffd}");
        assert_eq!(readable("é".repeat(150).as_bytes()), "é".repeat(100));
        assert_eq!(readable(format!("x{}", "é".repeat(150)).as_bytes()).len(), 199);
    }
}
