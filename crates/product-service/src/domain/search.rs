//! What somebody looks for.

use service_kit::text;
use uuid::Uuid;

/// What somebody looks for. All that is given has to hold.
#[derive(Debug, Default)]
pub(crate) struct Search {
    pub text: Option<String>,
    pub owner_id: Option<Uuid>,
    pub ids: Option<Vec<Uuid>>,
}

impl Search {
    /// The text as a `like` pattern over folded columns.
    pub(crate) fn pattern(&self) -> String {
        text::containing(self.text.as_deref().unwrap_or_default())
    }
}
