//! Fakes of the services that order-service calls: product-service, inventory-service, and user-service for service tokens.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::{Value, json};
use uuid::Uuid;

use crate::fake_inventory::FakeInventory;
use crate::fault_proxy::{FaultProxy, Request};

/// The service token that the fake token endpoint issues and the fake inventory-service accepts.
pub const TOKEN: &str = "a-token-for-inventory-service";

/// The neighbours of one replica under test, or of several.
#[derive(Clone)]
pub struct Neighbours {
    /// The fake product-service.
    pub catalogue: Rc<Catalogue>,
    pub products: FaultProxy,
    /// The fake inventory-service.
    pub fake_inventory: Rc<FakeInventory>,
    pub inventory: FaultProxy,
    /// The fake token endpoint.
    pub tokens: FaultProxy,
}

impl Neighbours {
    pub fn open() -> Self {
        let (catalogue, fake_inventory) = (Rc::<Catalogue>::default(), Rc::<FakeInventory>::default());
        let (products, inventory) = (Rc::clone(&catalogue), Rc::clone(&fake_inventory));
        Self {
            catalogue,
            products: FaultProxy::open(move |request| products.handle(request)),
            fake_inventory,
            inventory: FaultProxy::open(move |request| inventory.handle(request)),
            tokens: FaultProxy::open(issue_token),
        }
    }

    /// Adds a product with this price and stock.
    pub fn product(&self, price_cents: i64, on_hand: i64) -> Uuid {
        let product = self.catalogue.add(price_cents);
        self.fake_inventory.restock(product, on_hand);
        product
    }
}

/// The products of the fake product-service.
#[derive(Default)]
pub struct Catalogue(RefCell<BTreeMap<Uuid, Value>>);

impl Catalogue {
    pub fn add(&self, price_cents: i64) -> Uuid {
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

    pub fn remove(&self, product: Uuid) {
        self.0.borrow_mut().remove(&product);
    }

    /// `GET /products?ids=a,b`: the products that exist, newest first.
    fn handle(&self, request: &Request) -> (u16, Value) {
        let ids = request
            .path
            .strip_prefix("/products?ids=")
            .filter(|_| request.method == "GET");
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

/// A token by client credentials (RFC 6749 §4.4).
fn issue_token(request: &Request) -> (u16, Value) {
    if request.path != "/oauth/token" || !request.authorization.starts_with("Basic ") {
        return (401, json!({"error": "invalid_client"}));
    }
    (
        200,
        json!({"access_token": TOKEN, "token_type": "Bearer", "expires_in": 900}),
    )
}
