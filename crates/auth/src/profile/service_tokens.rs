//! Service tokens: how a profile distinguishes them from users' tokens, and reads the service's name.

use crate::claim_path::ClaimPath;
use crate::claim_set::ClaimSet;
use crate::error::TokenFault;

/// A mark that only service tokens have: those that a client got for itself, without a user (RFC 6749 §4.4).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServiceMark {
    /// `sub` equals this claim, which holds the client's id. RFC 9068 §2.2 requires that.
    SubjectIs(ClaimPath),
    /// The claim is present.
    Has(ClaimPath),
    /// The claim is absent.
    Lacks(ClaimPath),
    /// The claim is this text.
    Value(ClaimPath, String),
    /// The claim is a text that begins like this.
    Prefix(ClaimPath, String),
    /// The claim is a text that ends like this.
    Suffix(ClaimPath, String),
}

/// The part of a profile that is about service tokens.
#[derive(Clone, Debug)]
pub(super) struct ServiceTokens {
    /// Empty if services are not admitted.
    pub audiences: Vec<String>,
    pub marks: Vec<ServiceMark>,
    pub name: ClaimPath,
    /// The end of the claim that is not part of the name.
    pub name_suffix: &'static str,
    /// A character that no name has.
    pub not_in_name: Option<char>,
    /// The claims that a service token must have.
    pub required: Vec<ClaimPath>,
    /// The claims that a service token must not have.
    pub forbidden: Vec<ClaimPath>,
    /// A value that a service token must have.
    pub required_value: Option<(ClaimPath, String)>,
}

impl ServiceMark {
    fn is_on(&self, claims: &ClaimSet<'_>) -> Result<bool, TokenFault> {
        Ok(match self {
            Self::SubjectIs(client) => match claims.text_at(client)? {
                Some(client) => claims.text("sub")?.is_some_and(|subject| subject == client),
                None => false,
            },
            Self::Has(claim) => claims.at(claim)?.is_some(),
            Self::Lacks(claim) => claims.at(claim)?.is_none(),
            Self::Value(claim, value) => claims.at(claim)?.is_some_and(|found| found.is(value)),
            Self::Prefix(claim, prefix) => claims
                .text_at(claim)?
                .is_some_and(|text| text.starts_with(prefix.as_str())),
            Self::Suffix(claim, suffix) => claims
                .text_at(claim)?
                .is_some_and(|text| text.ends_with(suffix.as_str())),
        })
    }
}

impl ServiceTokens {
    /// The marks of RFC 9068 §2.2. Services are not admitted.
    pub fn of_clients() -> Self {
        Self {
            audiences: Vec::new(),
            marks: vec![ServiceMark::SubjectIs("client_id".into())],
            name: "client_id".into(),
            name_suffix: "",
            not_in_name: None,
            required: Vec::new(),
            forbidden: Vec::new(),
            required_value: None,
        }
    }

    /// Whether these are the claims of a service.
    pub fn has_mark(&self, claims: &ClaimSet<'_>) -> Result<bool, TokenFault> {
        for mark in &self.marks {
            if mark.is_on(claims)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The name of the service that the claims identify.
    pub fn name(&self, claims: &ClaimSet<'_>) -> Result<String, TokenFault> {
        for claim in &self.forbidden {
            if claims.at(claim)?.is_some() {
                return Err(TokenFault::Claims);
            }
        }
        for claim in &self.required {
            if claims.at(claim)?.is_none() {
                return Err(TokenFault::Claims);
            }
        }
        if let Some((claim, value)) = &self.required_value
            && !claims.at(claim)?.is_some_and(|found| found.is(value))
        {
            return Err(TokenFault::Claims);
        }
        let name = claims.text_at(&self.name)?.ok_or(TokenFault::Claims)?;
        let name = name.strip_suffix(self.name_suffix).ok_or(TokenFault::Claims)?;
        if name.is_empty() || self.not_in_name.is_some_and(|char| name.contains(char)) {
            return Err(TokenFault::Claims);
        }
        Ok(name.to_owned())
    }
}
