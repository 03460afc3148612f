//! The errors of this service, and the responses to them.

use actix_web::http::StatusCode;
use service_kit::{CommonError, Problem, problem};

#[derive(Debug, thiserror::Error)]
pub(crate) enum NoteError {
    #[error("You have not written a note.")]
    NotFound,
    #[error(transparent)]
    Common(#[from] CommonError),
}

impl Problem for NoteError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotFound => (StatusCode::NOT_FOUND, "note_not_found"),
            Self::Common(error) => error.parts(),
        }
    }
}
problem!(NoteError, Common);
