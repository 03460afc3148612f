//! Bounds retries to a tenth of the successful calls. Without a bound, retries would multiply the load of a failing neighbour.

use std::sync::atomic::{AtomicU32, Ordering};

/// The cost of a retry. A successful call earns 1.
const RETRY_COST: u32 = 10;
/// The maximum balance, which is also the initial balance: ten retries.
const MAX_BALANCE: u32 = 10 * RETRY_COST;

#[derive(Debug)]
pub(super) struct RetryBudget {
    balance: AtomicU32,
}

impl Default for RetryBudget {
    fn default() -> Self {
        Self {
            balance: AtomicU32::new(MAX_BALANCE),
        }
    }
}

impl RetryBudget {
    /// Records a successful call.
    pub fn earn(&self) {
        self.update(|balance| (balance < MAX_BALANCE).then_some(balance + 1));
    }

    /// Pays for a retry. Returns whether the balance was sufficient.
    pub fn spend(&self) -> bool {
        self.update(|balance| balance.checked_sub(RETRY_COST))
    }

    fn update(&self, update: impl FnMut(u32) -> Option<u32>) -> bool {
        self.balance
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, update)
            .is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn retries(budget: &RetryBudget) -> usize {
        (0..100).filter(|_| budget.spend()).count()
    }

    #[test]
    fn ten_successful_calls_pay_for_one_retry() {
        let budget = RetryBudget::default();
        assert_eq!(retries(&budget), 10, "the initial balance");

        for _ in 0..9 {
            budget.earn();
        }
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
    }

    #[test]
    fn at_most_ten_retries_are_saved_up() {
        let budget = RetryBudget::default();
        for _ in 0..10_000 {
            budget.earn();
        }
        assert_eq!(retries(&budget), 10);
    }
}
