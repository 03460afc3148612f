//! A property test: for random sequences of steps the service answers exactly like a simple model in memory.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use test_kit::TestResponse;
use uuid::Uuid;

use crate::journal::Journal;
use crate::{Shop, lines, new_id, shop};

const PRODUCTS: usize = 3;
const ORDERS: usize = 6;

#[derive(Clone, Debug)]
enum Step {
    Set {
        product: usize,
        on_hand: i64,
    },
    Reserve {
        order: usize,
        items: BTreeMap<usize, i64>,
    },
    Commit {
        order: usize,
    },
    Release {
        order: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let items = btree_map(0..PRODUCTS, 1_i64..4, 1..=PRODUCTS);
    prop_oneof![
        3 => (0..PRODUCTS, 0_i64..12).prop_map(|(product, on_hand)| Step::Set { product, on_hand }),
        6 => (0..ORDERS, items).prop_map(|(order, items)| Step::Reserve { order, items }),
        2 => (0..ORDERS).prop_map(|order| Step::Commit { order }),
        2 => (0..ORDERS).prop_map(|order| Step::Release { order }),
    ]
}

fn runner(cases: u32) -> TestRunner {
    TestRunner::new(Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    })
}

/// The expected state.
#[derive(Default)]
struct Model {
    on_hand: [i64; PRODUCTS],
    reserved: [i64; PRODUCTS],
    orders: [Option<Expectation>; ORDERS],
}

#[derive(Clone)]
struct Expectation {
    state: &'static str,
    items: BTreeMap<usize, i64>,
    /// The products that were short, and their available quantities.
    short: Vec<(usize, i64)>,
}

/// A status, and members that the body has to contain.
type Expected = (u16, Value);

fn problem(status: u16, code: &str) -> Expected {
    (status, json!({"code": code}))
}

impl Model {
    fn step(&mut self, step: &Step, ids: &[Uuid]) -> Expected {
        match step {
            Step::Set { product, on_hand } => self.set(*product, *on_hand),
            Step::Reserve { order, items } => self.reserve(*order, items, ids),
            Step::Commit { order } => self.commit(*order),
            Step::Release { order } => self.release(*order),
        }
    }

    fn set(&mut self, product: usize, on_hand: i64) -> Expected {
        if on_hand < self.reserved[product] {
            return problem(409, "below_reserved");
        }
        self.on_hand[product] = on_hand;
        (
            200,
            json!({"on_hand": on_hand, "reserved": self.reserved[product]}),
        )
    }

    fn reserve(&mut self, order: usize, items: &BTreeMap<usize, i64>, ids: &[Uuid]) -> Expected {
        let reservation = match self.orders[order].take() {
            Some(reservation) => reservation,
            None => self.decide(items),
        };
        let reservation = self.orders[order].insert(reservation);
        match reservation.state {
            "released" => problem(409, "released"),
            _ if reservation.items != *items => problem(409, "reservation_mismatch"),
            "refused" => {
                let short = reservation.short.iter().map(|(product, available)| {
                    json!({"product_id": ids[*product], "requested": items[product], "available": available})
                });
                (
                    409,
                    json!({"code": "insufficient_stock", "short": short.collect::<Vec<_>>()}),
                )
            }
            state => (
                201,
                json!({"state": state, "items": lines(&with_ids(items, ids))}),
            ),
        }
    }

    fn decide(&mut self, items: &BTreeMap<usize, i64>) -> Expectation {
        let available = |product: usize| self.on_hand[product] - self.reserved[product];
        let short: Vec<_> = items
            .iter()
            .map(|(product, quantity)| (*product, *quantity, available(*product)))
            .filter_map(|(product, quantity, available)| {
                (available < quantity).then_some((product, available))
            })
            .collect();
        if short.is_empty() {
            for (product, quantity) in items {
                self.reserved[*product] += quantity;
            }
        }
        let state = if short.is_empty() { "reserved" } else { "refused" };
        Expectation {
            state,
            items: items.clone(),
            short,
        }
    }

    fn commit(&mut self, order: usize) -> Expected {
        let Some(reservation) = &mut self.orders[order] else {
            return problem(404, "reservation_not_found");
        };
        match reservation.state {
            "released" => return problem(409, "released"),
            "refused" => return problem(409, "not_reserved"),
            "reserved" => {
                reservation.state = "committed";
                for (product, quantity) in &reservation.items {
                    self.reserved[*product] -= quantity;
                    self.on_hand[*product] -= quantity;
                }
            }
            _ => {}
        }
        (200, json!({"state": "committed"}))
    }

    fn release(&mut self, order: usize) -> Expected {
        let unknown = || Expectation {
            state: "refused",
            items: BTreeMap::new(),
            short: Vec::new(),
        };
        let reservation = self.orders[order].get_or_insert_with(unknown);
        if reservation.state == "committed" {
            return problem(409, "committed");
        }
        if reservation.state == "reserved" {
            for (product, quantity) in &reservation.items {
                self.reserved[*product] -= quantity;
            }
        }
        reservation.state = "released";
        (204, Value::Null)
    }
}

fn with_ids(items: &BTreeMap<usize, i64>, ids: &[Uuid]) -> Vec<(Uuid, i64)> {
    items
        .iter()
        .map(|(product, quantity)| (ids[*product], *quantity))
        .collect()
}

/// New products and orders, for one run of the model.
struct Scenario<'s> {
    shop: &'s Shop,
    products: Vec<Uuid>,
    orders: Vec<Uuid>,
}

impl<'s> Scenario<'s> {
    fn of(shop: &'s Shop) -> Self {
        let products = (0..PRODUCTS).map(|_| shop.product()).collect();
        Self {
            shop,
            products,
            orders: (0..ORDERS).map(|_| new_id()).collect(),
        }
    }

    async fn run(&self, step: &Step) -> TestResponse {
        match step {
            Step::Set { product, on_hand } => self.shop.set(self.products[*product], *on_hand).await,
            Step::Reserve { order, items } => {
                // Not sorted by product, unlike in the service.
                let mut items = with_ids(items, &self.products);
                let by = order % items.len();
                items.rotate_left(by);
                self.shop.reserve(self.orders[*order], &items).await
            }
            Step::Commit { order } => self.shop.commit(self.orders[*order]).await,
            Step::Release { order } => self.shop.release(self.orders[*order]).await,
        }
    }
}

#[test]
fn every_sequence_of_steps_is_answered_as_the_model_says() {
    let system = actix_web::rt::System::new();
    let shop = system.block_on(shop());
    let journal = system.block_on(Journal::of(&shop));
    let check = async |steps: &[Step]| {
        let (scenario, mut model) = (Scenario::of(&shop), Model::default());
        for step in steps {
            let (status, members) = model.step(step, &scenario.products);
            let answer = scenario.run(step).await;
            answer.assert_status(status);
            if !members.is_null() {
                answer.assert(status, members);
            }
            for (product, id) in scenario.products.iter().enumerate() {
                let (on_hand, reserved) = (model.on_hand[product], model.reserved[product]);
                assert_eq!(
                    shop.stock(*id).await,
                    [on_hand, reserved, on_hand - reserved],
                    "after {step:?}"
                );
            }
            journal.assert_consistent().await;
        }
    };
    let outcome = runner(40).run(&vec(step(), 1..30), |steps| {
        system.block_on(check(&steps));
        Ok(())
    });
    outcome.unwrap();
    // Dropped inside the runtime, whose tasks can then end.
    system.block_on(async move { drop((shop, journal)) });
}

/// Asserts that concurrent answers about one order don't contradict each other.
fn assert_no_contradiction(answers: &[(&Step, TestResponse)]) {
    let with = |status: u16, code: &str| {
        answers
            .iter()
            .any(|(_, answer)| answer.status == status && (code.is_empty() || answer.json()["code"] == code))
    };
    assert!(
        !(with(201, "") && with(409, "insufficient_stock")),
        "reserved and refused: {answers:?}"
    );
    assert!(
        !(with(200, "") && with(204, "")),
        "committed and released: {answers:?}"
    );
    assert!(
        !(with(200, "") && with(409, "released")),
        "committed and released: {answers:?}"
    );
    assert!(
        !(with(204, "") && with(409, "committed")),
        "released and committed: {answers:?}"
    );
    let reserved: Vec<_> = answers
        .iter()
        .filter(|(_, answer)| answer.status == 201)
        .collect();
    assert!(
        reserved
            .windows(2)
            .all(|pair| pair[0].1.json()["items"] == pair[1].1.json()["items"]),
        "{reserved:?}"
    );
}

#[actix_web::test]
async fn concurrent_random_steps_leave_stock_and_journal_consistent() {
    let shop = shop().await;
    let journal = Journal::of(&shop).await;
    let mut runner = runner(1);
    for _ in 0..12 {
        let scenario = Scenario::of(&shop);
        for product in 0..PRODUCTS {
            scenario
                .run(&Step::Set { product, on_hand: 6 })
                .await
                .assert_status(200);
        }
        let steps = vec(step(), 60).new_tree(&mut runner).unwrap().current();
        let answers = join_all(steps.iter().map(async |step| (step, scenario.run(step).await))).await;

        let mut answers_of_order = vec![Vec::new(); ORDERS];
        for (step, answer) in answers {
            assert!(answer.status < 500, "{step:?}: {answer:?}");
            match step {
                Step::Set { .. } => {}
                Step::Reserve { order, .. } | Step::Commit { order } | Step::Release { order } => {
                    answers_of_order[*order].push((step, answer));
                }
            }
        }
        for answers in &answers_of_order {
            assert_no_contradiction(answers);
        }
        journal.assert_consistent().await;
    }
}
