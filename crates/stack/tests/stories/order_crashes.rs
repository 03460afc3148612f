//! Kills a service between any two steps of processing an order. After its restart the service continues: nothing is lost or done
//! twice, and no work is left.

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::audit::Audit;
use crate::eventually;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::platform::Platform;
use crate::sandbox::{Sandbox, port};
use crate::trader::{Trader, order_of};

/// The moment at which a service is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum KilledBefore {
    /// Before it commits its decision.
    Commit,
    /// Before its request reaches the neighbour.
    Request,
    /// After the neighbour processed the request, before the response arrives.
    Response,
    /// After the response arrived, before its result is committed.
    Result,
    /// After everything is committed, before the caller gets its response.
    Reply,
}

/// A platform with a proxy in front of order-service, and one in front of a neighbour.
struct Scene {
    sandbox: Sandbox,
    platform: Platform,
    order_proxy: FaultProxy,
    neighbour_proxy: FaultProxy,
}

/// The service to kill, its tables, and the proxy in front of it.
struct Victim<'s> {
    name: &'static str,
    tables: &'static str,
    order_proxy: &'s FaultProxy,
}

impl Scene {
    async fn with_proxy_in_front_of(neighbour: &str) -> Self {
        let sandbox = Sandbox::new().await;
        let order_proxy = FaultProxy::in_front_of(port(sandbox.port_base, "order-service")).await;
        let neighbour_proxy = FaultProxy::in_front_of(port(sandbox.port_base, neighbour)).await;
        let variable = format!("ORDER_SERVICE_{}_URL", neighbour.to_uppercase().replace('-', "_"));
        let platform = sandbox.platform_with(&[(&variable, &neighbour_proxy.url)]).await;
        Self {
            sandbox,
            platform,
            order_proxy,
            neighbour_proxy,
        }
    }

    async fn admin(&self) -> Trader<'_> {
        Trader::admin(&self.platform, &self.sandbox)
            .await
            .via(&self.order_proxy)
    }

    fn order_service(&self) -> Victim<'_> {
        Victim {
            name: "order-service",
            tables: "orders, stock_tasks",
            order_proxy: &self.order_proxy,
        }
    }

    fn inventory_service(&self) -> Victim<'_> {
        Victim {
            name: "inventory-service",
            tables: "stock",
            order_proxy: &self.neighbour_proxy,
        }
    }

    /// Sends a request, kills the victim at that moment, and waits until it is ready again. Returns the response, if there was one.
    async fn dies_while(
        &self,
        victim: Victim<'_>,
        moment: KilledBefore,
        act: impl Future<Output = Option<(u16, Value)>>,
    ) -> Option<(u16, Value)> {
        let Victim {
            name,
            tables,
            order_proxy,
        } = victim;
        let audit = async || Audit::of(&self.sandbox, name).await;
        let before = order_proxy.requests();
        let mut lock = None;
        match moment {
            KilledBefore::Commit => lock = Some(audit().await.lock(tables).await),
            KilledBefore::Request => self.neighbour_proxy.set(Fault::HoldRequests),
            KilledBefore::Response | KilledBefore::Result => self.neighbour_proxy.set(Fault::HoldResponses),
            KilledBefore::Reply => order_proxy.set(Fault::HoldResponses),
        }
        let kill = async {
            match moment {
                KilledBefore::Commit => {
                    eventually("the request arrives", async || order_proxy.requests() > before).await;
                    audit().await.wait_for_lock_wait().await;
                }
                KilledBefore::Request | KilledBefore::Response => {
                    self.neighbour_proxy.wait_until_held().await
                }
                KilledBefore::Result => {
                    self.neighbour_proxy.wait_until_held().await;
                    lock = Some(audit().await.lock(tables).await);
                    let before = self.neighbour_proxy.responses();
                    self.neighbour_proxy.set(Fault::HoldRequests);
                    eventually("the response arrives", async || {
                        self.neighbour_proxy.responses() > before
                    })
                    .await;
                    audit().await.wait_for_lock_wait().await;
                }
                KilledBefore::Reply => order_proxy.wait_until_held().await,
            }
            let killed = self.platform.kill(name);
            drop(lock);
            self.neighbour_proxy.disconnect_all().await;
            order_proxy.disconnect_all().await;
            killed
        };
        let (response, killed) = join(act, kill).await;
        self.platform.wait_for_restart(name, killed).await;
        response
    }

    /// Like [`dies_while`](Self::dies_while), for order-service. Checks that the caller gets no response.
    async fn order_service_dies_while(
        &self,
        moment: KilledBefore,
        act: impl Future<Output = Option<(u16, Value)>>,
    ) {
        let response = self.dies_while(self.order_service(), moment, act).await;
        assert_eq!(response, None, "{moment:?}: it responded before it was killed");
    }

    /// Like [`dies_while`](Self::dies_while), for inventory-service. order-service responds anyway and finishes the work later.
    async fn inventory_dies_while(
        &self,
        moment: KilledBefore,
        act: impl Future<Output = Option<(u16, Value)>>,
    ) -> (u16, Value) {
        let response = self.dies_while(self.inventory_service(), moment, act).await;
        self.assert_nothing_is_left().await;
        response.unwrap_or_else(|| panic!("{moment:?}: order-service did not respond"))
    }

    /// Waits until no stock task is left, and audits the stock.
    async fn assert_nothing_is_left(&self) {
        let mut orders = Audit::of(&self.sandbox, "order-service").await;
        eventually("no stock task is left", async || {
            orders.number("select count(*) from stock_tasks").await == 0
        })
        .await;
        Audit::of(&self.sandbox, "inventory-service")
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

/// Checks that the user has one order, and that repeating its key returns it. Returns its id.
async fn assert_one_order(trader: &Trader<'_>, key: &str, product: &str) -> String {
    let again = trader.place_order(key, product, 1).await;
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
async fn a_stored_order_is_decided_wherever_order_service_dies() {
    let moments = [
        KilledBefore::Request,
        KilledBefore::Response,
        KilledBefore::Result,
        KilledBefore::Reply,
    ];
    join_all(moments.map(async |moment| {
        let scene = Scene::with_proxy_in_front_of("inventory-service").await;
        let admin = scene.admin().await;
        let product = admin.create_product(10).await;
        scene
            .order_service_dies_while(moment, admin.try_post("key", "/orders", &order_of(&product, 1)))
            .await;
        scene.assert_nothing_is_left().await;
        assert_one_order(&admin, "key", &product).await;
        assert_stock(&admin, &product, 10, 1).await;
    }))
    .await;
}

/// At the last of these moments the price is known, and the order is not committed yet.
#[tokio::test]
async fn an_order_that_was_not_stored_does_not_exist() {
    join_all(
        [
            KilledBefore::Request,
            KilledBefore::Response,
            KilledBefore::Result,
        ]
        .map(async |moment| {
            let scene = Scene::with_proxy_in_front_of("product-service").await;
            let admin = scene.admin().await;
            let product = admin.create_product(10).await;
            scene
                .order_service_dies_while(moment, admin.try_post("key", "/orders", &order_of(&product, 1)))
                .await;
            let orders = admin.at("order-service").get("/orders").await;
            orders.assert(200, json!({"items": [], "next_cursor": null}));
            let order = admin.place_order("key", &product, 1).await;
            assert_eq!(
                (order.status, order.header("idempotent-replayed")),
                (201, ""),
                "{moment:?}"
            );
            scene.assert_nothing_is_left().await;
            assert_stock(&admin, &product, 10, 1).await;
        }),
    )
    .await;
}

/// Kills order-service during a cancel or fulfil, at each moment. Checks that the action happened completely or not at all.
async fn assert_decided_or_not(act: &str, status: &str, on_hand: i64) {
    let moments = [
        KilledBefore::Commit,
        KilledBefore::Request,
        KilledBefore::Response,
        KilledBefore::Result,
        KilledBefore::Reply,
    ];
    join_all(moments.map(async |moment| {
        let scene = Scene::with_proxy_in_front_of("inventory-service").await;
        let admin = scene.admin().await;
        let product = admin.create_product(10).await;
        let order = admin
            .place_order("key", &product, 1)
            .await
            .assert_status(201)
            .json();
        let id = order["id"].as_str().unwrap();
        let path = format!("/orders/{id}/{act}");
        scene
            .order_service_dies_while(moment, admin.try_post("", &path, &json!({})))
            .await;
        if moment == KilledBefore::Commit {
            assert_eq!(
                admin.order(id).await["status"],
                "confirmed",
                "nothing was committed"
            );
            admin.act(act, id).await.assert(200, json!({"status": status}));
        } else {
            assert_eq!(
                admin.order(id).await["status"],
                status,
                "{moment:?}: the action was committed"
            );
            admin
                .act(act, id)
                .await
                .assert_problem(409, "order_already_final");
        }
        scene.assert_nothing_is_left().await;
        assert_stock(&admin, &product, on_hand, 0).await;
    }))
    .await;
}

#[tokio::test]
async fn a_cancelled_order_releases_its_stock_wherever_order_service_dies() {
    assert_decided_or_not("cancel", "cancelled", 10).await;
}

#[tokio::test]
async fn a_fulfilled_order_removes_its_stock_wherever_order_service_dies() {
    assert_decided_or_not("fulfil", "fulfilled", 9).await;
}

#[tokio::test]
async fn a_change_of_stock_happens_once_wherever_inventory_service_dies() {
    join_all([KilledBefore::Commit, KilledBefore::Reply].map(async |moment| {
        let scene = Scene::with_proxy_in_front_of("inventory-service").await;
        let admin = scene.admin().await;
        let product = admin.create_product(10).await;
        let mut orders = Vec::new();
        for (key, on_hand, reserved) in [("first", 10, 1), ("second", 10, 2)] {
            let order = order_of(&product, 1);
            let (status, order) = scene
                .inventory_dies_while(moment, admin.try_post(key, "/orders", &order))
                .await;
            assert!([201, 202].contains(&status), "{moment:?}: {status} {order}");
            let id = order["id"].as_str().unwrap().to_owned();
            assert_eq!(admin.order(&id).await["status"], "confirmed", "{moment:?}");
            assert_stock(&admin, &product, on_hand, reserved).await;
            orders.push(id);
        }
        for (id, act, on_hand, reserved) in [(&orders[0], "cancel", 10, 1), (&orders[1], "fulfil", 9, 0)] {
            let (path, nothing) = (format!("/orders/{id}/{act}"), json!({}));
            let (status, response) = scene
                .inventory_dies_while(moment, admin.try_post("", &path, &nothing))
                .await;
            assert_eq!(status, 200, "{moment:?}: {response}");
            assert_stock(&admin, &product, on_hand, reserved).await;
        }
    }))
    .await;
}
