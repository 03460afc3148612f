//! Many revocations at a platform: the time of a snapshot over HTTP, and the memory of services.

use std::time::Duration;

use super::readers::Readers;
use super::{Options, PROCESS_GONE, SIZES, VARIABLES, gauge};
use crate::database::Connection;
use crate::memory::resident_megabytes;
use crate::platform::Platform;
use crate::report::{SnapshotCosts, Spread};
use crate::{Failure, cpu, say};

/// How many readers read a snapshot, one after the other.
const READERS: u32 = 3;
/// The rows of one transaction, so that the service can write in between.
const CHUNK: u32 = 100_000;
/// How long a service may take to apply them.
const TIMEOUT: Duration = Duration::from_secs(60);

pub(super) struct Snapshot {
    pub revocations: u32,
    /// From the first connection of a reader until it is ready.
    pub times_ms: Vec<f64>,
    pub product_service_mb: f64,
    pub user_service_mb: f64,
}

impl Snapshot {
    pub(super) fn costs(&self) -> SnapshotCosts {
        SnapshotCosts {
            snapshot_ms: Spread::of(&self.times_ms),
            product_service_mb: self.product_service_mb,
            user_service_mb: self.user_service_mb,
        }
    }
}

/// Measures each size in turn, at one platform.
pub(super) async fn measure(options: &Options) -> Result<Vec<Snapshot>, Failure> {
    let platform = Platform::start_with(&options.stack.program()?, None, &VARIABLES).await?;
    let stack = platform.pid().ok_or(PROCESS_GONE)?;
    let (mut snapshots, mut present) = (Vec::new(), 0);
    for revocations in SIZES {
        say(&format!("revocation: a platform with {revocations} revocations"));
        seed(&platform, revocations - present).await?;
        present = revocations;
        for service in ["product-service", "user-service"] {
            let has_all = |gauge: Option<f64>| gauge.is_some_and(|gauge| gauge >= f64::from(revocations));
            if !gauge::becomes(
                platform.metrics_port(service)?,
                "auth_revocations",
                has_all,
                TIMEOUT,
            )
            .await?
            {
                return Err(format!("{service} does not have {revocations} revocations").into());
            }
        }
        let mut times_ms = Vec::new();
        for _ in 0..READERS {
            times_ms.push(read(&platform, revocations).await?);
        }
        let memory = |service| resident_megabytes(cpu::process_of_service(stack, service)?);
        snapshots.push(Snapshot {
            revocations,
            times_ms,
            product_service_mb: memory("product-service")?,
            user_service_mb: memory("user-service")?,
        });
    }
    Ok(snapshots)
}

/// The time in milliseconds until a new reader is ready.
async fn read(platform: &Platform, revocations: u32) -> Result<f64, Failure> {
    let reader = Readers::start(platform, 1).await?;
    let count = usize::try_from(revocations)?;
    let has_all =
        move |verifier: &auth::Verifier| verifier.has_revocations() && verifier.revocations().len() == count;
    let ready = reader.wait_until_each(has_all).await?;
    Ok((ready - reader.started).as_secs_f64() * 1_000.0)
}

/// Inserts revocations directly into the database of user-service, which publishes them.
async fn seed(platform: &Platform, count: u32) -> Result<(), Failure> {
    let mut database = Connection::open(platform.database("user-service")?).await?;
    for begin in (0..count).step_by(usize::try_from(CHUNK)?) {
        database.run(rows(CHUNK.min(count - begin))).await?;
    }
    database.settle().await?;
    Ok(())
}

/// Statements that insert this number of revocations, of sessions and users in alternation, for a day.
fn rows(count: u32) -> String {
    format!(
        "begin immediate;
        with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < {count})
        insert into revocations (seq, kind, id, epoch, expires_at)
        select (select seq from revocation_counter) + n,
               case n % 2 when 0 then 'session' else 'user' end,
               randomblob(16),
               case n % 2 when 0 then null else 1 end,
               strftime('%Y-%m-%dT%H:%M:%S+00:00', 'now', '+1 day')
        from numbers;
        update revocation_counter set seq = seq + {count};
        commit"
    )
}

#[cfg(test)]
mod tests {
    use db::{DatabaseUrl, Db, Migrations};
    use sqlx::migrate;

    use super::*;

    static USER_SERVICE: Migrations = Migrations {
        sqlite: migrate!("../../migrations/user-service/sqlite"),
        postgres: migrate!("../../migrations/user-service/postgres"),
    };

    #[tokio::test]
    async fn inserted_revocations_fit_the_table_and_count() {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::Sqlite(directory.path().join("user-service.db"));
        Db::open(&url, &USER_SERVICE).await.unwrap().close().await;
        let mut database = Connection::open(&url).await.unwrap();
        for count in [3, 4] {
            database.run(rows(count)).await.unwrap();
        }
        for (sql, expected) in [
            ("select count(*) from revocations", 7),
            (
                "select count(distinct id) from revocations where kind = 'user'",
                4,
            ),
            ("select max(seq) from revocations", 7),
            ("select seq from revocation_counter", 7),
        ] {
            assert_eq!(database.number(sql).await.unwrap(), expected, "{sql}");
        }
    }
}
