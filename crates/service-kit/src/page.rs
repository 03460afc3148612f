//! Lists in pages, newest first, by a cursor that stays right while rows come and go.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// How many items a page has: 1 to 100, and 20 unless asked otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit(u8);

impl Limit {
    /// The most that can be asked for.
    pub const MAX: Self = Self(100);

    /// How many rows to ask the database for: one more than a page, to know whether there is another.
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

/// Where a page begins: behind the row of this id. To clients it is an opaque word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor(Uuid);

impl Cursor {
    /// The first page's: before every row there is.
    pub const START: Self = Self(Uuid::max());

    /// Rows of the page have ids below this one.
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
            .map_err(|_| serde::de::Error::custom("cursor must be the next_cursor of an earlier answer"))
    }
}

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items, newest first.
    pub items: Vec<T>,
    /// The `cursor` of the next page, or null where this is the last.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The page that [`Limit::rows`] rows make, of which the last only tells that there are more.
    #[must_use]
    pub fn of(mut rows: Vec<T>, limit: Limit, id: impl Fn(&T) -> Uuid) -> Self {
        let more = rows.len() > usize::from(limit.0);
        rows.truncate(usize::from(limit.0));
        let next_cursor = rows
            .last()
            .filter(|_| more)
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

    #[derive(Deserialize)]
    struct Paging {
        #[serde(default)]
        limit: Limit,
        #[serde(default)]
        cursor: Cursor,
    }

    fn read(query: &str) -> Result<(Limit, Cursor), String> {
        let paging: Paging = serde_urlencoded::from_str(query).map_err(|error| error.to_string())?;
        Ok((paging.limit, paging.cursor))
    }

    #[test]
    fn a_limit_is_a_number_from_1_to_100() {
        assert_eq!(read("").unwrap().0.rows(), 21);
        assert_eq!(read("limit=1").unwrap().0.rows(), 2);
        assert_eq!(read("limit=100").unwrap().0.rows(), 101);
        for wrong in ["0", "101", "256", "-1", "1.5", "ten", "", "99999999999999999999"] {
            assert!(read(&format!("limit={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cursor_is_what_an_earlier_page_gave() {
        let id = Uuid::from_u128(7);
        let page = Page::of(vec![id; 21], Limit::default(), |id| *id);
        assert_eq!(page.items.len(), 20);
        let cursor = page.next_cursor.unwrap();
        assert_eq!(read(&format!("cursor={cursor}")).unwrap().1.below(), id);
        for wrong in [
            "",
            "x",
            "AAAA",
            "00000000-0000-0000-0000-000000000007",
            &format!("{cursor}="),
        ] {
            assert!(read(&format!("cursor={wrong}")).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_last_page_says_so() {
        let page = Page::of(vec![Uuid::nil(); 20], Limit::default(), |id| *id);
        assert_eq!((page.items.len(), page.next_cursor), (20, None));
    }
}
