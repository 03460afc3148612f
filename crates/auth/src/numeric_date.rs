//! Reads a `NumericDate` (RFC 7519 §2): a JSON number of seconds since 1970, which may have a fraction. Times are rounded to
//! whole seconds in the direction that shortens the time in which a token is valid. Numbers that don't fit into an `i64`, strings
//! and `null` are refused.

use std::fmt;

use serde::de::{Deserializer, Error, Unexpected, Visitor};

/// Reads `exp` or `iat`.
pub(crate) fn rounded_down<'de, D: Deserializer<'de>>(value: D) -> Result<i64, D::Error> {
    value.deserialize_any(NumericDate { round: f64::floor })
}

/// Reads `nbf`, which may be absent but not `null`: an issuer that writes `null` may have meant to set a limit, so `null` must not
/// be treated as absent.
pub(crate) fn rounded_up<'de, D: Deserializer<'de>>(value: D) -> Result<Option<i64>, D::Error> {
    value.deserialize_any(NumericDate { round: f64::ceil }).map(Some)
}

struct NumericDate {
    round: fn(f64) -> f64,
}

impl Visitor<'_> for NumericDate {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number of seconds that fits into a signed 64-bit integer")
    }

    fn visit_i64<E: Error>(self, seconds: i64) -> Result<i64, E> {
        Ok(seconds)
    }

    fn visit_u64<E: Error>(self, seconds: u64) -> Result<i64, E> {
        i64::try_from(seconds).map_err(|_| E::invalid_value(Unexpected::Unsigned(seconds), &self))
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<i64, E> {
        /// 2^63. Every whole float in −2^63..2^63 fits into `i64`. NaN is not in the range.
        const LIMIT: f64 = 9_223_372_036_854_775_808.0;

        let rounded = (self.round)(seconds);
        if !(-LIMIT..LIMIT).contains(&rounded) {
            return Err(E::invalid_value(Unexpected::Float(seconds), &self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number within the range of i64"
        )]
        Ok(rounded as i64)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error, F64Deserializer};

    use super::*;

    #[derive(Deserialize, Debug)]
    struct Times {
        #[serde(deserialize_with = "rounded_down")]
        exp: i64,
        #[serde(deserialize_with = "rounded_up")]
        nbf: Option<i64>,
    }

    /// The same number read as `exp` and as `nbf`.
    fn read(number: &str) -> Option<(i64, i64)> {
        let times: Times = serde_json::from_str(&format!(r#"{{"exp":{number},"nbf":{number}}}"#)).ok()?;
        Some((times.exp, times.nbf?))
    }

    #[test]
    fn fractions_and_exponents_are_read_and_never_extend_the_validity() {
        for (number, exp, nbf) in [
            ("1700000000", 1_700_000_000, 1_700_000_000),
            ("1700000000.0", 1_700_000_000, 1_700_000_000),
            ("1700000000.5", 1_700_000_000, 1_700_000_001),
            ("1700000000.000001", 1_700_000_000, 1_700_000_001),
            ("1700000000.999999", 1_700_000_000, 1_700_000_001),
            ("1.7e9", 1_700_000_000, 1_700_000_000),
            ("17E8", 1_700_000_000, 1_700_000_000),
            ("1.7000000005e9", 1_700_000_000, 1_700_000_001),
            ("1e-400", 0, 0),
            ("0.1", 0, 1),
            ("0", 0, 0),
            ("-0.0", 0, 0),
            ("-0.5", -1, 0),
            ("-1.5", -2, -1),
            ("-1", -1, -1),
        ] {
            assert_eq!(read(number), Some((exp, nbf)), "{number}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_into_an_i64_are_refused() {
        for (number, seconds) in [
            ("9223372036854775807", i64::MAX),
            ("-9223372036854775808", i64::MIN),
            // The largest float below 2^63, and -2^63 as a float.
            ("9223372036854774784.0", 9_223_372_036_854_774_784),
            ("-9223372036854775808.0", i64::MIN),
        ] {
            assert_eq!(read(number), Some((seconds, seconds)), "{number}");
        }
        for number in [
            "9223372036854775808",
            "9223372036854775808.0",
            "18446744073709551615",
            "18446744073709551616",
            "1e19",
            "1e300",
            "1e400",
            "-9223372036854777856.0",
            "-1e19",
            "-1e300",
            "-1e400",
        ] {
            assert_eq!(read(number), None, "{number}");
        }
    }

    #[test]
    fn only_finite_numbers_are_dates() {
        for value in [
            "null",
            "\"1700000000\"",
            "true",
            "[]",
            "[1700000000]",
            "{}",
            "NaN",
            "Infinity",
        ] {
            assert_eq!(read(value), None, "{value}");
        }
        // JSON has no such numbers, but other formats do.
        for number in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let deserializer: F64Deserializer<Error> = number.into_deserializer();
            assert!(rounded_down(deserializer).is_err(), "{number}");
        }
    }
}
