//! The cookies of browsers: their names, and the pages that may use them. Both follow from the configuration, never from a request.

use auth::{AccessCookie, Origins};

use super::env::Env;

/// The names of the platform's cookies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CookieNames {
    /// The access token.
    pub access: &'static str,
    /// The refresh token.
    pub refresh: &'static str,
    /// The state of a login at an OpenID provider.
    pub login: &'static str,
}

impl CookieNames {
    /// The names over https. Browsers accept this prefix only for this host, over https, and for all paths.
    pub const HTTPS: Self = Self {
        access: "__Host-countersign-access",
        refresh: "__Host-countersign-refresh",
        login: "__Host-countersign-login",
    };
    /// The names over plain http.
    pub const HTTP: Self = Self {
        access: "countersign_access",
        refresh: "countersign_refresh",
        login: "countersign_login",
    };

    /// Whether this is a name of the access cookie, in either form.
    #[must_use]
    pub(super) fn include_access(name: &str) -> bool {
        [Self::HTTPS.access, Self::HTTP.access].contains(&name)
    }

    /// Whether this is the name of one of the platform's cookies, in either form.
    #[must_use]
    pub fn include(name: &[u8]) -> bool {
        [Self::HTTPS, Self::HTTP]
            .iter()
            .flat_map(|names| [names.access, names.refresh, names.login])
            .any(|known| known.as_bytes() == name)
    }
}

/// The cookies of browsers.
#[derive(Clone, Debug)]
pub struct CookieSettings {
    /// The pages that may use them: those of `PUBLIC_URL` and `CORS_ORIGINS`.
    pub origins: Origins,
    /// Their names.
    pub names: CookieNames,
}

impl CookieSettings {
    /// The cookies of the platform at this origin, which pages of these other origins may use.
    #[must_use]
    pub fn new(public_url: &str, cors_origins: impl IntoIterator<Item = String>) -> Self {
        let origins = Origins::new(public_url, cors_origins);
        let names = if origins.is_https() {
            CookieNames::HTTPS
        } else {
            CookieNames::HTTP
        };
        Self { origins, names }
    }

    pub(super) fn read(env: &mut Env, public_url: &str) -> Self {
        Self::new(public_url, cors_origins(env))
    }

    /// The access cookie.
    #[must_use]
    pub fn access_cookie(&self) -> AccessCookie {
        AccessCookie::new(self.names.access, self.origins.clone())
    }
}

/// The origins in `CORS_ORIGINS`, in the form that browsers send.
fn cors_origins(env: &mut Env) -> Vec<String> {
    let text = env.text("CORS_ORIGINS").unwrap_or_default();
    let mut origins = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        match auth::parse_origin(item) {
            Some(origin) => origins.push(origin),
            None => env.problem(
                "CORS_ORIGINS",
                format!(
                    "must be origins such as `https://app.example`, separated by commas: `{item}` is not an origin"
                ),
            ),
        }
    }
    origins
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(public_url: &str, cors_origins: &str) -> CookieSettings {
        let mut env = Env::from_vars("product-service", [("CORS_ORIGINS", cors_origins)]);
        let settings = CookieSettings::read(&mut env, public_url);
        env.finish(settings).unwrap()
    }

    #[test]
    fn names_follow_the_scheme_of_the_public_url() {
        assert_eq!(read("https://shop.example", "").names, CookieNames::HTTPS);
        assert_eq!(read("http://localhost:8080", "").names, CookieNames::HTTP);
        assert!(CookieNames::include(b"countersign_login"));
        assert!(CookieNames::include(b"__Host-countersign-access"));
        assert!(!CookieNames::include(b"countersign"));
    }

    #[test]
    fn pages_of_cors_origins_may_use_cookies() {
        let origins = read(
            "https://shop.example",
            " https://App.example/ ,http://localhost:5173,",
        )
        .origins;
        for origin in [
            "https://shop.example",
            "https://app.example",
            "http://localhost:5173",
        ] {
            assert!(origins.includes(origin), "{origin}");
        }
        assert!(!origins.includes("https://evil.example"));
    }
}
