//! The variables of mails.

use std::path::PathBuf;
use std::time::Duration;

use lettre::message::Mailbox;
use secrecy::ExposeSecret as _;
use service_kit::{Env, Settings};
use url::{Host, Url};

use super::message;
use super::smtp_url::SmtpUrl;

/// How long connecting to the SMTP server and logging in may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the SMTP server may take to accept a mail. RFC 5321 §4.5.3.2 has 5 minutes for most steps; servers that scan mails use them.
const SEND_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// How mails are sent.
#[derive(Clone, Debug)]
pub struct MailConfig {
    /// How long connecting to the SMTP server and logging in may take. Defaults to 10 seconds.
    pub connect_timeout: Duration,
    /// How long the SMTP server may take to accept a mail. Defaults to 5 minutes. Together with `connect_timeout` at most 6 minutes.
    pub send_timeout: Duration,
    pub(crate) destination: Destination,
    /// The sender (`MAIL_FROM`).
    pub(crate) from: Mailbox,
    /// The platform's public origin, to which links lead.
    pub(crate) public_url: String,
}

/// Where mails go.
#[derive(Clone, Debug)]
pub(crate) enum Destination {
    /// To this server (`SMTP_URL`).
    Smtp(SmtpUrl),
    /// Into files in this directory.
    Files(PathBuf),
}

impl MailConfig {
    /// Reads `SMTP_URL` and `MAIL_FROM`, and reports problems to `env`.
    pub(crate) fn read(env: &mut Env, settings: &Settings) -> Self {
        let smtp_url = env.secret("SMTP_URL");
        let from = read_from(env, smtp_url.is_some());
        let server = smtp_url.and_then(|url| {
            let parsed = url.expose_secret().parse::<SmtpUrl>();
            parsed
                .map_err(|problem| env.problem("SMTP_URL", problem.to_string()))
                .ok()
        });
        Self {
            connect_timeout: CONNECT_TIMEOUT,
            send_timeout: SEND_TIMEOUT,
            destination: match server {
                Some(server) => Destination::Smtp(server),
                None => Destination::Files(settings.data_dir.join("outbox")),
            },
            from: from.unwrap_or_else(|| default_from(&settings.public_url)),
            public_url: settings.public_url.clone(),
        }
    }
}

fn read_from(env: &mut Env, is_required: bool) -> Option<Mailbox> {
    let Some(text) = env.text("MAIL_FROM") else {
        if is_required {
            env.missing("MAIL_FROM", "SMTP_URL");
        }
        return None;
    };
    let mailbox = text.parse().ok();
    let mailbox = mailbox.filter(|_| !text.contains(char::is_control));
    let mailbox = mailbox.and_then(with_ascii_address);
    if mailbox.is_none() {
        env.problem(
            "MAIL_FROM",
            "must be a mailbox such as `Shop <no-reply@shop.example>`, with only ASCII characters before the `@`",
        );
    }
    mailbox
}

/// The mailbox with the ASCII form of its domain, because not every server takes mails of other senders. `None` if there is none.
fn with_ascii_address(mailbox: Mailbox) -> Option<Mailbox> {
    let address: &str = mailbox.email.as_ref();
    if address.is_ascii() {
        return Some(mailbox);
    }
    let address = message::recipient(address)?;
    address
        .user()
        .is_ascii()
        .then(|| Mailbox::new(mailbox.name, address))
}

/// The sender of mails that only go into files: `no-reply` at the host of the platform.
fn default_from(public_url: &str) -> Mailbox {
    let host = Url::parse(public_url).ok();
    let domain = match host.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name.to_owned(),
        Some(Host::Ipv4(address)) => format!("[{address}]"),
        Some(Host::Ipv6(address)) => format!("[IPv6:{address}]"),
        None => "localhost".to_owned(),
    };
    let address = lettre::Address::new("no-reply", domain);
    let address = address.unwrap_or_else(|_| lettre::Address::new_dangerous("no-reply", "localhost"));
    Mailbox::new(Some("Countersign".to_owned()), address)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<MailConfig, String> {
        let mut env = Env::from_vars("user-service", vars.iter().copied());
        let settings = Settings::read(&mut env, "user-service");
        let config = MailConfig::read(&mut env, &settings);
        env.finish(config).map_err(|errors| errors.to_string())
    }

    #[test]
    fn mails_go_to_files_unless_there_is_a_server() {
        let config = read(&[("DATA_DIR", "/data"), ("PUBLIC_URL", "https://shop.example")]).unwrap();
        let Destination::Files(directory) = config.destination else {
            panic!("{:?}", config.destination)
        };
        assert_eq!(directory.to_str(), Some("/data/outbox"));
        assert_eq!(config.from.to_string(), "Countersign <no-reply@shop.example>");

        let vars = [
            ("SMTP_URL", "smtp://ada:hunter2@mail.example"),
            ("MAIL_FROM", "Shop <mail@shop.example>"),
        ];
        let config = read(&vars).unwrap();
        assert!(matches!(&config.destination, Destination::Smtp(url) if url.host == "mail.example"));
        assert_eq!(config.from.to_string(), "Shop <mail@shop.example>");
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn the_default_sender_is_an_address_on_every_host() {
        for (public_url, from) in [
            ("http://localhost:8080", "Countersign <no-reply@localhost>"),
            ("http://192.0.2.1", "Countersign <no-reply@[192.0.2.1]>"),
        ] {
            assert_eq!(
                read(&[("PUBLIC_URL", public_url)]).unwrap().from.to_string(),
                from
            );
        }
        assert!(read(&[("PUBLIC_URL", "http://[::1]:8080")]).is_ok());
    }

    #[test]
    fn the_senders_domain_is_ascii() {
        let from = |text| read(&[("MAIL_FROM", text)]).unwrap().from.to_string();
        assert_eq!(
            from("Bücher <mail@bücher.example>"),
            "Bücher <mail@xn--bcher-kva.example>"
        );
        assert_eq!(from("Mail@Shop.example"), "Mail@Shop.example");
    }

    #[test]
    fn problems_show_no_password() {
        let problems = read(&[("SMTP_URL", "http://ada:hunter2@mail.example")]).unwrap_err();
        let lines: Vec<_> = problems.lines().collect();
        assert_eq!(lines[0], "MAIL_FROM is missing, but SMTP_URL is set");
        assert!(
            lines[1].starts_with("SMTP_URL must be `smtp://` or `smtps://`"),
            "{problems}"
        );
        assert!(!problems.contains("hunter2"));
        let problems = read(&[
            ("SMTP_URL", "smtp://ada:hunter2@relay?tls=none"),
            ("MAIL_FROM", "a@b.example"),
        ]);
        let problems = problems.unwrap_err();
        assert!(
            problems.starts_with("SMTP_URL must not have a password"),
            "{problems}"
        );
        assert!(!problems.contains("hunter2"));
        for from in [
            "shop",
            "Shop <shop>",
            "a@shop.example\r\nBcc: b@shop.example",
            "a@b.example, c@d.example",
            "Shop <bücher@shop.example>",
        ] {
            let problems = read(&[("MAIL_FROM", from)]).unwrap_err();
            assert!(
                problems.starts_with("MAIL_FROM must be a mailbox"),
                "{from}: {problems}"
            );
        }
    }
}
