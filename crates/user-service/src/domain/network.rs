//! Networks, by which failed logins are counted.

use std::borrow::Cow;
use std::net::{IpAddr, Ipv6Addr};

use chrono::TimeDelta;

/// How long a network stays known after the last login from it.
pub(crate) const NETWORK_LIFETIME: TimeDelta = TimeDelta::days(180);

/// A client's network: an IPv4 address, or the /64 of an IPv6 address. A customer of a provider has at least one /64, and with a
/// /56 has 256 of them (RFC 6177 §2). So the failures from all unknown networks are also counted together, under the key
/// [`ALL_UNKNOWN`](Self::ALL_UNKNOWN).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Network(Cow<'static, str>);

impl Network {
    /// The key of the one counter that a user's unknown networks share: all networks from which the user has not logged in for 180
    /// days.
    pub(crate) const ALL_UNKNOWN: Self = Self(Cow::Borrowed(""));
    /// The network of all clients whose address is unknown.
    pub(crate) const NO_ADDRESS: Self = Self(Cow::Borrowed("none"));

    /// The network of an address.
    pub(crate) fn of(address: IpAddr) -> Self {
        let text = match address.to_canonical() {
            IpAddr::V4(address) => address.to_string(),
            IpAddr::V6(address) => {
                let [a, b, c, d, ..] = address.segments();
                format!("{}/64", Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        };
        Self(text.into())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipv4_address_and_an_ipv6_64_are_each_one_network() {
        let of = |text: &str| Network::of(text.parse().unwrap());
        assert_eq!(of("203.0.113.7").as_str(), "203.0.113.7");
        assert_eq!(of("::ffff:203.0.113.7"), of("203.0.113.7"));
        assert_eq!(of("2001:db8:1:2:3:4:5:6").as_str(), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::"), of("2001:db8:1:2:ffff::1"));
        assert_ne!(of("2001:db8:1:3::"), of("2001:db8:1:2::"));
        assert_ne!(Network::ALL_UNKNOWN, of("::"));
        assert_ne!(Network::ALL_UNKNOWN, Network::NO_ADDRESS);
    }
}
