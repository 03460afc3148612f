//! How products are kept.

mod products;

pub(crate) use self::products::Products;
