//! Whatever happens in whatever order, at two replicas that die and come back, in any weather: what was acknowledged holds, and
//! in the end the books are right.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::rt::System;
use actix_web::rt::task::JoinHandle;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use test_kit::Answer;
use uuid::Uuid;

use crate::shop::{Shop, basket, begin, eventually, shop};
use crate::weather::Weather::{self, Fair, LostAfter, LostBefore, Says, Slow};

const PRODUCTS: usize = 3;
const PEOPLE: [&str; 2] = ["ada", "bob"];

#[derive(Clone, Debug)]
enum Step {
    Order { person: usize, key: Option<u8>, items: BTreeMap<usize, i64> },
    Cancel { order: usize },
    Fulfil { order: usize },
    Restock { product: usize, quantity: i64 },
    Inventory { forecast: Vec<Weather> },
    Products { forecast: Vec<Weather> },
    Advance { seconds: i64 },
}

/// Some steps at once, each at one of the replicas, of which one may end once its neighbours were asked so often.
#[derive(Clone, Debug)]
struct Moment {
    steps: Vec<(Step, usize)>,
    ends: Option<End>,
}

#[derive(Clone, Debug)]
struct End {
    replica: usize,
    after: usize,
    is_graceful: bool,
}

fn weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        3 => Just(Fair),
        3 => Just(LostBefore),
        3 => Just(LostAfter),
        2 => (1_u64..300).prop_map(|millis| Slow(Duration::from_millis(millis))),
        1 => Just(Says(500, "{}")),
        1 => Just(Says(503, "{}")),
        1 => Just(Says(202, "{}")),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let items = btree_map(0..PRODUCTS, 1_i64..4, 1..=PRODUCTS);
    prop_oneof![
        8 => (0..PEOPLE.len(), option::of(0_u8..6), items).prop_map(|(person, key, items)| Step::Order { person, key, items }),
        4 => (0_usize..1_000).prop_map(|order| Step::Cancel { order }),
        3 => (0_usize..1_000).prop_map(|order| Step::Fulfil { order }),
        2 => (0..PRODUCTS, 1_i64..8).prop_map(|(product, quantity)| Step::Restock { product, quantity }),
        4 => vec(weather(), 1..6).prop_map(|forecast| Step::Inventory { forecast }),
        1 => vec(weather(), 1..3).prop_map(|forecast| Step::Products { forecast }),
        2 => (1_i64..20).prop_map(|seconds| Step::Advance { seconds }),
    ]
}

fn moment() -> impl Strategy<Value = Moment> {
    let end = (0_usize..2, 0_usize..6, any::<bool>()).prop_map(|(replica, after, is_graceful)| End {
        replica,
        after,
        is_graceful,
    });
    (vec((step(), 0_usize..2), 1..6), option::weighted(0.15, end))
        .prop_map(|(steps, ends)| Moment { steps, ends })
}

/// What somebody asked for, and what they were told, if anything.
struct Told {
    step: Step,
    /// The order that it was about, if that is known.
    order: Option<String>,
    answer: Option<Answer>,
}

struct Story {
    replicas: [Shop; 2],
    products: Vec<Uuid>,
    /// Orders that somebody was told of.
    orders: Vec<String>,
    told: Vec<Told>,
}

impl Story {
    async fn begin() -> Self {
        let one = shop().await;
        let products = (0..PRODUCTS).map(|_| one.product(100, 8)).collect();
        let other = one.replica().await;
        Self { replicas: [one, other], products, orders: Vec::new(), told: Vec::new() }
    }

    async fn live(&mut self, Moment { steps, ends }: &Moment) {
        let near = self.replicas[0].near.clone();
        let asked = || near.products.arrived() + near.inventory.arrived();
        let before = asked();
        let begun: Vec<_> = steps.iter().filter_map(|(step, at)| self.take(step, *at)).collect();
        if let Some(End { replica, after, is_graceful }) = ends {
            let are_through = || begun.iter().all(|(_, _, answer)| answer.is_finished());
            eventually("it is time", async || asked() >= before + after || are_through()).await;
            let ending = &mut self.replicas[*replica];
            match is_graceful {
                true => ending.stop().await,
                false => ending.crash().await,
            }
            ending.start();
        }
        for (step, order, answer) in begun {
            // Whoever's replica died was told nothing.
            let answer = answer.await.ok();
            let location = answer.as_ref().and_then(|answer| answer.header("location").strip_prefix("/orders/"));
            let order = order.or(location.map(str::to_owned));
            self.orders.extend(order.clone().filter(|order| !self.orders.contains(order)));
            self.told.push(Told { step, order, answer });
        }
    }

    /// Begins a step, unless it is done at once.
    fn take(&self, step: &Step, at: usize) -> Option<(Step, Option<String>, JoinHandle<Answer>)> {
        let shop = &self.replicas[at];
        let decide = |client: &test_kit::Client, order: usize, decision: &str| {
            let order = self.orders.get(order % self.orders.len().max(1))?;
            let path = format!("/orders/{order}/{decision}");
            Some((step.clone(), Some(order.clone()), begin(client, &path, json!({}))))
        };
        match step {
            Step::Order { person, key, items } => {
                let items: Vec<_> =
                    items.iter().map(|(product, quantity)| (self.products[*product], *quantity)).collect();
                let person = shop.user(PEOPLE[*person]);
                let client = key
                    .map_or_else(|| person.clone(), |key| person.with("idempotency-key", &key.to_string()));
                return Some((step.clone(), None, begin(&client, "/orders", basket(&items))));
            }
            Step::Cancel { order } => return decide(&shop.admin(), *order, "cancel"),
            Step::Fulfil { order } => return decide(&shop.admin(), *order, "fulfil"),
            Step::Restock { product, quantity } => {
                shop.near.stockroom.restock(self.products[*product], *quantity)
            }
            Step::Inventory { forecast } => shop.near.inventory.expects(forecast.clone()),
            Step::Products { forecast } => shop.near.products.expects(forecast.clone()),
            Step::Advance { seconds } => shop.advance(*seconds),
        }
        None
    }

    /// The weather clears up, and all that is left is done.
    async fn end(self) {
        let Self { replicas: [mut shop, mut other], products, told, .. } = self;
        shop.near.inventory.expects_nothing();
        shop.near.products.expects_nothing();
        other.crash().await;
        // A new life does not spare anybody for what was.
        shop.stop().await;
        shop.start();
        shop.settle().await;
        shop.assert_books().await;
        let orders = shop.orders().await;
        let orders =
            orders.into_iter().map(|order| (order["id"].as_str().unwrap().to_owned(), order)).collect();
        for told in &told {
            assert_holds(told, &orders, &products);
        }
        assert_keys(&told, &orders);
        assert_decided_once(&told);
    }
}

/// What somebody was told is still so, or became what may come of it.
fn assert_holds(Told { step, order, answer }: &Told, orders: &BTreeMap<String, Value>, products: &[Uuid]) {
    let Some(answer) = answer else { return };
    let is = order.as_ref().map(|order| orders[order]["status"].as_str().unwrap());
    let body = answer.json();
    let may_be: &[&str] =
        match (step, answer.status, body["code"].as_str().or(body["status"].as_str()).unwrap()) {
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
    assert!(is.is_some_and(|is| may_be.contains(&is)), "{step:?}: {answer:?}: {is:?}");
    if let (Step::Order { items, .. }, Some(order)) = (step, order) {
        let kept = orders[order]["items"].as_array().unwrap().iter();
        let kept = kept.map(|line| {
            (line["product_id"].as_str().unwrap().parse().unwrap(), line["quantity"].as_i64().unwrap())
        });
        let wanted: Vec<(Uuid, i64)> =
            items.iter().map(|(product, quantity)| (products[*product], *quantity)).collect();
        assert_eq!(kept.collect::<Vec<_>>(), wanted);
    }
}

/// A key stands for one order, and there are no orders besides those that were asked for.
fn assert_keys(told: &[Told], orders: &BTreeMap<String, Value>) {
    let mut of_key: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut without_key = 0;
    for Told { step, order, .. } in told {
        match step {
            Step::Order { person, key: Some(key), .. } => {
                of_key.entry((person, key)).or_default().extend(order)
            }
            Step::Order { key: None, .. } => without_key += 1,
            _ => {}
        }
    }
    assert!(of_key.values().all(|orders| orders.len() <= 1), "{of_key:?}");
    assert!(orders.len() <= of_key.len() + without_key, "{} orders", orders.len());
}

/// Of all decisions about an order one was taken.
fn assert_decided_once(told: &[Told]) {
    let is_decision = |step: &Step| matches!(step, Step::Cancel { .. } | Step::Fulfil { .. });
    let taken = told.iter().filter(|told| is_decision(&told.step));
    let taken = taken.filter(|told| told.answer.as_ref().is_some_and(|answer| answer.status == 200));
    let orders: Vec<_> = taken.map(|told| &told.order).collect();
    assert_eq!(orders.iter().collect::<BTreeSet<_>>().len(), orders.len(), "{orders:?}");
}

#[test]
fn whatever_happens_what_was_acknowledged_holds() {
    let seed = [Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes()].concat();
    println!("seed {seed:?}");
    let config = Config { cases: 6, max_shrink_iters: 40, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
    let system = System::new();
    let outcome = runner.run(&vec(moment(), 20..40), |moments| {
        system.block_on(async {
            let mut story = Story::begin().await;
            for moment in &moments {
                story.live(moment).await;
            }
            story.end().await;
        });
        Ok(())
    });
    outcome.unwrap();
}
