//! Paged lists, newest item first. A cursor names the last item of the page before, so the next page is right although rows
//! were added or deleted in between.

use std::fmt;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::problem::RequestError;

/// The page that a client asks for, from the query parameters `limit` and `cursor`. Both are optional; an invalid one is
/// refused with 400. A handler takes it as an argument, beside a [`Query`](crate::Query) for filters:
///
/// ```
/// use auth::Anyone;
/// use service_kit::{Page, Paging};
/// use uuid::Uuid;
///
/// /// Documented with `params(Paging)`.
/// #[utoipa::path(get, path = "/numbers", params(Paging), responses((status = 200, body = Page<Uuid>)))]
/// async fn list(_: Anyone, paging: Paging) -> actix_web::web::Json<Page<Uuid>> {
///     let before = paging.cursor.below().as_u128();
///     let rows = (1..before.min(1_000)).rev().take(paging.limit().rows() as usize);
///     actix_web::web::Json(Page::of(rows.map(Uuid::from_u128).collect(), paging.limit(), |id| *id))
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Paging {
    /// Maximum number of items on the page.
    #[param(value_type = Option<u8>, minimum = 1, maximum = 100, default = 20)]
    limit: Option<Limit>,
    /// The `next_cursor` of the page before. The first page has none.
    #[serde(default)]
    #[param(value_type = Option<String>, max_length = 22, pattern = "^[A-Za-z0-9_-]+$")]
    pub cursor: Cursor,
}

impl Paging {
    /// The requested limit, or 20.
    #[must_use]
    pub fn limit(self) -> Limit {
        self.limit_or(Limit::default())
    }

    /// The requested limit, or another default.
    #[must_use]
    pub fn limit_or(self, default: Limit) -> Limit {
        self.limit.unwrap_or(default)
    }

    fn parse(query: &str) -> Result<Self, RequestError> {
        serde_urlencoded::from_str(query).map_err(|error| RequestError::InvalidQuery(error.to_string()))
    }
}

impl FromRequest for Paging {
    type Error = RequestError;
    type Future = Ready<Result<Self, RequestError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::parse(request.query_string()))
    }
}

/// The maximum number of items on a page: 1 to 100. Defaults to 20.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u8);

impl Limit {
    /// The largest limit.
    pub const MAX: Self = Self(100);

    /// How many rows to select: one more than the page has, to learn whether there is another page.
    #[must_use]
    pub fn rows(self) -> i64 {
        i64::from(self.0) + 1
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(20)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = u8::deserialize(deserializer)
            .ok()
            .filter(|limit| (1..=Self::MAX.0).contains(limit));
        limit
            .map(Self)
            .ok_or_else(|| serde::de::Error::custom("limit must be a number from 1 to 100"))
    }
}

/// The position from which a page starts: after the row with this id. To clients it is opaque.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(Uuid);

impl Cursor {
    /// The start of the first page: before all rows.
    pub const START: Self = Self(Uuid::max());

    /// The rows of the page have ids below this one.
    #[must_use]
    pub fn below(self) -> Uuid {
        self.0
    }
}

impl Default for Cursor {
    fn default() -> Self {
        Self::START
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl<'de> Deserialize<'de> for Cursor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = URL_SAFE_NO_PAD
            .decode(String::deserialize(deserializer)?)
            .unwrap_or_default();
        let id = Uuid::from_slice(&bytes);
        id.map(Self)
            .map_err(|_| serde::de::Error::custom("cursor must be the next_cursor of an earlier page"))
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, newest first.
    #[schema(max_items = 100)]
    pub items: Vec<T>,
    /// The `cursor` of the next page. Null on the last page.
    #[schema(required = true, max_length = 22, pattern = "^[A-Za-z0-9_-]+$")]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of up to [`Limit::rows`] rows. A row beyond the limit only shows that there is another page.
    #[must_use]
    pub fn of(mut rows: Vec<T>, limit: Limit, id: impl Fn(&T) -> Uuid) -> Self {
        let has_next = rows.len() > usize::from(limit.0);
        rows.truncate(usize::from(limit.0));
        let next_cursor = rows
            .last()
            .filter(|_| has_next)
            .map(|last| Cursor(id(last)).to_string());
        Self {
            items: rows,
            next_cursor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_a_number_from_1_to_100() {
        let limit = |query: &str| Paging::parse(query).map(Paging::limit);
        assert_eq!(limit("").unwrap().rows(), 21);
        assert_eq!(limit("limit=1").unwrap().rows(), 2);
        assert_eq!(limit("limit=100").unwrap().rows(), 101);
        for wrong in ["0", "101", "256", "-1", "1.5", "ten", "", "99999999999999999999"] {
            let error = limit(&format!("limit={wrong}")).unwrap_err().to_string();
            assert_eq!(
                error,
                "The query is invalid: limit must be a number from 1 to 100."
            );
        }
    }

    #[test]
    fn a_list_may_have_another_default_limit() {
        let limit = |query: &str| Paging::parse(query).unwrap().limit_or(Limit::MAX).rows();
        assert_eq!(limit(""), 101);
        assert_eq!(limit("limit=7"), 8);
    }

    #[test]
    fn both_parameters_are_documented_as_optional_and_in_the_query() {
        let parameters = Paging::into_params(|| None);
        let parameters = serde_json::to_value(parameters).unwrap();
        for (index, name, schema) in [(0, "limit", "integer"), (1, "cursor", "string")] {
            let parameter = &parameters[index];
            assert_eq!(parameter["name"], name);
            assert_eq!(parameter["in"], "query", "{parameter}");
            assert_eq!(parameter["required"], false, "{parameter}");
            assert_eq!(parameter["schema"]["type"], schema, "{parameter}");
        }
        let limit = &parameters[0]["schema"];
        assert_eq!(
            [&limit["minimum"], &limit["maximum"], &limit["default"]],
            [1, 100, 20]
        );
    }

    #[test]
    fn a_cursor_comes_from_an_earlier_page() {
        let id = Uuid::from_u128(7);
        let page = Page::of(vec![id; 21], Limit::default(), |id| *id);
        assert_eq!(page.items.len(), 20);
        let cursor = page.next_cursor.unwrap();
        let read =
            |cursor: &str| Paging::parse(&format!("cursor={cursor}")).map(|paging| paging.cursor.below());
        assert_eq!(read(&cursor), Ok(id));
        for wrong in [
            "",
            "x",
            "AAAA",
            "00000000-0000-0000-0000-000000000007",
            &format!("{cursor}="),
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_duplicate_parameter_is_refused_and_filters_are_ignored() {
        assert!(Paging::parse("limit=1&limit=2").is_err());
        assert!(Paging::parse("cursor=&cursor=").is_err());
        assert_eq!(Paging::parse("q=a&q=b&status=x"), Ok(Paging::default()));
    }

    #[test]
    fn the_last_page_has_no_next_cursor() {
        let page = Page::of(vec![Uuid::nil(); 20], Limit::default(), |id| *id);
        assert_eq!((page.items.len(), page.next_cursor), (20, None));
    }
}
