//! The configured providers: Google by its two variables, others by `OIDC_<NAME>_…`.

use secrecy::SecretString;
use service_kit::Env;
use url::Url;

/// The issuer of Google's ID tokens.
const GOOGLE_ISSUER: &str = "https://accounts.google.com";

/// The variables of a provider, after `OIDC_<NAME>`.
const SUFFIXES: [&str; 4] = ["_ISSUER", "_CLIENT_ID", "_CLIENT_SECRET", "_TRUST_EMAIL"];

/// The second segments of other paths in `/auth/…`, which a provider can't have as its name.
const RESERVED: [&str; 11] = [
    "current-user",
    "email",
    "login",
    "logout",
    "logout-all",
    "password",
    "providers",
    "refresh",
    "register",
    "sessions",
    "verify",
];

/// The longest name of a provider.
const MAX_NAME: usize = 32;

/// A provider that users can log in with.
#[derive(Clone, Debug)]
pub struct ProviderConfig {
    /// The name in paths, in small letters: `google`.
    pub name: String,
    /// The name for users: `Google`.
    pub display_name: String,
    /// The issuer (`iss`) of its ID tokens, an `http` or `https` URL. Its metadata says where its endpoints are.
    pub issuer: String,
    /// The id of this platform at the provider.
    pub client_id: String,
    /// The secret of this platform at the provider.
    pub client_secret: SecretString,
    /// Whether its word counts that a user owns an email address (`email_verified`).
    pub email_trust: EmailTrust,
}

/// When a provider's word counts that a user owns an email address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmailTrust {
    /// Never.
    Never,
    /// Always.
    Always,
    /// For addresses that Google hosts: those of Gmail, and those of organisations (`hd`). Others were verified when the Google account
    /// was created, and may belong to another person by now.
    Google,
}

impl EmailTrust {
    /// Whether an address counts as verified that the provider calls verified. `hosted_domain` is the claim `hd`.
    pub(super) fn covers(self, address: &str, hosted_domain: Option<&str>) -> bool {
        let domain = address
            .rsplit_once('@')
            .map(|(_, domain)| domain.to_ascii_lowercase());
        let is_gmail = matches!(domain.as_deref(), Some("gmail.com" | "googlemail.com"));
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Google => is_gmail || hosted_domain.is_some_and(|domain| !domain.is_empty()),
        }
    }
}

impl ProviderConfig {
    /// Reads all providers, sorted by name.
    pub(crate) fn read_all(env: &mut Env) -> Vec<Self> {
        let google = Self::read_google(env);
        let mut providers: Vec<Self> = google.into_iter().collect();
        for variable in env.names_between("OIDC_", &SUFFIXES) {
            let Some(provider) = Self::read(env, &variable) else {
                continue;
            };
            if providers.iter().any(|other| other.name == provider.name) {
                env.problem(
                    &format!("OIDC_{variable}_ISSUER"),
                    format!("names a second provider `{}`", provider.name),
                );
            }
            providers.push(provider);
        }
        providers.sort_by(|one, other| one.name.cmp(&other.name));
        providers
    }

    fn read_google(env: &mut Env) -> Option<Self> {
        let (client_id, client_secret) = (env.text("GOOGLE_CLIENT_ID"), env.secret("GOOGLE_CLIENT_SECRET"));
        match (client_id, client_secret) {
            (None, None) => None,
            (Some(client_id), Some(client_secret)) => Some(Self {
                name: "google".to_owned(),
                display_name: "Google".to_owned(),
                issuer: GOOGLE_ISSUER.to_owned(),
                client_id,
                client_secret,
                email_trust: EmailTrust::Google,
            }),
            (Some(_), None) => {
                env.missing("GOOGLE_CLIENT_SECRET", "GOOGLE_CLIENT_ID");
                None
            }
            (None, Some(_)) => {
                env.missing("GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET");
                None
            }
        }
    }

    /// Reads the provider with the variables `OIDC_<VARIABLE>_…`.
    fn read(env: &mut Env, variable: &str) -> Option<Self> {
        let [issuer_variable, id_variable, secret_variable, trust_variable] =
            SUFFIXES.map(|suffix| format!("OIDC_{variable}{suffix}"));
        let name = provider_name(variable);
        if let Err(problem) = &name {
            env.problem(&issuer_variable, problem);
        }
        let trusts_email = env.parse(&trust_variable, false, "`true` or `false`");
        let issuer = env.text(&issuer_variable);
        let client_id = env.text(&id_variable);
        let client_secret = env.secret(&secret_variable);
        let another = format!("another variable OIDC_{variable}_…");
        for (is_missing, missing_variable) in [
            (issuer.is_none(), &issuer_variable),
            (client_id.is_none(), &id_variable),
            (client_secret.is_none(), &secret_variable),
        ] {
            if is_missing {
                env.missing(missing_variable, &another);
            }
        }
        let issuer = issuer?;
        if let Err(problem) = check_issuer(&issuer) {
            env.problem(&issuer_variable, problem);
        }
        let name = name.ok()?;
        Some(Self {
            display_name: display_name(&name),
            name,
            issuer,
            client_id: client_id?,
            client_secret: client_secret?,
            email_trust: if trusts_email {
                EmailTrust::Always
            } else {
                EmailTrust::Never
            },
        })
    }
}

/// `MY_SSO` in a variable is `my-sso` in a path.
fn provider_name(variable: &str) -> Result<String, String> {
    let name = variable.to_ascii_lowercase().replace('_', "-");
    let is_valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(is_valid) {
        return Err(format!(
            "must have a name of 1 to {MAX_NAME} letters, digits and `_` after `OIDC_`"
        ));
    }
    if RESERVED.contains(&name.as_str()) {
        return Err(format!(
            "can't name a provider `{name}`: /auth/{name} is another route"
        ));
    }
    Ok(name)
}

/// `my-sso` is shown as `My Sso`.
fn display_name(name: &str) -> String {
    let capitalize = |word: &str| {
        let (first, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        first.to_ascii_uppercase() + rest
    };
    let words: Vec<_> = name.split('-').map(capitalize).collect();
    words.join(" ")
}

/// An issuer is an `https` URL without query and fragment (OpenID Connect Discovery §3). Plain `http` is for providers on this
/// machine.
fn check_issuer(text: &str) -> Result<(), &'static str> {
    const FORM: &str = "must be the https URL of the provider, such as `https://sso.example.com`";
    let url = Url::parse(text).map_err(|_| FORM)?;
    let is_plain = url.query().is_none()
        && url.fragment().is_none()
        && url.username().is_empty()
        && url.password().is_none();
    match url.scheme() {
        "https" if is_plain => Ok(()),
        "http" if is_plain && is_loopback(&url) => Ok(()),
        "http" if is_plain => Err("must be an https URL: only an issuer on this machine may be http"),
        _ => Err(FORM),
    }
}

/// Whether a URL is one of this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(domain)) => domain == "localhost" || domain.ends_with(".localhost"),
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<Vec<ProviderConfig>, Vec<String>> {
        let mut env = Env::from_vars("user-service", vars.iter().copied());
        let providers = ProviderConfig::read_all(&mut env);
        env.finish(providers)
            .map_err(|errors| errors.to_string().lines().map(str::to_owned).collect())
    }

    #[test]
    fn google_needs_two_variables_and_any_other_issuer_three() {
        assert!(read(&[]).unwrap().is_empty());
        let providers = read(&[
            ("OIDC_MY_SSO_ISSUER", "https://sso.example.com/realms/shop"),
            ("OIDC_MY_SSO_CLIENT_ID", "shop"),
            ("OIDC_MY_SSO_CLIENT_SECRET", "not-a-secret"),
            ("GOOGLE_CLIENT_ID", "an-id"),
            ("GOOGLE_CLIENT_SECRET", "not-a-secret"),
        ])
        .unwrap();
        let [google, sso] = providers.as_slice() else {
            panic!("{providers:?}")
        };
        assert_eq!(
            (google.name.as_str(), google.display_name.as_str()),
            ("google", "Google")
        );
        assert_eq!(
            (google.email_trust, sso.email_trust),
            (EmailTrust::Google, EmailTrust::Never)
        );
        assert_eq!(
            (sso.name.as_str(), sso.display_name.as_str()),
            ("my-sso", "My Sso")
        );
        assert_eq!(sso.issuer, "https://sso.example.com/realms/shop");
        assert!(!format!("{providers:?}").contains("not-a-secret"));
    }

    #[test]
    fn a_provider_may_be_trusted_about_email_addresses() {
        let read_trust = |trust| {
            read(&[
                ("OIDC_SSO_ISSUER", "http://localhost:9000"),
                ("OIDC_SSO_CLIENT_ID", "shop"),
                ("OIDC_SSO_CLIENT_SECRET", "not-a-secret"),
                ("OIDC_SSO_TRUST_EMAIL", trust),
            ])
        };
        assert_eq!(read_trust("true").unwrap()[0].email_trust, EmailTrust::Always);
        assert_eq!(read_trust("false").unwrap()[0].email_trust, EmailTrust::Never);
        assert_eq!(
            read_trust("yes").unwrap_err(),
            ["OIDC_SSO_TRUST_EMAIL must be `true` or `false`"]
        );
    }

    #[test]
    fn googles_word_counts_for_addresses_that_google_hosts() {
        let covers = |address, hosted| EmailTrust::Google.covers(address, hosted);
        assert!(covers("ada@gmail.com", None) && covers("ada@GoogleMail.com", None));
        assert!(covers("ada@shop.example", Some("shop.example")));
        for (address, hosted) in [
            ("ada@shop.example", None),
            ("ada@shop.example", Some("")),
            ("ada@gmail.com.evil.example", None),
            ("gmail.com", None),
        ] {
            assert!(!covers(address, hosted), "{address}");
        }
        assert!(EmailTrust::Always.covers("ada@shop.example", None));
        assert!(!EmailTrust::Never.covers("ada@gmail.com", None));
    }

    #[test]
    fn all_problems_are_reported_together() {
        let problems = read(&[
            ("GOOGLE_CLIENT_ID", "an-id"),
            ("OIDC_LOGIN_ISSUER", "https://sso.example.com"),
            ("OIDC_LOGIN_CLIENT_ID", "shop"),
            ("OIDC_LOGIN_CLIENT_SECRET", "not-a-secret"),
            ("OIDC_SSO_CLIENT_ID", "shop"),
        ])
        .unwrap_err();
        assert_eq!(
            problems,
            [
                "GOOGLE_CLIENT_SECRET is missing, but GOOGLE_CLIENT_ID is set",
                "OIDC_LOGIN_ISSUER can't name a provider `login`: /auth/login is another route",
                "OIDC_SSO_ISSUER is missing, but another variable OIDC_SSO_… is set",
                "OIDC_SSO_CLIENT_SECRET is missing, but another variable OIDC_SSO_… is set",
            ]
        );
    }

    #[test]
    fn one_name_is_one_provider() {
        let problems = read(&[
            ("GOOGLE_CLIENT_ID", "an-id"),
            ("GOOGLE_CLIENT_SECRET", "not-a-secret"),
            ("OIDC_GOOGLE_ISSUER", "https://sso.example.com"),
            ("OIDC_GOOGLE_CLIENT_ID", "shop"),
            ("OIDC_GOOGLE_CLIENT_SECRET", "not-a-secret"),
        ])
        .unwrap_err();
        assert_eq!(problems, ["OIDC_GOOGLE_ISSUER names a second provider `google`"]);
    }

    #[test]
    fn an_issuer_is_https_except_on_this_machine() {
        for good in [
            "https://sso.example.com",
            "https://sso.example.com/realms/shop",
            "http://localhost:9000",
            "http://127.0.0.1:9000/",
            "http://[::1]:9000",
        ] {
            assert!(check_issuer(good).is_ok(), "{good}");
        }
        for bad in [
            "http://sso.example.com",
            "http://localhost.example.com",
            "http://10.0.0.1",
            "sso.example.com",
            "ftp://localhost",
            "https://sso.example.com?realm=shop",
            "https://sso.example.com#shop",
            "https://user@sso.example.com",
            "",
        ] {
            assert!(check_issuer(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_provider_has_the_name_of_another_route() {
        let routes = crate::routes::routes();
        let others = routes
            .iter()
            .filter_map(|route| route.path.strip_prefix("/auth/")?.split('/').next())
            .filter(|segment| *segment != "{provider}");
        for segment in others {
            assert!(RESERVED.contains(&segment), "{segment}");
        }
    }

    #[test]
    fn a_name_is_a_segment_of_a_path_that_no_other_route_has() {
        assert_eq!(provider_name("SSO_2").as_deref(), Ok("sso-2"));
        let long = "A".repeat(MAX_NAME + 1);
        for bad in [
            "",
            "A B",
            "É",
            "A/B",
            "LOGOUT_ALL",
            "CURRENT_USER",
            "PROVIDERS",
            &long,
        ] {
            assert!(provider_name(bad).is_err(), "{bad}");
        }
    }
}
