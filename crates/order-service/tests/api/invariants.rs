//! Compares the responses that clients received during a property test with the final state of the orders.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use test_kit::TestResponse;
use uuid::Uuid;

use crate::property::Step;

/// A request, and the response if one arrived.
pub struct Exchange {
    pub step: Step,
    /// The order that the request concerns, if it is known.
    pub order: Option<String>,
    pub answer: Option<TestResponse>,
}

/// Asserts that every response is consistent with the final state.
pub fn assert_hold(exchanges: &[Exchange], orders: &BTreeMap<String, Value>, products: &[Uuid]) {
    for exchange in exchanges {
        assert_consistent(exchange, orders, products);
    }
    assert_keys(exchanges, orders);
    assert_one_decision_per_order(exchanges);
}

/// The order has the status of the response, or one that may follow it.
fn assert_consistent(
    Exchange { step, order, answer }: &Exchange,
    orders: &BTreeMap<String, Value>,
    products: &[Uuid],
) {
    let Some(answer) = answer else { return };
    let status = order
        .as_ref()
        .map(|order| orders[order]["status"].as_str().unwrap());
    let body = answer.json();
    let allowed: &[&str] = match (
        step,
        answer.status,
        body["code"].as_str().or(body["status"].as_str()).unwrap(),
    ) {
        (Step::Order { .. }, 201, "confirmed") => &["confirmed", "fulfilled", "cancelled"],
        (Step::Order { .. } | Step::Fulfil { .. }, 200 | 201, "fulfilled") => &["fulfilled"],
        (Step::Order { .. } | Step::Cancel { .. }, 200 | 201, "cancelled") => &["cancelled"],
        (Step::Order { .. }, 202, "pending") | (Step::Fulfil { .. }, 409, "order_not_confirmed") => {
            &["confirmed", "fulfilled", "cancelled", "rejected"]
        }
        (Step::Order { .. }, 409, "insufficient_stock") => &["rejected"],
        (Step::Order { .. }, 503, "product_service_unavailable")
        | (Step::Order { .. }, 422, "idempotency_mismatch") => {
            return assert_eq!(*order, None);
        }
        (Step::Cancel { .. } | Step::Fulfil { .. }, 409, "order_already_final") => {
            &["fulfilled", "cancelled", "rejected"]
        }
        _ => panic!("{step:?}: {answer:?}"),
    };
    assert!(
        status.is_some_and(|status| allowed.contains(&status)),
        "{step:?}: {answer:?}: {status:?}"
    );
    if let (Step::Order { items, .. }, Some(order)) = (step, order) {
        let stored = orders[order]["items"].as_array().unwrap().iter();
        let stored = stored.map(|line| {
            (
                line["product_id"].as_str().unwrap().parse().unwrap(),
                line["quantity"].as_i64().unwrap(),
            )
        });
        let requested: Vec<(Uuid, i64)> = items
            .iter()
            .map(|(product, quantity)| (products[*product], *quantity))
            .collect();
        assert_eq!(stored.collect::<Vec<_>>(), requested);
    }
}

/// Each key refers to one order, and every order was requested.
fn assert_keys(exchanges: &[Exchange], orders: &BTreeMap<String, Value>) {
    let mut of_key: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut without_key = 0;
    for Exchange { step, order, .. } in exchanges {
        match step {
            Step::Order {
                user, key: Some(key), ..
            } => {
                of_key.entry((user, key)).or_default().extend(order);
            }
            Step::Order { key: None, .. } => without_key += 1,
            _ => {}
        }
    }
    assert!(of_key.values().all(|orders| orders.len() <= 1), "{of_key:?}");
    assert!(
        orders.len() <= of_key.len() + without_key,
        "{} orders",
        orders.len()
    );
}

/// At most one decision about each order succeeded.
fn assert_one_decision_per_order(exchanges: &[Exchange]) {
    let is_decision = |step: &Step| matches!(step, Step::Cancel { .. } | Step::Fulfil { .. });
    let succeeded = exchanges.iter().filter(|exchange| {
        let is_ok = exchange
            .answer
            .as_ref()
            .is_some_and(|answer| answer.status == 200);
        is_ok && is_decision(&exchange.step)
    });
    let orders: Vec<_> = succeeded.map(|exchange| &exchange.order).collect();
    assert_eq!(
        orders.iter().collect::<BTreeSet<_>>().len(),
        orders.len(),
        "{orders:?}"
    );
}
