//! What came back from a site: one answer, read from its bytes.

use std::io::Read as _;
use std::net::TcpStream;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let head = lines
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        Some(Self { status, head, body: bytes[end + 4..].to_vec() })
    }

    /// Reads one answer with a body of the length that it names, on a connection that stays open.
    pub(crate) fn read(stream: &mut TcpStream) -> Self {
        let mut bytes = Vec::new();
        let mut chunk = [0; 4096];
        loop {
            let read = stream.read(&mut chunk).unwrap();
            assert_ne!(read, 0, "the connection was closed");
            bytes.extend_from_slice(&chunk[..read]);
            if let Some(answer) = Self::parse(&bytes)
                && answer.body.len() >= answer.header("content-length").parse().unwrap()
            {
                return answer;
            }
        }
    }

    /// The value of a header; empty if there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        let found = self.head.iter().find(|(sent, _)| sent == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// Whether the answer says that it depends on the request's header with this name.
    pub(crate) fn varies_by(&self, name: &str) -> bool {
        self.head.iter().any(|(sent, value)| sent == "vary" && value == name)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("{}", self.text()))
    }

    /// The status and the problem's code.
    pub(crate) fn problem(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json");
        let problem = self.json();
        // That there is no order is what a read of it says; all others say nothing that lasts.
        let kept =
            if problem["code"] == "order_not_found" { "private, no-cache" } else { "no-store" };
        assert_eq!(self.header("cache-control"), kept);
        assert_eq!(problem["type"], "about:blank");
        assert_eq!(problem["status"], self.status);
        assert_eq!(problem["request_id"], self.header("x-request-id"));
        assert!(!problem["detail"].as_str().unwrap().is_empty());
        (self.status, problem["code"].as_str().unwrap().to_owned())
    }
}

/// A problem as [`Answer::problem`] says it.
pub(crate) fn problem(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}
