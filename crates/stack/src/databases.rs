//! Creates a database for each service on one PostgreSQL server.

use url::Url;

use crate::config::ServiceConfig;

/// Creates the missing databases, and sets the `DATABASE_URL` of each service that needs one.
pub(crate) async fn create(server: &Url, services: &mut [ServiceConfig]) -> Result<(), DatabaseError> {
    let admin = server.as_str().parse().map_err(|_| DatabaseError::Url)?;
    for service in services.iter_mut().filter(|service| service.needs_database) {
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

/// Why the databases could not be created.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DatabaseError {
    #[error("DATABASE_URL is not the URL of a PostgreSQL server")]
    Url,
    #[error("the databases can't be created: {0}")]
    Create(#[source] sqlx::Error),
}
