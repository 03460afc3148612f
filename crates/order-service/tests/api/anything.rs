//! Whatever happens in whatever order, at two replicas that die and come back, in any weather: what was acknowledged holds, and
//! in the end the books are right.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::rt::System;
use actix_web::rt::task::JoinHandle;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use test_kit::{Client, TestResponse};
use uuid::Uuid;

use crate::promises::{self, Told};
use crate::shop::{Shop, basket, begin, eventually, shop};
use crate::weather::Weather::{self, Fair, LostAfter, LostBefore, Says, Slow};

const PRODUCTS: usize = 3;
const PEOPLE: [&str; 2] = ["ada", "bob"];

#[derive(Clone, Debug)]
pub enum Step {
    Order {
        person: usize,
        key: Option<u8>,
        items: BTreeMap<usize, i64>,
    },
    Cancel {
        order: usize,
    },
    Fulfil {
        order: usize,
    },
    Restock {
        product: usize,
        quantity: i64,
    },
    Inventory {
        forecast: Vec<Weather>,
    },
    Products {
        forecast: Vec<Weather>,
    },
    Advance {
        seconds: i64,
    },
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
        Self {
            replicas: [one, other],
            products,
            orders: Vec::new(),
            told: Vec::new(),
        }
    }

    async fn live(&mut self, Moment { steps, ends }: &Moment) {
        let near = self.replicas[0].near.clone();
        let asked = || near.products.arrived() + near.inventory.arrived();
        let before = asked();
        let begun: Vec<_> = steps
            .iter()
            .filter_map(|(step, at)| self.take(step, *at))
            .collect();
        if let Some(End {
            replica,
            after,
            is_graceful,
        }) = ends
        {
            let are_through = || begun.iter().all(|(_, _, answer)| answer.is_finished());
            eventually("it is time", async || asked() >= before + after || are_through()).await;
            let ending = &mut self.replicas[*replica];
            if *is_graceful {
                ending.stop().await;
            } else {
                ending.crash().await;
            }
            ending.start();
        }
        for (step, order, answer) in begun {
            // Whoever's replica died was told nothing, or that it could not ask its database any more.
            let answer = answer
                .await
                .ok()
                .filter(|answer| ends.is_none() || answer.status != 503);
            let location = answer
                .as_ref()
                .and_then(|answer| answer.header("location").strip_prefix("/orders/"));
            let order = order.or(location.map(str::to_owned));
            self.orders
                .extend(order.clone().filter(|order| !self.orders.contains(order)));
            self.told.push(Told { step, order, answer });
        }
    }

    /// Begins a step, unless it is done at once.
    fn take(&self, step: &Step, at: usize) -> Option<(Step, Option<String>, JoinHandle<TestResponse>)> {
        let shop = &self.replicas[at];
        let decide = |client: &Client, order: usize, decision: &str| {
            let order = self.orders.get(order % self.orders.len().max(1))?;
            let path = format!("/orders/{order}/{decision}");
            Some((step.clone(), Some(order.clone()), begin(client, &path, json!({}))))
        };
        match step {
            Step::Order { person, key, items } => {
                let items: Vec<_> = items
                    .iter()
                    .map(|(product, quantity)| (self.products[*product], *quantity))
                    .collect();
                let person = shop.user(PEOPLE[*person]);
                let client = key.map_or_else(
                    || person.clone(),
                    |key| person.with("idempotency-key", &key.to_string()),
                );
                return Some((step.clone(), None, begin(&client, "/orders", basket(&items))));
            }
            Step::Cancel { order } => return decide(&shop.admin(), *order, "cancel"),
            Step::Fulfil { order } => return decide(&shop.admin(), *order, "fulfil"),
            Step::Restock { product, quantity } => {
                shop.near.stockroom.restock(self.products[*product], *quantity);
            }
            Step::Inventory { forecast } => shop.near.inventory.expects(forecast.clone()),
            Step::Products { forecast } => shop.near.products.expects(forecast.clone()),
            Step::Advance { seconds } => shop.advance(*seconds),
        }
        None
    }

    /// The weather clears up, and all that is left is done.
    async fn end(self) {
        let Self {
            replicas: [mut shop, mut other],
            products,
            told,
            ..
        } = self;
        shop.near.inventory.expects_nothing();
        shop.near.products.expects_nothing();
        other.crash().await;
        // A new life does not spare anybody for what was.
        shop.stop().await;
        shop.start();
        shop.settle().await;
        shop.assert_books().await;
        let orders = shop.orders().await;
        let orders = orders
            .into_iter()
            .map(|order| (order["id"].as_str().unwrap().to_owned(), order))
            .collect();
        promises::assert_kept(&told, &orders, &products);
    }
}

#[test]
fn whatever_happens_what_was_acknowledged_holds() {
    #[expect(
        clippy::disallowed_methods,
        reason = "the tests' own switch, not a service's configuration"
    )]
    let cases = if std::env::var("LONG_TESTS").is_ok() {
        60
    } else {
        6
    };
    let config = Config {
        cases,
        max_shrink_iters: 40,
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = TestRunner::new(config);
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
