//! A service is killed between any two steps of an order's way. Started again, it carries on, and nothing is lost, done twice or
//! left behind.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::books::Books;
use crate::eventually;
use crate::gate::{Gate, Passes};
use crate::market::{Trader, of};
use crate::place::{Place, port};
use crate::platform::Platform;

/// Where a service dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// It can't write down yet what it decides.
    Undecided,
    /// What it asks of its neighbour is on its way.
    Undelivered,
    /// The neighbour has done it; the answer is on its way.
    Unanswered,
    /// The answer is there; what comes of it can't be written down yet.
    Unwritten,
    /// All is done; whoever asked for it does not know.
    Untold,
}

use Moment::{Unanswered, Undecided, Undelivered, Untold, Unwritten};

/// A platform with a gate before order-service, and one before a neighbour of it.
struct Scene {
    place: Place,
    platform: Platform,
    front: Gate,
    behind: Gate,
}

/// A service that is going to die, with tables that it writes to and the gate before it.
struct Victim<'s> {
    name: &'static str,
    tables: &'static str,
    front: &'s Gate,
}

impl Scene {
    async fn with_gate_before(neighbour: &str) -> Self {
        let place = Place::new().await;
        let front = Gate::before(port(place.port_base, "order-service")).await;
        let behind = Gate::before(port(place.port_base, neighbour)).await;
        let variable = format!("ORDER_SERVICE_{}_URL", neighbour.to_uppercase().replace('-', "_"));
        let platform = place.platform_with(&[(&variable, &behind.url)]).await;
        Self {
            place,
            platform,
            front,
            behind,
        }
    }

    async fn admin(&self) -> Trader<'_> {
        Trader::admin(&self.platform, &self.place)
            .await
            .through(&self.front)
    }

    fn orders(&self) -> Victim<'_> {
        Victim {
            name: "order-service",
            tables: "orders, stock_tasks",
            front: &self.front,
        }
    }

    fn inventory(&self) -> Victim<'_> {
        Victim {
            name: "inventory-service",
            tables: "stock",
            front: &self.behind,
        }
    }

    /// Has somebody ask for something, kills the victim at that moment, waits until it runs again, and returns the answer, if
    /// there was one.
    async fn dies_while(
        &self,
        victim: Victim<'_>,
        moment: Moment,
        act: impl Future<Output = Option<(u16, Value)>>,
    ) -> Option<(u16, Value)> {
        let Victim { name, tables, front } = victim;
        let books = async || Books::of(&self.place, name).await;
        let before = front.requests();
        let mut lock = None;
        match moment {
            Undecided => lock = Some(books().await.lock(tables).await),
            Undelivered => self.behind.set(Passes::NoRequest),
            Unanswered | Unwritten => self.behind.set(Passes::NoAnswer),
            Untold => front.set(Passes::NoAnswer),
        }
        let kill = async {
            match moment {
                Undecided => {
                    eventually("it is asked", async || front.requests() > before).await;
                    books().await.wait_until_somebody_waits().await;
                }
                Undelivered | Unanswered => self.behind.holds_something().await,
                Unwritten => {
                    self.behind.holds_something().await;
                    lock = Some(books().await.lock(tables).await);
                    let before = self.behind.answers();
                    self.behind.set(Passes::NoRequest);
                    eventually("it has the answer", async || self.behind.answers() > before).await;
                    books().await.wait_until_somebody_waits().await;
                }
                Untold => front.holds_something().await,
            }
            let killed = self.platform.kill(name);
            drop(lock);
            self.behind.cut().await;
            front.cut().await;
            killed
        };
        let (answer, killed) = join(act, kill).await;
        self.platform.wait_for_another(name, killed).await;
        answer
    }

    /// As above, of order-service, which takes its answer along.
    async fn order_service_dies_while(
        &self,
        moment: Moment,
        act: impl Future<Output = Option<(u16, Value)>>,
    ) {
        let answer = self.dies_while(self.orders(), moment, act).await;
        assert_eq!(answer, None, "{moment:?}: it answered before it was killed");
    }

    /// As above, of inventory-service, whom order-service does not wait for, and tells everything once it is back.
    async fn inventory_dies_while(
        &self,
        moment: Moment,
        act: impl Future<Output = Option<(u16, Value)>>,
    ) -> (u16, Value) {
        let answer = self.dies_while(self.inventory(), moment, act).await;
        self.assert_nothing_is_left().await;
        answer.unwrap_or_else(|| panic!("{moment:?}: order-service is gone too"))
    }

    /// Requires that inventory-service is told everything, and that its books are right.
    async fn assert_nothing_is_left(&self) {
        let mut orders = Books::of(&self.place, "order-service").await;
        eventually("no stock task is left", async || {
            orders.number("select count(*) from stock_tasks").await == 0
        })
        .await;
        Books::of(&self.place, "inventory-service")
            .await
            .assert_stock_is_accounted_for()
            .await;
    }
}

async fn assert_stock(trader: &Trader<'_>, product: &str, on_hand: i64, reserved: i64) {
    let stock = trader.stock_of(product).await;
    assert_eq!(
        (&stock["on_hand"], &stock["reserved"]),
        (&json!(on_hand), &json!(reserved)),
        "{stock}"
    );
}

/// Requires that somebody has one order, which they are told of when they order with its key again, and returns its id.
async fn assert_one_order(trader: &Trader<'_>, key: &str, product: &str) -> String {
    let again = trader.orders(key, product, 1).await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (201, "true"),
        "{again:?}"
    );
    let orders = trader.at("order-service").get("/orders").await.json();
    assert_eq!(orders["items"].as_array().unwrap().len(), 1, "{orders}");
    orders["items"][0]["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_order_that_was_written_down_is_settled_wherever_its_service_dies() {
    let moments = [Undelivered, Unanswered, Unwritten, Untold];
    join_all(moments.map(async |moment| {
        let scene = Scene::with_gate_before("inventory-service").await;
        let admin = scene.admin().await;
        let product = admin.sells(10).await;
        scene
            .order_service_dies_while(moment, admin.tries("key", "/orders", &of(&product, 1)))
            .await;
        scene.assert_nothing_is_left().await;
        assert_one_order(&admin, "key", &product).await;
        assert_stock(&admin, &product, 10, 1).await;
    }))
    .await;
}

/// In the last of these moments the price is known, and the order can't be written down yet.
#[tokio::test]
async fn an_order_that_was_not_written_down_was_never_made() {
    join_all([Undelivered, Unanswered, Unwritten].map(async |moment| {
        let scene = Scene::with_gate_before("product-service").await;
        let admin = scene.admin().await;
        let product = admin.sells(10).await;
        scene
            .order_service_dies_while(moment, admin.tries("key", "/orders", &of(&product, 1)))
            .await;
        let orders = admin.at("order-service").get("/orders").await;
        orders.assert(200, json!({"items": [], "next_cursor": null}));
        let order = admin.orders("key", &product, 1).await;
        assert_eq!(
            (order.status, order.header("idempotent-replayed")),
            (201, ""),
            "{moment:?}"
        );
        scene.assert_nothing_is_left().await;
        assert_stock(&admin, &product, 10, 1).await;
    }))
    .await;
}

/// Has order-service die over a decision, at each moment, and requires that it was taken or was not.
async fn assert_decided_or_not(act: &str, status: &str, on_hand: i64) {
    let moments = [Undecided, Undelivered, Unanswered, Unwritten, Untold];
    join_all(moments.map(async |moment| {
        let scene = Scene::with_gate_before("inventory-service").await;
        let admin = scene.admin().await;
        let product = admin.sells(10).await;
        let order = admin.orders("key", &product, 1).await.assert_status(201).json();
        let id = order["id"].as_str().unwrap();
        let path = format!("/orders/{id}/{act}");
        scene
            .order_service_dies_while(moment, admin.tries("", &path, &json!({})))
            .await;
        if moment == Undecided {
            assert_eq!(
                admin.order(id).await["status"],
                "confirmed",
                "nothing was decided"
            );
            admin.does(act, id).await.assert(200, json!({"status": status}));
        } else {
            assert_eq!(
                admin.order(id).await["status"],
                status,
                "{moment:?}: it was decided"
            );
            admin
                .does(act, id)
                .await
                .assert_problem(409, "order_already_final");
        }
        scene.assert_nothing_is_left().await;
        assert_stock(&admin, &product, on_hand, 0).await;
    }))
    .await;
}

#[tokio::test]
async fn what_was_cancelled_is_so_for_the_stock_too_wherever_its_service_dies() {
    assert_decided_or_not("cancel", "cancelled", 10).await;
}

#[tokio::test]
async fn what_was_fulfilled_is_so_for_the_stock_too_wherever_its_service_dies() {
    assert_decided_or_not("fulfil", "fulfilled", 9).await;
}

#[tokio::test]
async fn what_inventory_service_dies_over_is_done_once() {
    join_all([Undecided, Untold].map(async |moment| {
        let scene = Scene::with_gate_before("inventory-service").await;
        let admin = scene.admin().await;
        let product = admin.sells(10).await;
        let mut orders = Vec::new();
        for (key, on_hand, reserved) in [("first", 10, 1), ("second", 10, 2)] {
            let order = of(&product, 1);
            let (status, order) = scene
                .inventory_dies_while(moment, admin.tries(key, "/orders", &order))
                .await;
            assert!([201, 202].contains(&status), "{moment:?}: {status} {order}");
            let id = order["id"].as_str().unwrap().to_owned();
            assert_eq!(admin.order(&id).await["status"], "confirmed", "{moment:?}");
            assert_stock(&admin, &product, on_hand, reserved).await;
            orders.push(id);
        }
        for (id, act, on_hand, reserved) in [(&orders[0], "cancel", 10, 1), (&orders[1], "fulfil", 9, 0)] {
            let (path, nothing) = (format!("/orders/{id}/{act}"), json!({}));
            let (status, answer) = scene
                .inventory_dies_while(moment, admin.tries("", &path, &nothing))
                .await;
            assert_eq!(status, 200, "{moment:?}: {answer}");
            assert_stock(&admin, &product, on_hand, reserved).await;
        }
    }))
    .await;
}
