//! The database tables and their SQL.

mod reviews;

pub(crate) use self::reviews::Reviews;
