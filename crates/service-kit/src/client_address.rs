//! The address of the client that sent a request.

use std::convert::Infallible;
use std::fmt;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::str::FromStr;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use ipnet::IpNet;

/// The proxies whose `X-Forwarded-For` is trusted (`TRUSTED_PROXIES`): addresses and networks, separated by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<IpNet>);

/// The text is not a list of addresses and networks.
#[derive(Debug)]
pub struct InvalidProxies;

impl TrustedProxies {
    pub(crate) const FORM: &str =
        "addresses and networks with commas between them, such as `10.0.0.2,fd00::/8`";

    /// Whether this is the address of a trusted proxy.
    #[must_use]
    pub fn include(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The address of the client that sent a request over a connection from `peer`, given the lines of its `X-Forwarded-For`. It
    /// is the last address that is no trusted proxy itself. Addresses before that one prove nothing: the client may have written
    /// them.
    #[must_use]
    pub fn client<'l>(&self, peer: IpAddr, lines: impl DoubleEndedIterator<Item = &'l [u8]>) -> IpAddr {
        // Bytes, since an address that a proxy appended must count even if the client wrote no text before it.
        let hops = lines.rev().flat_map(|line| line.rsplit(|byte| *byte == b','));
        // A list may have empty elements (RFC 9110 §5.6.1.2).
        let hops = hops.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty());

        let mut address = peer.to_canonical();
        for hop in hops {
            if !self.include(address) {
                break;
            }
            // The proxy did not name its client, so the proxy's own address is the last one that is known.
            let Some(client) = parse_hop(hop) else {
                break;
            };
            address = client.to_canonical();
        }
        address
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

/// The client's address: see [`TrustedProxies::client`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    fn of(peer: IpAddr, headers: &HeaderMap, trusted: &TrustedProxies) -> Self {
        let forwarded: Vec<_> = headers.get_all("x-forwarded-for").collect();
        Self(trusted.client(peer, forwarded.iter().map(|line| line.as_bytes())))
    }
}

/// Parses an address as proxies write it: `192.0.2.7`, `192.0.2.7:80`, `2001:db8::7`, `[2001:db8::7]`,
/// `[2001:db8::7]:80`.
fn parse_hop(hop: &[u8]) -> Option<IpAddr> {
    let hop = str::from_utf8(hop).ok()?;
    if let Some(literal) = hop.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return literal.parse().ok().map(IpAddr::V6);
    }
    let with_port = || hop.parse().ok().map(|address: SocketAddr| address.ip());
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
        // The address of a connection that is already closed is unknown.
        let peer = request
            .peer_addr()
            .map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let none = TrustedProxies::default();
        let trusted = request
            .app_data::<Data<TrustedProxies>>()
            .map_or(&none, |trusted| trusted);
        ready(Ok(Self::of(peer, request.headers(), trusted)))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &str) -> String {
        let request = forwarded.iter().fold(TestRequest::default(), |request, line| {
            request.append_header(("x-forwarded-for", *line))
        });
        let trusted = if trusted.is_empty() {
            TrustedProxies::default()
        } else {
            trusted.parse().unwrap()
        };
        let request = request.to_http_request();
        ClientAddress::of(peer.parse().unwrap(), request.headers(), &trusted).to_string()
    }

    #[test]
    fn no_proxy_is_trusted_by_default() {
        assert_eq!(address("203.0.113.7", &["198.51.100.1"], ""), "203.0.113.7");
        assert_eq!(
            address("203.0.113.7", &["198.51.100.1"], "10.0.0.0/8"),
            "203.0.113.7"
        );
        assert_eq!(address("::ffff:203.0.113.7", &[], ""), "203.0.113.7");
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_no_trusted_proxy() {
        let trusted = "10.0.0.1, 10.0.1.0/24,fd00::/8";
        for (peer, forwarded, client) in [
            ("10.0.0.1", vec!["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("::ffff:10.0.0.1", vec!["203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", vec!["203.0.113.7, 10.0.1.9"], "203.0.113.7"),
            ("10.0.0.1", vec!["203.0.113.7", "fd00::1,10.0.1.9"], "203.0.113.7"),
            ("10.0.0.2", vec!["203.0.113.7"], "10.0.0.2"),
        ] {
            assert_eq!(address(peer, &forwarded, trusted), client, "{forwarded:?}");
        }
    }

    #[test]
    fn a_hop_may_have_brackets_and_a_port() {
        for (hop, client) in [
            ("203.0.113.7:4711", "203.0.113.7"),
            ("2001:db8::7", "2001:db8::7"),
            ("[2001:db8::7]", "2001:db8::7"),
            ("[2001:db8::7]:4711", "2001:db8::7"),
        ] {
            assert_eq!(address("fd00::1", &[hop], "fd00::/8"), client);
        }
    }

    #[test]
    fn empty_list_elements_are_ignored() {
        for list in [
            "203.0.113.7,",
            "203.0.113.7, ",
            "203.0.113.7 , ,",
            ",203.0.113.7,,",
        ] {
            assert_eq!(address("10.0.0.1", &[list], "10.0.0.1"), "203.0.113.7", "{list}");
        }
        assert_eq!(
            address("10.0.0.1", &["203.0.113.7", ""], "10.0.0.1"),
            "203.0.113.7"
        );
    }

    #[test]
    fn an_appended_hop_counts_after_any_bytes_of_the_client() {
        for forged in ["\u{e9}", "\u{e9},\u{e9}", "unknown", "198.51.100.1, \u{e9}"] {
            let list = format!("{forged}, 203.0.113.7");
            assert_eq!(
                address("10.0.0.1", &[&list], "10.0.0.1"),
                "203.0.113.7",
                "{forged}"
            );
        }
    }

    #[test]
    fn hops_before_an_invalid_one_are_ignored() {
        for hop in [
            "unknown",
            "203.0.113.7 x",
            "\u{e9}",
            "[203.0.113.7]",
            "[2001:db8::7",
            "[]",
        ] {
            let list = format!("198.51.100.1, {hop}");
            assert_eq!(address("10.0.0.1", &[&list], "10.0.0.1"), "10.0.0.1", "{hop}");
        }
        assert_eq!(address("10.0.0.1", &[], "10.0.0.1"), "10.0.0.1");
    }

    #[test]
    fn a_list_of_proxies_has_no_empty_elements_and_no_names() {
        for invalid in ["", ",", "10.0.0.1,", "gateway", "10.0.0.0/33"] {
            assert!(invalid.parse::<TrustedProxies>().is_err(), "{invalid}");
        }
    }
}
