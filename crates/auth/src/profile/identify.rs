//! Applies a profile to the claims of a token whose signature is verified.

use std::fmt;
use std::sync::Arc;

use uuid::Uuid;

use super::{Profile, Revocable};
use crate::claim_set::{Claim, ClaimSet};
use crate::derived_id::{self, derived_id};
use crate::error::TokenFault;
use crate::principal::{Principal, Service, ServiceData, SessionIds, User, UserData};

/// The prefix of a media type that may be left out (RFC 7515 §4.1.9).
const APPLICATION: &str = "application/";

/// A token's claims, with what is known about the token apart from them.
pub(crate) struct SignedClaims<'t> {
    /// The payload, of which `claims` are the members.
    pub payload: &'t str,
    pub claims: ClaimSet<'t>,
    /// Whether the signature was made with a shared secret.
    pub is_signed_with_secret: bool,
    /// Whether the token is of the verifier's first issuer.
    pub is_of_first_issuer: bool,
}

impl Profile {
    /// Whether tokens whose header has this `typ` are taken.
    pub(crate) fn takes_type(&self, typ: Option<&str>) -> bool {
        let Some(typ) = typ else {
            return self.types.may_be_absent;
        };
        let subtype = match typ.split_at_checked(APPLICATION.len()) {
            Some((prefix, subtype)) if prefix.eq_ignore_ascii_case(APPLICATION) => subtype,
            _ => typ,
        };
        self.types
            .taken
            .iter()
            .any(|taken| subtype.eq_ignore_ascii_case(taken))
    }

    /// Whether `iss` names the issuer of this name.
    pub(crate) fn is_issuer(&self, iss: &str, name: &str) -> bool {
        iss == name || self.issuer_aliases.iter().any(|alias| alias == iss)
    }

    /// Checks `iss`.
    pub(crate) fn check_issuer(&self, signed: &SignedClaims<'_>, name: &str) -> Result<(), TokenFault> {
        match signed.claims.text("iss")? {
            Some(iss) if self.is_issuer(&iss, name) => Ok(()),
            Some(_) => Err(TokenFault::Issuer),
            None if self.takes_anonymous(signed) => Ok(()),
            None => Err(missing("iss")),
        }
    }

    /// Checks that the token has the claims that this profile requires.
    pub(crate) fn check_required(&self, claims: &ClaimSet<'_>) -> Result<(), TokenFault> {
        for claim in &self.required {
            if claims.at(claim)?.is_none() {
                return Err(missing(claim));
            }
        }
        self.check_required_one(claims)?;
        for (claim, value) in &self.required_values {
            if !claims.at(claim)?.is_some_and(|found| found.is(value)) {
                tracing::debug!(%claim, required = value, "a claim does not have the required value");
                return Err(TokenFault::Claims);
            }
        }
        // The client would have to prove that it has the key (RFC 8705 §3, RFC 9449 §7), which is not checked.
        if claims.named("cnf").is_some() {
            return Err(TokenFault::BoundToKey);
        }
        Ok(())
    }

    fn check_required_one(&self, claims: &ClaimSet<'_>) -> Result<(), TokenFault> {
        let Some(last) = self.required_one_of.last() else {
            return Ok(());
        };
        for claim in &self.required_one_of {
            if claims.at(claim)?.is_some() {
                return Ok(());
            }
        }
        Err(missing(last))
    }

    /// Whether these are the claims of a service, and not of a user.
    pub(crate) fn is_service(&self, claims: &ClaimSet<'_>) -> Result<bool, TokenFault> {
        self.services.has_mark(claims)
    }

    /// Checks the audience, which is one for users and another for services.
    pub(crate) fn check_audience(
        &self,
        signed: &SignedClaims<'_>,
        is_service: bool,
    ) -> Result<(), TokenFault> {
        let accepted = if is_service {
            &self.services.audiences
        } else {
            &self.audiences
        };
        let Some(audience) = signed.claims.at(&self.audience_claim)? else {
            return if !is_service && self.takes_anonymous(signed) {
                Ok(())
            } else {
                Err(missing(&self.audience_claim))
            };
        };
        if accepted.is_empty() {
            return Err(TokenFault::Principal);
        }
        // A token that names its audience elsewhere may have `aud`, too, which must not name others.
        let standard = if self.audience_claim.is_named("aud") {
            None
        } else {
            signed.claims.named("aud")
        };
        for audience in [Some(audience), standard].into_iter().flatten() {
            let names = audience.one_or_many()?;
            if !names.iter().any(|name| accepted.contains(name)) {
                tracing::debug!(audience = ?names, ?accepted, "the token is for another audience");
                return Err(TokenFault::Audience);
            }
        }
        Ok(())
    }

    /// The principal that the claims identify. Everything else is checked separately.
    pub(crate) fn identify(
        &self,
        signed: &SignedClaims<'_>,
        is_service: bool,
        issuer: &Arc<str>,
        expires_at: i64,
    ) -> Result<Principal, TokenFault> {
        let token_id = signed.claims.text("jti")?.unwrap_or_default();
        if token_id.is_empty() && signed.claims.named("jti").is_some() {
            return Err(TokenFault::Claims);
        }
        let token_id = token_id.into_owned();
        if is_service {
            let data = ServiceData {
                issuer: Arc::clone(issuer),
                is_of_first_issuer: signed.is_of_first_issuer,
                name: self.services.name(&signed.claims)?,
                token_id,
                expires_at,
            };
            return Ok(Principal::Service(Service(Arc::new(data))));
        }
        self.user(signed, issuer, token_id, expires_at)
            .map(Principal::User)
    }

    fn user(
        &self,
        signed: &SignedClaims<'_>,
        issuer: &Arc<str>,
        token_id: String,
        expires_at: i64,
    ) -> Result<User, TokenFault> {
        let claims = &signed.claims;
        let subject = claims.at(&self.user_id)?.ok_or_else(|| missing(&self.user_id))?;
        let subject = subject.text_or_number()?.into_owned();
        let id = if self.has_uuids {
            canonical_uuid(&subject).ok_or(TokenFault::Claims)?
        } else if subject.is_empty() {
            return Err(TokenFault::Claims);
        } else {
            derived_id(derived_id::USER, issuer, &subject)
        };
        Ok(UserData {
            issuer: Arc::clone(issuer),
            subject,
            id,
            session: self.session(claims, issuer)?,
            email: self.email(claims)?,
            name: claims.text_at(&self.name)?.unwrap_or_default().into_owned(),
            roles: self.roles(claims)?,
            scope: self.scope(claims)?,
            token_id,
            expires_at,
            application_claims: self.application_claims.read(signed.payload)?,
        }
        .into())
    }

    /// The ids by which the token can be revoked.
    fn session(&self, claims: &ClaimSet<'_>, issuer: &str) -> Result<Option<SessionIds>, TokenFault> {
        if self.revocable == Revocable::No {
            return Ok(None);
        }
        let sid = claims.text("sid")?.ok_or_else(|| missing("sid"))?;
        let id = if self.has_uuids {
            Uuid::parse_str(&sid).map_err(|_| TokenFault::Malformed)?
        } else {
            derived_id(derived_id::SESSION, issuer, &sid)
        };
        let epoch = match self.revocable {
            Revocable::BySessionAndEpoch => {
                let epoch = claims.named("epoch").ok_or_else(|| missing("epoch"))?;
                Some(epoch.integer()?)
            }
            Revocable::BySession | Revocable::No => None,
        };
        Ok(Some(SessionIds { id, epoch }))
    }

    fn email(&self, claims: &ClaimSet<'_>) -> Result<String, TokenFault> {
        let Some(path) = &self.email else {
            return Ok(String::new());
        };
        let is_unverified = claims
            .named("email_verified")
            .is_some_and(|verified| !verified.is("true"));
        let email = claims.text_at(path)?.unwrap_or_default();
        Ok(if is_unverified {
            String::new()
        } else {
            email.into_owned()
        })
    }

    fn roles(&self, claims: &ClaimSet<'_>) -> Result<Vec<String>, TokenFault> {
        let mut roles = Vec::new();
        for path in &self.roles.claims {
            let Some(claim) = claims.at(path)? else { continue };
            let more = if self.roles.takes_either_form {
                claim.one_or_many()?
            } else {
                claim.list()?
            };
            if roles.is_empty() {
                roles = more;
            } else {
                roles.extend(more);
            }
        }
        Ok(roles)
    }

    fn scope(&self, claims: &ClaimSet<'_>) -> Result<String, TokenFault> {
        let mut scope = String::new();
        for path in &self.scopes.claims {
            let Some(claim) = claims.at(path)? else { continue };
            let words = self.words(claim)?;
            if scope.is_empty() {
                scope = words;
            } else {
                scope.push(' ');
                scope.push_str(&words);
            }
        }
        Ok(scope)
    }

    /// Scopes as words separated by spaces.
    fn words(&self, claim: Claim<'_>) -> Result<String, TokenFault> {
        if !self.scopes.takes_either_form || claim.is_string() {
            return Ok(claim.text()?.into_owned());
        }
        let words = claim.list()?;
        if words.iter().any(|word| word.contains(char::is_whitespace)) {
            // Such a word would become two scopes.
            return Err(TokenFault::Malformed);
        }
        Ok(words.join(" "))
    }

    /// Whether a token may lack `iss` and the audience.
    fn takes_anonymous(&self, signed: &SignedClaims<'_>) -> bool {
        self.allows_anonymous_issuer && signed.is_signed_with_secret
    }

    /// Refuses users' tokens.
    pub(crate) fn refuse_users(&mut self) {
        self.audiences.clear();
        self.allows_anonymous_issuer = false;
    }
}

/// Refuses other spellings of an id, such as uppercase, so that ids can be compared as text. Refuses version 8, which derived ids have: an
/// issuer could otherwise give a user the id of another issuer's user.
fn canonical_uuid(text: &str) -> Option<Uuid> {
    let id = Uuid::try_parse(text).ok()?;
    let mut buffer = Uuid::encode_buffer();
    let is_canonical = *id.hyphenated().encode_lower(&mut buffer) == *text;
    (is_canonical && id.get_version_num() != derived_id::VERSION).then_some(id)
}

/// Logs the name of a claim that a token lacks.
fn missing(claim: impl fmt::Display) -> TokenFault {
    tracing::debug!(%claim, "a required claim is missing");
    TokenFault::Missing
}
