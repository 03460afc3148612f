//! The call that is being answered: what the audit log and a list of sessions tell of it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::IpAddr;

use actix_web::dev::Payload;
use actix_web::http::header::USER_AGENT;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use auth::Clock;
use chrono::{DateTime, Utc};
use service_kit::{ClientAddress, RequestId};

use crate::domain::Network;

/// As much of `User-Agent` is kept as tells programs apart, in characters.
const USER_AGENT_LENGTH: usize = 200;

/// When a call came, from where, and by what id the logs know it.
#[derive(Clone, Debug)]
pub struct Call {
    pub(crate) at: DateTime<Utc>,
    address: Option<IpAddr>,
    pub(crate) user_agent: Option<String>,
    pub(crate) request_id: Option<String>,
}

impl Call {
    /// Nobody called: the service itself does something, as it starts.
    pub(crate) fn own(at: DateTime<Utc>) -> Self {
        Self { at, address: None, user_agent: None, request_id: None }
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
        let address = ClientAddress::from_request(request, payload).into_inner();
        let user_agent = request.headers().get(USER_AGENT).map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes());
            text.chars().filter(|c| !c.is_control()).take(USER_AGENT_LENGTH).collect()
        });
        ready(Ok(Self {
            at: request.app_data::<Data<Clock>>().map_or_else(|| Clock::system().now(), |clock| clock.now()),
            address: address.ok().map(|ClientAddress(address)| address),
            user_agent,
            request_id: request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned()),
        }))
    }
}
