//! What dies, and what becomes of the rest.

use std::fs::{self, File};

use futures_util::future::{join, join_all};
use rustix::process::Signal;

use crate::place::{Place, STACK};
use crate::platform::PASSWORD;
use crate::shop::lamp;
use crate::writers::{Acknowledged, assert_all_are_known, assert_all_are_there, come_and_stay, put_up};
use crate::{eventually, processes};

/// Hashes that cost next to nothing, and as much time as there can be for asking again after a lost answer.
const QUICK: [(&str, &str); 3] = [
    ("ARGON2_MEMORY_KIB", "64"),
    ("ARGON2_PASSES", "1"),
    ("REFRESH_GRACE", "60s"),
];

#[tokio::test]
async fn while_user_service_is_down_whoever_has_a_token_goes_on_shopping() {
    let place = Place::new().await;
    let platform = place.platform().await;
    let ada = platform.seller(&platform.ada().await);
    let mut killed = platform.kill("user-service");
    let (mut sold_meanwhile, mut kills) = (0, 1);
    eventually(
        "user-service is up again, and something was sold meanwhile",
        async || {
            let was_down = !platform.is_ready("user-service").await;
            ada.post("/products", lamp()).await.assert_status(201);
            let is_down = !platform.is_ready("user-service").await;
            sold_meanwhile += usize::from(was_down && is_down);
            if !is_down && sold_meanwhile == 0 {
                // Too quick for this machine. The next pause is twice as long.
                assert!(kills < 6, "nothing could be sold while user-service was down");
                killed = platform.kill("user-service");
                kills += 1;
            }
            !is_down && sold_meanwhile > 0
        },
    )
    .await;
    println!("{sold_meanwhile} products were put up while user-service was down");

    platform.wait_for_another("user-service", killed).await;
    platform
        .login("ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    let named = platform.log.events().into_iter().any(|event| {
        let message = event["message"].as_str().unwrap_or_default().to_owned();
        event["service"] == "user-service" && message.contains("died (signal: 9") && event["level"] == "ERROR"
    });
    assert!(named, "{}", platform.log.text());
    assert!(
        !platform.log.text().contains(r#""service":"product-service""#),
        "{}",
        platform.log.text()
    );
}

#[tokio::test]
async fn a_product_that_was_acknowledged_outlives_its_service() {
    let place = Place::new().await;
    let platform = place.platform_with(&QUICK).await;
    let ada = platform.ada().await;
    let mut kept = Vec::new();
    for round in 0..3 {
        let acknowledged = Acknowledged::until(1 + 7 * round, || platform.kill("product-service"));
        join_all((0..4).map(|_| put_up(&platform, &ada, &acknowledged))).await;
        let (products, killed) = acknowledged.end();
        platform.wait_for_another("product-service", killed).await;
        kept.extend(products);
        assert_all_are_there(&platform, &kept).await;
    }
}

#[tokio::test]
async fn whoever_was_told_that_they_are_registered_or_logged_in_is_so_after_a_crash() {
    let place = Place::new().await;
    let platform = place.platform_with(&QUICK).await;
    for round in 0..3 {
        let acknowledged = Acknowledged::until(1 + 5 * round, || platform.kill("user-service"));
        let pairs = join_all((0..3).map(|line| come_and_stay(&platform, &acknowledged, line, round))).await;
        let (emails, killed) = acknowledged.end();
        platform.wait_for_another("user-service", killed).await;
        assert_all_are_known(&platform, &emails, pairs.iter().flatten()).await;
    }
}

#[tokio::test]
async fn nothing_that_was_acknowledged_is_lost_when_everything_dies_at_once() {
    let place = Place::new().await;
    let (mut products, mut emails) = (Vec::new(), Vec::new());
    let mut platform = place.platform_with(&QUICK).await;
    for round in 0..10 {
        let seller = format!("seller{round}@example.com");
        platform.register(&seller).await.assert_status(201);
        let seller = platform.login(&seller, PASSWORD).await.assert_status(200).json();

        let mut pids = vec![platform.pid()];
        pids.extend(platform.children().iter().map(|child| child.pid));
        let power_cut = || {
            for pid in &pids {
                processes::send(*pid, Signal::KILL);
            }
            pids[0]
        };
        let new_products = Acknowledged::until(usize::MAX, || 0);
        let new_emails = Acknowledged::until(1 + 3 * round, power_cut);
        let (pairs, _) = join(
            join_all((0..2).map(|line| come_and_stay(&platform, &new_emails, line, round))),
            join_all((0..2).map(|_| put_up(&platform, &seller, &new_products))),
        )
        .await;
        let (new_products, new_emails) = (new_products.end().0, new_emails.end().0);
        platform.end().await;
        platform.wait_until_gone().await;

        platform = place.platform_with(&QUICK).await;
        assert_all_are_there(&platform, &new_products).await;
        assert_all_are_known(&platform, &new_emails, pairs.iter().flatten().chain([&seller])).await;
        products.extend(new_products);
        emails.extend(new_emails);
    }
    println!(
        "{} products and {} people through ten crashes",
        products.len(),
        emails.len()
    );
    assert!(
        products.len() > 10,
        "too few products for any to be lost: {}",
        products.len()
    );
    assert_all_are_there(&platform, &products).await;
    assert_all_are_known(&platform, &emails, [].iter()).await;
}

#[tokio::test]
async fn the_services_go_when_the_stack_is_killed_and_the_next_one_carries_on() {
    let place = Place::new().await;
    let mut platform = place.platform().await;
    let pair = platform.ada().await;
    let put_up = platform.seller(&pair).post("/products", lamp()).await;
    let keys = platform
        .nobody_at("user-service")
        .get("/.well-known/jwks.json")
        .await
        .assert_status(200)
        .json();
    let password = place.secret("admin-password");
    assert!(
        platform.output.text().contains(&password),
        "{}",
        platform.output.text()
    );

    platform.kill_the_stack().await;

    let platform = place.platform().await;
    let output = platform.output.text();
    assert!(
        !output.contains(&password),
        "the password is shown once: {output}"
    );
    assert!(
        output.contains("admin@example.com with the password in data/admin-password"),
        "{output}"
    );
    let users = platform.nobody_at("user-service");
    users.get("/.well-known/jwks.json").await.assert(200, keys);
    platform
        .seller(&pair)
        .get(put_up.header("location"))
        .await
        .assert(200, put_up.json());
    platform
        .seller(&pair)
        .post("/products", lamp())
        .await
        .assert_status(201);
    platform.refresh(&pair).await.assert_status(200);
    platform
        .login("ada@example.com", PASSWORD)
        .await
        .assert_status(200);
    platform
        .login("admin@example.com", &password)
        .await
        .assert_status(200);
}

#[tokio::test]
async fn a_first_start_that_is_killed_anywhere_leaves_nothing_in_the_way_of_the_next() {
    let mut moments = vec![
        "stack.lock",
        "order-service-secret",
        "key-encryption-key",
        "admin-password",
        "first child",
    ];
    if Place::new().await.server().is_none() {
        moments.extend(["user-service.db", "product-service.db"]);
    }
    for moment in moments {
        let place = Place::new().await;
        let mut platform = place.start(&[]);
        eventually(moment, async || match moment {
            "first child" => !platform.children().is_empty(),
            file => place.data(file).exists(),
        })
        .await;
        platform.kill_the_stack().await;

        let platform = place.platform().await;
        let password = place.secret("admin-password");
        platform
            .login("admin@example.com", &password)
            .await
            .assert_status(200);
    }
}

#[tokio::test]
async fn a_service_that_waits_for_its_turn_with_its_database_goes_with_the_stack_too() {
    let place = Place::new().await;
    let turn = File::create(place.file("products.migrating")).unwrap();
    turn.lock().unwrap();
    let mut platform = place.start(&[("PRODUCT_SERVICE_DATABASE_URL", "sqlite:products.db")]);
    eventually("it opens its database", async || {
        place.file("products.db").exists()
    })
    .await;
    platform.kill_the_stack().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_service_is_started_again_although_the_program_was_replaced_meanwhile() {
    let place = Place::new().await;
    // On the file system that the program is on, so that it need not be copied.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = directory.path().join("stack");
    fs::hard_link(STACK, &program).unwrap();
    let mut platform = place.start_program(&program);
    platform.wait_until_ready().await;
    fs::remove_file(&program).unwrap();
    fs::write(&program, "another").unwrap();
    let killed = platform.kill("product-service");
    platform.wait_for_another("product-service", killed).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_service_that_cant_be_started_again_at_once_is_later() {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    let place = Place::new().await;
    let platform = place.platform().await;
    let pid = Pid::from_raw(platform.pid().try_into().unwrap());
    // No more files: neither the pipe to a service can be made nor anything else.
    let few = Rlimit {
        current: Some(1),
        ..getrlimit(Resource::Nofile)
    };
    let before = prlimit(pid, Resource::Nofile, few).unwrap();
    let killed = platform.kill("product-service");
    eventually("it can't be started", async || {
        platform.log.text().contains("can't be started")
    })
    .await;
    assert!(platform.pid_of("product-service").is_none());

    prlimit(pid, Resource::Nofile, before).unwrap();
    platform.wait_for_another("product-service", killed).await;
}
