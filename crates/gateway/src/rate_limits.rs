//! Rate limits: how many requests each client may send.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use service_kit::RateLimit;
use uuid::Uuid;

use crate::refusal::Refusal;

/// The client that a request counts for: its user if it has a user's valid token, and otherwise its address. So users behind one
/// address do not limit one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum RateKey {
    User(Uuid),
    Address(IpAddr),
}

impl RateKey {
    /// The key of an address. One network of IPv6 (/64) counts as one client, since a host may use all of its addresses.
    pub(crate) fn of_address(address: IpAddr) -> Self {
        const NETWORK: u128 = u128::MAX << 64;
        Self::Address(match address {
            IpAddr::V6(address) => IpAddr::V6((address.to_bits() & NETWORK).into()),
            address @ IpAddr::V4(_) => address,
        })
    }
}

/// Counts the requests of each client (GCRA).
#[derive(Debug)]
pub(crate) struct RateLimits {
    limit: RateLimit,
    limiter: RateLimiter<RateKey, DashMapStateStore<RateKey>, DefaultClock>,
}

impl RateLimits {
    /// `None` if any number of requests is allowed.
    fn new(limit: RateLimit) -> Option<Self> {
        let RateLimit::Limited { requests, period } = limit else {
            return None;
        };
        let quota = Quota::with_period(period / requests.get())?
            .allow_burst(requests.saturating_mul(std::num::NonZeroU32::new(2)?));
        Some(Self {
            limit,
            limiter: RateLimiter::dashmap(quota),
        })
    }

    /// The previous counts, if they are of the same limit.
    pub(crate) fn keep_or_new(previous: Option<&Arc<Self>>, limit: RateLimit) -> Option<Arc<Self>> {
        match previous {
            Some(previous) if previous.limit == limit => Some(Arc::clone(previous)),
            _ => Self::new(limit).map(Arc::new),
        }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// When the client has sent too many requests. A refused request does not count.
    pub(crate) fn check(&self, key: RateKey) -> Result<(), Refusal> {
        self.limiter.check_key(&key).map_err(|until| {
            let wait = until.wait_time_from(DefaultClock::default().now());
            Refusal::RateLimited {
                retry_after_seconds: whole_seconds(wait).max(1),
            }
        })
    }

    /// Forgets the clients that may send a full burst again.
    pub(crate) fn cleanup(&self) {
        self.limiter.retain_recent();
    }
}

/// The seconds of `wait`, rounded up: a client that waits for less is refused again.
fn whole_seconds(wait: Duration) -> u64 {
    wait.as_secs() + u64::from(wait.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn seconds_are_rounded_up() {
        for (milliseconds, seconds) in [(0, 0), (1, 1), (5_000, 5), (5_001, 6), (5_999, 6)] {
            assert_eq!(
                whole_seconds(Duration::from_millis(milliseconds)),
                seconds,
                "{milliseconds}"
            );
        }
    }

    #[test]
    fn a_client_may_send_a_burst_of_twice_the_limit() {
        let limits = RateLimits::new("10/m".parse().unwrap()).unwrap();
        let one = RateKey::of_address("192.0.2.7".parse().unwrap());
        for _ in 0..20 {
            limits.check(one).unwrap();
        }
        let refused = limits.check(one).unwrap_err();
        let Refusal::RateLimited { retry_after_seconds } = refused else {
            panic!("{refused:?}");
        };
        // One request in six seconds, some of which may be over on a slow machine.
        assert!((5..=6).contains(&retry_after_seconds), "{retry_after_seconds}");
        for other in [
            RateKey::of_address("192.0.2.8".parse().unwrap()),
            RateKey::User(Uuid::nil()),
        ] {
            limits.check(other).unwrap();
        }
        assert!(RateLimits::new(RateLimit::Unlimited).is_none());
        assert!(RateLimits::new("0".parse().unwrap()).is_none());
    }

    #[test]
    fn clients_that_sent_nothing_for_long_are_forgotten() {
        let limits = RateLimits::new("1000000/s".parse().unwrap()).unwrap();
        limits.check(RateKey::User(Uuid::nil())).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        while !limits.limiter.is_empty() {
            assert!(Instant::now() < deadline, "the client is not forgotten");
            limits.cleanup();
        }
    }

    #[test]
    fn counts_are_kept_while_the_limit_is_the_same() {
        let limit = |text: &str| text.parse().unwrap();
        let counts = RateLimits::keep_or_new(None, limit("1/m")).unwrap();
        let kept = RateLimits::keep_or_new(Some(&counts), limit("1/m")).unwrap();
        assert!(Arc::ptr_eq(&counts, &kept));
        let other = RateLimits::keep_or_new(Some(&counts), limit("2/m")).unwrap();
        assert!(!Arc::ptr_eq(&counts, &other));
        assert!(RateLimits::keep_or_new(Some(&counts), limit("0")).is_none());
    }

    #[test]
    fn a_network_of_ipv6_is_one_client() {
        let key = |address: &str| RateKey::of_address(address.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:0:0:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.7"), key("192.0.2.8"));
    }
}
