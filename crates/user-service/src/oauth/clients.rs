//! OAuth clients: the services that may request, introspect and revoke tokens. A client authenticates with its client secret.

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use auth::{Access, Policy};
use chrono::{DateTime, Utc};
use db::{Db, Tx};
use service_kit::{RegisteredService, Registry};

use super::basic;
use super::configured_clients::ClientSecretHashes;
use super::error::OAuthError;
use crate::domain::SecretHash;
use crate::store::ClientRows;

/// All clients, in memory: issuing a service token needs no database query, and works while the database is unavailable.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    by_name: Arc<HashMap<String, (SecretHash, Arc<RegisteredService>)>>,
}

impl Clients {
    /// Replaces the stored secret hashes by the configured hashes, and loads them. A service without a configured secret can no
    /// longer get tokens.
    pub(crate) async fn sync(
        db: &Db,
        registry: &Registry,
        secrets: &ClientSecretHashes,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let stored = db
            .transaction(async |tx: &mut Tx| {
                for (name, hash) in secrets.iter() {
                    ClientRows(tx).put(name, hash, now).await?;
                }
                for (name, _) in ClientRows(tx).all().await? {
                    if !secrets.contains(&name) {
                        ClientRows(tx).remove(&name).await?;
                    }
                }
                ClientRows(tx).all().await
            })
            .await?;

        warn_of_missing_secrets(registry, secrets);
        let client = |(name, hash): (String, Vec<u8>)| {
            let service = Arc::new(registry.find(&name)?.clone());
            Some((name, (SecretHash::from_bytes(&hash)?, service)))
        };
        Ok(Self {
            by_name: Arc::new(stored.into_iter().filter_map(client).collect()),
        })
    }

    fn authenticate(&self, name: &str, secret: &str) -> Option<Client> {
        let known = self.by_name.get(name);
        // The secret of an unknown client is compared, too, so that the response takes the same time as for a known client.
        let hash = known.map_or(SecretHash::UNKNOWN_CLIENT, |(hash, _)| *hash);
        let matches = hash.matches(secret);
        known
            .filter(|_| matches)
            .map(|(_, service)| Client(Arc::clone(service)))
    }
}

fn warn_of_missing_secrets(registry: &Registry, secrets: &ClientSecretHashes) {
    for service in registry.callers() {
        if !secrets.contains(&service.name) {
            let variable = format!("{}_SECRET", service.variable_prefix());
            tracing::warn!(
                service = service.name,
                "{variable} is not set: this service can't get tokens"
            );
        }
    }
}

/// A service that authenticated with its client secret (RFC 6749 §2.3.1). Only [`FromRequest`] creates a `Client`.
#[derive(Clone, Debug)]
pub(crate) struct Client(Arc<RegisteredService>);

impl Client {
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether the client may get tokens for this audience.
    pub(crate) fn may_call(&self, audience: &str) -> bool {
        self.0.may_call(audience)
    }
}

impl Access for Client {
    const POLICY: Policy = Policy::Custom("client_basic");
}

impl FromRequest for Client {
    type Error = OAuthError;
    /// Ready at once, so that an unauthenticated client is refused before its body is read.
    type Future = Ready<Result<Self, OAuthError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let clients = request.app_data::<Data<Clients>>();
        ready(basic::credentials(request.headers()).and_then(|(name, secret)| {
            clients
                .and_then(|clients| clients.authenticate(&name, &secret))
                .ok_or(OAuthError::InvalidClient)
        }))
    }
}
