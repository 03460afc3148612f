//! The database tables and their SQL.

mod notes;

pub(crate) use self::notes::Notes;
