//! The verifiers that follow the feed: those whose streams are open in this process, those that report their keys, and this process
//! itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use db::{Conn, Tx};
use uuid::Uuid;

use super::KeyRotation;
use crate::domain::{KeyIds, KnownVerifier, NAME};
use crate::store::VerifierRows;

/// The open streams of this process: how many each verifier has. In order, so that all transactions lock rows in the same order.
#[derive(Clone, Debug, Default)]
pub(super) struct OpenStreams(Arc<Mutex<BTreeMap<Reader, usize>>>);

/// The service and the instance of a verifier.
type Reader = (String, Uuid);

/// A stream of a verifier. The verifier counts until this value is dropped, and a few minutes more.
#[derive(Debug)]
pub(crate) struct OpenStream {
    streams: OpenStreams,
    reader: Reader,
}

impl OpenStreams {
    fn open(&self, reader: Reader) -> OpenStream {
        *self.lock().entry(reader.clone()).or_default() += 1;
        OpenStream {
            streams: self.clone(),
            reader,
        }
    }

    fn readers(&self) -> Vec<Reader> {
        self.lock().keys().cloned().collect()
    }

    // A poisoned lock is safe to use: no method can panic with the map half-written.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<Reader, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let mut streams = self.streams.lock();
        if let Some(count) = streams.get_mut(&self.reader) {
            *count -= 1;
            if *count == 0 {
                streams.remove(&self.reader);
            }
        }
    }
}

impl KeyRotation {
    /// Records that a verifier opened a stream. From now on rotations wait for it, even if it never reports its keys. If the database
    /// can't be written, the stream opens all the same, and the verifier is recorded within a minute.
    pub(crate) async fn open_stream(&self, service: &str, instance: Uuid) -> Option<OpenStream> {
        if self.keys().is_shared_secret() {
            return None;
        }
        let stream = self.streams.open((service.to_owned(), instance));
        if let Err(error) = self.see(service, instance).await {
            tracing::warn!(%error, "a verifier can't be recorded");
        }
        Some(stream)
    }

    async fn see(&self, service: &str, instance: Uuid) -> Result<(), sqlx::Error> {
        let mut conn = self.db.write().await?;
        VerifierRows(&mut conn)
            .see(service, instance, self.clock.now())
            .await
    }

    /// Records which keys a verifier holds. A rotation may have waited for this.
    pub(crate) async fn record_report(
        &self,
        service: &str,
        instance: Uuid,
        kids: &[String],
    ) -> Result<(), sqlx::Error> {
        if self.keys().is_shared_secret() {
            return Ok(());
        }
        let verifier = KnownVerifier {
            service: service.to_owned(),
            instance,
            kids: KeyIds::of(kids.iter().map(String::as_str)),
        };
        let mut conn = self.db.write().await?;
        VerifierRows(&mut conn)
            .report(&verifier, self.clock.now())
            .await?;
        self.reported.notify_one();
        Ok(())
    }

    /// Records that this process no longer verifies tokens.
    pub(crate) async fn leave(&self) {
        let delete = async |tx: &mut Tx| VerifierRows(tx).delete(NAME, self.instance).await;
        if let Err(error) = self.db.transaction(delete).await {
            tracing::debug!(%error, "this verifier can't be deleted; it expires");
        }
    }

    /// Records the verifiers that this process knows. Logs a failure.
    pub(super) async fn record_verifiers(&self) {
        let record = async |tx: &mut Tx| self.see_verifiers(tx, self.clock.now()).await;
        if let Err(error) = self.db.transaction(record).await {
            tracing::warn!(%error, "the verifiers can't be recorded");
        }
    }

    /// Records the verifiers that this process knows.
    pub(super) async fn see_verifiers(&self, conn: &mut Conn, now: DateTime<Utc>) -> Result<(), sqlx::Error> {
        for (service, instance) in self.streams.readers() {
            VerifierRows(conn).see(&service, instance, now).await?;
        }
        let own = KnownVerifier {
            service: NAME.to_owned(),
            instance: self.instance,
            kids: self.keys().kids(),
        };
        VerifierRows(conn).report(&own, now).await
    }
}
