//! Kills processes of the platform at random under load, then audits the data: nothing acknowledged is lost, nothing is done
//! twice, and no work is left.
//!
//! The test runs few cycles; `scripts/test --all` and `scripts/chaos` run more.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::audit::Audit;
use crate::fault_proxy::{Fault, FaultProxy};
use crate::platform::Platform;
use crate::sandbox::{Sandbox, port, services};
use crate::trader::{Trader, order_of};
use crate::{eventually, is_long, within};

const SHOPPERS: usize = 6;
const PRODUCTS: usize = 3;
const RESTOCKED: i64 = 20;

/// Everything that the services acknowledged to the shoppers.
#[derive(Default)]
struct Acknowledged {
    orders: RefCell<BTreeMap<String, Order>>,
    /// The number of orders that were `pending` at first.
    waited: Cell<usize>,
    retries: Cell<usize>,
    is_over: Cell<bool>,
}

/// An order, as far as a shopper knows it.
#[derive(Debug)]
struct Order {
    key: String,
    product: String,
    quantity: i64,
    /// The possible final states, according to the responses.
    possible_states: Vec<&'static str>,
}

#[tokio::test]
async fn random_kills_lose_duplicate_and_strand_nothing() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[LONG_TOKENS]).await;
    trade_while(&sandbox, &platform, async |acknowledged: &Acknowledged| {
        let kills = kill_at_random(&platform, cycles(), acknowledged).await;
        println!("killed: {kills:?}");
    })
    .await;
}

#[tokio::test]
async fn orders_wait_while_inventory_service_is_down_and_are_decided_afterwards() {
    let sandbox = Sandbox::new().await;
    let proxy = FaultProxy::in_front_of(port(sandbox.port_base, "inventory-service")).await;
    let through = ("ORDER_SERVICE_INVENTORY_SERVICE_URL", proxy.url.as_str());
    let platform = sandbox.platform_with(&[LONG_TOKENS, through]).await;
    trade_while(&sandbox, &platform, async |acknowledged: &Acknowledged| {
        acknowledged.wait_for(10).await;
        let (waited, retries) = (acknowledged.waited.get(), acknowledged.retries.get());
        disconnect(&proxy, acknowledged, if is_long() { 60 } else { 3 }).await;
        assert!(
            acknowledged.waited.get() > waited,
            "no order was accepted as pending"
        );
        assert_eq!(
            acknowledged.retries.get(),
            retries,
            "a request had to be repeated"
        );
    })
    .await;
}

#[tokio::test]
async fn orders_are_refused_while_product_service_is_down_and_work_afterwards() {
    let sandbox = Sandbox::new().await;
    let proxy = FaultProxy::in_front_of(port(sandbox.port_base, "product-service")).await;
    let through = ("ORDER_SERVICE_PRODUCT_SERVICE_URL", proxy.url.as_str());
    let platform = sandbox.platform_with(&[LONG_TOKENS, through]).await;
    trade_while(&sandbox, &platform, async |acknowledged: &Acknowledged| {
        acknowledged.wait_for(10).await;
        let retries = acknowledged.retries.get();
        disconnect(&proxy, acknowledged, 3).await;
        assert!(
            acknowledged.retries.get() > retries,
            "no order was refused without prices"
        );
    })
    .await;
}

/// Access tokens that do not expire during the test.
const LONG_TOKENS: (&str, &str) = ("ACCESS_TOKEN_TTL", "1d");

/// Disconnects a neighbour for this number of seconds.
async fn disconnect(proxy: &FaultProxy, acknowledged: &Acknowledged, seconds: u64) {
    let before = acknowledged.orders.borrow().len();
    proxy.set(Fault::Disconnect);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    println!(
        "{} orders in {seconds} s",
        acknowledged.orders.borrow().len() - before
    );
    proxy.set(Fault::None);
    acknowledged.wait_for(10).await;
}

/// Runs shoppers during an event, then audits the data.
async fn trade_while(sandbox: &Sandbox, platform: &Platform, event: impl AsyncFnOnce(&Acknowledged)) {
    let admin = Trader::admin(platform, sandbox).await;
    let products = [
        admin.create_product(RESTOCKED).await,
        admin.create_product(RESTOCKED).await,
        admin.create_product(RESTOCKED).await,
    ];
    let acknowledged = Acknowledged::default();
    let shoppers = join_all((0..SHOPPERS).map(|line| shop(line, &admin, &products, &acknowledged)));
    let event = async {
        event(&acknowledged).await;
        acknowledged.is_over.set(true);
    };
    join(shoppers, event).await;

    let orders = acknowledged.orders.into_inner();
    println!(
        "{} orders were acknowledged, {} requests were repeated",
        orders.len(),
        acknowledged.retries.get()
    );
    assert!(orders.len() > 10, "too few orders to lose any");
    audit(sandbox, &admin, &orders).await;
}

/// The number of kill cycles.
fn cycles() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "this variable controls the test and configures no service"
    )]
    let cycles = std::env::var("CHAOS_CYCLES");
    let few = if is_long() { 25 } else { 4 };
    cycles.map_or(few, |cycles| cycles.parse().expect("CHAOS_CYCLES is a number"))
}

/// Places, cancels and fulfils orders and restocks until the event is over. Repeats requests without a response.
async fn shop(line: usize, admin: &Trader<'_>, products: &[String; PRODUCTS], acknowledged: &Acknowledged) {
    for round in 0.. {
        if acknowledged.is_over.get() {
            return;
        }
        let (key, product) = (format!("{line}-{round}"), &products[(line + round) % PRODUCTS]);
        let quantity = 1 + i64::try_from(round % 3).unwrap();
        let (status, answer) =
            post_until_answered(admin, acknowledged, &key, "/orders", &order_of(product, quantity)).await;
        let order = if status == 409 { &answer["order"] } else { &answer };
        let id = order["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no order: {status} {answer}"))
            .to_owned();
        let mut possible_states = match (status, order["status"].as_str()) {
            (201, Some("confirmed")) => vec!["confirmed"],
            (202, Some("pending")) => vec!["confirmed", "rejected"],
            (409, Some("rejected")) => vec!["rejected"],
            _ => panic!("{status} {answer}"),
        };
        if status == 202 {
            acknowledged.waited.set(acknowledged.waited.get() + 1);
        }
        // Cancel some, fulfil some, leave some reserved.
        let act = [
            Some("cancel"),
            Some("fulfil"),
            Some("cancel"),
            Some("fulfil"),
            None,
        ][(line + round) % 5];
        if let Some(act) = act {
            let (status, answer) = post_until_answered(
                admin,
                acknowledged,
                "",
                &format!("/orders/{id}/{act}"),
                &json!({}),
            )
            .await;
            possible_states = after(act, status, &answer, &possible_states);
        }
        let order = Order {
            key,
            product: product.clone(),
            quantity,
            possible_states,
        };
        assert!(
            acknowledged
                .orders
                .borrow_mut()
                .insert(id.clone(), order)
                .is_none(),
            "{id} was created twice"
        );
        if round % 10 == 9 {
            restock(admin, product).await;
        }
    }
}

/// The possible final states after this response to a cancel or fulfil, which only one shopper requests.
fn after(act: &str, status: u16, answer: &Value, before: &[&'static str]) -> Vec<&'static str> {
    let decided = if act == "cancel" { "cancelled" } else { "fulfilled" };
    let is = answer["order"]["status"]
        .as_str()
        .or(answer["status"].as_str())
        .unwrap_or_default();
    match (status, answer["code"].as_str()) {
        // A refusal means that the first attempt succeeded and its response was lost, or that the order was rejected meanwhile.
        (200, None) | (409, Some("order_already_final")) if is == decided && before != ["rejected"] => {
            vec![decided]
        }
        (409, Some("order_already_final")) if is == "rejected" && before.contains(&is) => vec!["rejected"],
        (409, Some("order_not_confirmed")) if act == "fulfil" && before.len() > 1 => before.to_vec(),
        _ => panic!("{act} with possible states {before:?}: {status} {answer}"),
    }
}

impl Acknowledged {
    /// Waits until this number of further orders is acknowledged.
    async fn wait_for(&self, more: usize) {
        let enough = self.orders.borrow().len() + more;
        eventually("orders are acknowledged", async || {
            self.orders.borrow().len() > enough
        })
        .await;
    }
}

/// Repeats a request until there is a response that is not a server error.
async fn post_until_answered(
    trader: &Trader<'_>,
    acknowledged: &Acknowledged,
    key: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let started = Instant::now();
    loop {
        match trader.try_post(key, path, body).await {
            Some((status, answer)) if status < 500 => return (status, answer),
            other => assert!(
                started.elapsed() < Duration::from_secs(60),
                "{path}: still {other:?}"
            ),
        }
        acknowledged.retries.set(acknowledged.retries.get() + 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Restocks a product, if inventory-service responds.
async fn restock(trader: &Trader<'_>, product: &str) {
    let Some(stock) = trader.try_stock_of(product).await else {
        return;
    };
    let Some(reserved) = stock["reserved"].as_i64() else {
        return;
    };
    trader.try_set_stock(product, reserved + RESTOCKED).await;
}

/// Kills one service per cycle, every eighth time all of them, and waits until they are ready again.
async fn kill_at_random(
    platform: &Platform,
    cycles: usize,
    acknowledged: &Acknowledged,
) -> BTreeMap<&'static str, usize> {
    let mut kills = BTreeMap::new();
    for cycle in 0..cycles {
        // At a random moment.
        acknowledged.wait_for(usize::from(random() % 32)).await;
        let mut victims: Vec<_> = services().collect();
        if cycle % 8 != 3 {
            victims = vec![victims[usize::from(random()) % victims.len()]];
        }
        let killed: Vec<_> = victims
            .into_iter()
            .map(|service| (service, platform.kill(service)))
            .collect();
        for (service, pid) in killed {
            platform.wait_for_restart(service, pid).await;
            *kills.entry(service).or_default() += 1;
        }
    }
    assert!(kills.values().sum::<usize>() >= cycles, "{kills:?}");
    kills
}

fn random() -> u8 {
    let mut byte = [0];
    aws_lc_rs::rand::fill(&mut byte).unwrap();
    byte[0]
}

async fn audit(sandbox: &Sandbox, admin: &Trader<'_>, acknowledged: &BTreeMap<String, Order>) {
    let mut orders = Audit::of(sandbox, "order-service").await;
    let started = Instant::now();
    within(Duration::from_secs(120), "no stock task is left", async || {
        orders.number("select count(*) from stock_tasks").await == 0
    })
    .await;
    println!("all orders decided after {:?}", started.elapsed());

    for (id, order) in acknowledged {
        assert_is_as_acknowledged(admin, id, order).await;
    }
    let count = i64::try_from(acknowledged.len()).unwrap();
    assert_eq!(
        orders.number("select count(*) from orders").await,
        count,
        "one acknowledged order per key"
    );

    let mut stock = Audit::of(sandbox, "inventory-service").await;
    stock.assert_stock_is_accounted_for().await;
    for (status, state) in [
        ("confirmed", "reserved"),
        ("fulfilled", "committed"),
        ("rejected", "refused"),
        ("cancelled", "released"),
    ] {
        let ordered = orders
            .listed("select id from orders where status = $1", status)
            .await;
        let reserved = stock
            .listed("select order_id from reservations where state = $1", state)
            .await;
        assert_eq!(
            ordered, reserved,
            "left: {status} orders, right: {state} reservations"
        );
    }
    // An order that was cancelled before its reservation has no reservation lines.
    let ordered = orders
        .lines("select order_id, product_id, quantity from order_lines")
        .await;
    let reserved = stock
        .lines("select order_id, product_id, quantity from reservation_lines")
        .await;
    let unordered: Vec<_> = reserved
        .iter()
        .filter(|line| ordered.binary_search(line).is_err())
        .collect();
    assert!(unordered.is_empty(), "reserved but not ordered: {unordered:?}");
}

/// Checks that an order is as acknowledged, also when its key is used again.
async fn assert_is_as_acknowledged(admin: &Trader<'_>, id: &str, acknowledged: &Order) {
    let Order {
        key,
        product,
        quantity,
        possible_states,
    } = acknowledged;
    let order = admin.order(id).await;
    let is = order["status"].as_str().unwrap();
    assert!(possible_states.contains(&is), "{id} is {is}: {acknowledged:?}");
    let line = &order["items"][0];
    assert_eq!(
        (&line["product_id"], &line["quantity"]),
        (&json!(product), &json!(quantity)),
        "{order}"
    );
    assert_eq!(order["total_cents"], quantity * 1_999, "{order}");

    let again = admin.place_order(key, product, *quantity).await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (if is == "rejected" { 409 } else { 201 }, "true")
    );
    let again = again.json();
    assert_eq!(if is == "rejected" { &again["order"] } else { &again }, &order);
}
