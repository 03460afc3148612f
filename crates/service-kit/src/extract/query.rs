//! The query of a URL.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use garde::Validate;
use serde::de::DeserializeOwned;

use crate::problem::RequestError;

/// The query, as a `T` with [`garde`]'s rules. What can't be read or breaks a rule is 400; parameters that `T` does not have
/// are left alone.
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
    let value: T =
        serde_urlencoded::from_str(query).map_err(|error| RequestError::InvalidQuery(error.to_string()))?;
    value.validate().map_err(|report| {
        let told: Vec<_> = report
            .iter()
            .map(|(path, error)| format!("{path} {}", error.message()))
            .collect();
        RequestError::InvalidQuery(told.join(", "))
    })?;
    Ok(value)
}
