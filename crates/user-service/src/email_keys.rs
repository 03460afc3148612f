//! Keeps the stored form of email addresses up to date: computes, at start, what SQL can't. See
//! `docs/decisions/0011-email-comparison.md`.

use db::{Db, Tx};
use service_kit::text;
use uuid::Uuid;

use crate::domain::EmailAddress;
use crate::store::{EmailKeys, NewKey, UnkeyedAccount};

/// Accounts per transaction.
const BATCH: i64 = 1_000;
/// The most accounts with a shared address that one start reports.
const MAX_REPORTED: i64 = 200;

/// Gives each account without a comparison key its key, and logs the ids of accounts that share one. Such accounts stay as
/// they are. Each step can be repeated, so replicas may start together and a start may be interrupted.
pub(crate) async fn bring_up_to_date(db: &Db) -> Result<(), sqlx::Error> {
    while db.transaction(async |tx: &mut Tx| fill_batch(tx).await).await? > 0 {}
    let replace = async |tx: &mut Tx| EmailKeys(tx).replace_old(BATCH).await;
    while db.transaction(replace).await? > 0 {}

    for ids in shared(db).await? {
        let ids: Vec<_> = ids.iter().map(Uuid::to_string).collect();
        tracing::warn!(
            user.ids = ids.join(", "),
            "accounts share one email address: each can log in only with its own spelling of it"
        );
    }
    Ok(())
}

async fn fill_batch(tx: &mut Tx) -> Result<usize, sqlx::Error> {
    let unkeyed = EmailKeys(tx).missing(BATCH).await?;
    let keys: Vec<_> = unkeyed.iter().map(new_key).collect();
    EmailKeys(tx).fill(&keys).await?;
    Ok(keys.len())
}

fn new_key(account: &UnkeyedAccount) -> NewKey {
    let email = EmailAddress::parse_existing(&account.email);
    NewKey {
        id: account.id,
        // An address that was not written by this service keeps the key that it came with.
        comparison_key: email.map_or_else(|_| account.email_key.clone(), |email| email.key().to_owned()),
        email_folded: text::fold(&account.email),
    }
}

/// The groups of accounts that share a comparison key. An account that is alone with its key is left out: it keeps its old
/// key only because another account still has the new one.
async fn shared(db: &Db) -> Result<Vec<Vec<Uuid>>, sqlx::Error> {
    let rows = EmailKeys(&mut db.read().await?).shared(MAX_REPORTED).await?;
    Ok(rows
        .chunk_by(|one, other| one.0 == other.0)
        .filter(|group| group.len() > 1)
        .map(|group| group.iter().map(|(_, id)| *id).collect())
        .collect())
}
