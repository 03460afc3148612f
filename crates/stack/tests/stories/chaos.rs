//! The whole platform under load, while its processes are killed at random. Afterwards the books are audited: nothing that was
//! acknowledged is lost, nothing was done twice, nothing is left behind.
//!
//! Some cycles of it are a test; `scripts/test --all` and `scripts/chaos` run more.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::future::{join, join_all};
use serde_json::{Value, json};

use crate::books::Books;
use crate::gate::{Gate, Passes};
use crate::market::{Trader, of};
use crate::place::{Place, SERVICES, port};
use crate::platform::Platform;
use crate::{eventually, is_long, within};

const SHOPPERS: usize = 6;
const PRODUCTS: usize = 3;
const RESTOCKED: i64 = 20;

/// What the shoppers were told.
#[derive(Default)]
struct Told {
    orders: RefCell<BTreeMap<String, Order>>,
    /// How many of them had to wait for their stock.
    waited: Cell<usize>,
    retries: Cell<usize>,
    is_over: Cell<bool>,
}

/// What somebody knows of an order of theirs.
#[derive(Debug)]
struct Order {
    key: String,
    product: String,
    quantity: i64,
    /// What it may be in the end, by all that they were told.
    may_be: Vec<&'static str>,
}

#[tokio::test]
async fn whatever_is_killed_nothing_is_lost_doubled_or_stranded() {
    let place = Place::new().await;
    let platform = place.platform_with(&[LONG_TOKENS]).await;
    trade_while(&place, &platform, async |told: &Told| {
        let kills = kill_at_random(&platform, cycles(), told).await;
        println!("killed: {kills:?}");
    })
    .await;
}

#[tokio::test]
async fn while_inventory_service_is_away_orders_wait_and_all_of_them_are_settled_after() {
    let place = Place::new().await;
    let gate = Gate::before(port(place.port_base, "inventory-service")).await;
    let through = ("ORDER_SERVICE_INVENTORY_SERVICE_URL", gate.url.as_str());
    let platform = place.platform_with(&[LONG_TOKENS, through]).await;
    trade_while(&place, &platform, async |told: &Told| {
        told.wait_for(10).await;
        let (waited, retries) = (told.waited.get(), told.retries.get());
        is_away(&gate, told, if is_long() { 60 } else { 3 }).await;
        assert!(told.waited.get() > waited, "nobody could order without stock");
        assert_eq!(told.retries.get(), retries, "somebody was not answered at once");
    })
    .await;
}

#[tokio::test]
async fn while_product_service_is_away_nothing_is_ordered_and_all_goes_on_after() {
    let place = Place::new().await;
    let gate = Gate::before(port(place.port_base, "product-service")).await;
    let through = ("ORDER_SERVICE_PRODUCT_SERVICE_URL", gate.url.as_str());
    let platform = place.platform_with(&[LONG_TOKENS, through]).await;
    trade_while(&place, &platform, async |told: &Told| {
        told.wait_for(10).await;
        let retries = told.retries.get();
        is_away(&gate, told, 3).await;
        assert!(told.retries.get() > retries, "nobody was refused without prices");
    })
    .await;
}

/// The shoppers' tokens last as long as they shop.
const LONG_TOKENS: (&str, &str) = ("ACCESS_TOKEN_TTL", "1d");

/// Nobody gets through to a neighbour for so long, and then everybody does.
async fn is_away(gate: &Gate, told: &Told, seconds: u64) {
    let before = told.orders.borrow().len();
    gate.set(Passes::Nothing);
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    println!("{} orders in {seconds} s", told.orders.borrow().len() - before);
    gate.set(Passes::Everything);
    told.wait_for(10).await;
}

/// Has people trade while this happens, and audits the books after.
async fn trade_while(place: &Place, platform: &Platform, happens: impl AsyncFnOnce(&Told)) {
    let admin = Trader::admin(platform, place).await;
    let products = [
        admin.sells(RESTOCKED).await,
        admin.sells(RESTOCKED).await,
        admin.sells(RESTOCKED).await,
    ];
    let told = Told::default();
    let shoppers = join_all((0..SHOPPERS).map(|line| shop(line, &admin, &products, &told)));
    let happens = async {
        happens(&told).await;
        told.is_over.set(true);
    };
    join(shoppers, happens).await;

    let orders = told.orders.into_inner();
    println!(
        "{} orders were acknowledged, {} requests had to be made again",
        orders.len(),
        told.retries.get()
    );
    assert!(orders.len() > 10, "too few orders for any to be lost");
    audit(place, &admin, &orders).await;
}

/// How often something is killed.
fn cycles() -> usize {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test's own switch, not a service's configuration"
    )]
    let cycles = std::env::var("CHAOS_CYCLES");
    let few = if is_long() { 25 } else { 4 };
    cycles.map_or(few, |cycles| cycles.parse().expect("CHAOS_CYCLES is a number"))
}

/// Orders, cancels, fulfils and restocks until it is over, and asks again wherever no answer comes.
async fn shop(line: usize, admin: &Trader<'_>, products: &[String; PRODUCTS], told: &Told) {
    for round in 0.. {
        if told.is_over.get() {
            return;
        }
        let (key, product) = (format!("{line}-{round}"), &products[(line + round) % PRODUCTS]);
        let quantity = 1 + i64::try_from(round % 3).unwrap();
        let (status, answer) = insist(admin, told, &key, "/orders", &of(product, quantity)).await;
        let order = if status == 409 { &answer["order"] } else { &answer };
        let id = order["id"]
            .as_str()
            .unwrap_or_else(|| panic!("no order: {status} {answer}"))
            .to_owned();
        let mut may_be = match (status, order["status"].as_str()) {
            (201, Some("confirmed")) => vec!["confirmed"],
            (202, Some("pending")) => vec!["confirmed", "rejected"],
            (409, Some("rejected")) => vec!["rejected"],
            _ => panic!("{status} {answer}"),
        };
        if status == 202 {
            told.waited.set(told.waited.get() + 1);
        }
        // Some are called off, some leave, some stay reserved.
        let act = [
            Some("cancel"),
            Some("fulfil"),
            Some("cancel"),
            Some("fulfil"),
            None,
        ][(line + round) % 5];
        if let Some(act) = act {
            let (status, answer) = insist(admin, told, "", &format!("/orders/{id}/{act}"), &json!({})).await;
            may_be = after(act, status, &answer, &may_be);
        }
        let order = Order {
            key,
            product: product.clone(),
            quantity,
            may_be,
        };
        assert!(
            told.orders.borrow_mut().insert(id.clone(), order).is_none(),
            "{id} was made twice"
        );
        if round % 10 == 9 {
            restock(admin, product).await;
        }
    }
}

/// What an order may be in the end, after this answer to whoever decided about it. They were alone in that.
fn after(act: &str, status: u16, answer: &Value, before: &[&'static str]) -> Vec<&'static str> {
    let decided = if act == "cancel" { "cancelled" } else { "fulfilled" };
    let is = answer["order"]["status"]
        .as_str()
        .or(answer["status"].as_str())
        .unwrap_or_default();
    match (status, answer["code"].as_str()) {
        // If it is refused, it was done the first time, by a service that died before it said so; or it was rejected meanwhile.
        (200, None) | (409, Some("order_already_final")) if is == decided && before != ["rejected"] => {
            vec![decided]
        }
        (409, Some("order_already_final")) if is == "rejected" && before.contains(&is) => vec!["rejected"],
        (409, Some("order_not_confirmed")) if act == "fulfil" && before.len() > 1 => before.to_vec(),
        _ => panic!("{act} of what may be {before:?}: {status} {answer}"),
    }
}

impl Told {
    /// Waits until so many more orders are acknowledged.
    async fn wait_for(&self, more: usize) {
        let enough = self.orders.borrow().len() + more;
        eventually("orders are acknowledged", async || {
            self.orders.borrow().len() > enough
        })
        .await;
    }
}

/// Asks until there is an answer that means something.
async fn insist(trader: &Trader<'_>, told: &Told, key: &str, path: &str, body: &Value) -> (u16, Value) {
    let begun = Instant::now();
    loop {
        match trader.tries(key, path, body).await {
            Some((status, answer)) if status < 500 => return (status, answer),
            other => assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{path}: still {other:?}"
            ),
        }
        told.retries.set(told.retries.get() + 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Puts some more of it there, if inventory-service can be asked just now.
async fn restock(trader: &Trader<'_>, product: &str) {
    let Some(stock) = trader.looks_at_stock(product).await else {
        return;
    };
    let Some(reserved) = stock["reserved"].as_i64() else {
        return;
    };
    trader.tries_to_stock(product, reserved + RESTOCKED).await;
}

/// Kills a service, or now and then all of them, and waits until everything runs again.
async fn kill_at_random(platform: &Platform, cycles: usize, told: &Told) -> BTreeMap<&'static str, usize> {
    let mut kills = BTreeMap::new();
    for cycle in 0..cycles {
        // Somewhere in the middle of things.
        told.wait_for(usize::from(random() % 32)).await;
        let victims = if cycle % 8 == 3 {
            SERVICES.to_vec()
        } else {
            vec![SERVICES[usize::from(random() % 4)]]
        };
        let killed: Vec<_> = victims
            .into_iter()
            .map(|service| (service, platform.kill(service)))
            .collect();
        for (service, pid) in killed {
            platform.wait_for_another(service, pid).await;
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

async fn audit(place: &Place, admin: &Trader<'_>, told: &BTreeMap<String, Order>) {
    let mut orders = Books::of(place, "order-service").await;
    let begun = Instant::now();
    within(Duration::from_secs(120), "no stock task is left", async || {
        orders.number("select count(*) from stock_tasks").await == 0
    })
    .await;
    println!("all settled {:?} later", begun.elapsed());

    for (id, order) in told {
        assert_is_as_told(admin, id, order).await;
    }
    let count = i64::try_from(told.len()).unwrap();
    assert_eq!(
        orders.number("select count(*) from orders").await,
        count,
        "one order a key, each acknowledged"
    );

    let mut stock = Books::of(place, "inventory-service").await;
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
    // What was called off before it was reserved has no lines there.
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
    assert!(unordered.is_empty(), "reserved and not ordered: {unordered:?}");
}

/// Requires that an order is what its buyer was told, also when they order with its key again.
async fn assert_is_as_told(admin: &Trader<'_>, id: &str, told: &Order) {
    let Order {
        key,
        product,
        quantity,
        may_be,
    } = told;
    let order = admin.order(id).await;
    let is = order["status"].as_str().unwrap();
    assert!(may_be.contains(&is), "{id} is {is}: {told:?}");
    let line = &order["items"][0];
    assert_eq!(
        (&line["product_id"], &line["quantity"]),
        (&json!(product), &json!(quantity)),
        "{order}"
    );
    assert_eq!(order["total_cents"], quantity * 1_999, "{order}");

    let again = admin.orders(key, product, *quantity).await;
    assert_eq!(
        (again.status, again.header("idempotent-replayed")),
        (if is == "rejected" { 409 } else { 201 }, "true")
    );
    let again = again.json();
    assert_eq!(if is == "rejected" { &again["order"] } else { &again }, &order);
}
