//! What a login and a refresh have in common: a session, and the pair of tokens that is given for it.

use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, HeaderValue};
use auth::{Claims, Revocations};
use chrono::{DateTime, Utc};
use db::{Conn, Db};
use serde::Serialize;
use service_kit::id;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::call::Call;
use crate::config::Lifetimes;
use crate::domain::{Account, RefreshToken, Successors, User};
use crate::endings::{LEEWAY, TakingBack};
use crate::error::UserError;
use crate::mint::Mint;
use crate::rotations::{Rotated, Rotations};
use crate::store::{BorneSession, NewSession, Rotation, Session, Sessions, Users};

/// So many sessions a person may have at a time.
const SESSIONS: i64 = 100;

/// Opens sessions, carries them on and ends them. One for the whole service.
#[derive(Clone, Debug)]
pub(crate) struct Logins {
    pub mint: Mint,
    pub lifetimes: Lifetimes,
    pub successors: Successors,
    pub rotations: Rotations,
    /// What this service's own verifier asks.
    pub revocations: Revocations,
}

/// An access token, and what gets the next one (RFC 6749 §5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenPair {
    access_token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds until the access token ends.
    expires_in: i64,
    refresh_token: String,
    /// Seconds until the refresh token ends, unless it is used before.
    refresh_expires_in: i64,
    /// What the access token is good for: words separated by spaces.
    scope: String,
    user: User,
}

impl TokenPair {
    /// 200, and nobody keeps a copy on the way (RFC 6749 §5.1).
    pub(crate) fn respond(&self) -> HttpResponse {
        HttpResponse::Ok()
            .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
            .json(self)
    }
}

/// What came of showing a refresh token.
pub(crate) enum Refreshed {
    /// The next pair.
    Pair(TokenPair),
    /// It was replaced before, and its successor may be in other hands: the session has to end.
    Replayed(Session),
}

impl Logins {
    /// Opens a session for a person whose password was just right, unless they were disabled, or got another password, since it
    /// was compared. Where they have too many, those that were used least lately are ended.
    pub(crate) async fn open(
        &self,
        conn: &mut Conn,
        compared: &Account,
        call: &Call,
    ) -> Result<(TokenPair, TakingBack), UserError> {
        let now = call.at();
        let confirmed = Users(conn)
            .confirm(compared.id, compared.password_hash.as_deref())
            .await?;
        let account = confirmed.ok_or(UserError::InvalidCredentials)?;
        Sessions(conn).forget_old(account.id, now, now - LEEWAY).await?;
        // What an end of all has to do has a bound.
        let taking_back = self.end_more_than(conn, account.id, SESSIONS - 1, now).await?;

        let token = RefreshToken::generate()?;
        let expires_at = now + self.lifetimes.session;
        let token_expires_at = expires_at.min(now + self.lifetimes.refresh);
        let session = id::new(now);
        let new = NewSession {
            id: session,
            user_id: account.id,
            token: &token,
            now,
            token_expires_at,
            expires_at,
            access_expires_at: self.lifetimes.access_expires_at(now),
            ip: &call.ip().unwrap_or_default(),
            user_agent: call.user_agent.as_deref().unwrap_or_default(),
        };
        Sessions(conn).open(&new).await?;
        Ok((
            self.pair(account, session, &token, token_expires_at, now)?,
            taking_back,
        ))
    }

    /// Carries a session on. Of any number of calls with one token, one rotates it, and for a moment all the others get the
    /// very same successor.
    pub(crate) async fn refresh(&self, token: &RefreshToken, call: &Call) -> Result<Refreshed, UserError> {
        // A call is judged by when it came, however long it has to wait.
        let at = call.at();
        let nonce = Successors::nonce()?;
        let rotation = Rotation {
            family_hash: token.family_hash(),
            token_hash: token.hash(),
            successor_hash: self.successors.of(token, &nonce).hash(),
            nonce,
            ip: call.ip().unwrap_or_default(),
            user_agent: call.user_agent.clone().unwrap_or_default(),
        };
        let Rotated { session, now } = self.rotations.rotate(rotation).await?;
        let Some(BorneSession { session, bearer }) = session.filter(|borne| borne.session.is_live(now))
        else {
            return Err(UserError::InvalidRefreshToken);
        };
        match &session.rotation_nonce {
            Some(nonce) if session.was_just_replaced(token, at, self.lifetimes.grace) => {
                if bearer.disabled {
                    return Err(UserError::InvalidRefreshToken);
                }
                let successor = self.successors.of(token, nonce);
                self.pair(bearer, session.id, &successor, session.token_expires_at, at)
                    .map(Refreshed::Pair)
            }
            _ => Ok(Refreshed::Replayed(session)),
        }
    }

    /// The session that a refresh with this token would carry on now.
    pub(crate) async fn find_refreshable(
        &self,
        conn: &mut Conn,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Session>, sqlx::Error> {
        let session = Sessions(conn).find_by_token(token).await?.filter(|session| {
            session.is_live(now)
                && (session.is_newest(token) || session.was_just_replaced(token, now, self.lifetimes.grace))
        });
        let Some(session) = session else { return Ok(None) };
        Ok(Sessions(conn).bearer(session.id).await?.map(|_| session))
    }

    /// The session that whoever shows this token may end: with the newest one or the one before, since they may have missed the
    /// last answer.
    pub(crate) async fn find_endable(
        &self,
        conn: &mut Conn,
        token: &RefreshToken,
        now: DateTime<Utc>,
    ) -> Result<Option<Uuid>, sqlx::Error> {
        let session = Sessions(conn).find_by_token(token).await?.filter(|session| {
            session.is_newest(token) || session.was_just_replaced(token, now, self.lifetimes.session)
        });
        Ok(session.map(|session| session.id))
    }

    /// Whoever a token that was good when it was signed speaks for, if it was not taken back since: the database knows. `None`
    /// for a service's, too.
    pub(crate) async fn bearer(&self, db: &Db, claims: &Claims) -> Result<Option<Account>, sqlx::Error> {
        let (Some(session), Some(epoch), false) = (claims.sid, claims.epoch, claims.is_service()) else {
            return Ok(None);
        };
        let account = Sessions(&mut db.read().await?).bearer(session).await?;
        Ok(account.filter(|account| account.epoch == epoch && account.id.to_string() == claims.sub))
    }

    fn pair(
        &self,
        account: Account,
        session: Uuid,
        token: &RefreshToken,
        token_expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<TokenPair, UserError> {
        Ok(TokenPair {
            access_token: self.mint.access_token(&account, session, now)?,
            token_type: "Bearer",
            expires_in: self.mint.life.num_seconds(),
            refresh_token: token.encode(),
            refresh_expires_in: (token_expires_at - now).num_seconds(),
            scope: self.mint.scope_of(&account),
            user: account.into(),
        })
    }
}
