//! What people were told while anything happened, compared with what there is in the end.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use test_kit::TestResponse;
use uuid::Uuid;

use crate::anything::Step;

/// What somebody asked for, and what they were told, if anything.
pub struct Told {
    pub step: Step,
    /// The order that it was about, if that is known.
    pub order: Option<String>,
    pub answer: Option<TestResponse>,
}

/// All that anybody was told holds.
pub fn assert_kept(told: &[Told], orders: &BTreeMap<String, Value>, products: &[Uuid]) {
    for told in told {
        assert_holds(told, orders, products);
    }
    assert_keys(told, orders);
    assert_decided_once(told);
}

/// What somebody was told is still so, or became what may come of it.
fn assert_holds(Told { step, order, answer }: &Told, orders: &BTreeMap<String, Value>, products: &[Uuid]) {
    let Some(answer) = answer else { return };
    let is = order
        .as_ref()
        .map(|order| orders[order]["status"].as_str().unwrap());
    let body = answer.json();
    let may_be: &[&str] = match (
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
        is.is_some_and(|is| may_be.contains(&is)),
        "{step:?}: {answer:?}: {is:?}"
    );
    if let (Step::Order { items, .. }, Some(order)) = (step, order) {
        let kept = orders[order]["items"].as_array().unwrap().iter();
        let kept = kept.map(|line| {
            (
                line["product_id"].as_str().unwrap().parse().unwrap(),
                line["quantity"].as_i64().unwrap(),
            )
        });
        let wanted: Vec<(Uuid, i64)> = items
            .iter()
            .map(|(product, quantity)| (products[*product], *quantity))
            .collect();
        assert_eq!(kept.collect::<Vec<_>>(), wanted);
    }
}

/// A key stands for one order, and there are no orders besides those that were asked for.
fn assert_keys(told: &[Told], orders: &BTreeMap<String, Value>) {
    let mut of_key: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut without_key = 0;
    for Told { step, order, .. } in told {
        match step {
            Step::Order {
                person,
                key: Some(key),
                ..
            } => {
                of_key.entry((person, key)).or_default().extend(order);
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

/// Of all decisions about an order one was taken.
fn assert_decided_once(told: &[Told]) {
    let is_decision = |step: &Step| matches!(step, Step::Cancel { .. } | Step::Fulfil { .. });
    let taken = told.iter().filter(|told| is_decision(&told.step));
    let taken = taken.filter(|told| told.answer.as_ref().is_some_and(|answer| answer.status == 200));
    let orders: Vec<_> = taken.map(|told| &told.order).collect();
    assert_eq!(
        orders.iter().collect::<BTreeSet<_>>().len(),
        orders.len(),
        "{orders:?}"
    );
}
