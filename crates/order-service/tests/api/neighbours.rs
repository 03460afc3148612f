//! The services that order-service calls: product-service, inventory-service, and user-service for its token.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::stockroom::Stockroom;
use crate::weather::{Asked, Door};

/// The service token that the token endpoint gives and inventory-service takes.
pub const TOKEN: &str = "a-token-for-inventory-service";

/// Those that one service under test calls, or several that share them.
#[derive(Clone)]
pub struct Neighbours {
    /// What product-service sells.
    pub catalogue: Rc<Catalogue>,
    pub products: Door,
    /// What inventory-service has.
    pub stockroom: Rc<Stockroom>,
    pub inventory: Door,
    /// The token endpoint.
    pub tokens: Door,
}

impl Neighbours {
    pub fn open() -> Self {
        let (catalogue, stockroom) = (Rc::<Catalogue>::default(), Rc::<Stockroom>::default());
        let (sold, kept) = (Rc::clone(&catalogue), Rc::clone(&stockroom));
        Self {
            catalogue,
            products: Door::open(move |asked| sold.answer(asked)),
            stockroom,
            inventory: Door::open(move |asked| kept.answer(asked)),
            tokens: Door::open(token),
        }
    }

    /// A product at this price, of which there is so much.
    pub fn product(&self, price_cents: i64, on_hand: i64) -> Uuid {
        let product = self.catalogue.put_up(price_cents);
        self.stockroom.restock(product, on_hand);
        product
    }
}

/// Products, and what is said of them.
#[derive(Default)]
pub struct Catalogue(RefCell<BTreeMap<Uuid, Value>>);

impl Catalogue {
    pub fn put_up(&self, price_cents: i64) -> Uuid {
        let id = service_kit::id::new(auth::Clock::system().now());
        let product = json!({
            "id": id, "name": "Lamp", "description": "Gives light.", "price_cents": price_cents, "currency": "EUR",
            "owner_id": id, "created_at": "2026-01-01T00:00:00Z", "updated_at": "2026-01-01T00:00:00Z",
        });
        self.0.borrow_mut().insert(id, product);
        id
    }

    pub fn change(&self, product: Uuid, member: &str, value: Value) {
        self.0.borrow_mut().get_mut(&product).unwrap()[member] = value;
    }

    pub fn take_down(&self, product: Uuid) {
        self.0.borrow_mut().remove(&product);
    }

    /// `GET /products?ids=a,b`: those that there are, newest first.
    fn answer(&self, asked: &Asked) -> (u16, Value) {
        let ids = asked
            .path
            .strip_prefix("/products?ids=")
            .filter(|_| asked.method == "GET");
        let ids: Option<Vec<Uuid>> = ids.and_then(|ids| ids.split(',').map(|id| id.parse().ok()).collect());
        let Some(ids) = ids.filter(|ids| ids.len() <= 100) else {
            return (400, json!({"code": "invalid_query"}));
        };
        let products = self.0.borrow();
        let found: Vec<_> = products
            .iter()
            .rev()
            .filter(|(id, _)| ids.contains(id))
            .map(|(_, product)| product)
            .collect();
        (200, json!({"items": found, "next_cursor": null}))
    }
}

/// RFC 6749 §4.4.
fn token(asked: &Asked) -> (u16, Value) {
    if asked.path != "/oauth/token" || !asked.authorization.starts_with("Basic ") {
        return (401, json!({"error": "invalid_client"}));
    }
    (
        200,
        json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 900}),
    )
}
