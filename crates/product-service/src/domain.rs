//! What a product is, and who may do what with it. No statements, no calls.

mod product;
mod search;

pub(crate) use self::product::{NewProduct, Product, ProductChange, ProductsWrite};
pub(crate) use self::search::Search;
