//! The URL of an SMTP server.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use secrecy::SecretString;
use url::{Host, Url};

/// The port for submissions with STARTTLS (RFC 6409 §3.1).
const SMTP_PORT: u16 = 587;
/// The port for submissions over TLS (RFC 8314 §3.3).
const SMTPS_PORT: u16 = 465;

/// The URL of an SMTP server. `Debug` does not show the credentials.
#[derive(Clone)]
pub(crate) struct SmtpUrl {
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    pub encryption: Encryption,
    pub credentials: Option<SmtpCredentials>,
}

/// How a connection is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encryption {
    /// From its beginning.
    Tls,
    /// After STARTTLS. A server that does not offer STARTTLS is refused.
    StartTls,
    /// After STARTTLS if the server offers it, otherwise not at all. For servers on this machine.
    StartTlsIfOffered,
    /// Not at all.
    None,
}

#[derive(Clone)]
pub(crate) struct SmtpCredentials {
    pub user: String,
    pub password: SecretString,
}

/// Why a text is not accepted as the URL of an SMTP server. `Display` is how the variable must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidSmtpUrl {
    #[error(
        "must be `smtp://` or `smtps://`, optionally `<user>:<password>@`, a host, optionally `:<port>`, and optionally `?tls=none` \
         after a host of `smtp://`"
    )]
    Form,
    #[error("must not have a password with `?tls=none`, because it would be sent without encryption")]
    UnencryptedPassword,
}

impl FromStr for SmtpUrl {
    type Err = InvalidSmtpUrl;

    fn from_str(text: &str) -> Result<Self, InvalidSmtpUrl> {
        let url: Url = text.parse().map_err(|_| InvalidSmtpUrl::Form)?;
        if !matches!(url.path(), "" | "/") || url.fragment().is_some() {
            return Err(InvalidSmtpUrl::Form);
        }
        // The scheme is not one of those whose hosts `Url` parses.
        let host = url.host_str().and_then(|host| Host::parse(host).ok());
        let host = host.ok_or(InvalidSmtpUrl::Form)?;
        let (encryption, default_port) = match (url.scheme(), url.query()) {
            ("smtps", None) => (Encryption::Tls, SMTPS_PORT),
            ("smtp", None) if is_loopback(&host) => (Encryption::StartTlsIfOffered, SMTP_PORT),
            ("smtp", None) => (Encryption::StartTls, SMTP_PORT),
            ("smtp", Some("tls=none")) => (Encryption::None, SMTP_PORT),
            _ => return Err(InvalidSmtpUrl::Form),
        };
        let credentials = credentials(&url)?;
        if encryption == Encryption::None && credentials.is_some() && !is_loopback(&host) {
            return Err(InvalidSmtpUrl::UnencryptedPassword);
        }
        Ok(Self {
            host: match host {
                Host::Domain(name) if name.is_empty() => return Err(InvalidSmtpUrl::Form),
                Host::Domain(name) => name,
                Host::Ipv4(address) => address.to_string(),
                Host::Ipv6(address) => address.to_string(),
            },
            port: url.port().unwrap_or(default_port),
            encryption,
            credentials,
        })
    }
}

fn credentials(url: &Url) -> Result<Option<SmtpCredentials>, InvalidSmtpUrl> {
    let decode = |part: &str| {
        let decoded = percent_decode_str(part).decode_utf8().ok();
        let valid = decoded.filter(|text| !text.is_empty() && !text.contains(char::is_control));
        valid.map(String::from).ok_or(InvalidSmtpUrl::Form)
    };
    match (url.username(), url.password()) {
        ("", None) => Ok(None),
        (user, Some(password)) => Ok(Some(SmtpCredentials {
            user: decode(user)?,
            password: decode(password)?.into(),
        })),
        (_, None) => Err(InvalidSmtpUrl::Form),
    }
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => name == "localhost" || name.ends_with(".localhost"),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmtpUrl")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("encryption", &self.encryption)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    #[test]
    fn the_scheme_and_the_host_decide_about_encryption() {
        for (text, host, port, encryption) in [
            ("smtp://mail.example", "mail.example", 587, Encryption::StartTls),
            (
                "smtp://Mail.Example:25/",
                "mail.example",
                25,
                Encryption::StartTls,
            ),
            ("smtps://mail.example", "mail.example", 465, Encryption::Tls),
            ("smtp://relay:25?tls=none", "relay", 25, Encryption::None),
            (
                "smtp://localhost:2525",
                "localhost",
                2525,
                Encryption::StartTlsIfOffered,
            ),
            (
                "smtp://127.0.0.1",
                "127.0.0.1",
                587,
                Encryption::StartTlsIfOffered,
            ),
            ("smtp://[::1]:25", "::1", 25, Encryption::StartTlsIfOffered),
            ("smtp://192.0.2.1", "192.0.2.1", 587, Encryption::StartTls),
            (
                "smtp://localhost.example",
                "localhost.example",
                587,
                Encryption::StartTls,
            ),
        ] {
            let url: SmtpUrl = text.parse().unwrap();
            assert_eq!(
                (url.host.as_str(), url.port, url.encryption),
                (host, port, encryption),
                "{text}"
            );
        }
    }

    #[test]
    fn credentials_are_decoded_and_not_shown() {
        let url: SmtpUrl = "smtps://ada%40example.com:hunter%2F2@mail.example"
            .parse()
            .unwrap();
        let SmtpCredentials { user, password } = url.credentials.clone().unwrap();
        assert_eq!(
            (user.as_str(), password.expose_secret()),
            ("ada@example.com", "hunter/2")
        );
        assert!(!format!("{url:?}").contains("hunter"));
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "",
            "mail.example",
            "http://mail.example",
            "smtp://",
            "smtp:mail.example",
            "smtp://mail.example/path",
            "smtp://mail.example?tls=maybe",
            "smtps://mail.example?tls=none",
            "smtp://mail.example#x",
            "smtp://ada@mail.example",
            "smtp://:hunter2@mail.example",
            "smtp://ada:@mail.example",
            "smtp://ada:a%0d%0ab@mail.example",
            "smtp://mail.example:99999",
        ] {
            assert_eq!(
                text.parse::<SmtpUrl>().err(),
                Some(InvalidSmtpUrl::Form),
                "{text}"
            );
        }
    }

    #[test]
    fn a_password_needs_encryption_except_on_this_machine() {
        let parse = |text: &str| text.parse::<SmtpUrl>().err();
        assert_eq!(
            parse("smtp://ada:hunter2@relay:25?tls=none"),
            Some(InvalidSmtpUrl::UnencryptedPassword)
        );
        assert_eq!(parse("smtp://ada:hunter2@127.0.0.1:25?tls=none"), None);
        assert_eq!(parse("smtp://relay:25?tls=none"), None);
    }
}
