//! A database for each service, on one PostgreSQL server.

use url::Url;

use crate::config::Configured;

/// Makes the services' databases where they are absent, and tells each service of its own. A service that was told of another
/// keeps that one.
pub(crate) async fn make(server: &Url, services: &mut [Configured]) -> Result<(), DatabaseError> {
    let admin = server.as_str().parse().map_err(|_| DatabaseError::Url)?;
    for service in services.iter_mut().filter(|service| !service.has_own_database) {
        let name = service.name.replace('-', "_");
        db::create_database(&admin, &name)
            .await
            .map_err(DatabaseError::Create)?;
        let mut url = server.clone();
        url.set_path(&name);
        service.set("DATABASE_URL", url);
    }
    Ok(())
}

/// Why there are no databases.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("DATABASE_URL is no PostgreSQL server's")]
    Url,
    #[error("the databases can't be made: {0}")]
    Create(#[source] sqlx::Error),
}
