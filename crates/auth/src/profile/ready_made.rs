//! Ready-made profiles.

use super::service_tokens::{ServiceMark, ServiceTokens};
use super::{Profile, Revocable};
use crate::identity::IDENTITY_TOKEN_TYPE;

impl Profile {
    /// The access tokens and service tokens of this platform, for the service of this name: `typ` is `at+jwt`, a user's token has the
    /// audience `platform` and can be revoked, a service's token has the service as its audience. Each has the claims of
    /// [`Claims`](crate::Claims).
    #[must_use]
    pub fn countersign(service: impl Into<String>) -> Self {
        Self {
            services: ServiceTokens {
                audiences: vec![service.into()],
                forbidden: vec!["roles".into(), "sid".into()],
                ..ServiceTokens::of_clients()
            },
            ..Self::platform("platform")
        }
    }

    /// The identity tokens of the gateway for the service of this name.
    pub(crate) fn identity(service: &str) -> Self {
        Self::platform(service).token_types([IDENTITY_TOKEN_TYPE])
    }

    fn platform(audience: &str) -> Self {
        Self::new(audience)
            .uuids()
            .require(["iat", "jti", "client_id"])
            .revocable(Revocable::BySessionAndEpoch)
    }

    /// Access tokens that follow RFC 9068, for an API of this name: `typ` is `at+jwt`, and `iss`, `exp`, `aud`, `sub`, `client_id`,
    /// `iat` and `jti` are required. Roles are in `roles`, scopes in `scope`.
    ///
    /// A service's `sub` equals its `client_id`, which is its name, if [`service_audiences`](Self::service_audiences) admits services.
    #[must_use]
    pub fn rfc9068(audience: impl Into<String>) -> Self {
        Self::new(audience).require(["iat", "jti", "client_id"])
    }

    /// Access tokens of a Keycloak realm. The issuer is `https://<host>/realms/<realm>`.
    ///
    /// Roles are those of the realm (`realm_access.roles`). The audience is in the token only if an audience mapper of the client or of
    /// a client scope adds it.
    ///
    /// ID tokens and tokens that are bound to a key are refused, because the claim `typ` must be `Bearer`.
    ///
    /// A service account's token has no session (`sid`), or it has the claim `client_id` (`clientId` in old versions), or a
    /// `preferred_username` that begins with `service-account-`. Any of these marks it, because scopes and mappers decide which of them
    /// a token has. It is a service's if [`service_audiences`](Self::service_audiences) admits services and it has `client_id`, which
    /// is then its name, and no `sid`. If a mapper adds `client_id` to users' tokens, they are refused: choose other marks then.
    #[must_use]
    pub fn keycloak(audience: impl Into<String>) -> Self {
        let mut profile = Self::new(audience)
            .token_types(["JWT", "at+jwt"])
            .require(["iat", "azp"])
            .require_value("typ", "Bearer")
            .roles_from(["realm_access.roles"])
            .service_marks([
                ServiceMark::Lacks("sid".into()),
                ServiceMark::Has("client_id".into()),
                ServiceMark::Has("clientId".into()),
                ServiceMark::Prefix("preferred_username".into(), "service-account-".to_owned()),
            ]);
        profile.services.forbidden = vec!["sid".into()];
        profile
    }

    /// Access tokens of Auth0 for the API of this identifier. The issuer is `https://<tenant domain>/`, with the slash.
    ///
    /// Scopes are in `scope`, and in `permissions` if the API has "Add Permissions in the Access Token". Roles are in no claim by
    /// default: an action can add them under a name with a namespace, which [`roles_from`](Self::roles_from) then names.
    ///
    /// A machine's token has a `sub` that ends with `@clients`. It is a service's if [`service_audiences`](Self::service_audiences)
    /// admits services. Its name is the client's id.
    ///
    /// An access token names its client in `azp`, or in `client_id` if the API issues tokens of RFC 9068. An ID token has neither, and is
    /// refused.
    #[must_use]
    pub fn auth0(audience: impl Into<String>) -> Self {
        let mut profile = Self::new(audience)
            .token_types(["JWT", "at+jwt"])
            .require(["iat"])
            .roles_from::<&str>([])
            .scopes_from(["scope", "permissions"])
            .service_name_from("sub")
            .service_marks([
                ServiceMark::Suffix("sub".into(), "@clients".to_owned()),
                ServiceMark::Value("gty".into(), "client-credentials".to_owned()),
            ]);
        profile.services.name_suffix = "@clients";
        // The id of a user, in which it follows the name of a connection.
        profile.services.not_in_name = Some('|');
        profile.required_one_of = vec!["azp".into(), "client_id".into()];
        profile
    }

    /// ID tokens of Google for this client. The issuer is `https://accounts.google.com`.
    ///
    /// Google's access tokens are no JWTs, so an ID token is what a verifier can check. A user has an email address only if Google
    /// verified it, and neither roles nor scopes. `.require_value("hd", "example.com")` admits only the accounts of one organisation.
    #[must_use]
    pub fn google(client_id: impl Into<String>) -> Self {
        Self::new(client_id)
            .token_types(["JWT"])
            .require(["iat"])
            .issuer_alias("accounts.google.com")
            .roles_from::<&str>([])
            .scopes_from::<&str>([])
            // A service account's ID token: `azp` is its id or its address.
            .service_marks([
                ServiceMark::SubjectIs("azp".into()),
                ServiceMark::Suffix("azp".into(), ".gserviceaccount.com".to_owned()),
                ServiceMark::Suffix("email".into(), ".gserviceaccount.com".to_owned()),
            ])
    }

    /// Access tokens of Microsoft Entra ID, version 2.0, for this API (its client id). The issuer is
    /// `https://login.microsoftonline.com/<tenant id>/v2.0`: one tenant. Tokens of other tenants have other issuers.
    ///
    /// The user's id is `oid`, which is the same for all applications of a tenant. Scopes are in `scp`, roles (app roles) in `roles`.
    /// The user has no email address, because Entra ID does not verify the one in the token.
    ///
    /// A token without `scp` was not issued for a user. It is a service's if `idtyp` is `app`, an optional claim that the API has to
    /// request, if [`service_audiences`](Self::service_audiences) admits services, and if it has app roles (`roles`): each application
    /// of the tenant gets a token for any API, and only the roles say that an administrator allowed it. Its name is the client's id. An
    /// ID token has no `scp` either, and is always refused.
    #[must_use]
    pub fn entra_id(audience: impl Into<String>) -> Self {
        let mut profile = Self::new(audience)
            .token_types(["JWT"])
            .require(["iat", "tid"])
            .require_value("ver", "2.0")
            .user_id_from("oid")
            .roles_from(["roles"])
            .scopes_from(["scp"])
            .service_name_from("azp")
            .service_marks([ServiceMark::Lacks("scp".into())]);
        profile.email = None;
        profile.services.required_value = Some(("idtyp".into(), "app".to_owned()));
        profile.services.required = vec!["roles".into()];
        profile
    }

    /// Access tokens of an Amazon Cognito user pool for this app client. The issuer is
    /// `https://cognito-idp.<region>.amazonaws.com/<pool id>`.
    ///
    /// These tokens have no `typ` and no `aud`: the audience is `client_id`. ID tokens are refused, because `token_use` must be
    /// `access`. Roles are the user's groups (`cognito:groups`), and the name is `username`. A token of the client credentials grant
    /// has a `sub` that equals `client_id`.
    #[must_use]
    pub fn cognito(client_id: impl Into<String>) -> Self {
        Self::new(client_id)
            .token_types([])
            .allow_missing_type()
            .audience_from("client_id")
            .require(["iat", "jti"])
            .require_value("token_use", "access")
            .roles_from(["cognito:groups"])
            .name_from("username")
    }

    /// Tokens as many tutorials make them, with jsonwebtoken of Node.js and a shared secret: the payload is `{userId, email, role}`.
    ///
    /// Such a token names neither its issuer nor its audience, so it is accepted only if it is signed with a
    /// [shared secret](crate::SharedSecret). It must expire (`expiresIn`). A token with `aud` is refused until
    /// [`audiences`](Self::audiences) names the audience.
    ///
    /// Every token of that secret with a `userId` identifies a user, also one for a refresh or for a new password. If there are such
    /// tokens, use another secret for them, or [`require`](Self::require) a claim that they lack, such as `role`.
    #[must_use]
    pub fn jsonwebtoken() -> Self {
        Self::new("")
            .audiences::<&str>([])
            .token_types(["JWT"])
            .allow_missing_issuer_and_audience()
            .user_id_from("userId")
            .roles_from(["role"])
    }
}
