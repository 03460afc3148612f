//! The parts of a received mail. Only the encoding `7bit` occurs.

/// A mail as a server or a file has it.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The recipient of the envelope. Empty for a file.
    pub to: String,
    pub raw: String,
}

impl Mail {
    /// A header's value.
    pub fn header(&self, name: &str) -> String {
        let (head, _) = self.raw.split_once("\r\n\r\n").unwrap();
        let head = head.replace("\r\n ", " ");
        let start = format!("{}: ", name.to_lowercase());
        let mut lines = head
            .split("\r\n")
            .filter(|line| line.to_lowercase().starts_with(&start));
        let line = lines
            .next()
            .unwrap_or_else(|| panic!("no header {name}: {}", self.raw));
        assert!(lines.next().is_none(), "two headers {name}: {}", self.raw);
        line[start.len()..].to_owned()
    }

    pub fn subject(&self) -> String {
        self.header("Subject")
    }

    /// The text for programs that show no HTML.
    pub fn text(&self) -> String {
        self.part("text/plain")
    }

    pub fn html(&self) -> String {
        self.part("text/html")
    }

    /// The link, which is the only line of the text that begins with a URL and has a token.
    pub fn link(&self) -> String {
        let text = self.text();
        let links: Vec<_> = text.lines().filter(|line| line.contains("#token=")).collect();
        assert_eq!(links.len(), 1, "{text}");
        links[0].to_owned()
    }

    pub fn token(&self) -> String {
        let link = self.link();
        let (_, token) = link.split_once("#token=").unwrap();
        token.to_owned()
    }

    fn part(&self, media_type: &str) -> String {
        let content_type = self.header("Content-Type");
        let (_, boundary) = content_type.split_once("boundary=").unwrap();
        let boundary = format!("--{}", boundary.trim_matches('"'));
        let part = self
            .raw
            .split(&boundary)
            .find(|part| part.contains(&format!("Content-Type: {media_type}")))
            .unwrap_or_else(|| panic!("no {media_type}: {}", self.raw));
        assert!(part.contains("Content-Transfer-Encoding: 7bit"), "{part}");
        let (_, body) = part.split_once("\r\n\r\n").unwrap();
        body.replace("\r\n", "\n")
    }
}
