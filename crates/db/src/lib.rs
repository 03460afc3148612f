//! A database of a service, on SQLite or PostgreSQL. Each statement is written once, in SQL that both engines understand, and
//! stays typed. This crate owns the differences: pools, locks, the start of a transaction, the meaning of errors. It knows no
//! table.
//!
//! ```
//! use db::{Conn, on};
//!
//! /// The table of notes.
//! struct Notes<'c>(&'c mut Conn);
//!
//! impl Notes<'_> {
//!     async fn add(&mut self, text: &str) -> Result<bool, sqlx::Error> {
//!         const SQL: &str = "insert into notes (text) values ($1) on conflict do nothing";
//!         on!(self.0, conn => Ok(sqlx::query(SQL).bind(text).execute(conn).await?.rows_affected() == 1))
//!     }
//! }
//! ```

mod conn;
mod create;
mod error;
mod listen;
mod migrate;
mod pool;
mod url;

pub use self::conn::{Conn, Engine, Tx, bounded};
pub use self::create::create_database;
pub use self::error::{is_transient, is_unavailable};
pub use self::listen::Listener;
pub use self::migrate::Migrations;
pub use self::pool::Db;
pub use self::url::{DatabaseUrl, InvalidDatabaseUrl};
