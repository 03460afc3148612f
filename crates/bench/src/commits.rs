//! Measures the database engine alone: durable commits of one row, by as many writers as the engine allows.

use std::time::{Duration, Instant};

use db::DatabaseUrl;
use futures_util::future::try_join_all;
use tempfile::TempDir;

use crate::Failure;
use crate::database::{Connection, Server};
use crate::load::hundredths;

const POSTGRES_WRITERS: usize = 16;

/// Connections to a separate database.
#[derive(Debug)]
pub(crate) struct Commits {
    writers: Vec<Connection>,
    count: u32,
    elapsed: Duration,
    _directory: TempDir,
}

impl Commits {
    pub(crate) async fn open(server: Option<&Server>) -> Result<Self, Failure> {
        let directory = tempfile::tempdir()?;
        let (url, writers) = match server {
            None => (DatabaseUrl::Sqlite(directory.path().join("commits.db")), 1),
            Some(server) => (
                DatabaseUrl::Postgres(Box::new(server.database().await?)),
                POSTGRES_WRITERS,
            ),
        };
        let mut writers = try_join_all((0..writers).map(|_| Connection::open(&url))).await?;
        if let Some(writer) = writers.first_mut() {
            writer
                .run("create table commits (note text not null)".to_owned())
                .await?;
        }
        Ok(Self {
            writers,
            count: 0,
            elapsed: Duration::ZERO,
            _directory: directory,
        })
    }

    /// Commits for this duration, and returns the commits per second.
    pub(crate) async fn measure(&mut self, duration: Duration) -> Result<f64, sqlx::Error> {
        let started = Instant::now();
        let write = async |writer: &mut Connection| {
            let mut count = 0_u32;
            while started.elapsed() < duration {
                commit(writer).await?;
                count += 1;
            }
            Ok::<_, sqlx::Error>(count)
        };
        let count = try_join_all(self.writers.iter_mut().map(write))
            .await?
            .iter()
            .sum::<u32>();
        let elapsed = started.elapsed();
        self.count += count;
        self.elapsed += elapsed;
        Ok(f64::from(count) / elapsed.as_secs_f64())
    }

    /// The commits per second of all measurements.
    pub(crate) fn per_second(&self) -> f64 {
        hundredths(f64::from(self.count) / self.elapsed.as_secs_f64())
    }
}

async fn commit(writer: &mut Connection) -> Result<(), sqlx::Error> {
    const SQL: &str = "insert into commits (note) values ('a row of the length that a row may have')";
    match writer {
        Connection::Sqlite(conn) => sqlx::query(SQL).execute(conn).await.map(drop),
        Connection::Postgres(conn) => sqlx::query(SQL).execute(conn).await.map(drop),
    }
}
