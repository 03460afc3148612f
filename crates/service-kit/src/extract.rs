//! Handler arguments besides the caller: a body, a query, an id in the path. Invalid input becomes problem details.

mod body;
mod form;
mod id;
mod object;
mod query;
mod serde_error;
mod strict;
mod urlencoded;

pub use self::body::{Body, EmptyObject, MAX_BODY_BYTES, OptionalBody};
pub use self::form::Form;
pub use self::id::{Id, InvalidId, canonical_uuid};
pub use self::object::{non_null, object_list};
pub use self::query::Query;
