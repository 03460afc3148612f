//! Reviews and the rules that govern them. No SQL and no calls to other services.

mod review;

pub(crate) use self::review::{NewReview, Review};
