//! Products and the rules that govern them. No SQL and no calls to other services.

mod product;
mod search;

pub(crate) use self::product::{NewProduct, Product, ProductChange, ProductsWrite};
pub(crate) use self::search::Search;
