//! Secrets are stored and shown only where they must be.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use db::DatabaseUrl;
use serde_json::json;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

use crate::eventually;
use crate::sandbox::{REGISTRY, Sandbox, services, services_with_database};
use crate::shop::lamp;
use crate::usage::Usage;

/// The names of the secrets that `stack` generates.
fn generated() -> Vec<String> {
    let clients = REGISTRY.callers().map(|caller| format!("{}-secret", caller.name));
    let others = ["key-encryption-key", "admin-password"].map(str::to_owned);
    others.into_iter().chain(clients).collect()
}

#[tokio::test]
async fn only_the_owner_can_read_the_data_directory() {
    let sandbox = Sandbox::new().await;
    // The most permissive umask.
    let mut platform = sandbox.start_by_shell(r#"umask 0; exec "$0""#);
    platform.wait_until_ready().await;
    let pair = platform.register_ada().await;
    platform
        .seller(&pair)
        .post("/products", lamp())
        .await
        .assert_status(201);

    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&sandbox.data("")), 0o700);
    let mut names = Vec::new();
    for entry in fs::read_dir(sandbox.data("")).unwrap() {
        let entry = entry.unwrap();
        let expected = if entry.path().is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&entry.path()), expected, "{entry:?}");
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    let mut expected = generated();
    expected.extend(["outbox", "stack.lock"].map(str::to_owned));
    if sandbox.server().is_none() {
        for service in services_with_database() {
            expected.extend(["db", "db-shm", "db-wal", "migrating"].map(|kind| format!("{service}.{kind}")));
        }
    }
    expected.sort_unstable();
    assert_eq!(names, expected);
}

#[tokio::test]
async fn an_error_is_one_line_in_the_log_without_data_from_the_request() {
    const SENT: &str = "data-from-the-request";
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let product = platform
        .seller(&platform.register_ada().await)
        .with("x-request-id", "refused");
    let user = platform
        .anonymous_at("user-service")
        .with("x-request-id", "refused");
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
    eventually("each error is in the log", async || lines() >= 4).await;
    assert_eq!(lines(), 4, "{}", platform.log.text());
    assert!(!platform.log.text().contains(SENT), "{}", platform.log.text());
}

#[tokio::test]
async fn each_platform_generates_different_secrets() {
    let (sandbox, other) = (Sandbox::new().await, Sandbox::new().await);
    let (_one, _two) = (sandbox.platform().await, other.platform().await);
    for name in generated() {
        assert_ne!(sandbox.secret(&name), other.secret(&name), "{name}");
        assert!(sandbox.secret(&name).len() >= 16, "{name}");
    }
}

#[tokio::test]
async fn a_service_and_user_service_read_its_client_secret_from_one_file() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.platform().await;
    for round in 0..2 {
        for caller in REGISTRY.callers() {
            let (service, audience) = (&caller.name, &caller.calls[0]);
            let secret = sandbox.secret(&format!("{service}-secret"));
            // With other characters, a secret could contain a word by which services recognise a placeholder.
            assert!(secret.len() == 64 && secret.bytes().all(|byte| byte.is_ascii_hexdigit()));
            let client = platform
                .anonymous_at("user-service")
                .with_basic_auth(service, &secret);
            let form = format!("grant_type=client_credentials&audience={audience}");
            client
                .post_form("/oauth/token", &form)
                .await
                .assert(200, json!({"token_type": "Bearer"}));
        }
        if round == 0 {
            platform.kill_stack().await;
            platform = sandbox.platform().await;
        }
    }
}

#[tokio::test]
async fn the_log_contains_no_secret_and_no_personal_data() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform_with(&[("RUST_LOG", "trace")]).await;
    let usage = Usage::of_everything(&sandbox, &platform).await;
    let log = platform.log.text();
    assert!(log.contains("/auth/login"), "the log is empty: {log}");
    for (description, secret) in &usage.secrets {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(
            line.is_none(),
            "{description} is in the log: {}",
            line.unwrap_or_default()
        );
    }
}

#[tokio::test]
async fn errors_contain_no_secret_and_no_personal_data() {
    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let usage = Usage::of_everything(&sandbox, &platform).await;
    assert!(usage.errors.len() > 10, "{:?}", usage.errors);
    for (description, secret) in &usage.secrets {
        let error = usage.errors.iter().find(|error| error.contains(secret.as_str()));
        assert!(
            error.is_none(),
            "{description} is in an error: {}",
            error.unwrap()
        );
    }
}

#[tokio::test]
async fn the_databases_contain_no_secret() {
    let sandbox = Sandbox::new().await;
    let mut platform = sandbox.platform().await;
    let usage = Usage::of_everything(&sandbox, &platform).await;
    platform.kill_stack().await;
    let copy = copy_of_databases(&sandbox).await;
    for (description, secret) in &usage.secrets {
        let is_there = encodings(secret).iter().any(|encoding| contains(&copy, encoding));
        // Names and email addresses are stored, which proves that the search works.
        assert_eq!(
            is_there,
            ["an email address", "a name"].contains(description),
            "{description}"
        );
    }
}

/// The encodings in which a secret could be stored: the text, its bytes if it is base64, and both as PostgreSQL prints bytes.
fn encodings(secret: &str) -> Vec<Vec<u8>> {
    let mut encodings = vec![secret.as_bytes().to_vec()];
    let decoded = URL_SAFE_NO_PAD
        .decode(secret)
        .or_else(|_| STANDARD.decode(secret));
    encodings.extend(decoded.ok().filter(|bytes| bytes.len() >= 16));
    let hex = |bytes: &Vec<u8>| {
        bytes
            .iter()
            .flat_map(|byte| format!("{byte:02x}").into_bytes())
            .collect()
    };
    encodings.extend(encodings.iter().map(hex).collect::<Vec<_>>());
    encodings
}

fn contains(copy: &[u8], bytes: &[u8]) -> bool {
    copy.windows(bytes.len()).any(|window| window == bytes)
}

/// The contents of all databases: the bytes of SQLite's files, or every row of PostgreSQL's tables as text.
async fn copy_of_databases(sandbox: &Sandbox) -> Vec<u8> {
    const TABLES: &str =
        "select table_name::text from information_schema.tables where table_schema = 'public'";
    let mut copy = Vec::new();
    for service in services_with_database() {
        match sandbox.database(service) {
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
async fn generated_secrets_are_not_in_environments_or_command_lines() {
    use crate::processes::file_of;

    let sandbox = Sandbox::new().await;
    let platform = sandbox.platform().await;
    let children: Vec<_> = platform.children().into_iter().map(|child| child.pid).collect();
    assert_eq!(children.len(), services().count());
    for pid in children.into_iter().chain([platform.pid()]) {
        for file in ["environ", "cmdline"] {
            let text = file_of(pid, file).unwrap();
            assert!(!text.is_empty());
            for name in generated() {
                assert!(!text.contains(&sandbox.secret(&name)), "{name} is in {file}");
            }
        }
    }
}
