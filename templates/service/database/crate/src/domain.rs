//! Notes and the rules that govern them. No SQL and no calls to other services.

mod note;

pub(crate) use self::note::{Note, NoteCount, NoteText};
