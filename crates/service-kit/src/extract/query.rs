//! The query of a URL.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use garde::Validate;
use serde::de::DeserializeOwned;

use super::urlencoded::check_encoding;
use crate::problem::RequestError;

/// The query as a `T`, which has [`garde`]'s rules. A query that is malformed or breaks a rule is refused with 400.
/// Parameters that `T` does not have are ignored.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T> FromRequest for Query<T>
where
    T: DeserializeOwned + Validate<Context = ()>,
{
    type Error = RequestError;
    type Future = Ready<Result<Self, RequestError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(parse(request.query_string()).map(Self))
    }
}

fn parse<T: DeserializeOwned + Validate<Context = ()>>(query: &str) -> Result<T, RequestError> {
    let invalid = |reason: &dyn ToString| RequestError::InvalidQuery(reason.to_string());
    check_encoding(query.as_bytes()).map_err(|reason| invalid(&reason))?;
    let value: T = serde_urlencoded::from_str(query).map_err(|error| invalid(&error))?;

    value.validate().map_err(|report| {
        let broken: Vec<_> = report
            .iter()
            .map(|(path, error)| format!("{path} {}", error.message()))
            .collect();
        invalid(&broken.join(", "))
    })?;
    Ok(value)
}
