//! A tunnel through a CONNECT proxy: RFC 9110, 9.3.6. No byte of the vendor's request is written here, so every failure
//! means that the request was not sent.

use http::Uri;
use ureq::Error;
use ureq::unversioned::transport::Transport;

use super::tcp::{Connection, Until};
use crate::config::Proxy;
use crate::error::Code;
use crate::util::host;

/// The name of this library in requests to vendors and proxies.
pub(super) const USER_AGENT: &str = concat!("rtcmsg/", env!("CARGO_PKG_VERSION"));

/// The reason why the proxy gives no tunnel.
#[derive(Debug)]
pub(super) struct ProxyFailure {
    pub code: Code,
    pub text: String,
    /// Whether the proxy refuses the credentials: status 401 or 407.
    pub refuses_credentials: bool,
}

impl ProxyFailure {
    /// A failure after which another attempt may succeed.
    pub fn temporary(proxy: &Proxy, what: impl std::fmt::Display) -> Error {
        ProxyFailure::error(Code::Connect, proxy, what)
    }

    fn error(code: Code, proxy: &Proxy, what: impl std::fmt::Display) -> Error {
        Error::Other(Box::new(ProxyFailure::new(code, proxy, what)))
    }

    fn new(code: Code, proxy: &Proxy, what: impl std::fmt::Display) -> ProxyFailure {
        ProxyFailure {
            code,
            text: format!("the proxy {}:{} {what}", proxy.host(), proxy.port()),
            refuses_credentials: false,
        }
    }
}

impl std::fmt::Display for ProxyFailure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for ProxyFailure {}

/// Asks the proxy at the other end of `connection` for a tunnel to the host of `target`.
pub(super) fn open(connection: &mut Connection, proxy: &Proxy, target: &Uri, until: &Until) -> Result<(), Error> {
    let request = request(proxy, target);
    write(connection, request.as_bytes(), until).map_err(|error| hung_up(proxy, error))?;
    let length = loop {
        if let Some(length) = head_length(connection.buffers().input()) {
            break length;
        }
        if connection.buffers().input_append_buf().is_empty() {
            return Err(no_http(proxy));
        }
        let has_more = connection.await_input(until.timeout()?);
        if !has_more.map_err(|error| hung_up(proxy, error))? {
            return Err(ProxyFailure::temporary(proxy, "ended the connection without an answer"));
        }
    };
    let status = status(&connection.buffers().input()[..length]);
    connection.buffers().input_consume(length);
    match status {
        None => Err(no_http(proxy)),
        Some(200..300) if connection.buffers().input().is_empty() => Ok(()),
        // In TLS and in HTTP the client sends first, so there cannot be an answer from the vendor yet.
        Some(200..300) => Err(ProxyFailure::temporary(proxy, "sent data after its answer")),
        Some(status) => Err(refusal(proxy, status)),
    }
}

fn request(proxy: &Proxy, target: &Uri) -> String {
    let name = target.host().unwrap_or_default();
    let port = host::port(target);
    let mut request = format!("CONNECT {name}:{port} HTTP/1.1\r\nHost: {name}:{port}\r\nUser-Agent: {USER_AGENT}\r\n");
    if let Some(authorization) = proxy.authorization() {
        request.push_str("Proxy-Authorization: ");
        request.push_str(authorization);
        request.push_str("\r\n");
    }
    request + "\r\n"
}

fn write(connection: &mut Connection, mut bytes: &[u8], until: &Until) -> Result<(), Error> {
    while !bytes.is_empty() {
        let room = connection.buffers().output();
        let amount = room.len().min(bytes.len());
        let (now, later) = bytes.split_at(amount);
        room[..amount].copy_from_slice(now);
        connection.transmit_output(amount, until.timeout()?)?;
        bytes = later;
    }
    Ok(())
}

/// The length of the answer's head, up to and including the empty line; `None` while it is incomplete.
fn head_length(input: &[u8]) -> Option<usize> {
    const END: &[u8] = b"\r\n\r\n";
    let start = input.windows(END.len()).position(|window| window == END)?;
    Some(start + END.len())
}

fn status(head: &[u8]) -> Option<u16> {
    let head = std::str::from_utf8(head.split(|byte| *byte == b'\r').next()?).ok()?;
    let (version, rest) = head.split_once(' ')?;
    let status = rest.split(' ').next()?;
    let is_status = version.starts_with("HTTP/1.") && status.len() == 3;
    status.parse().ok().filter(|status| is_status && *status >= 100)
}

/// The error for a status that is not 2xx. Most statuses below 500 concern the request or its credentials, so another attempt
/// would get the same. After 408, 429 and 5xx another attempt may succeed.
fn refusal(proxy: &Proxy, status: u16) -> Error {
    let (code, what) = match status {
        401 | 407 => (Code::Proxy, ": check the user and password of the proxy"),
        403 => (Code::Proxy, ": it does not allow this host"),
        408 | 429 | 500.. => (Code::Connect, ""),
        _ => (Code::Proxy, ""),
    };
    Error::Other(Box::new(ProxyFailure {
        refuses_credentials: matches!(status, 401 | 407),
        ..ProxyFailure::new(
            code,
            proxy,
            format_args!("refused the tunnel with status {status}{what}"),
        )
    }))
}

fn no_http(proxy: &Proxy) -> Error {
    ProxyFailure::error(Code::Proxy, proxy, "did not answer as an HTTP proxy")
}

fn hung_up(proxy: &Proxy, error: Error) -> Error {
    match error {
        Error::Io(error) => ProxyFailure::temporary(proxy, format_args!("ended the connection: {error}")),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_a_head_of_http_1_and_from_nothing_else() {
        for (head, expected) in [
            ("HTTP/1.1 200 Connection established\r\n\r\n", Some(200)),
            ("HTTP/1.0 407\r\nA: b\r\n\r\n", Some(407)),
            ("HTTP/2 200\r\n\r\n", None),
            ("HTTP/1.1 20\r\n\r\n", None),
            ("HTTP/1.1 2000\r\n\r\n", None),
            ("HTTP/1.1 +20 x\r\n\r\n", None),
            ("SSH-2.0-OpenSSH\r\n\r\n", None),
            ("\r\n\r\n", None),
        ] {
            assert_eq!(status(head.as_bytes()), expected, "{head:?}");
        }
    }

    #[test]
    fn a_head_ends_with_an_empty_line() {
        let answer = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n";
        assert_eq!(head_length(answer), Some(answer.len()));
        for length in 0..answer.len() {
            assert_eq!(head_length(&answer[..length]), None, "{length} bytes");
        }
        assert_eq!(head_length(b"HTTP/1.1 200 OK\r\n\r\nmore"), Some(19));
    }
}
