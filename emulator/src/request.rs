//! A received request, before a vendor handles it. It keeps the raw bytes, over which signatures are checked.

use bytes::Bytes;

use crate::vendor::{UserScope, Vendor};

/// A received request. Header names are in lower case, as the HTTP layer returns them; values are the received bytes.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub method: String,
    pub path: String,
    pub raw_query: String,
    pub headers: Vec<(String, Bytes)>,
    pub body: Bytes,
}

impl Request {
    /// The value of a header, or `None` without the header. The values of a repeated header are joined by commas, as in HTTP.
    pub fn header(&self, name: &str) -> Option<String> {
        let mut lines = self.headers.iter().filter(|(candidate, _)| candidate == name);
        let first = String::from_utf8_lossy(&lines.next()?.1).into_owned();
        Some(lines.fold(first, |joined, (_, line)| joined + "," + &String::from_utf8_lossy(line)))
    }

    pub fn query(&self) -> Query {
        Query::parse(&self.raw_query)
    }

    /// The vendor that the request is for, or `None` if it is not recognized as a request to either of them.
    pub fn vendor(&self) -> Option<Vendor> {
        if self.path != "/" {
            return None;
        }
        let signed = self
            .header("authorization")
            .is_some_and(|value| value.starts_with("HMAC-SHA256"));
        if signed {
            return Some(Vendor::Volcengine);
        }
        self.query().vendor()
    }
}

/// What the first line of a request shows before the rest of the request has arrived.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct RequestLine {
    /// Whether the request is for the control API.
    pub control: bool,
    pub vendor: Option<UserScope>,
    pub action: String,
}

impl RequestLine {
    /// Reads `GET /?Action=... HTTP/1.1`. A line of another form is for neither vendor.
    pub fn parse(line: &[u8]) -> Self {
        let line = String::from_utf8_lossy(line);
        let target = line.split(' ').nth(1).unwrap_or_default();
        // A proxy's client sends a whole URL.
        let target = match target.split_once("://") {
            Some((_, rest)) if !target.starts_with('/') => rest.find('/').map_or("", |path| &rest[path..]),
            _ => target,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let query = Query::parse(query);
        let action = query.text("Action").unwrap_or_default().to_owned();
        let vendor = query.vendor().filter(|_| path == "/");
        Self {
            control: path == "/_emulator" || path.starts_with("/_emulator/"),
            vendor: vendor.map(|vendor| UserScope::of(vendor, &action)),
            action,
        }
    }
}

/// The decoded pairs of a query, in its order. They are bytes; the reader decides whether they must be UTF-8.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Query(pub Vec<(Vec<u8>, Vec<u8>)>);

impl Query {
    /// Reads a query as form decoders do: `+` is a space, and a `%` that does not begin an escape is a literal `%`.
    pub fn parse(raw: &str) -> Self {
        let pairs = raw.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| {
                    let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                    (form_decoded(name), form_decoded(value))
                })
                .collect(),
        )
    }

    pub fn contains(&self, name: &str) -> bool {
        self.all(name).next().is_some()
    }

    /// The vendor whose parameters the query has.
    pub fn vendor(&self) -> Option<Vendor> {
        if self.contains("Version") {
            return Some(Vendor::Volcengine);
        }
        let zego = ["Signature", "SignatureNonce", "AppId"];
        zego.iter().any(|name| self.contains(name)).then_some(Vendor::Zego)
    }

    /// The values of a name, in order.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |(candidate, _)| candidate == name.as_bytes())
            .map(|(_, value)| value.as_slice())
    }

    /// The first value of a name, if it is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(candidate, _)| candidate == name.as_bytes())?;
        std::str::from_utf8(value).ok()
    }
}

fn form_decoded(text: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        let escaped = match (first, after) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        if let Some((high, low)) = escaped {
            decoded.push(high << 4 | low);
            rest = &rest[3..];
        } else {
            decoded.push(if *first == b'+' { b' ' } else { *first });
            rest = after;
        }
    }
    decoded
}

fn hex_digit(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_as_form_decoders_read_it() {
        let query = Query::parse("RoomId=a+b&ToUserId%5B%5D=%E4%BD%A0&ToUserId[]=u%2B1&Flag&&Odd=100%");
        assert_eq!(query.text("RoomId"), Some("a b"));
        assert_eq!(query.all("ToUserId[]").collect::<Vec<_>>(), ["你".as_bytes(), b"u+1"]);
        assert_eq!(query.text("Flag"), Some(""));
        assert_eq!(query.text("Odd"), Some("100%"));
        assert!(!query.contains("ToUserId"));
    }

    #[test]
    fn a_first_line_tells_vendor_and_action() {
        let table = [
            ("GET /_emulator/ledger HTTP/1.1\r", true, None, ""),
            ("GET http://127.0.0.1:8089/_emulator/ledger HTTP/1.1\r", true, None, ""),
            (
                "POST /?Action=SendUnicast&Version=2020-12-01 HTTP/1.1",
                false,
                Some(UserScope::Volcengine),
                "SendUnicast",
            ),
            (
                "POST /?Action=P2PSendMessage&Version=2020-12-01 HTTP/1.1",
                false,
                Some(UserScope::Im),
                "P2PSendMessage",
            ),
            (
                "GET http://h/?Action=SendCustomCommand&AppId=1 HTTP/1.1",
                false,
                Some(UserScope::Zego),
                "SendCustomCommand",
            ),
            ("GET /other?Version=1 HTTP/1.1", false, None, ""),
            ("", false, None, ""),
        ];
        for (line, control, vendor, action) in table {
            let read = RequestLine::parse(line.as_bytes());
            assert_eq!(
                (read.control, read.vendor, read.action.as_str()),
                (control, vendor, action),
                "{line}"
            );
        }
    }

    #[test]
    fn a_repeated_header_is_joined_by_commas() {
        let line = |value: &'static str| ("x-seen".to_owned(), Bytes::from_static(value.as_bytes()));
        let request = Request {
            method: "POST".to_owned(),
            path: "/".to_owned(),
            raw_query: String::new(),
            headers: vec![line("a"), line("b")],
            body: Bytes::new(),
        };
        assert_eq!(request.header("x-seen").as_deref(), Some("a,b"));
        assert_eq!(request.header("x-other"), None);
    }
}
