//! Where secrets are, and where they are not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use db::DatabaseUrl;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};
use test_kit::TestResponse;

use crate::place::{Place, SERVICES};
use crate::platform::Platform;
use crate::shop::lamp;
use crate::{eventually, made_up};

const GENERATED: [&str; 5] = [
    "key-encryption-key",
    "admin-password",
    "product-service-secret",
    "order-service-secret",
    "inventory-service-secret",
];

#[tokio::test]
async fn nobody_else_may_read_anything_in_the_directory() {
    let place = Place::new().await;
    // The freest file mode creation mask there is.
    let mut platform = place.start_by_shell(r#"umask 0; exec "$0""#);
    platform.wait_until_ready().await;
    let pair = platform.ada().await;
    platform
        .seller(&pair)
        .post("/products", lamp())
        .await
        .assert_status(201);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.data("")), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(place.data("")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(mode(&entry.path()), 0o600, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    let mut expected = [&GENERATED[..], &["stack.lock"]]
        .concat()
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    if place.server().is_none() {
        for service in SERVICES {
            expected.extend(["db", "db-shm", "db-wal", "migrating"].map(|kind| format!("{service}.{kind}")));
        }
    }
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn a_refusal_is_one_line_in_the_log_and_repeats_nothing_of_what_was_sent() {
    const SENT: &str = "what-nobody-may-read";
    let place = Place::new().await;
    let platform = place.platform().await;
    let product = platform
        .seller(&platform.ada().await)
        .with("x-request-id", "refused");
    let user = platform.nobody_at("user-service").with("x-request-id", "refused");
    user.post("/auth/login", json!({"email": "a@example.com", SENT: 1}))
        .await
        .assert_invalid(SENT);
    user.post("/auth/login", json!({"email": SENT, "password": SENT}))
        .await
        .assert_status(401);
    product
        .post("/products", json!({"name": SENT, "price_cents": SENT}))
        .await
        .assert_status(422);
    product
        .get(&format!("/products?limit={SENT}"))
        .await
        .assert_status(400);

    let lines = || {
        platform
            .log
            .events()
            .iter()
            .filter(|event| event["span"]["request_id"] == "refused")
            .count()
    };
    eventually("each is in the log", async || lines() >= 4).await;
    assert_eq!(lines(), 4, "{}", platform.log.text());
    assert!(!platform.log.text().contains(SENT), "{}", platform.log.text());
}

#[tokio::test]
async fn each_platform_makes_up_secrets_of_its_own() {
    let (place, other) = (Place::new().await, Place::new().await);
    let (_one, _two) = (place.platform().await, other.platform().await);
    for name in GENERATED {
        assert_ne!(place.secret(name), other.secret(name), "{name}");
        assert!(place.secret(name).len() >= 16, "{name}");
    }
}

#[tokio::test]
async fn each_service_and_user_service_have_its_secret_from_one_file() {
    let place = Place::new().await;
    let mut platform = place.platform().await;
    for round in 0..2 {
        for (service, audience) in [
            ("product-service", "user-service"),
            ("order-service", "inventory-service"),
            ("inventory-service", "product-service"),
        ] {
            let secret = place.secret(&format!("{service}-secret"));
            assert!(
                secret.len() >= 43
                    && secret
                        .chars()
                        .all(|char| char.is_ascii_alphanumeric() || "-_".contains(char))
            );
            let client = platform
                .nobody_at("user-service")
                .with_basic_auth(service, &secret);
            let form = format!("grant_type=client_credentials&audience={audience}");
            client
                .post_form("/oauth/token", &form)
                .await
                .assert(200, json!({"token_type": "Bearer"}));
        }
        if round == 0 {
            platform.kill_the_stack().await;
            platform = place.platform().await;
        }
    }
}

#[tokio::test]
async fn no_log_tells_a_secret_or_who_somebody_is() {
    let place = Place::new().await;
    let platform = place.platform_with(&[("RUST_LOG", "trace")]).await;
    let told = use_everything(&place, &platform).await;
    let log = platform.log.text();
    assert!(log.contains("/auth/login"), "the log is there: {log}");
    for (what, secret) in &told.secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(
            line.is_none(),
            "{what} is in the log: {}",
            line.unwrap_or_default()
        );
    }
}

#[tokio::test]
async fn no_refusal_tells_a_secret_or_who_somebody_is() {
    let place = Place::new().await;
    let platform = place.platform().await;
    let told = use_everything(&place, &platform).await;
    assert!(told.refusals.len() > 10, "{:?}", told.refusals);
    for (what, secret) in &told.secrets {
        let refusal = told
            .refusals
            .iter()
            .find(|refusal| refusal.contains(secret.as_str()));
        assert!(refusal.is_none(), "{what} is in a refusal: {}", refusal.unwrap());
    }
}

#[tokio::test]
async fn no_copy_of_a_database_tells_a_secret() {
    let place = Place::new().await;
    let mut platform = place.platform().await;
    let told = use_everything(&place, &platform).await;
    platform.kill_the_stack().await;
    let copy = copy_of_databases(&place).await;
    for (what, secret) in &told.secrets {
        let is_there = spellings(secret).iter().any(|spelling| contains(&copy, spelling));
        // The copy is one indeed: who somebody is stands in it.
        assert_eq!(is_there, ["an email address", "a name"].contains(what), "{what}");
    }
}

/// A text, and the bytes that it stands for if it is base64, each as they are and as PostgreSQL shows bytes.
fn spellings(secret: &str) -> Vec<Vec<u8>> {
    let mut spellings = vec![secret.as_bytes().to_vec()];
    let decoded = URL_SAFE_NO_PAD
        .decode(secret)
        .or_else(|_| STANDARD.decode(secret));
    spellings.extend(decoded.ok().filter(|bytes| bytes.len() >= 16));
    let hex = |bytes: &Vec<u8>| {
        bytes
            .iter()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .collect()
    };
    spellings.extend(spellings.iter().map(hex).collect::<Vec<_>>());
    spellings
}

fn contains(copy: &[u8], bytes: &[u8]) -> bool {
    copy.windows(bytes.len()).any(|window| window == bytes)
}

/// All that is in the databases: SQLite's files byte for byte, or every row of PostgreSQL's tables as text.
async fn copy_of_databases(place: &Place) -> Vec<u8> {
    const TABLES: &str =
        "select table_name::text from information_schema.tables where table_schema = 'public'";
    let mut copy = Vec::new();
    for service in SERVICES {
        match place.database(service) {
            DatabaseUrl::Sqlite(file) => {
                for end in ["", "-wal"] {
                    copy.extend(fs::read(format!("{}{end}", file.display())).unwrap_or_default());
                }
            }
            DatabaseUrl::Postgres(options) => {
                let mut conn = PgConnection::connect_with(&options).await.unwrap();
                let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut conn).await.unwrap();
                for table in tables {
                    let rows = AssertSqlSafe(format!(r#"select whole::text from "{table}" as whole"#));
                    let rows: Vec<String> = sqlx::query_scalar(rows).fetch_all(&mut conn).await.unwrap();
                    copy.extend(rows.join("\n").into_bytes());
                }
            }
        }
    }
    copy
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn no_process_can_be_asked_for_a_secret_that_was_made_up() {
    use crate::processes::file_of;

    let place = Place::new().await;
    let platform = place.platform().await;
    let children: Vec<_> = platform.children().into_iter().map(|child| child.pid).collect();
    assert_eq!(children.len(), SERVICES.len());
    for pid in children.into_iter().chain([platform.pid()]) {
        for file in ["environ", "cmdline"] {
            let text = file_of(pid, file).unwrap();
            assert!(!text.is_empty());
            for name in GENERATED {
                assert!(!text.contains(&place.secret(name)), "{name} is in {file}");
            }
        }
    }
}

/// What the platform was told, and what it refused.
struct Told {
    secrets: Vec<(&'static str, String)>,
    /// The bodies of refusals.
    refusals: Vec<String>,
}

/// Goes through the platform with secrets that nothing else is like, and returns all of them.
async fn use_everything(place: &Place, platform: &Platform) -> Told {
    let users = platform.nobody_at("user-service");
    let mut refusals = Vec::new();
    let mut refused = |answer: TestResponse, status: u16| {
        answer.assert_status(status);
        refusals.push(answer.body);
    };
    let name = made_up();
    let local: String = made_up().chars().filter(char::is_ascii_alphanumeric).collect();
    let (email, password) = (format!("{local}@example.com"), made_up());
    let registration = json!({"email": email, "password": password, "name": name});
    users
        .post("/auth/register", registration.clone())
        .await
        .assert_status(201);
    refused(users.post("/auth/register", registration.clone()).await, 409);
    let pair = platform.login(&email, &password).await.assert_status(200).json();
    let next = platform.refresh(&pair).await.assert_status(200).json();
    let wrong_password = made_up();
    refused(platform.login(&email, &wrong_password).await, 401);
    // A password where the address should be, as it happens.
    let misplaced = made_up();
    refused(platform.login(&misplaced, &misplaced).await, 401);
    // What is wrong is not quoted either.
    let mut wrong = registration;
    wrong["password"] = json!([password]);
    refused(users.post("/auth/register", wrong).await, 422);
    let unknown = made_up();
    refused(
        users
            .post("/auth/refresh", json!({"refresh_token": unknown}))
            .await,
        401,
    );
    let me = users.with_token(next["access_token"].as_str().unwrap());
    let new_password = made_up();
    let change = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    refused(
        me.put("/auth/password", change(&wrong_password, &new_password))
            .await,
        422,
    );
    refused(me.put("/auth/password", change(&password, &email)).await, 422);
    me.put("/auth/password", change(&password, &new_password))
        .await
        .assert_status(204);
    let question = json!({"token": next["access_token"]});
    users
        .post("/auth/verify", question)
        .await
        .assert(200, json!({"valid": true}));
    refused(me.get("/admin/users").await, 403);
    let seller = platform.seller(&next);
    seller.post("/products", lamp()).await.assert_status(201);
    let forged = format!("{}x", next["access_token"].as_str().unwrap());
    let products = platform.nobody_at("product-service");
    refused(products.with_token(&forged).post("/products", lamp()).await, 401);
    let searched = "whatsomebodysearchedfor".to_owned();
    products
        .get(&format!("/products?q={searched}"))
        .await
        .assert_status(200);
    let service_secret = place.secret("order-service-secret");
    let orders = users.with_basic_auth("order-service", &service_secret);
    let form = "grant_type=client_credentials&audience=inventory-service";
    let service_token = orders
        .post_form("/oauth/token", form)
        .await
        .assert_status(200)
        .json();
    for token in [
        &service_token["access_token"],
        &next["access_token"],
        &next["refresh_token"],
    ] {
        let form = format!("token={}", token.as_str().unwrap());
        orders
            .post_form("/oauth/introspect", &form)
            .await
            .assert(200, json!({"active": true}));
    }
    let wrong_secret = made_up();
    let stranger = users.with_basic_auth("order-service", &wrong_secret);
    refused(stranger.post_form("/oauth/token", form).await, 401);
    let admin_password = place.secret("admin-password");
    let admin = platform
        .login("admin@example.com", &admin_password)
        .await
        .assert_status(200)
        .json();
    let admin = users.with_token(admin["access_token"].as_str().unwrap());
    admin
        .get(&format!("/admin/users?q={local}"))
        .await
        .assert_status(200);
    admin.get("/admin/audit-log").await.assert_status(200);
    refused(admin.get(&format!("/admin/users?role={searched}")).await, 400);
    me.post("/auth/logout", json!({"refresh_token": ""}))
        .await
        .assert_status(204);
    refused(me.get("/users/me").await, 401);

    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let signature = |token: &str| token.rsplit('.').next().unwrap().to_owned();
    let secrets = vec![
        ("an email address", local),
        ("a name", name),
        ("a password", password),
        ("a new password", new_password),
        ("a wrong password", wrong_password),
        ("a password in the wrong place", misplaced),
        ("an access token", signature(&text(&pair["access_token"]))),
        (
            "a refreshed access token",
            signature(&text(&next["access_token"])),
        ),
        ("a refresh token", text(&pair["refresh_token"])),
        ("a refreshed refresh token", text(&next["refresh_token"])),
        ("a wrong refresh token", unknown),
        ("what was searched for", searched),
        ("a service's secret", service_secret),
        ("a wrong secret", wrong_secret),
        (
            "a service token",
            signature(&text(&service_token["access_token"])),
        ),
        ("the admin's password", admin_password),
        ("the key encryption key", place.secret("key-encryption-key")),
    ];
    Told { secrets, refusals }
}
