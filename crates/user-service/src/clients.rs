//! The services that may ask about tokens and for tokens of their own, each known by a secret.

mod basic;
mod secret;

use std::collections::HashMap;
use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use auth::{Access, Policy};
use chrono::{DateTime, Utc};
use db::Db;
use service_kit::{Register, RegisteredService};

pub use self::secret::ClientSecrets;
pub(crate) use self::secret::SecretHash;
use crate::NAME;
use crate::oauth::OAuthError;
use crate::store::ClientRows;

/// All clients, in memory, so that a token costs no statement and a database that is away stops no service.
#[derive(Clone, Debug)]
pub(crate) struct Clients {
    by_name: Arc<HashMap<String, (SecretHash, Arc<RegisteredService>)>>,
}

impl Clients {
    /// Puts the secrets of this start in place of those that are stored, and takes what is stored from now on. A service that
    /// has none any more can't get tokens any more.
    pub(crate) async fn store(
        db: &Db,
        secrets: &ClientSecrets,
        now: DateTime<Utc>,
    ) -> Result<Self, sqlx::Error> {
        let stored = db
            .transaction(async |tx| {
                for (name, hash) in secrets.iter() {
                    ClientRows(tx).put(name, hash, now).await?;
                }
                for (name, _) in ClientRows(tx).all().await? {
                    if !secrets.have(&name) {
                        ClientRows(tx).remove(&name).await?;
                    }
                }
                ClientRows(tx).all().await
            })
            .await?;
        let register = Register::built_in();
        for service in register
            .iter()
            .filter(|service| service.name != NAME && !secrets.have(&service.name))
        {
            let variable = format!("{}_SECRET", service.variable_prefix());
            tracing::warn!(service = service.name, "can't get tokens: {variable} is not set");
        }
        let registered = |(name, hash): (String, Vec<u8>)| {
            let service = Arc::new(register.find(&name)?.clone());
            Some((name, (SecretHash::read(&hash)?, service)))
        };
        Ok(Self {
            by_name: Arc::new(stored.into_iter().filter_map(registered).collect()),
        })
    }

    fn authenticate(&self, name: &str, secret: &str) -> Option<Client> {
        let known = self.by_name.get(name);
        // A stranger is compared as long as anybody.
        let hash = known.map_or(SecretHash::NOBODYS, |(hash, _)| *hash);
        let matches = hash.is_of(secret);
        known
            .filter(|_| matches)
            .map(|(_, service)| Client(Arc::clone(service)))
    }
}

/// A service that has shown its secret (RFC 6749 §2.3.1): who holds one holds a proof.
#[derive(Clone, Debug)]
pub(crate) struct Client(Arc<RegisteredService>);

impl Client {
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it may have tokens for this audience.
    pub(crate) fn may_call(&self, audience: &str) -> bool {
        self.0.may_call(audience)
    }
}

impl Access for Client {
    const POLICY: Policy = Policy::Custom("client");
}

impl FromRequest for Client {
    type Error = OAuthError;
    /// At once, so that a stranger's body is not read.
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
