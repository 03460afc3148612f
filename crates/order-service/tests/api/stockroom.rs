//! What stands in for inventory-service: its contract, in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::neighbours::TOKEN;
use crate::weather::Asked;

/// What there is, and what is promised to which order.
#[derive(Default)]
pub struct Stockroom {
    stock: RefCell<BTreeMap<Uuid, Stock>>,
    reservations: RefCell<BTreeMap<Uuid, Reservation>>,
    told: Cell<usize>,
}

#[derive(Clone, Debug, Default)]
struct Stock {
    came_in: i64,
    on_hand: i64,
    reserved: i64,
    gone: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Reserved,
    Refused,
    Released,
    Committed,
}

#[derive(Clone, Debug)]
struct Reservation {
    state: State,
    items: BTreeMap<Uuid, i64>,
    short: Vec<Value>,
}

impl Stockroom {
    pub fn restock(&self, product: Uuid, quantity: i64) {
        let mut stock = self.stock.borrow_mut();
        let stock = stock.entry(product).or_default();
        stock.came_in += quantity;
        stock.on_hand += quantity;
    }

    /// Knows an order with other items than it will come with, as ought never to be.
    pub fn refuse(&self, order: Uuid) {
        let other = Reservation {
            state: State::Refused,
            items: BTreeMap::new(),
            short: Vec::new(),
        };
        self.reservations.borrow_mut().insert(order, other);
    }

    /// On hand, reserved, gone.
    pub fn stock(&self, product: Uuid) -> [i64; 3] {
        let stock = self.stock.borrow().get(&product).cloned().unwrap_or_default();
        [stock.on_hand, stock.reserved, stock.gone]
    }

    /// What became of an order, and its lines where any are known.
    pub fn reservation(&self, order: Uuid) -> Option<(State, BTreeMap<Uuid, i64>)> {
        self.reservations
            .borrow()
            .get(&order)
            .map(|found| (found.state, found.items.clone()))
    }

    pub fn orders(&self) -> Vec<Uuid> {
        self.reservations.borrow().keys().copied().collect()
    }

    /// How many calls were understood and done.
    pub fn told(&self) -> usize {
        self.told.get()
    }

    /// Always: `available >= 0`, and what came in = available + reserved + gone.
    pub fn assert_right(&self) {
        for (product, stock) in self.stock.borrow().iter() {
            let reservations = self.reservations.borrow();
            let of = |state| {
                let found = reservations.values().filter(move |found| found.state == state);
                found.filter_map(|found| found.items.get(product)).sum::<i64>()
            };
            assert_eq!(
                (stock.reserved, stock.gone),
                (of(State::Reserved), of(State::Committed)),
                "{stock:?}"
            );
            assert_eq!(stock.came_in, stock.on_hand + stock.gone, "{stock:?}");
            assert!(stock.reserved <= stock.on_hand, "{stock:?}");
        }
    }

    pub fn answer(&self, asked: &Asked) -> (u16, Value) {
        if asked.authorization != format!("Bearer {TOKEN}") {
            return (401, json!({"code": "invalid_token"}));
        }
        self.told.set(self.told.get() + 1);
        let path: Vec<_> = asked.path.split('/').skip(1).collect();
        let id = path.get(1).and_then(|id| id.parse().ok());
        match (asked.method.as_str(), path.as_slice(), id) {
            ("POST", ["reservations"], _) => self
                .reserve(&asked.body)
                .unwrap_or((422, json!({"code": "invalid_body"}))),
            ("POST", ["reservations", _, "commit"], Some(id)) => self.commit(id),
            ("DELETE", ["reservations", _], Some(id)) => self.release(id),
            _ => (404, json!({"code": "not_found"})),
        }
    }

    fn reserve(&self, body: &Value) -> Option<(u16, Value)> {
        let order = body["order_id"].as_str()?.parse().ok()?;
        let item = |item: &Value| {
            Some((
                item["product_id"].as_str()?.parse().ok()?,
                item["quantity"].as_i64()?,
            ))
        };
        let items: BTreeMap<Uuid, i64> = body["items"]
            .as_array()?
            .iter()
            .map(item)
            .collect::<Option<_>>()?;
        let known = self.reservations.borrow().get(&order).cloned();
        let known = known.unwrap_or_else(|| self.decide(order, items.clone()));
        Some(match known.state {
            State::Released => problem("released"),
            _ if known.items != items => problem("reservation_mismatch"),
            State::Refused => (409, json!({"code": "insufficient_stock", "short": known.short})),
            State::Reserved | State::Committed => (201, json!({"order_id": order, "items": body["items"]})),
        })
    }

    fn decide(&self, order: Uuid, items: BTreeMap<Uuid, i64>) -> Reservation {
        let available = |product| self.stock(product)[0] - self.stock(product)[1];
        let short = items
            .iter()
            .map(|(product, quantity)| (product, quantity, available(*product)));
        let short = short.filter(|(_, quantity, available)| available < quantity).map(|(product, requested, available)| {
            json!({"product_id": product, "requested": requested, "available": available})
        });
        let short: Vec<_> = short.collect();
        let state = if short.is_empty() {
            State::Reserved
        } else {
            State::Refused
        };
        let reservation = Reservation { state, items, short };
        if state == State::Reserved {
            self.change(&reservation, |stock, quantity| stock.reserved += quantity);
        }
        self.reservations.borrow_mut().insert(order, reservation.clone());
        reservation
    }

    fn commit(&self, order: Uuid) -> (u16, Value) {
        let mut reservations = self.reservations.borrow_mut();
        let Some(known) = reservations.get_mut(&order) else {
            return (404, json!({"code": "reservation_not_found"}));
        };
        match known.state {
            State::Released => return problem("released"),
            State::Refused => return problem("not_reserved"),
            State::Committed => {}
            State::Reserved => {
                known.state = State::Committed;
                self.change(known, |stock, quantity| {
                    stock.reserved -= quantity;
                    stock.on_hand -= quantity;
                    stock.gone += quantity;
                });
            }
        }
        (200, json!({"state": "committed"}))
    }

    pub fn release(&self, order: Uuid) -> (u16, Value) {
        let mut reservations = self.reservations.borrow_mut();
        let never = || Reservation {
            state: State::Refused,
            items: BTreeMap::new(),
            short: Vec::new(),
        };
        let known = reservations.entry(order).or_insert_with(never);
        if known.state == State::Committed {
            return problem("committed");
        }
        if known.state == State::Reserved {
            self.change(known, |stock, quantity| stock.reserved -= quantity);
        }
        known.state = State::Released;
        (204, Value::Null)
    }

    fn change(&self, reservation: &Reservation, change: impl Fn(&mut Stock, i64)) {
        for (product, quantity) in &reservation.items {
            change(self.stock.borrow_mut().entry(*product).or_default(), *quantity);
        }
    }
}

fn problem(code: &str) -> (u16, Value) {
    (409, json!({"code": code}))
}
