//! Profiles: the shape of an issuer's tokens. A profile says which types are taken, which claims are required, and where the user's
//! id, roles and scopes stand. It is plain data; a verifier applies it after the signature is verified.

mod application_claims;
mod identify;
mod ready_made;
mod service_tokens;
#[cfg(feature = "testing")]
pub(crate) mod test_claims;

use self::application_claims::ApplicationClaims;
pub(crate) use self::application_claims::ReadClaims;
pub(crate) use self::identify::SignedClaims;
pub use self::service_tokens::ServiceMark;
use self::service_tokens::ServiceTokens;
use crate::claim_path::ClaimPath;

/// The shape of one issuer's tokens, and the requirements on them.
///
/// Start with the profile of your issuer, or with [`new`](Self::new), and change what differs there. Each method loosens or tightens only what it names.
/// With every profile, the following holds:
///
/// - A key verifies one algorithm, and the token's header never chooses it (RFC 8725 §3.1).
/// - A token must have `exp`, and `exp` and `nbf` are checked. `crit` is refused, and so are duplicate claims.
/// - `iss` and the audience are checked. They can be absent only from tokens that are signed with a shared secret, and only if the
///   profile says so: only the holders of that secret can have made the token.
/// - A service's token never identifies a user: see [`service_marks`](Self::service_marks).
///
/// | profile | for |
/// | --- | --- |
/// | [`countersign`](Self::countersign) | access tokens and service tokens of this platform |
/// | [`rfc9068`](Self::rfc9068) | access tokens that follow RFC 9068 |
/// | [`keycloak`](Self::keycloak), [`auth0`](Self::auth0), [`entra_id`](Self::entra_id), [`cognito`](Self::cognito) | access tokens of these products |
/// | [`google`](Self::google) | ID tokens of Google, whose access tokens are no JWTs |
/// | [`jsonwebtoken`](Self::jsonwebtoken) | tokens `{userId, email, role}` with a shared secret, as many tutorials make them |
///
/// ```
/// use auth::Profile;
///
/// // Keycloak, with the roles of one client instead of those of the realm.
/// let profile = Profile::keycloak("shop-api").roles_from(["resource_access.shop-api.roles"]);
/// ```
#[derive(Clone, Debug)]
pub struct Profile {
    types: TokenTypes,
    /// Other values of `iss` for the same issuer.
    issuer_aliases: Vec<String>,
    /// Whether `iss` and the audience may be absent from a token that is signed with a shared secret.
    pub(crate) allows_anonymous_issuer: bool,
    audiences: Vec<String>,
    audience_claim: ClaimPath,
    required: Vec<ClaimPath>,
    /// Empty, or claims of which a token must have at least one.
    required_one_of: Vec<ClaimPath>,
    required_values: Vec<(ClaimPath, String)>,
    user_id: ClaimPath,
    /// Whether the ids of users and sessions must be UUIDs in their usual form.
    has_uuids: bool,
    roles: Places,
    scopes: Places,
    /// `None` if the issuer's addresses are not verified.
    email: Option<ClaimPath>,
    name: ClaimPath,
    revocable: Revocable,
    services: ServiceTokens,
    application_claims: ApplicationClaims,
}

/// The values of the header `typ` that are taken, in lower case and without `application/`.
#[derive(Clone, Debug)]
struct TokenTypes {
    taken: Vec<String>,
    may_be_absent: bool,
}

/// The claims that hold the user's roles or scopes.
#[derive(Clone, Debug)]
struct Places {
    claims: Vec<ClaimPath>,
    /// Whether each may be a list or a text. Otherwise roles must be a list, and scopes a text.
    takes_either_form: bool,
}

impl Places {
    fn strict(claim: &str) -> Self {
        Self {
            claims: vec![claim.into()],
            takes_either_form: false,
        }
    }

    fn either_form<C: Into<ClaimPath>>(claims: impl IntoIterator<Item = C>) -> Self {
        Self {
            claims: claims.into_iter().map(Into::into).collect(),
            takes_either_form: true,
        }
    }
}

/// By what a user's token can be revoked before it expires: see [`Revocation`](crate::Revocation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocable {
    /// By nothing. The token is accepted until it expires.
    No,
    /// By its session, the claim `sid`, which is then required.
    BySession,
    /// By its session and by the user's epoch, the claims `sid` and `epoch`, which are then required. A user's epoch revokes all
    /// tokens that were issued before.
    BySessionAndEpoch,
}

impl Profile {
    /// Tokens of any other issuer, for this audience: `typ` is `at+jwt`, and `iss`, `exp`, `aud` and `sub` are required. Roles are in
    /// `roles`, scopes in `scope`.
    ///
    /// A token whose `sub` equals `client_id` is a service's, and is refused. If your issuer's service tokens look different, name their
    /// [marks](Self::service_marks): otherwise they identify users.
    ///
    /// ```
    /// use auth::{Profile, ServiceMark};
    ///
    /// // Access tokens with the type `JWT`, the client in `cid` and scopes in a list.
    /// let profile = Profile::new("https://api.shop.example")
    ///     .token_types(["JWT"])
    ///     .require(["cid"])
    ///     .scopes_from(["scp"])
    ///     .service_marks([ServiceMark::SubjectIs("cid".into())]);
    /// ```
    #[must_use]
    pub fn new(audience: impl Into<String>) -> Self {
        Self {
            types: TokenTypes {
                taken: vec!["at+jwt".to_owned()],
                may_be_absent: false,
            },
            issuer_aliases: Vec::new(),
            allows_anonymous_issuer: false,
            audiences: vec![audience.into()],
            audience_claim: "aud".into(),
            required: Vec::new(),
            required_one_of: Vec::new(),
            required_values: Vec::new(),
            user_id: "sub".into(),
            has_uuids: false,
            roles: Places::strict("roles"),
            scopes: Places::strict("scope"),
            email: Some("email".into()),
            name: "name".into(),
            revocable: Revocable::No,
            services: ServiceTokens::of_clients(),
            application_claims: ApplicationClaims::none(),
        }
    }

    /// Takes users' tokens for one of these audiences (`aud`) and no others. With an empty list, all users' tokens that have an audience
    /// are refused.
    #[must_use]
    pub fn audiences<A: Into<String>>(mut self, audiences: impl IntoIterator<Item = A>) -> Self {
        self.audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// Takes service tokens for one of these audiences. Defaults to none, except for [`countersign`](Self::countersign): a service's token
    /// is refused.
    #[must_use]
    pub fn service_audiences<A: Into<String>>(mut self, audiences: impl IntoIterator<Item = A>) -> Self {
        self.services.audiences = audiences.into_iter().map(Into::into).collect();
        self
    }

    /// The claim that holds the audience. Defaults to `aud`. A token that has `aud` besides must be for an accepted audience by both.
    #[must_use]
    pub fn audience_from(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.audience_claim = claim.into();
        self
    }

    /// Takes tokens whose header `typ` is one of these, compared without case (RFC 7515 §4.1.9), and no others.
    ///
    /// `JWT` says nothing about a token's purpose. An issuer that gives this type to access tokens gives it to ID tokens, too: only
    /// the audience or a [required value](Self::require_value) distinguishes them. An ID token's audience is a client, so name the
    /// audience of your API, not the id of a client.
    #[must_use]
    pub fn token_types<'t>(mut self, types: impl IntoIterator<Item = &'t str>) -> Self {
        self.types.taken = types.into_iter().map(str::to_ascii_lowercase).collect();
        self
    }

    /// Takes tokens without `typ`, too.
    #[must_use]
    pub fn allow_missing_type(mut self) -> Self {
        self.types.may_be_absent = true;
        self
    }

    /// Takes tokens without `iss` or without an audience, too, if they are signed with a [shared secret](crate::SharedSecret). A
    /// token that has the claims must have the right ones.
    #[must_use]
    pub fn allow_missing_issuer_and_audience(mut self) -> Self {
        self.allows_anonymous_issuer = true;
        self
    }

    /// Another value of `iss` for the same issuer. Users are the same by either.
    #[must_use]
    pub fn issuer_alias(mut self, issuer: impl Into<String>) -> Self {
        self.issuer_aliases.push(issuer.into());
        self
    }

    /// Requires these claims, in addition to those that are required already.
    #[must_use]
    pub fn require<C: Into<ClaimPath>>(mut self, claims: impl IntoIterator<Item = C>) -> Self {
        self.required.extend(claims.into_iter().map(Into::into));
        self
    }

    /// Requires that a claim is this text. `true` and `false` also stand for the JSON values.
    #[must_use]
    pub fn require_value(mut self, claim: impl Into<ClaimPath>, value: impl Into<String>) -> Self {
        self.required_values.push((claim.into(), value.into()));
        self
    }

    /// The claim that holds the user's id: a text or a whole number. Defaults to `sub`. See [`User::subject`](crate::User::subject).
    #[must_use]
    pub fn user_id_from(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.user_id = claim.into();
        self
    }

    /// Requires that the user's id, and the session's if there is one, are UUIDs of another version than 8. Then
    /// [`User::id`](crate::User::id) is the UUID that the token has. Two issuers of one verifier must not both have such a profile, if one
    /// could give a user the id of a user of the other.
    #[must_use]
    pub fn uuids(mut self) -> Self {
        self.has_uuids = true;
        self
    }

    /// The claims that hold roles: a list of texts, or one text, which is one role. The user has the roles of all of them. A claim
    /// that is absent adds none.
    #[must_use]
    pub fn roles_from<C: Into<ClaimPath>>(mut self, claims: impl IntoIterator<Item = C>) -> Self {
        self.roles = Places::either_form(claims);
        self
    }

    /// Takes no roles from tokens. Use it for a second issuer that must not make its users admins here.
    #[must_use]
    pub fn without_roles(self) -> Self {
        self.roles_from::<ClaimPath>([])
    }

    /// The claims that hold scopes: words separated by spaces (RFC 8693 §4.2), or a list of words. The user has the scopes of all of
    /// them. A claim that is absent adds none.
    #[must_use]
    pub fn scopes_from<C: Into<ClaimPath>>(mut self, claims: impl IntoIterator<Item = C>) -> Self {
        self.scopes = Places::either_form(claims);
        self
    }

    /// The claim that holds the user's email address. Defaults to `email`. If the token says that the address is not verified
    /// (`email_verified` is present and not `true`), the user has none.
    #[must_use]
    pub fn email_from(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.email = Some(claim.into());
        self
    }

    /// The claim that holds the user's name. Defaults to `name`.
    #[must_use]
    pub fn name_from(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.name = claim.into();
        self
    }

    /// By what tokens can be revoked. Only [`countersign`](Self::countersign)'s can by default.
    #[must_use]
    pub fn revocable(mut self, by: Revocable) -> Self {
        self.revocable = by;
        self
    }

    /// The marks that distinguish a service's token from a user's. A token with any of them is a service's. It never identifies a
    /// user, also where services are not admitted. Replaces the marks of the profile.
    #[must_use]
    pub fn service_marks(mut self, marks: impl IntoIterator<Item = ServiceMark>) -> Self {
        self.services.marks = marks.into_iter().collect();
        self
    }

    /// The claim that holds the name of a service.
    #[must_use]
    pub fn service_name_from(mut self, claim: impl Into<ClaimPath>) -> Self {
        self.services.name = claim.into();
        self.services.name_suffix = "";
        self.services.not_in_name = None;
        self
    }

    /// Reads the application's own claims from each user's token: see [`User::claims`](crate::User::claims). A token whose claims don't
    /// fit into `T` is refused. `T` sees the whole payload, also roles that are [withheld](crate::StalePolicy).
    ///
    /// ```
    /// use auth::{Profile, VerifyToken};
    ///
    /// #[derive(serde::Deserialize)]
    /// struct Tenant {
    ///     tenant: String,
    /// }
    ///
    /// async fn show(VerifyToken(user): VerifyToken) -> String {
    ///     user.claims::<Tenant>().map(|claims| claims.tenant.clone()).unwrap_or_default()
    /// }
    ///
    /// let profile = Profile::keycloak("shop-api").claims::<Tenant>();
    /// ```
    #[must_use]
    pub fn claims<T>(mut self) -> Self
    where
        T: serde::de::DeserializeOwned + Send + Sync + 'static,
    {
        self.application_claims = ApplicationClaims::of::<T>();
        self
    }
}
