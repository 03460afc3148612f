//! Which database: `sqlite:path` or `postgres://…`.

use std::path::PathBuf;
use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

/// A database's address. It may hold a password, so `Debug` shows the engine alone.
#[derive(Clone)]
pub enum DatabaseUrl {
    /// A file, made where there is none.
    Sqlite(PathBuf),
    /// A server. Without a database's name, the user's own database.
    Postgres(Box<PgConnectOptions>),
}

/// Not a database URL of either engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be {}", DatabaseUrl::FORM)]
pub struct InvalidDatabaseUrl;

impl DatabaseUrl {
    /// What a database URL looks like, for whoever got it wrong.
    pub const FORM: &str = "`sqlite:<path>` or `postgres://<user>:<password>@<host>/<database>`";

    /// Whether it names a database, as opposed to a server alone.
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
    fn each_engine_has_its_form() {
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
    fn anything_else_is_refused() {
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
    fn a_password_is_never_printed() {
        let url: DatabaseUrl = "postgres://ada:hunter2@localhost/shop".parse().unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
    }
}
