//! Database URLs: `sqlite:path` or `postgres://…`.

use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// The URL of a database. It may contain a password, so `Debug` shows only the engine.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file. It is created if it is missing.
    Sqlite(PathBuf),
    /// A server. Without a database name in the URL, it is the database that is named after the user.
    Postgres(Box<PgConnectOptions>),
}

/// The text is not a database URL of either engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {}", DatabaseUrl::FORM)]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// The form of a database URL, for error messages.
    pub const FORM: &str = "`sqlite:<path>` or `postgres://<user>:<password>@<host>/<database>`";

    /// Whether the URL names a database, not only a server.
    #[must_use]
    pub fn names_a_database(&self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(options) => options.get_database().is_some_and(|name| !name.is_empty()),
        }
    }
}

impl FromStr for DatabaseUrl {
    type Err = InvalidDatabaseUrl;

    fn from_str(url: &str) -> Result<Self, InvalidDatabaseUrl> {
        if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            let is_a_file = !path.is_empty() && !path.starts_with(':') && !path.contains('?');
            return if is_a_file {
                Ok(Self::Sqlite(path.into()))
            } else {
                Err(InvalidDatabaseUrl)
            };
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return url
                .parse()
                .map(|options| Self::Postgres(Box::new(options)))
                .map_err(|_| InvalidDatabaseUrl);
        }
        Err(InvalidDatabaseUrl)
    }
}

impl std::fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.debug_tuple("Postgres").finish_non_exhaustive(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_of_both_engines_are_parsed() {
        assert!(
            matches!("sqlite:data/a.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if path.as_os_str() == "data/a.db")
        );
        assert!(
            matches!("sqlite:///tmp/a.db".parse(), Ok(DatabaseUrl::Sqlite(path)) if path.as_os_str() == "/tmp/a.db")
        );
        let named: DatabaseUrl = "postgres://ada@localhost/shop".parse().unwrap();
        assert!(named.names_a_database());
        let server: DatabaseUrl = "postgresql://ada@localhost:5433".parse().unwrap();
        assert!(!server.names_a_database());
    }

    #[test]
    fn other_urls_are_refused() {
        for url in [
            "",
            "sqlite:",
            "sqlite::memory:",
            "sqlite:a?mode=ro",
            "mysql://localhost/a",
            "/data/a.db",
        ] {
            assert_eq!(
                url.parse::<DatabaseUrl>().err(),
                Some(InvalidDatabaseUrl),
                "{url}"
            );
        }
    }

    #[test]
    fn debug_does_not_show_the_password() {
        let url: DatabaseUrl = "postgres://ada:hunter2@localhost/shop".parse().unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
