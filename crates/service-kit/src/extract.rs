//! What handlers take besides the caller: a body, a query, an id in the path. Each refuses what it can't make sense of, in
//! the one shape that all refusals have.

mod body;
mod form;
mod object;
mod path;
mod query;
mod strict;

pub use self::body::{Body, EmptyObject, MAX_BODY_BYTES, OptionalBody};
pub use self::form::Form;
pub use self::object::{given, objects};
pub use self::path::Id;
pub use self::query::Query;
