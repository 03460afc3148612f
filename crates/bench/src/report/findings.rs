//! Findings as a table or as JSON: each figure with the median and the range of its rounds, and whether it meets its goal.

use std::fmt::{self, Display, Formatter};
use std::num::NonZero;

use serde::Serialize;

use super::{aligned, grouped};

/// The findings of a benchmark.
#[derive(Debug, Serialize)]
pub(crate) struct Findings {
    pub processors: usize,
    pub rounds: u32,
    /// The duration of each measurement in each round.
    pub seconds: u32,
    pub figures: Vec<Finding>,
}

/// One figure, summarised over all rounds.
#[derive(Debug, Serialize)]
pub(crate) struct Finding {
    what: String,
    median: f64,
    lowest: f64,
    highest: f64,
    /// Empty for a ratio.
    unit: &'static str,
    goal: Option<Goal>,
    /// Whether the median meets the goal.
    met: Option<bool>,
}

#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
enum Goal {
    AtMost(f64),
    AtLeast(f64),
}

impl Findings {
    pub(crate) fn new(rounds: u32, seconds: u32, figures: Vec<Finding>) -> Self {
        let processors = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            processors,
            rounds,
            seconds,
            figures,
        }
    }
}

impl Finding {
    /// Summarises the values of the rounds.
    pub(crate) fn new(what: impl Into<String>, unit: &'static str, of_rounds: &[f64]) -> Self {
        let mut sorted = of_rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        let [lowest, highest] = [sorted.first(), sorted.last()].map(|end| end.copied().unwrap_or(f64::NAN));
        Self {
            what: what.into(),
            median: median(&sorted),
            lowest,
            highest,
            unit,
            goal: None,
            met: None,
        }
    }

    /// Summarises the ratio of two values within each round, which is not affected by changes of speed between rounds.
    pub(crate) fn ratio(what: impl Into<String>, dividends: &[f64], divisors: &[f64]) -> Self {
        let ratios: Vec<_> = dividends
            .iter()
            .zip(divisors)
            .map(|(dividend, divisor)| dividend / divisor)
            .collect();
        Self::new(what, "", &ratios)
    }

    pub(crate) fn at_most(self, goal: f64) -> Self {
        Self {
            goal: Some(Goal::AtMost(goal)),
            met: Some(self.median <= goal),
            ..self
        }
    }

    pub(crate) fn at_least(self, goal: f64) -> Self {
        Self {
            goal: Some(Goal::AtLeast(goal)),
            met: Some(self.median >= goal),
            ..self
        }
    }

    fn row(&self) -> Vec<String> {
        let goal = match self.goal {
            None => String::new(),
            Some(Goal::AtMost(goal)) => format!("≤ {}", format_goal(goal)),
            Some(Goal::AtLeast(goal)) => format!("≥ {}", format_goal(goal)),
        };
        let met = self.met.map_or("", |met| if met { "yes" } else { "NO" });
        let [median, lowest, highest] = [self.median, self.lowest, self.highest].map(figure);
        vec![
            self.what.clone(),
            median,
            lowest,
            highest,
            self.unit.to_owned(),
            goal,
            met.to_owned(),
        ]
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
fn figure(value: f64) -> String {
    match value.abs() {
        value if value >= 1_000.0 => grouped(format_args!("{value:.0}")),
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.3}"),
    }
}

/// Formats a goal without trailing zeros.
fn format_goal(goal: f64) -> String {
    if goal >= 1_000.0 {
        figure(goal)
    } else {
        goal.to_string()
    }
}

impl Display for Findings {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            processors,
            rounds,
            seconds,
            figures,
        } = self;
        let head = ["what", "median", "lowest", "highest", "unit", "goal", "met"].map(str::to_owned);
        let rows: Vec<_> = std::iter::once(head.into())
            .chain(figures.iter().map(Finding::row))
            .collect();
        aligned(f, &rows)?;
        write!(
            f,
            "\nOf {rounds} rounds of {seconds} s for each thing; a ratio is that of one round. \
             Programs and load share {processors} processors."
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_has_the_median_and_the_range_of_its_rounds() {
        for (rounds, expected) in [
            (&[3.0, 1.0, 2.0][..], [2.0, 1.0, 3.0]),
            (&[4.0, 1.0, 3.0, 2.0], [2.5, 1.0, 4.0]),
            (&[7.0], [7.0, 7.0, 7.0]),
        ] {
            let Finding {
                median,
                lowest,
                highest,
                ..
            } = Finding::new("it", "ms", rounds);
            assert_eq!(
                [median, lowest, highest].map(f64::to_bits),
                expected.map(f64::to_bits),
                "{rounds:?}"
            );
        }
        assert!(Finding::new("it", "ms", &[]).median.is_nan());
    }

    #[test]
    fn a_ratio_is_computed_within_each_round() {
        let Finding {
            median,
            lowest,
            highest,
            ..
        } = Finding::ratio("it", &[2.0, 40.0, 3.0], &[1.0, 10.0, 1.0]);
        assert_eq!(
            [median, lowest, highest].map(f64::to_bits),
            [3.0, 2.0, 4.0].map(f64::to_bits)
        );
    }

    #[test]
    fn a_goal_includes_its_bound_and_is_not_met_without_rounds() {
        let of = |median: f64| Finding::new("it", "", &[median]);
        assert_eq!(
            [of(1.05), of(1.06)].map(|it| it.at_most(1.05).met),
            [Some(true), Some(false)]
        );
        assert_eq!(
            [of(0.7), of(0.69)].map(|it| it.at_least(0.7).met),
            [Some(true), Some(false)]
        );
        assert_eq!(Finding::new("it", "", &[]).at_most(1.0).met, Some(false));
        assert_eq!(of(1.0).met, None);
    }

    #[test]
    fn a_row_has_significant_digits() {
        let row = Finding::new("refreshes", "/s", &[1_234.6, 99.44, 0.012_34])
            .at_least(5_000.0)
            .row();
        assert_eq!(
            row,
            ["refreshes", "99.4", "0.012", "1,235", "/s", "≥ 5,000", "NO"]
        );
        assert_eq!(
            Finding::new("it", "", &[1.0]).at_most(1.05).row()[5..],
            ["≤ 1.05", "yes"]
        );
    }

    #[test]
    fn json_has_the_same_figures() {
        let json = serde_json::to_value(Finding::new("it", "ms", &[2.0]).at_most(3.0)).unwrap();
        let expected = serde_json::json!({
            "what": "it", "median": 2.0, "lowest": 2.0, "highest": 2.0, "unit": "ms", "goal": {"at_most": 3.0}, "met": true,
        });
        assert_eq!(json, expected);
    }
}
