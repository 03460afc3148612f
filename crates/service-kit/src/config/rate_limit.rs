//! A limit on the number of requests in a period.

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

/// The text is not a rate limit.
#[derive(Debug)]
pub struct InvalidRateLimit;

/// A number of requests per second or per minute, or no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RateLimit {
    /// `0`: any number of requests.
    Unlimited,
    /// `100/s` or `100/m`.
    Limited {
        /// The number of requests per period. Twice as many may come at once.
        requests: NonZeroU32,
        /// A second or a minute.
        period: Duration,
    },
}

impl RateLimit {
    /// The default of the gateway: 100 requests per second.
    pub const DEFAULT: Self = Self::Limited {
        requests: NonZeroU32::new(100).unwrap(),
        period: Duration::from_secs(1),
    };
    /// The end of a sentence "must be …".
    pub const FORM: &str = "a rate such as `100/s` or `20/m`, at most 1000000, or `0` for no limit";
    const MAX_REQUESTS: u32 = 1_000_000;
}

impl FromStr for RateLimit {
    type Err = InvalidRateLimit;

    fn from_str(text: &str) -> Result<Self, InvalidRateLimit> {
        if text == "0" {
            return Ok(Self::Unlimited);
        }
        let (number, unit) = text.split_once('/').ok_or(InvalidRateLimit)?;
        let period = match unit {
            "s" => Duration::from_secs(1),
            "m" => Duration::from_secs(60),
            _ => return Err(InvalidRateLimit),
        };
        let requests: NonZeroU32 = number.parse().map_err(|_| InvalidRateLimit)?;
        if requests.get() > Self::MAX_REQUESTS {
            return Err(InvalidRateLimit);
        }
        Ok(Self::Limited { requests, period })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_number_per_second_or_per_minute() {
        let limited = |requests, seconds| RateLimit::Limited {
            requests: NonZeroU32::new(requests).unwrap(),
            period: Duration::from_secs(seconds),
        };
        assert_eq!("100/s".parse::<RateLimit>().unwrap(), RateLimit::DEFAULT);
        assert_eq!("20/m".parse::<RateLimit>().unwrap(), limited(20, 60));
        assert_eq!("1000000/s".parse::<RateLimit>().unwrap(), limited(1_000_000, 1));
        assert_eq!("0".parse::<RateLimit>().unwrap(), RateLimit::Unlimited);
        for invalid in [
            "",
            "100",
            "0/s",
            "-1/s",
            "1/h",
            "1 /s",
            "1000001/s",
            "1/s/s",
            "1.5/s",
        ] {
            assert!(invalid.parse::<RateLimit>().is_err(), "{invalid}");
        }
    }
}
