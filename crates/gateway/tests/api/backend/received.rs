//! A request, as it arrived at the backend.

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// The request line and the headers.
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    /// The method and the target.
    pub fn target(&self) -> &str {
        self.head.split(" HTTP/").next().unwrap()
    }

    /// The values of a header.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1);
        let pairs = lines.filter_map(|line| line.split_once(": "));
        pairs
            .filter(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The value of a header that is present at most once.
    pub fn header(&self, name: &str) -> Option<&str> {
        let all = self.all(name);
        assert!(all.len() < 2, "{name} is repeated: {}", self.head);
        all.first().copied()
    }
}
