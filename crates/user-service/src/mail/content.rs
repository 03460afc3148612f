//! The texts of mails: templates in `templates/mail`, a text and an HTML page for each kind. The first line of the text is the subject.
//!
//! No mail contains the user's name, which a stranger may have chosen at registration. A user agent appears only in notices to verified
//! addresses, never in a mail that a stranger can request, and never as something that mail programs turn into a link.
#![expect(
    clippy::ref_binding_to_reference,
    reason = "askama generates such code for templates that borrow their values"
)]

use askama::Template;
use chrono::TimeDelta;

use crate::domain::{Cause, MailKind, TokenPurpose};

/// The maximum number of characters of a user agent that a mail shows.
const MAX_USER_AGENT: usize = 120;

/// The values that templates can use.
#[derive(Debug)]
pub(super) struct Content {
    /// The platform's public origin.
    platform: String,
    /// The link, for mails with a link.
    link: String,
    /// How long the link works: `30 minutes`.
    lifetime: String,
    /// When the act happened: `30 November 2026, 05:04 UTC`.
    time: String,
    /// The client's address, or `unknown`.
    address: String,
    /// The client's user agent, if it may be shown.
    device: Option<String>,
}

/// A mail's texts.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Texts {
    pub subject: String,
    pub text: String,
    pub html: String,
}

#[derive(Template)]
enum Text<'c> {
    #[template(path = "mail/verify_email.txt")]
    VerifyEmail { content: &'c Content },
    #[template(path = "mail/reset_password.txt")]
    ResetPassword { content: &'c Content },
    #[template(path = "mail/password_changed.txt")]
    PasswordChanged { content: &'c Content },
    #[template(path = "mail/new_sign_in.txt")]
    NewSignIn { content: &'c Content },
    #[template(path = "mail/identity_linked.txt")]
    IdentityLinked { content: &'c Content },
}

#[derive(Template)]
enum Html<'c> {
    #[template(path = "mail/verify_email.html")]
    VerifyEmail { content: &'c Content },
    #[template(path = "mail/reset_password.html")]
    ResetPassword { content: &'c Content },
    #[template(path = "mail/password_changed.html")]
    PasswordChanged { content: &'c Content },
    #[template(path = "mail/new_sign_in.html")]
    NewSignIn { content: &'c Content },
    #[template(path = "mail/identity_linked.html")]
    IdentityLinked { content: &'c Content },
}

impl Content {
    /// `token` is that of the link, for mails with a link.
    pub(super) fn new(public_url: &str, kind: MailKind, token: Option<&str>, cause: &Cause) -> Self {
        Self {
            platform: public_url.to_owned(),
            link: match (kind.purpose(), token) {
                (Some(purpose), Some(token)) => format!("{public_url}{}#token={token}", path_of(purpose)),
                _ => String::new(),
            },
            lifetime: kind
                .purpose()
                .map(|purpose| in_words(purpose.lifetime()))
                .unwrap_or_default(),
            time: cause.at.format("%-d %B %Y, %H:%M UTC").to_string(),
            address: cause.ip.clone().unwrap_or_else(|| "unknown".to_owned()),
            device: cause
                .user_agent
                .as_deref()
                .map(without_links)
                .filter(|device| !device.is_empty()),
        }
    }

    /// Fills in the templates of this kind.
    pub(super) fn render(&self, kind: MailKind) -> Result<Texts, askama::Error> {
        let content = self;
        let (text, html) = match kind {
            MailKind::VerifyEmail => (Text::VerifyEmail { content }, Html::VerifyEmail { content }),
            MailKind::ResetPassword => (Text::ResetPassword { content }, Html::ResetPassword { content }),
            MailKind::PasswordChanged => (
                Text::PasswordChanged { content },
                Html::PasswordChanged { content },
            ),
            MailKind::NewSignIn => (Text::NewSignIn { content }, Html::NewSignIn { content }),
            MailKind::IdentityLinked => (Text::IdentityLinked { content }, Html::IdentityLinked { content }),
        };
        let text = text.render()?;
        let (subject, text) = text.split_once('\n').unwrap_or((&text, ""));
        Ok(Texts {
            subject: subject.trim().to_owned(),
            text: format!("{}\n", text.trim()),
            html: html.render()?,
        })
    }
}

/// The path of the page to which a link leads. The page's script sends the token in a `POST` to the same path.
fn path_of(purpose: TokenPurpose) -> &'static str {
    match purpose {
        TokenPurpose::VerifyEmail => "/auth/email/verify",
        TokenPurpose::ResetPassword => "/auth/password/reset",
    }
}

fn in_words(lifetime: TimeDelta) -> String {
    match lifetime.num_hours() {
        0 => format!("{} minutes", lifetime.num_minutes()),
        hours => format!("{hours} hours"),
    }
}

/// A user agent in ASCII, in which mail programs find neither a URL nor the name of a host.
fn without_links(user_agent: &str) -> String {
    let mut kept = String::new();
    let mut chars = user_agent.chars().take(MAX_USER_AGENT).peekable();
    while let Some(char) = chars.next() {
        let next_is_letter = chars.peek().is_some_and(char::is_ascii_alphabetic);
        kept.push(match char {
            // `Chrome/120.0` keeps its dots, `evil.example` does not.
            '.' if next_is_letter => ' ',
            ':' | '@' => ' ',
            '/' if kept.ends_with(['/', ' ']) => ' ',
            char if char.is_ascii_graphic() || char == ' ' => char,
            _ => '?',
        });
    }
    kept.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    const HOSTILE: &str =
        "</p><a href=\"http://evil.example\">Log in</a> www.evil.example mailto:x@evil.example é";
    const KINDS: [MailKind; 5] = [
        MailKind::VerifyEmail,
        MailKind::ResetPassword,
        MailKind::PasswordChanged,
        MailKind::NewSignIn,
        MailKind::IdentityLinked,
    ];

    fn texts(kind: MailKind, user_agent: Option<&str>) -> Texts {
        let cause = Cause {
            at: DateTime::from_timestamp(1_800_000_000, 0).unwrap(),
            ip: Some("203.0.113.9".to_owned()),
            user_agent: user_agent.map(str::to_owned),
        };
        Content::new("https://shop.example", kind, Some("a-token"), &cause)
            .render(kind)
            .unwrap()
    }

    #[test]
    fn a_link_is_on_its_own_line_and_in_the_page() {
        for (kind, link) in [
            (
                MailKind::VerifyEmail,
                "https://shop.example/auth/email/verify#token=a-token",
            ),
            (
                MailKind::ResetPassword,
                "https://shop.example/auth/password/reset#token=a-token",
            ),
        ] {
            let Texts { text, html, .. } = texts(kind, None);
            assert!(text.lines().any(|line| line == link), "{text}");
            assert!(html.contains(&format!("href=\"{link}\"")), "{html}");
        }
        assert!(texts(MailKind::ResetPassword, None).text.contains("30 minutes"));
        assert!(texts(MailKind::VerifyEmail, None).text.contains("24 hours"));
    }

    #[test]
    fn a_notice_says_when_and_from_where() {
        for kind in [
            MailKind::PasswordChanged,
            MailKind::NewSignIn,
            MailKind::IdentityLinked,
        ] {
            let Texts { text, html, .. } = texts(kind, Some("Mozilla/5.0 (X11; Linux) Firefox/120.0"));
            for part in [
                "15 January 2027, 08:00 UTC",
                "203.0.113.9",
                "Mozilla/5.0 (X11; Linux) Firefox/120.0",
            ] {
                assert!(text.contains(part) && html.contains(part), "{part}: {text}");
            }
            let Texts { text, html, .. } = texts(kind, None);
            assert!(
                text.contains("Address: 203.0.113.9\n\nIf ") && html.contains("Address: 203.0.113.9</p>"),
                "{text} {html}"
            );
            assert!(!text.contains("Device") && !html.contains("Device"), "{text}");
        }
    }

    #[test]
    fn a_hostile_user_agent_becomes_neither_markup_nor_a_link() {
        for kind in KINDS {
            let Texts { subject, text, html } = texts(kind, Some(HOSTILE));
            assert!(
                !subject.is_empty() && !subject.contains("evil") && subject.len() < 70,
                "{subject}"
            );
            assert!(text.is_ascii() && html.is_ascii(), "{text}");
            for part in ["evil.example", "http://", "@evil"] {
                assert!(!text.contains(part) && !html.contains(part), "{part}: {text}");
            }
            assert!(
                !html.contains("<a href=\"http:") && !html.contains("</p><a"),
                "{html}"
            );
        }
        // A stranger can request these mails.
        assert!(
            !texts(MailKind::ResetPassword, Some("Shop/1.0"))
                .text
                .contains("Shop")
        );
        assert!(
            !texts(MailKind::VerifyEmail, Some("Shop/1.0"))
                .text
                .contains("Shop")
        );
    }
}
