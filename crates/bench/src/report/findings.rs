//! Findings as a table or as JSON: each figure with the median and the range of its rounds, and whether it meets its goal.

use std::fmt::{self, Display, Formatter};
use std::num::NonZero;

use serde::Serialize;

use super::aligned;
use super::spread::{Spread, figure};

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
    #[serde(flatten)]
    spread: Spread,
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
        Self::of(what, unit, Spread::of(of_rounds))
    }

    /// Summarises the ratio of two values within each round, which is not affected by changes of speed between rounds.
    pub(crate) fn ratio(what: impl Into<String>, dividends: &[f64], divisors: &[f64]) -> Self {
        Self::of(what, "", Spread::of_ratios(dividends, divisors))
    }

    fn of(what: impl Into<String>, unit: &'static str, spread: Spread) -> Self {
        Self {
            what: what.into(),
            spread,
            unit,
            goal: None,
            met: None,
        }
    }

    pub(crate) fn at_most(self, goal: f64) -> Self {
        Self {
            goal: Some(Goal::AtMost(goal)),
            met: Some(self.spread.median <= goal),
            ..self
        }
    }

    pub(crate) fn at_least(self, goal: f64) -> Self {
        Self {
            goal: Some(Goal::AtLeast(goal)),
            met: Some(self.spread.median >= goal),
            ..self
        }
    }

    /// The names of the columns of [`row`](Self::row).
    pub(super) fn head() -> Vec<String> {
        ["what", "median", "lowest", "highest", "unit", "goal", "met"]
            .map(str::to_owned)
            .into()
    }

    pub(super) fn row(&self) -> Vec<String> {
        let goal = match self.goal {
            None => String::new(),
            Some(Goal::AtMost(goal)) => format!("≤ {}", format_goal(goal)),
            Some(Goal::AtLeast(goal)) => format!("≥ {}", format_goal(goal)),
        };
        let met = self.met.map_or("", |met| if met { "yes" } else { "NO" });
        let Spread {
            median,
            lowest,
            highest,
        } = self.spread;
        let [median, lowest, highest] = [median, lowest, highest].map(figure);
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
        let rows: Vec<_> = std::iter::once(Finding::head())
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
