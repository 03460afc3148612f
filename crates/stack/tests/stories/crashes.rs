//! Processes that die, and the rest of the platform.

use std::fs::{self, File};

use futures_util::future::{join, join_all};
use rustix::process::Signal;

use crate::platform::PASSWORD;
use crate::sandbox::{STACK, Sandbox};
use crate::shop::lamp;
use crate::writers::{
    Acknowledged, assert_products_exist, assert_users_can_log_in, create_products, register_and_refresh,
};
use crate::{eventually, processes};

/// Cheap hashes, and the longest grace period for refreshes after a lost response.
const FAST: [(&str, &str); 3] = [
    ("ARGON2_MEMORY_KIB", "64"),
    ("ARGON2_PASSES", "1"),
    ("REFRESH_GRACE", "60s"),
];

#[tokio::test]
async fn users_with_a_token_can_sell_while_user_service_is_down() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let ada = platform.seller(&platform.register_ada().await);
    let mut killed = platform.kill("user-service");
    let (mut created_meanwhile, mut kills) = (0, 1);
    eventually(
        "user-service is ready again, and products were created meanwhile",
        async || {
            let was_down = !platform.is_ready("user-service").await;
            ada.post("/products", lamp()).await.assert_status(201);
            let is_down = !platform.is_ready("user-service").await;
            created_meanwhile += usize::from(was_down && is_down);
            if !is_down && created_meanwhile == 0 {
                // The restart was too fast for this machine. The next delay is longer.
                assert!(
                    kills < 6,
                    "no product could be created while user-service was down"
                );
                killed = platform.kill("user-service");
                kills += 1;
            }
            !is_down && created_meanwhile > 0
        },
    )
    .await;
    println!("{created_meanwhile} products were created while user-service was down");

    platform.wait_for_restart("user-service", killed).await;
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
async fn an_acknowledged_product_survives_a_crash_of_its_service() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&FAST).await;
    let ada = platform.register_ada().await;
    let mut kept = Vec::new();
    for round in 0..3 {
        let acknowledged = Acknowledged::until(1 + 7 * round, || platform.kill("product-service"));
        join_all((0..4).map(|_| create_products(&platform, &ada, &acknowledged))).await;
        let (products, killed) = acknowledged.end();
        platform.wait_for_restart("product-service", killed).await;
        kept.extend(products);
        assert_products_exist(&platform, &kept).await;
    }
}

#[tokio::test]
async fn acknowledged_users_and_sessions_survive_a_crash_of_user_service() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&FAST).await;
    for round in 0..3 {
        let acknowledged = Acknowledged::until(1 + 5 * round, || platform.kill("user-service"));
        let pairs =
            join_all((0..3).map(|client| register_and_refresh(&platform, &acknowledged, client, round)))
                .await;
        let (emails, killed) = acknowledged.end();
        platform.wait_for_restart("user-service", killed).await;
        assert_users_can_log_in(&platform, &emails, pairs.iter().flatten()).await;
    }
}

#[tokio::test]
async fn acknowledged_data_survives_when_all_processes_die_at_once() {
    let sandbox = Sandbox::new().await;
    let (mut products, mut emails) = (Vec::new(), Vec::new());
    let mut platform = sandbox.platform_with(&FAST).await;
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
            join_all((0..2).map(|client| register_and_refresh(&platform, &new_emails, client, round))),
            join_all((0..2).map(|_| create_products(&platform, &seller, &new_products))),
        )
        .await;
        let (new_products, new_emails) = (new_products.end().0, new_emails.end().0);
        platform.end().await;
        platform.wait_until_gone().await;

        platform = sandbox.platform_with(&FAST).await;
        assert_products_exist(&platform, &new_products).await;
        assert_users_can_log_in(&platform, &new_emails, pairs.iter().flatten().chain([&seller])).await;
        products.extend(new_products);
        emails.extend(new_emails);
    }
    println!(
        "{} products and {} users survived ten crashes",
        products.len(),
        emails.len()
    );
    assert!(
        products.len() > 10,
        "too few products to lose any: {}",
        products.len()
    );
    assert_products_exist(&platform, &products).await;
    assert_users_can_log_in(&platform, &emails, [].iter()).await;
}

#[tokio::test]
async fn services_stop_when_stack_is_killed_and_the_next_stack_continues() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.platform().await;
    let pair = platform.register_ada().await;
    let created = platform.seller(&pair).post("/products", lamp()).await;
    let keys = platform
        .anonymous_at("user-service")
        .get("/.well-known/jwks.json")
        .await
        .assert_status(200)
        .json();
    let password = sandbox.secret("admin-password");
    assert!(
        platform.output.text().contains(&password),
        "{}",
        platform.output.text()
    );

    platform.kill_stack().await;

    let platform = sandbox.platform().await;
    let output = platform.output.text();
    assert!(
        !output.contains(&password),
        "the password is shown again: {output}"
    );
    assert!(
        output.contains("admin@example.com with the password in data/admin-password"),
        "{output}"
    );
    let users = platform.anonymous_at("user-service");
    users.get("/.well-known/jwks.json").await.assert(200, keys);
    platform
        .seller(&pair)
        .get(created.header("location"))
        .await
        .assert(200, created.json());
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
async fn the_platform_starts_after_a_first_start_that_was_killed_at_any_moment() {
    let mut moments = vec![
        "stack.lock",
        "order-service-secret",
        "key-encryption-key",
        "admin-password",
        "first child",
    ];
    if Sandbox::new().await.server().is_none() {
        moments.extend(["user-service.db", "product-service.db"]);
    }
    for moment in moments {
        let sandbox = Sandbox::new().await;
        let mut platform = sandbox.start(&[]);
        eventually(moment, async || match moment {
            "first child" => !platform.children().is_empty(),
            file => sandbox.data(file).exists(),
        })
        .await;
        platform.kill_stack().await;

        let platform = sandbox.platform().await;
        platform.login_admin(&sandbox).await;
    }
}

#[tokio::test]
async fn a_service_that_waits_for_its_database_stops_with_stack() {
    let sandbox = Sandbox::new().await;
    let lock_file = File::create(sandbox.file("products.migrating")).unwrap();
    lock_file.lock().unwrap();
    let mut platform = sandbox.start(&[("PRODUCT_SERVICE_DATABASE_URL", "sqlite:products.db")]);
    eventually("product-service opens its database", async || {
        sandbox.file("products.db").exists()
    })
    .await;
    platform.kill_stack().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_service_is_restarted_after_the_program_file_was_replaced() {
    let sandbox = Sandbox::new().await;
    // On the file system of the program, so that a hard link suffices.
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = directory.path().join("stack");
    fs::hard_link(STACK, &program).unwrap();
    let mut platform = sandbox.start_program(&program);
    platform.wait_until_ready().await;
    fs::remove_file(&program).unwrap();
    fs::write(&program, "another").unwrap();
    let killed = platform.kill("product-service");
    platform.wait_for_restart("product-service", killed).await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_restart_that_fails_is_repeated() {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let pid = Pid::from_raw(platform.pid().try_into().unwrap());
    // Without file descriptors, `stack` can't create the pipe to a service.
    let few = Rlimit {
        current: Some(1),
        ..getrlimit(Resource::Nofile)
    };
    let before = prlimit(pid, Resource::Nofile, few).unwrap();
    let killed = platform.kill("product-service");
    eventually("the restart fails", async || {
        platform.log.text().contains("can't start")
    })
    .await;
    assert!(platform.pid_of("product-service").is_none());

    prlimit(pid, Resource::Nofile, before).unwrap();
    platform.wait_for_restart("product-service", killed).await;
}
