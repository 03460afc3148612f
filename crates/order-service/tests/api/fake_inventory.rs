//! A fake inventory-service: the same contract, in memory.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::fault_proxy::Request;
use crate::neighbours::TOKEN;

/// Stock and reservations.
#[derive(Default)]
pub struct FakeInventory {
    stock: RefCell<BTreeMap<Uuid, Stock>>,
    reservations: RefCell<BTreeMap<Uuid, Reservation>>,
    handled: Cell<usize>,
}

#[derive(Clone, Debug, Default)]
struct Stock {
    received: i64,
    on_hand: i64,
    reserved: i64,
    shipped: i64,
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

impl FakeInventory {
    pub fn restock(&self, product: Uuid, quantity: i64) {
        let mut stock = self.stock.borrow_mut();
        let stock = stock.entry(product).or_default();
        stock.received += quantity;
        stock.on_hand += quantity;
    }

    /// Stores a reservation without items for an order, so that each attempt to reserve for it is a mismatch.
    pub fn store_mismatch(&self, order: Uuid) {
        let other = Reservation {
            state: State::Refused,
            items: BTreeMap::new(),
            short: Vec::new(),
        };
        self.reservations.borrow_mut().insert(order, other);
    }

    /// The product's quantities on hand, reserved and shipped.
    pub fn stock(&self, product: Uuid) -> [i64; 3] {
        let stock = self.stock.borrow().get(&product).cloned().unwrap_or_default();
        [stock.on_hand, stock.reserved, stock.shipped]
    }

    /// The state and items of an order's reservation.
    pub fn reservation(&self, order: Uuid) -> Option<(State, BTreeMap<Uuid, i64>)> {
        self.reservations
            .borrow()
            .get(&order)
            .map(|found| (found.state, found.items.clone()))
    }

    pub fn orders(&self) -> Vec<Uuid> {
        self.reservations.borrow().keys().copied().collect()
    }

    /// How many authenticated calls were handled.
    pub fn handled(&self) -> usize {
        self.handled.get()
    }

    /// Asserts what always holds: stock adds up, agrees with the reservations, and no more is reserved than is on hand.
    pub fn assert_consistent(&self) {
        for (product, stock) in self.stock.borrow().iter() {
            let reservations = self.reservations.borrow();
            let of = |state| {
                let found = reservations.values().filter(move |found| found.state == state);
                found.filter_map(|found| found.items.get(product)).sum::<i64>()
            };
            assert_eq!(
                (stock.reserved, stock.shipped),
                (of(State::Reserved), of(State::Committed)),
                "{stock:?}"
            );
            assert_eq!(stock.received, stock.on_hand + stock.shipped, "{stock:?}");
            assert!(stock.reserved <= stock.on_hand, "{stock:?}");
        }
    }

    pub fn handle(&self, request: &Request) -> (u16, Value) {
        if request.authorization != format!("Bearer {TOKEN}") {
            return (401, json!({"code": "invalid_token"}));
        }
        self.handled.set(self.handled.get() + 1);
        let path: Vec<_> = request.path.split('/').skip(1).collect();
        let id = path.get(1).and_then(|id| id.parse().ok());
        match (request.method.as_str(), path.as_slice(), id) {
            ("POST", ["reservations"], _) => self
                .reserve(&request.body)
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
        let existing = self.reservations.borrow().get(&order).cloned();
        let reservation = existing.unwrap_or_else(|| self.decide(order, items.clone()));
        Some(match reservation.state {
            State::Released => problem("released"),
            _ if reservation.items != items => problem("reservation_mismatch"),
            State::Refused => (
                409,
                json!({"code": "insufficient_stock", "short": reservation.short}),
            ),
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
        let Some(reservation) = reservations.get_mut(&order) else {
            return (404, json!({"code": "reservation_not_found"}));
        };
        match reservation.state {
            State::Released => return problem("released"),
            State::Refused => return problem("not_reserved"),
            State::Committed => {}
            State::Reserved => {
                reservation.state = State::Committed;
                self.change(reservation, |stock, quantity| {
                    stock.reserved -= quantity;
                    stock.on_hand -= quantity;
                    stock.shipped += quantity;
                });
            }
        }
        (200, json!({"state": "committed"}))
    }

    pub fn release(&self, order: Uuid) -> (u16, Value) {
        let mut reservations = self.reservations.borrow_mut();
        let unknown = || Reservation {
            state: State::Refused,
            items: BTreeMap::new(),
            short: Vec::new(),
        };
        let reservation = reservations.entry(order).or_insert_with(unknown);
        if reservation.state == State::Committed {
            return problem("committed");
        }
        if reservation.state == State::Reserved {
            self.change(reservation, |stock, quantity| stock.reserved -= quantity);
        }
        reservation.state = State::Released;
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
