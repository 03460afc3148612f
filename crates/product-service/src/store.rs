//! The database tables and their SQL.

mod products;

pub(crate) use self::products::Products;
