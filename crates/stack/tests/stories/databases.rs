//! One PostgreSQL server for all services.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _, Row as _};
use url::Url;

use crate::platform::PASSWORD;
use crate::sandbox::{Sandbox, services_with_database};
use crate::shop::lamp;

/// The names of the databases that `stack` creates.
fn database_names() -> Vec<String> {
    services_with_database()
        .map(|service| service.replace('-', "_"))
        .collect()
}

#[tokio::test]
async fn a_common_server_gets_a_database_for_each_service() {
    let sandbox = Sandbox::new().await;
    for url in [
        "sqlite:all.db",
        "postgres://ada@localhost/shop",
        "mysql://localhost",
        "shop",
    ] {
        let mut platform = sandbox.start(&[("DATABASE_URL", url)]);
        let status = platform.end().await;
        let log = platform.log.text();
        assert_eq!(status.code(), Some(78), "{url}: {log}");
        assert!(
            log.contains("\nDATABASE_URL must name a PostgreSQL server and no database"),
            "{url}: {log}"
        );
        assert!(!sandbox.data("").exists());
    }
    let Some(server) = sandbox.server() else { return };

    let created = CreatedDatabases::on(&server).await;
    for product in 1..=2 {
        // The first start creates the databases, the second one uses them.
        let names = database_names();
        let unset: Vec<_> = names
            .iter()
            .map(|name| format!("{}_DATABASE_URL", name.to_uppercase()))
            .collect();
        let mut variables = vec![("DATABASE_URL", server.as_str())];
        variables.extend(unset.iter().map(|variable| (variable.as_str(), "")));
        let mut platform = sandbox.platform_with(&variables).await;
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
        platform.kill_stack().await;
        assert_eq!(
            created
                .count("product_service", "select count(*) from products")
                .await,
            product
        );
    }
    assert_eq!(
        created
            .count(
                "user_service",
                "select count(*) from users where not roles like '%admin'"
            )
            .await,
        1
    );

    assert_eq!(
        created
            .count(
                "postgres",
                "select count(*) from pg_database where datname = 'gateway'"
            )
            .await,
        0
    );

    // A service's own variable overrides the common one: that database has no user yet.
    let variables = [
        ("DATABASE_URL", server.as_str()),
        ("PRODUCT_SERVICE_DATABASE_URL", ""),
    ];
    let platform = sandbox.platform_with(&variables).await;
    platform.register("ada@example.com").await.assert_status(201);
    assert_eq!(
        created
            .count(
                "user_service",
                "select count(*) from users where not roles like '%admin'"
            )
            .await,
        1
    );
}

/// The services' databases, dropped with this.
struct CreatedDatabases {
    server: Url,
}

impl CreatedDatabases {
    /// Panics if the server already has such a database, so that no test drops other data.
    async fn on(server: &Url) -> Self {
        let created = Self {
            server: server.clone(),
        };
        for name in database_names() {
            let sql = format!("select count(*) from pg_database where datname = '{name}'");
            if created.count("postgres", &sql).await > 0 {
                std::mem::forget(created);
                panic!("the server already has a database {name}, which this test would drop");
            }
        }
        created
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

impl Drop for CreatedDatabases {
    fn drop(&mut self) {
        let url = self.url("postgres");
        // `drop` can't wait inside the runtime of the test.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                let mut conn = PgConnection::connect(url.as_str()).await?;
                for name in database_names() {
                    let sql = format!("drop database if exists {name} with (force)");
                    sqlx::query(AssertSqlSafe(sql)).execute(&mut conn).await?;
                }
                Ok::<_, sqlx::Error>(())
            })
        });
        if !matches!(dropped.join(), Ok(Ok(()))) {
            eprintln!("the databases {:?} could not be dropped", database_names());
        }
    }
}
