//! order-service is killed between any two steps of an order's way. Started again, it carries on, and nothing is lost, done
//! twice or left behind.

use futures_util::future::join;
use serde_json::{Value, json};

use crate::books::Books;
use crate::eventually;
use crate::gate::{Gate, Passes};
use crate::market::{Trader, of};
use crate::place::{Place, port};
use crate::platform::Platform;

/// Where it dies.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The decision is written; inventory-service has heard nothing.
    Undelivered,
    /// Inventory-service has done it; the answer is on its way.
    Unanswered,
    /// The answer is there; it can't be written down yet.
    Unwritten,
}

const MOMENTS: [Moment; 3] = [Moment::Undelivered, Moment::Unanswered, Moment::Unwritten];

struct Scene<'p> {
    place: &'p Place,
    platform: &'p Platform,
    gate: &'p Gate,
}

impl Scene<'_> {
    /// Has order-service do something, kills it at that moment, and waits until it runs again.
    async fn dies_while(&self, act: impl Future<Output = Option<(u16, Value)>>, moment: Moment) {
        self.gate.set(match moment {
            Moment::Undelivered => Passes::NoRequest,
            Moment::Unanswered | Moment::Unwritten => Passes::NoAnswer,
        });
        let kill = async {
            self.gate.holds_something().await;
            let mut locked = None;
            if let Moment::Unwritten = moment {
                locked = Some(Books::of(self.place, "order-service").await.lock("orders").await);
                // The answer comes through, and whatever it does with it has to wait.
                self.gate.set(Passes::NoRequest);
            }
            let killed = self.platform.kill("order-service");
            drop(locked);
            self.gate.set(Passes::Everything);
            killed
        };
        let (answer, killed) = join(act, kill).await;
        assert_eq!(answer, None, "{moment:?}: it answered before it was killed");
        self.platform.wait_for_another("order-service", killed).await;
    }

    /// Requires that inventory-service was told everything, and that its books are right.
    async fn assert_nothing_is_left(&self) {
        let mut orders = Books::of(self.place, "order-service").await;
        eventually("no stock task is left", async || {
            orders.number("select count(*) from stock_tasks").await == 0
        })
        .await;
        Books::of(self.place, "inventory-service").await.assert_stock_is_accounted_for().await;
    }
}

#[tokio::test]
async fn an_order_that_was_written_down_is_settled_wherever_its_service_dies() {
    let place = Place::new().await;
    let gate = Gate::before(port(place.port_base, "inventory-service")).await;
    let platform = place.platform_with(&[("ORDER_SERVICE_INVENTORY_SERVICE_URL", &gate.url)]).await;
    let scene = Scene { place: &place, platform: &platform, gate: &gate };
    let ada = Trader::named(&platform, "ada@example.com").await;
    let product = ada.sells(10).await;

    let keys = MOMENTS.map(|moment| format!("{moment:?}"));
    for (moment, key) in MOMENTS.into_iter().zip(&keys) {
        scene.dies_while(ada.tries(key, "/orders", &of(&product, 1)), moment).await;
    }
    for key in &keys {
        eventually(&format!("{key}: confirmed"), async || {
            ada.orders(key, &product, 1).await.json()["status"] == "confirmed"
        })
        .await;
    }
    let orders = ada.at("order-service").get("/orders").await.json();
    assert_eq!(orders["items"].as_array().unwrap().len(), MOMENTS.len());
    assert_eq!(ada.stock_of(&product).await["reserved"], MOMENTS.len());
    scene.assert_nothing_is_left().await;
}

#[tokio::test]
async fn an_order_whose_price_was_still_asked_for_was_never_made() {
    let place = Place::new().await;
    let gate = Gate::before(port(place.port_base, "product-service")).await;
    let platform = place.platform_with(&[("ORDER_SERVICE_PRODUCT_SERVICE_URL", &gate.url)]).await;
    let scene = Scene { place: &place, platform: &platform, gate: &gate };
    let ada = Trader::named(&platform, "ada@example.com").await;
    let product = ada.sells(10).await;
    for moment in MOMENTS {
        scene.dies_while(ada.tries("the-same-key", "/orders", &of(&product, 1)), moment).await;
    }
    let orders = ada.at("order-service").get("/orders").await;
    orders.assert(200, json!({"items": [], "next_cursor": null}));
    let order = ada.orders("the-same-key", &product, 1).await;
    assert_eq!((order.status, order.header("idempotent-replayed")), (201, ""));
}

#[tokio::test]
async fn what_was_cancelled_or_fulfilled_is_so_for_the_stock_too_wherever_its_service_dies() {
    let place = Place::new().await;
    let gate = Gate::before(port(place.port_base, "inventory-service")).await;
    let platform = place.platform_with(&[("ORDER_SERVICE_INVENTORY_SERVICE_URL", &gate.url)]).await;
    let scene = Scene { place: &place, platform: &platform, gate: &gate };
    let admin = Trader::admin(&platform, &place).await;
    let product = admin.sells(10).await;

    let mut orders = Vec::new();
    for (act, status) in [("cancel", "cancelled"), ("fulfil", "fulfilled")] {
        for moment in MOMENTS {
            let order =
                admin.orders(&format!("{act}-{moment:?}"), &product, 1).await.assert_status(201).json();
            let id = order["id"].as_str().unwrap().to_owned();
            scene.dies_while(admin.tries("", &format!("/orders/{id}/{act}"), &json!({})), moment).await;
            orders.push((id, status));
        }
    }
    for (id, status) in &orders {
        assert_eq!(admin.order(id).await["status"], *status, "it was decided before it died");
    }
    scene.assert_nothing_is_left().await;
    let stock = admin.stock_of(&product).await;
    assert_eq!((&stock["on_hand"], &stock["reserved"]), (&json!(7), &json!(0)), "{stock}");
}
