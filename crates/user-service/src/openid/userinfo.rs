//! The userinfo endpoint (OpenID Connect Core §5.3), for providers whose ID tokens have no email address.

use serde::Deserialize;
use url::Url;

use super::error::ProviderError;
use super::http::HttpClient;
use super::id_token::PersonClaims;

#[derive(Deserialize)]
struct UserInfo {
    sub: String,
    #[serde(flatten)]
    person: PersonClaims,
}

/// Fetches the claims about the person with this subject.
pub(super) async fn fetch(
    http: &HttpClient,
    endpoint: &Url,
    access_token: &str,
    subject: &str,
) -> Result<PersonClaims, ProviderError> {
    let info: UserInfo = http.get_json(endpoint, Some(access_token)).await?;
    // §5.3.2: the access token could have been replaced by another person's.
    if info.sub != subject {
        return Err(ProviderError::Broken(
            "the userinfo endpoint answers for another person".to_owned(),
        ));
    }
    Ok(info.person)
}
