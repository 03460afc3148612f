//! Prints results as tables or as JSON.

mod findings;
mod gateway;
mod orders;
mod revocation;
mod spread;

use std::fmt::{self, Display, Formatter};
use std::io::Write as _;

use serde::Serialize;

pub(crate) use self::findings::{Finding, Findings};
pub(crate) use self::gateway::{Report as GatewayReport, Row as GatewayRow};
pub(crate) use self::orders::{EngineReport, Report as OrdersReport, SizeReport};
pub(crate) use self::revocation::{DelayRow, GrowthRow, Report as RevocationReport, SnapshotCosts};
pub(crate) use self::spread::Spread;
use crate::Failure;

/// The results of all benchmarks.
#[derive(Debug, Serialize)]
pub(crate) struct FullReport {
    pub findings: Findings,
    pub gateway: Option<GatewayReport>,
    pub orders: Option<OrdersReport>,
    pub revocation: Option<RevocationReport>,
}

impl Display for FullReport {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.findings)?;
        if let Some(gateway) = &self.gateway {
            write!(f, "\n\n{gateway}")?;
        }
        if let Some(orders) = &self.orders {
            write!(f, "\n\n{orders}")?;
        }
        let revocation = self.revocation.as_ref();
        revocation.map_or(Ok(()), |revocation| write!(f, "\n\n{revocation}"))
    }
}

pub(crate) fn print(report: &(impl Display + Serialize), as_json: bool) -> Result<(), Failure> {
    let text = if as_json {
        serde_json::to_string_pretty(report)?
    } else {
        report.to_string()
    };
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

/// Writes rows in columns, each as wide as its widest cell.
fn aligned(f: &mut Formatter<'_>, rows: &[Vec<String>]) -> fmt::Result {
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let width = cells.map(|cell| cell.chars().count()).max().unwrap_or_default();
            // The first column is text; the others are mostly numbers.
            if column == 0 {
                write!(f, "{cell:<width$}")?;
            } else {
                write!(f, "  {cell:>width$}")?;
            }
        }
        writeln!(f)?;
    }
    Ok(())
}

/// Formats an integer with commas between thousands.
fn grouped(number: impl Display) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands_are_separated_by_commas() {
        for (number, text) in [
            (7, "7"),
            (1_000, "1,000"),
            (100_000, "100,000"),
            (1_000_000, "1,000,000"),
        ] {
            assert_eq!(grouped(number), text);
        }
    }
}
