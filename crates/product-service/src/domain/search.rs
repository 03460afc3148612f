//! The filters of a product search.

use service_kit::text;
use uuid::Uuid;

/// The filters of a product search. A product matches when it passes every filter that is set.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// A substring of the name or the description, in any case.
    pub text: Option<String>,
    pub owner_id: Option<Uuid>,
    pub ids: Option<Vec<Uuid>>,
}

impl Search {
    /// The text as a `like` pattern for the case-folded columns. Without a text it matches everything.
    pub(crate) fn pattern(&self) -> String {
        text::containing(self.text.as_deref().unwrap_or_default())
    }
}
