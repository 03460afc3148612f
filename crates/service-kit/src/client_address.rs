//! Where a request comes from.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use ipnet::IpNet;

/// Whose word on where a request comes from is taken (`TRUSTED_PROXIES`): addresses and networks with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// Not a list of addresses and networks.
#[derive(Debug)]
pub struct InvalidProxies;

impl TrustedProxies {
    pub(crate) const FORM: &str =
        "addresses and networks with commas between them, such as `10.0.0.2,fd00::/8`";

    fn include(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }
}

impl FromStr for TrustedProxies {
    type Err = InvalidProxies;

    fn from_str(text: &str) -> Result<Self, InvalidProxies> {
        let network = |item: &str| {
            let item = item.trim();
            let address = || {
                item.parse::<IpAddr>()
                    .ok()
                    .map(|address| address.to_canonical().into())
            };
            item.parse().ok().or_else(address).ok_or(InvalidProxies)
        };
        text.split(',').map(network).collect::<Result<_, _>>().map(Self)
    }
}

/// The address of whoever sent a request: the connection's own, and where that is a trusted proxy's, the last one in
/// `X-Forwarded-For` that is not. What stands before it, anybody may have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    fn of(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let mut address = peer.to_canonical();
        let forwarded: Vec<_> = headers.get_all("x-forwarded-for").collect();
        let hops = forwarded
            .iter()
            .rev()
            .flat_map(|line| line.to_str().unwrap_or("?").rsplit(','));
        for hop in hops {
            if !trusted.include(address) {
                break;
            }
            // A proxy that is trusted, and writes what is no address, hides whoever is behind it.
            let Some(behind) = address_of(hop.trim()) else {
                break;
            };
            address = behind.to_canonical();
        }
        Self(address)
    }
}

/// The address that a proxy wrote, with or without a port.
fn address_of(hop: &str) -> Option<IpAddr> {
    let with_port = || hop.parse().ok().map(|address: std::net::SocketAddr| address.ip());
    hop.parse().ok().or_else(with_port)
}

impl fmt::Display for ClientAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromRequest for ClientAddress {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A connection that is gone already has no address to tell.
        let peer = request
            .peer_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let nobody = TrustedProxies::default();
        let trusted = request
            .app_data::<Data<TrustedProxies>>()
            .map_or(&nobody, |trusted| trusted);
        ready(Ok(Self::of(peer, request.headers(), trusted)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn from(peer: &str, forwarded: &[&str], trusted: &str) -> String {
        let request = forwarded.iter().fold(TestRequest::default(), |request, line| {
            request.append_header(("x-forwarded-for", *line))
        });
        let trusted = if trusted.is_empty() {
            TrustedProxies::default()
        } else {
            trusted.parse().unwrap()
        };
        ClientAddress::of(
            peer.parse().unwrap(),
            request.to_http_request().headers(),
            &trusted,
        )
        .to_string()
    }

    #[test]
    fn nobody_is_believed_by_default() {
        assert_eq!(from("203.0.113.7", &["198.51.100.1"], ""), "203.0.113.7");
        assert_eq!(
            from("203.0.113.7", &["198.51.100.1"], "10.0.0.0/8"),
            "203.0.113.7"
        );
        assert_eq!(from("::ffff:203.0.113.7", &[], ""), "203.0.113.7");
    }

    #[test]
    fn of_a_trusted_proxy_the_last_word_counts_and_of_several_the_last_that_is_none_of_them() {
        let trusted = "10.0.0.1, 10.0.1.0/24,fd00::/8";
        assert_eq!(
            from("10.0.0.1", &["198.51.100.1, 203.0.113.7"], trusted),
            "203.0.113.7"
        );
        assert_eq!(from("::ffff:10.0.0.1", &["203.0.113.7"], trusted), "203.0.113.7");
        assert_eq!(
            from("10.0.0.1", &["203.0.113.7, 10.0.1.9"], trusted),
            "203.0.113.7"
        );
        assert_eq!(
            from("10.0.0.1", &["203.0.113.7", "fd00::1,10.0.1.9"], trusted),
            "203.0.113.7"
        );
        assert_eq!(from("fd00::1", &["2001:db8::7"], trusted), "2001:db8::7");
        assert_eq!(from("10.0.0.1", &["203.0.113.7:4711"], trusted), "203.0.113.7");
        assert_eq!(from("10.0.0.2", &["203.0.113.7"], trusted), "10.0.0.2");
    }

    #[test]
    fn what_is_no_address_is_not_looked_behind() {
        for hop in ["", "unknown", "203.0.113.7 x", "\u{e9}"] {
            assert_eq!(
                from("10.0.0.1", &[&format!("198.51.100.1, {hop}")], "10.0.0.1"),
                "10.0.0.1",
                "{hop}"
            );
        }
        assert_eq!(from("10.0.0.1", &[], "10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn a_list_of_proxies_has_no_gaps_and_no_names() {
        for wrong in ["", ",", "10.0.0.1,", "gateway", "10.0.0.0/33"] {
            assert!(wrong.parse::<TrustedProxies>().is_err(), "{wrong}");
        }
    }
}
