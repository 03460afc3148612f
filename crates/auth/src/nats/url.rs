//! The URL of a broker, and connections to it.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, Context};
use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret as _, SecretString};
use url::Url;

use super::NatsError;

/// How long the broker may take to accept a connection or to answer a request.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The URL of a NATS server: `nats://host:4222`, or `tls://` to require TLS, with the credentials that the server requires:
/// `user:password@`, or a token before the `@`. `Debug` shows no credentials.
#[derive(Clone)]
pub struct NatsUrl {
    /// Without credentials, because the client library logs it.
    server: Url,
    credentials: Option<Credentials>,
}

#[derive(Clone)]
enum Credentials {
    Password { user: String, password: SecretString },
    Token(SecretString),
}

/// The text is not the URL of a NATS server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the URL of a NATS server")]
pub struct InvalidNatsUrl;

impl NatsUrl {
    /// The form of a URL, as the end of "must be …".
    pub const FORM: &str = "`nats://` or `tls://`, optionally `<user>:<password>@`, and a host";

    /// Connects. The connection is not made again when it ends. `client` identifies this program in the broker's lists.
    ///
    /// # Errors
    /// If the broker does not accept the connection within three seconds.
    pub async fn connect(&self, client: &str) -> Result<Context, NatsError> {
        let options = ConnectOptions::new()
            .name(client)
            .connection_timeout(TIMEOUT)
            .request_timeout(Some(TIMEOUT))
            // The lowest number. Zero means no limit.
            .max_reconnects(1)
            .ignore_discovered_servers();
        let options = match &self.credentials {
            Some(Credentials::Password { user, password }) => options
                .user_and_password(user.clone(), password.expose_secret().to_owned())
                .custom_inbox_prefix(inbox_of(user)),
            Some(Credentials::Token(token)) => options.token(token.expose_secret().to_owned()),
            None => options,
        };
        let connection = options.connect(self.server.as_str()).await?;
        let mut jetstream = jetstream::new(connection);
        jetstream.set_timeout(TIMEOUT);
        Ok(jetstream)
    }
}

/// The prefix of the subjects on which the broker answers a user: `_INBOX.<user>`. So the broker can keep a user from reading the
/// answers to others. A name that can't be part of a subject gets the usual prefix.
fn inbox_of(user: &str) -> String {
    let is_token = !user.is_empty()
        && user
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if is_token {
        format!("_INBOX.{user}")
    } else {
        "_INBOX".to_owned()
    }
}

impl FromStr for NatsUrl {
    type Err = InvalidNatsUrl;

    fn from_str(text: &str) -> Result<Self, InvalidNatsUrl> {
        let mut server: Url = text.parse().map_err(|_| InvalidNatsUrl)?;
        let is_server = matches!(server.scheme(), "nats" | "tls")
            && server.host_str().is_some_and(|host| !host.is_empty())
            && matches!(server.path(), "" | "/")
            && server.query().is_none()
            && server.fragment().is_none();
        if !is_server {
            return Err(InvalidNatsUrl);
        }
        let decode = |part: &str| {
            let decoded = percent_decode_str(part).decode_utf8();
            decoded.map(String::from).map_err(|_| InvalidNatsUrl)
        };
        let user = decode(server.username())?;
        let credentials = match server.password() {
            Some(password) => Some(Credentials::Password {
                user,
                password: decode(password)?.into(),
            }),
            None if user.is_empty() => None,
            None => Some(Credentials::Token(user.into())),
        };
        server.set_username("").map_err(|()| InvalidNatsUrl)?;
        server.set_password(None).map_err(|()| InvalidNatsUrl)?;
        Ok(Self { server, credentials })
    }
}

impl fmt::Debug for NatsUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NatsUrl").field(&self.server.as_str()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_decoded_and_not_shown() {
        let url: NatsUrl = "nats://feed:p%40ss%2Fword@broker:4222".parse().unwrap();
        assert_eq!(format!("{url:?}"), r#"NatsUrl("nats://broker:4222")"#);
        let Some(Credentials::Password { user, password }) = url.credentials else {
            panic!("no password")
        };
        assert_eq!((user.as_str(), password.expose_secret()), ("feed", "p@ss/word"));

        let url: NatsUrl = "tls://t%6Fken@broker".parse().unwrap();
        assert_eq!(format!("{url:?}"), r#"NatsUrl("tls://broker")"#);
        assert!(
            matches!(url.credentials, Some(Credentials::Token(token)) if token.expose_secret() == "token")
        );

        let url: NatsUrl = "nats://[::1]:4222/".parse().unwrap();
        assert!(url.credentials.is_none());
    }

    #[test]
    fn each_user_has_an_inbox() {
        assert_eq!(inbox_of("order-service"), "_INBOX.order-service");
        for user in ["", "a.b", "*", ">", "a b", "ä"] {
            assert_eq!(inbox_of(user), "_INBOX", "{user}");
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for text in [
            "",
            "broker",
            "broker:4222",
            "nats:",
            "nats://",
            "nats://:4222",
            "http://broker",
            "ws://broker",
            "nats://broker/stream",
            "nats://broker?tls=true",
            "nats://broker#",
            "nats://a,nats://b",
            "nats://user:%ff@broker",
            "nats://broker:port",
        ] {
            assert_eq!(text.parse::<NatsUrl>().map(drop), Err(InvalidNatsUrl), "{text}");
        }
    }
}
