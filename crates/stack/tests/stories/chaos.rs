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

/// What the shoppers were told, and what has become of it since.
#[derive(Default)]
struct Told {
    /// The newest status of each order by its id, and the key that it was made with.
    orders: RefCell<BTreeMap<String, (String, String)>>,
    retries: Cell<usize>,
    is_over: Cell<bool>,
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
    let seconds = if is_long() { 60 } else { 3 };
    let place = Place::new().await;
    let gate = Gate::before(port(place.port_base, "inventory-service")).await;
    let through = ("ORDER_SERVICE_INVENTORY_SERVICE_URL", gate.url.as_str());
    let platform = place.platform_with(&[LONG_TOKENS, through]).await;
    trade_while(&place, &platform, async |told: &Told| {
        told.wait_for(10).await;
        gate.set(Passes::Nothing);
        let begun = Instant::now();
        let before = told.orders.borrow().len();
        within(Duration::from_secs(seconds + 1), "it has been away for long enough", async || {
            begun.elapsed() > Duration::from_secs(seconds)
        })
        .await;
        println!("{} orders in {seconds} s without stock", told.orders.borrow().len() - before);
        gate.set(Passes::Everything);
        told.wait_for(10).await;
    })
    .await;
}

/// The shoppers' tokens last as long as they shop.
const LONG_TOKENS: (&str, &str) = ("ACCESS_TOKEN_TTL", "1d");

/// Has people trade while this happens, and audits the books after.
async fn trade_while(place: &Place, platform: &Platform, happens: impl AsyncFnOnce(&Told)) {
    let admin = Trader::admin(platform, place).await;
    let products = [admin.sells(RESTOCKED).await, admin.sells(RESTOCKED).await, admin.sells(RESTOCKED).await];
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
    audit(place, &admin, orders).await;
}

/// How often something is killed.
fn cycles() -> usize {
    #[expect(clippy::disallowed_methods, reason = "the test's own switch, not a service's configuration")]
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
        let product = &products[(line + round) % PRODUCTS];
        let key = format!("{line}-{round}");
        let quantity = 1 + i64::try_from(round % 3).unwrap();
        let (_, answer) = insist(admin, told, &key, "/orders", &of(product, quantity)).await;
        let order = if answer["order"].is_object() { &answer["order"] } else { &answer };
        let id = order["id"].as_str().unwrap_or_else(|| panic!("no order: {answer}")).to_owned();
        told.learn(&id, &key, order);
        // Some are called off, some leave, some stay reserved.
        let act = ["cancel", "fulfil", "cancel", "fulfil", ""][(line + round) % 5];
        if !act.is_empty() {
            let (status, answer) = insist(admin, told, "", &format!("/orders/{id}/{act}"), &json!({})).await;
            // It may have been done the first time, by a service that died before it said so.
            let known = ["order_already_final", "order_not_confirmed"];
            assert!(status == 200 || known.iter().any(|code| answer["code"] == *code), "{status} {answer}");
            if status == 200 {
                told.learn(&id, &key, &answer);
            }
        }
        if round % 10 == 9 {
            restock(admin, product).await;
        }
    }
}

impl Told {
    /// Waits until so many more orders are acknowledged.
    async fn wait_for(&self, more: usize) {
        let enough = self.orders.borrow().len() + more;
        eventually("orders are acknowledged", async || self.orders.borrow().len() > enough).await;
    }

    fn learn(&self, id: &str, key: &str, order: &Value) {
        let status = order["status"].as_str().unwrap().to_owned();
        let before = self.orders.borrow_mut().insert(id.to_owned(), (status, key.to_owned()));
        assert!(before.is_none_or(|(_, before)| before == key), "{id} was made with two keys");
    }
}

/// Asks until there is an answer that means something.
async fn insist(trader: &Trader<'_>, told: &Told, key: &str, path: &str, body: &Value) -> (u16, Value) {
    let begun = Instant::now();
    loop {
        match trader.tries(key, path, body).await {
            Some((status, answer)) if status < 500 => return (status, answer),
            other => assert!(begun.elapsed() < Duration::from_secs(60), "{path}: still {other:?}"),
        }
        told.retries.set(told.retries.get() + 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Puts some more of it there, if inventory-service can be asked just now.
async fn restock(trader: &Trader<'_>, product: &str) {
    let Some(stock) = trader.looks_at_stock(product).await else { return };
    let Some(reserved) = stock["reserved"].as_i64() else { return };
    trader.tries_to_stock(product, reserved + RESTOCKED).await;
}

/// Kills a service, or now and then all of them, and waits until everything runs again.
async fn kill_at_random(platform: &Platform, cycles: usize, told: &Told) -> BTreeMap<&'static str, usize> {
    let mut kills = BTreeMap::new();
    for cycle in 0..cycles {
        // Somewhere in the middle of things.
        told.wait_for(usize::from(random() % 32)).await;
        let victims =
            if cycle % 8 == 7 { SERVICES.to_vec() } else { vec![SERVICES[usize::from(random() % 4)]] };
        let mut killed = Vec::new();
        for service in victims {
            if platform.pid_of(service).is_some() {
                killed.push((service, platform.kill(service)));
                *kills.entry(service).or_default() += 1;
            }
        }
        for (service, pid) in killed {
            platform.wait_for_another(service, pid).await;
        }
    }
    kills
}

fn random() -> u8 {
    let mut byte = [0];
    aws_lc_rs::rand::fill(&mut byte).unwrap();
    byte[0]
}

async fn audit(place: &Place, admin: &Trader<'_>, told: BTreeMap<String, (String, String)>) {
    let mut orders = Books::of(place, "order-service").await;
    let begun = Instant::now();
    within(Duration::from_secs(120), "no stock task is left", async || {
        orders.number("select count(*) from stock_tasks").await == 0
    })
    .await;

    println!("all settled {:?} later", begun.elapsed());

    for (id, (known, _)) in &told {
        let now = admin.order(id).await["status"].as_str().unwrap().to_owned();
        let may_follow: &[&str] = match known.as_str() {
            "pending" => &["confirmed", "rejected", "cancelled"],
            // Somebody whose cancel or fulfil was never answered may have been heard all the same.
            "confirmed" => &["confirmed", "cancelled", "fulfilled"],
            settled => &[settled],
        };
        assert!(may_follow.contains(&now.as_str()), "{id} was {known} and is {now}");
    }
    let count = i64::try_from(told.len()).unwrap();
    assert_eq!(
        orders.number("select count(*) from orders").await,
        count,
        "one order a key, each acknowledged"
    );
    assert_eq!(orders.number("select count(*) from orders where status = 'pending'").await, 0);

    let mut stock = Books::of(place, "inventory-service").await;
    stock.assert_stock_is_accounted_for().await;
    for (status, state) in [("confirmed", "reserved"), ("fulfilled", "committed"), ("rejected", "refused")] {
        let ordered = orders.listed("select id from orders where status = $1", status).await;
        let reserved = stock.listed("select order_id from reservations where state = $1", state).await;
        assert_eq!(ordered, reserved, "left: {status} orders, right: {state} reservations");
    }
    let released = stock.listed("select order_id from reservations where state = $1", "released").await;
    let cancelled = orders.listed("select id from orders where status = $1", "cancelled").await;
    assert_eq!(cancelled, released, "left: cancelled orders, right: released reservations");
}
