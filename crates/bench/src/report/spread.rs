//! The values of all rounds in three numbers.

use serde::Serialize;

use super::grouped;

/// The median, the lowest and the highest value of the rounds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Spread {
    pub median: f64,
    pub lowest: f64,
    pub highest: f64,
}

impl Spread {
    /// Summarises the values of the rounds.
    pub(crate) fn of(values: &[f64]) -> Self {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let [lowest, highest] = [sorted.first(), sorted.last()].map(|end| end.copied().unwrap_or(f64::NAN));
        Self {
            median: median(&sorted),
            lowest,
            highest,
        }
    }

    /// Summarises the ratio of two values within each round, which is not affected by changes of speed between rounds.
    pub(crate) fn of_ratios(dividends: &[f64], divisors: &[f64]) -> Self {
        let ratios: Vec<_> = dividends
            .iter()
            .zip(divisors)
            .map(|(dividend, divisor)| dividend / divisor)
            .collect();
        Self::of(&ratios)
    }

    /// The median, and the range in brackets.
    pub(super) fn with_range(&self) -> String {
        let [median, lowest, highest] = [self.median, self.lowest, self.highest].map(figure);
        format!("{median} ({lowest}–{highest})")
    }
}

/// The median of sorted values: of an even number, the mean of the two in the middle.
fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    if sorted.len().is_multiple_of(2) {
        f64::midpoint(at(middle.wrapping_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

/// Formats a value with its significant digits.
pub(super) fn figure(value: f64) -> String {
    match value.abs() {
        value if value >= 1_000.0 => grouped(format_args!("{value:.0}")),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_has_the_median_and_the_range() {
        for (values, expected) in [
            (&[3.0, 1.0, 2.0][..], [2.0, 1.0, 3.0]),
            (&[4.0, 1.0, 3.0, 2.0], [2.5, 1.0, 4.0]),
            (&[7.0], [7.0, 7.0, 7.0]),
        ] {
            assert_eq!(bits(Spread::of(values)), expected.map(f64::to_bits), "{values:?}");
        }
        assert!(Spread::of(&[]).median.is_nan());
    }

    #[test]
    fn a_ratio_is_computed_within_each_round() {
        let spread = Spread::of_ratios(&[2.0, 40.0, 3.0], &[1.0, 10.0, 1.0]);
        assert_eq!(bits(spread), [3.0, 2.0, 4.0].map(f64::to_bits));
    }

    fn bits(spread: Spread) -> [u64; 3] {
        [spread.median, spread.lowest, spread.highest].map(f64::to_bits)
    }
}
