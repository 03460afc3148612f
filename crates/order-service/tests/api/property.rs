//! A property test: random requests at two replicas that crash and restart, with neighbours that fail at random. Afterwards
//! every response that a client received still holds, and orders and stock agree.

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

use crate::fault_proxy::Behaviour::{self, DropAfter, DropBefore, Healthy, Reply, Slow};
use crate::invariants::{self, Exchange};
use crate::shop::{Shop, basket, eventually, post_in_background, shop};

const PRODUCTS: usize = 3;
const USERS: [&str; 2] = ["ada", "bob"];

/// One action of the test. Indices refer to lists in [`Scenario`].
#[derive(Clone, Debug)]
pub enum Step {
    Order {
        user: usize,
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
    /// Queues behaviours of inventory-service.
    Inventory {
        behaviours: Vec<Behaviour>,
    },
    /// Queues behaviours of product-service.
    Products {
        behaviours: Vec<Behaviour>,
    },
    Advance {
        seconds: i64,
    },
}

/// Concurrent steps, each at one of the replicas. Meanwhile one replica may be restarted.
#[derive(Clone, Debug)]
struct Round {
    steps: Vec<(Step, usize)>,
    restart: Option<Restart>,
}

#[derive(Clone, Debug)]
struct Restart {
    replica: usize,
    /// How many calls the neighbours receive before it.
    after: usize,
    is_graceful: bool,
}

fn behaviour() -> impl Strategy<Value = Behaviour> {
    prop_oneof![
        3 => Just(Healthy),
        3 => Just(DropBefore),
        3 => Just(DropAfter),
        2 => (1_u64..300).prop_map(|millis| Slow(Duration::from_millis(millis))),
        1 => Just(Reply(500, "{}")),
        1 => Just(Reply(503, "{}")),
        1 => Just(Reply(202, "{}")),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let items = btree_map(0..PRODUCTS, 1_i64..4, 1..=PRODUCTS);
    prop_oneof![
        8 => (0..USERS.len(), option::of(0_u8..6), items).prop_map(|(user, key, items)| Step::Order { user, key, items }),
        4 => (0_usize..1_000).prop_map(|order| Step::Cancel { order }),
        3 => (0_usize..1_000).prop_map(|order| Step::Fulfil { order }),
        2 => (0..PRODUCTS, 1_i64..8).prop_map(|(product, quantity)| Step::Restock { product, quantity }),
        4 => vec(behaviour(), 1..6).prop_map(|behaviours| Step::Inventory { behaviours }),
        1 => vec(behaviour(), 1..3).prop_map(|behaviours| Step::Products { behaviours }),
        2 => (1_i64..20).prop_map(|seconds| Step::Advance { seconds }),
    ]
}

fn round() -> impl Strategy<Value = Round> {
    let restart = (0_usize..2, 0_usize..6, any::<bool>()).prop_map(|(replica, after, is_graceful)| Restart {
        replica,
        after,
        is_graceful,
    });
    (vec((step(), 0_usize..2), 1..6), option::weighted(0.15, restart))
        .prop_map(|(steps, restart)| Round { steps, restart })
}

struct Scenario {
    replicas: [Shop; 2],
    products: Vec<Uuid>,
    /// The ids of orders that a client has received.
    orders: Vec<String>,
    exchanges: Vec<Exchange>,
}

impl Scenario {
    async fn begin() -> Self {
        let one = shop().await;
        let products = (0..PRODUCTS).map(|_| one.product(100, 8)).collect();
        let other = one.replica().await;
        Self {
            replicas: [one, other],
            products,
            orders: Vec::new(),
            exchanges: Vec::new(),
        }
    }

    async fn run(&mut self, Round { steps, restart }: &Round) {
        let neighbours = self.replicas[0].neighbours.clone();
        let calls = || neighbours.products.received() + neighbours.inventory.received();
        let calls_before = calls();
        let started: Vec<_> = steps
            .iter()
            .filter_map(|(step, replica)| self.start(step, *replica))
            .collect();
        if let Some(Restart {
            replica,
            after,
            is_graceful,
        }) = restart
        {
            let are_finished = || started.iter().all(|(_, _, answer)| answer.is_finished());
            let condition = async || calls() >= calls_before + after || are_finished();
            eventually(
                "the neighbours are called or all requests are answered",
                condition,
            )
            .await;
            let replica = &mut self.replicas[*replica];
            if *is_graceful {
                replica.stop().await;
            } else {
                replica.crash().await;
            }
            replica.start();
        }
        for (step, order, answer) in started {
            // The client of a stopped replica got no response, or a 503 because the database was already closed.
            let answer = answer
                .await
                .ok()
                .filter(|answer| restart.is_none() || answer.status != 503);
            let location = answer
                .as_ref()
                .and_then(|answer| answer.header("location").strip_prefix("/orders/"));
            let order = order.or(location.map(str::to_owned));
            self.orders
                .extend(order.clone().filter(|order| !self.orders.contains(order)));
            self.exchanges.push(Exchange { step, order, answer });
        }
    }

    /// Sends the request of a step. Other steps take effect at once and return `None`.
    fn start(&self, step: &Step, replica: usize) -> Option<(Step, Option<String>, JoinHandle<TestResponse>)> {
        let shop = &self.replicas[replica];
        let decide = |client: &Client, order: usize, decision: &str| {
            let order = self.orders.get(order % self.orders.len().max(1))?;
            let path = format!("/orders/{order}/{decision}");
            Some((
                step.clone(),
                Some(order.clone()),
                post_in_background(client, &path, json!({})),
            ))
        };
        match step {
            Step::Order { user, key, items } => {
                let items: Vec<_> = items
                    .iter()
                    .map(|(product, quantity)| (self.products[*product], *quantity))
                    .collect();
                let user = shop.user(USERS[*user]);
                let client = key.map_or_else(
                    || user.clone(),
                    |key| user.with("idempotency-key", &key.to_string()),
                );
                return Some((
                    step.clone(),
                    None,
                    post_in_background(&client, "/orders", basket(&items)),
                ));
            }
            Step::Cancel { order } => return decide(&shop.admin(), *order, "cancel"),
            Step::Fulfil { order } => return decide(&shop.admin(), *order, "fulfil"),
            Step::Restock { product, quantity } => {
                shop.neighbours
                    .fake_inventory
                    .restock(self.products[*product], *quantity);
            }
            Step::Inventory { behaviours } => shop.neighbours.inventory.queue(behaviours.clone()),
            Step::Products { behaviours } => shop.neighbours.products.queue(behaviours.clone()),
            Step::Advance { seconds } => shop.advance(*seconds),
        }
        None
    }

    /// Lets the neighbours recover and the worker finish, and checks the final state.
    async fn finish(self) {
        let Self {
            replicas: [mut shop, mut other],
            products,
            exchanges,
            ..
        } = self;
        shop.neighbours.inventory.clear_queue();
        shop.neighbours.products.clear_queue();
        other.crash().await;
        // A restart closes circuits that opened before.
        shop.stop().await;
        shop.start();
        shop.settle().await;
        shop.assert_consistent().await;
        let orders = shop.orders().await;
        let orders = orders
            .into_iter()
            .map(|order| (order["id"].as_str().unwrap().to_owned(), order))
            .collect();
        invariants::assert_hold(&exchanges, &orders, &products);
    }
}

#[test]
fn every_response_still_holds_after_crashes_and_failures() {
    #[expect(
        clippy::disallowed_methods,
        reason = "a switch for tests, not a service's configuration"
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
    let outcome = runner.run(&vec(round(), 20..40), |rounds| {
        system.block_on(async {
            let mut scenario = Scenario::begin().await;
            for round in &rounds {
                scenario.run(round).await;
            }
            scenario.finish().await;
        });
        Ok(())
    });
    outcome.unwrap();
}
