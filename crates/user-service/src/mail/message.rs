//! Makes a mail of its texts (RFC 5322).

use std::time::SystemTime;

use chrono::{DateTime, Utc};
use lettre::message::header::{ContentTransferEncoding, HeaderName, HeaderValue};
use lettre::message::{Body, Mailbox, MultiPart};
use lettre::{Address, Message};
use uuid::Uuid;

use super::content::Texts;
use crate::domain::EmailAddress;

/// Lines of a body that is sent without an encoding have at most this number of bytes (RFC 5322 §2.1.1).
const MAX_LINE: usize = 998;

/// Makes a mail. Its `Message-ID` follows from the id in the outbox, so that a mail that is sent twice can be recognised.
pub(super) fn build(
    id: Uuid,
    from: &Mailbox,
    to: Address,
    texts: &Texts,
    now: DateTime<Utc>,
) -> Result<Message, lettre::error::Error> {
    let auto_submitted = HeaderValue::new(
        HeaderName::new_from_ascii_str("Auto-Submitted"),
        // RFC 3834 §5: keeps programs from replying.
        "auto-generated".to_owned(),
    );
    Message::builder()
        .message_id(Some(format!("<{id}@{}>", from.email.domain())))
        .date(SystemTime::from(now))
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(&texts.subject)
        .raw_header(auto_submitted)
        .multipart(MultiPart::alternative_plain_html(
            unencoded(&texts.text),
            unencoded(&texts.html),
        ))
}

/// A body whose links an encoding does not break. Texts are ASCII unless an operator changes the templates.
fn unencoded(text: &str) -> Body {
    let text = text.replace("\r\n", "\n").replace('\n', "\r\n");
    let is_plain = text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE);
    if is_plain {
        // lettre itself would encode lines of more than 76 bytes.
        return Body::dangerous_pre_encoded(text.into_bytes(), ContentTransferEncoding::SevenBit);
    }
    Body::new(text)
}

/// The address as mail servers take it: with the ASCII form of its domain. `None` if no mail can be sent to it, such as `a..b@example.com`,
/// which an account may have.
pub(super) fn recipient(address: &str) -> Option<Address> {
    let address = EmailAddress::parse_existing(address).ok()?;
    let (local, _) = address.as_str().rsplit_once('@')?;
    let (_, domain) = address.key().rsplit_once('@')?;
    Address::new(local, domain).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail(text: &str) -> String {
        let texts = Texts {
            subject: "A subject".to_owned(),
            text: text.to_owned(),
            html: "<p>a page</p>".to_owned(),
        };
        let from = "Shop <mail@shop.example>".parse().unwrap();
        let to = recipient("Ada@example.com").unwrap();
        let message = build(Uuid::from_u128(7), &from, to, &texts, DateTime::UNIX_EPOCH).unwrap();
        String::from_utf8(message.formatted()).unwrap()
    }

    #[test]
    fn a_mail_has_the_headers_of_a_mail_that_a_program_sends() {
        let mail = mail("a text\n");
        for header in [
            "Message-ID: <00000000-0000-0000-0000-000000000007@shop.example>\r\n",
            "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n",
            "From: Shop <mail@shop.example>\r\n",
            "To: Ada@example.com\r\n",
            "Subject: A subject\r\n",
            "Auto-Submitted: auto-generated\r\n",
        ] {
            assert!(mail.contains(header), "{header}: {mail}");
        }
    }

    #[test]
    fn a_long_link_stays_on_its_line() {
        let link = format!(
            "https://shop.example/auth/password/reset#token={}",
            "a".repeat(200)
        );
        assert!(mail(&format!("open\n\n{link}\n")).contains(&format!("\r\n{link}\r\n")));
        // A changed template may have other characters.
        assert!(mail("ein Gru\u{df}\n").is_ascii());
    }

    #[test]
    fn the_domain_of_a_recipient_is_ascii() {
        let text = |address| recipient(address).map(|address: Address| address.to_string());
        assert_eq!(
            text("a@bücher.example").as_deref(),
            Some("a@xn--bcher-kva.example")
        );
        assert_eq!(text("Ada+x@Example.com").as_deref(), Some("Ada+x@example.com"));
        assert_eq!(text("ä@example.com").as_deref(), Some("ä@example.com"));
        assert_eq!(text("a..b@example.com"), None);
    }
}
