//! One PostgreSQL server for all services.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use url::Url;

use crate::place::{Place, SERVICES};
use crate::platform::PASSWORD;
use crate::shop::lamp;

/// The databases that it makes.
fn ours() -> [String; SERVICES.len()] {
    SERVICES.map(|service| service.replace('-', "_"))
}

#[tokio::test]
async fn a_server_gets_a_database_for_each_service_and_a_database_is_refused() {
    let place = Place::new().await;
    for url in [
        "sqlite:all.db",
        "postgres://somebody@localhost/shop",
        "mysql://localhost",
        "shop",
    ] {
        let mut platform = place.start(&[("DATABASE_URL", url)]);
        let status = platform.end().await;
        let log = platform.log.text();
        assert_eq!(status.code(), Some(78), "{url}: {log}");
        assert!(
            log.contains("\nDATABASE_URL must name a PostgreSQL server and no database"),
            "{url}: {log}"
        );
        assert!(!place.data("").exists());
    }
    let Some(server) = place.server() else { return };

    let made = Made::on(&server).await;
    for product in 1..=2 {
        // They are made at the first start, and there at the second.
        let nowhere_else = ours().map(|name| format!("{}_DATABASE_URL", name.to_uppercase()));
        let mut variables = vec![("DATABASE_URL", server.as_str())];
        variables.extend(nowhere_else.iter().map(|variable| (variable.as_str(), "")));
        let mut platform = place.platform_with(&variables).await;
        if product == 1 {
            platform.register("ada@example.com").await.assert_status(201);
        }
        let ada = platform
            .login("ada@example.com", PASSWORD)
            .await
            .assert_status(200)
            .json();
        platform
            .seller(&ada)
            .post("/products", lamp())
            .await
            .assert_status(201);
        platform.kill_the_stack().await;
        assert_eq!(
            made.count("product_service", "select count(*) from products")
                .await,
            product
        );
    }
    assert_eq!(
        made.count(
            "user_service",
            "select count(*) from users where not roles like '%admin'"
        )
        .await,
        1
    );

    // A service's own variable wins over what they all share: in that database nobody is registered.
    let variables = [
        ("DATABASE_URL", server.as_str()),
        ("PRODUCT_SERVICE_DATABASE_URL", ""),
    ];
    let platform = place.platform_with(&variables).await;
    platform.register("ada@example.com").await.assert_status(201);
    assert_eq!(
        made.count(
            "user_service",
            "select count(*) from users where not roles like '%admin'"
        )
        .await,
        1
    );
}

/// The services' databases, which are gone when this is dropped.
struct Made {
    server: Url,
}

impl Made {
    /// On a server that has none yet: nobody's data is dropped by a test.
    async fn on(server: &Url) -> Self {
        let made = Self {
            server: server.clone(),
        };
        for name in ours() {
            let sql = format!("select count(*) from pg_database where datname = '{name}'");
            if made.count("postgres", &sql).await > 0 {
                std::mem::forget(made);
                panic!("the server has a database {name} already, which this test would use and drop");
            }
        }
        made
    }

    async fn count(&self, database: &str, sql: &str) -> i64 {
        let mut conn = PgConnection::connect(self.url(database).as_str()).await.unwrap();
        sqlx::query(AssertSqlSafe(sql))
            .fetch_one(&mut conn)
            .await
            .unwrap()
            .get(0)
    }

    fn url(&self, database: &str) -> Url {
        let mut url = self.server.clone();
        url.set_path(database);
        url
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        let url = self.url("postgres");
        // Dropping can't wait inside the test's own runtime.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut conn = PgConnection::connect(url.as_str()).await?;
                for name in ours() {
                    let sql = format!("drop database if exists {name} with (force)");
                    sqlx::query(AssertSqlSafe(sql)).execute(&mut conn).await?;
                }
                Ok::<_, sqlx::Error>(())
            })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("the databases {:?} could not be dropped", ours());
        }
    }
}
