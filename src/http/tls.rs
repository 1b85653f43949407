//! TLS with rustls, over any transport. ureq's own connector hides what rustls has received. This one can see that decrypted
//! bytes, half a record or a close_notify of the peer arrived on an idle connection.

use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, IoState, RootCertStore};
use ureq::Error;
use ureq::http::Uri;
use ureq::unversioned::transport::time::{Duration as Wait, Instant as Moment};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, Transport,
};

use crate::config;
use crate::error;
use crate::util::host::without_brackets;
use crate::util::text_file;

/// The timeout for a read of bytes that have already arrived. Such a read does not wait, but on a busy machine the thread may be
/// suspended before it.
const ARRIVED: Duration = Duration::from_secs(1);
/// The number of reads of an idle connection that may find input before the connection is closed, since a peer could send key
/// updates without end.
const MAX_IDLE_READS: usize = 4;

/// The TLS settings of a client. It trusts the roots in `ca_file`, or those of Mozilla if that is empty.
pub(super) fn client_config(ca_file: &str) -> Result<Arc<ClientConfig>, error::Error> {
    let roots = if ca_file.is_empty() {
        webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect()
    } else {
        roots(ca_file)?
    };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error::Error::new(error::Code::Internal, "", format!("rustls: {error}")))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

fn roots(ca_file: &str) -> Result<RootCertStore, error::Error> {
    let refuse = |why: String| error::Error::invalid(config::TLS_CA_FILE.key, format!("{ca_file}: {why}"));
    let pem = text_file::read(Path::new(ca_file)).map_err(refuse)?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|error| refuse(format!("not valid PEM: {error}")))?;
        roots
            .add(certificate)
            .map_err(|error| refuse(format!("not a root certificate: {error}")))?;
    }
    if roots.is_empty() {
        return Err(refuse("contains no certificate in PEM format".to_owned()));
    }
    Ok(roots)
}

/// Wraps a connection to an `https` address in TLS.
#[derive(Debug)]
pub(super) struct Tls(pub Arc<ClientConfig>);

impl<In: Transport> Connector<In> for Tls {
    type Out = Either<In, TlsStream<In>>;

    fn connect(&self, details: &ConnectionDetails, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        match chained {
            Some(transport) if details.needs_tls() && !transport.is_tls() => {
                let connection = ClientConnection::new(self.0.clone(), server_name(details.uri)?);
                let sizes = (details.config.input_buffer_size(), details.config.output_buffer_size());
                let mut stream = TlsStream::new(transport, connection.map_err(tls_error)?, sizes);
                stream.handshake(|| remaining(details))?;
                Ok(Some(Either::B(stream)))
            }
            other => Ok(other.map(Either::A)),
        }
    }
}

/// A TLS connection. Plaintext is in `buffers`, TLS records are in the buffers of `transport`.
#[derive(Debug)]
pub(super) struct TlsStream<T> {
    transport: T,
    connection: ClientConnection,
    received: RecordReader,
    buffers: LazyBuffers,
}

impl<T: Transport> TlsStream<T> {
    fn new(transport: T, connection: ClientConnection, sizes: (usize, usize)) -> TlsStream<T> {
        TlsStream {
            transport,
            connection,
            received: RecordReader::default(),
            buffers: LazyBuffers::new(sizes.0, sizes.1),
        }
    }

    fn handshake(&mut self, remaining: impl Fn() -> Result<NextTimeout, Error>) -> Result<(), Error> {
        loop {
            self.flush(remaining()?)?;
            if !self.connection.is_handshaking() {
                return Ok(());
            }
            if !self.transport.await_input(remaining()?)? {
                return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
            }
            if let Err(error) = self.decrypt() {
                self.send_alert(remaining());
                return Err(error);
            }
        }
    }

    /// Sends the peer the reason why the handshake has failed. An error of this write is ignored.
    fn send_alert(&mut self, timeout: Result<NextTimeout, Error>) {
        if timeout.and_then(|timeout| self.flush(timeout)).is_ok() {
            // The transport writes its buffered bytes before it checks the connection.
            self.transport.is_open();
        }
    }

    /// Writes the records that rustls has ready to the transport.
    fn flush(&mut self, timeout: NextTimeout) -> Result<(), Error> {
        while self.connection.wants_write() {
            let mut output = self.transport.buffers().output();
            let amount = self.connection.write_tls(&mut output)?;
            self.transport.transmit_output(amount, timeout)?;
        }
        Ok(())
    }

    /// Gives rustls the bytes that the transport has read, until there is plaintext to read or no byte is left.
    fn decrypt(&mut self) -> Result<IoState, Error> {
        loop {
            let state = self.connection.process_new_packets().map_err(tls_error)?;
            let input = self.transport.buffers().input();
            if input.is_empty() || state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
                return Ok(state);
            }
            let amount = self.connection.read_tls(&mut &*input)?;
            self.received.pass(&input[..amount]);
            self.transport.buffers().input_consume(amount);
        }
    }

    /// Whether the connection is open and has no input for a reader. Session tickets and key updates may arrive at any time;
    /// rustls processes them here.
    fn is_quiet(&mut self) -> Result<bool, Error> {
        let timeout = NextTimeout {
            after: Wait::from(ARRIVED),
            ..NextTimeout::default()
        };
        for _ in 0..MAX_IDLE_READS {
            let state = self.decrypt()?;
            let has_plaintext = state.plaintext_bytes_to_read() > 0 || !self.buffers.input().is_empty();
            if has_plaintext || state.peer_has_closed() {
                return Ok(false);
            }
            if self.transport.is_open() {
                // Half a record may be the beginning of application data.
                return Ok(self.received.is_at_boundary());
            }
            if !self.transport.await_input(timeout)? {
                return Ok(false);
            }
        }
        Ok(false)
    }
}

impl<T: Transport> Transport for TlsStream<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        // rustls accepts all of it, since its limit is larger than this buffer and all earlier bytes were flushed.
        self.connection.writer().write_all(&self.buffers.output()[..amount])?;
        self.flush(timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        loop {
            let state = self.decrypt()?;
            if state.plaintext_bytes_to_read() > 0 || state.peer_has_closed() {
                let amount = self.connection.reader().read(self.buffers.input_append_buf())?;
                self.buffers.input_appended(amount);
                return Ok(amount > 0);
            }
            // rustls may have an answer to a key update to write.
            self.flush(timeout)?;
            if !self.transport.await_input(timeout)? {
                // Without a close_notify an attacker may have ended the connection.
                return Err(Error::Io(io::ErrorKind::UnexpectedEof.into()));
            }
        }
    }

    fn is_open(&mut self) -> bool {
        self.is_quiet().unwrap_or(false)
    }

    fn is_tls(&self) -> bool {
        true
    }
}

fn server_name(uri: &Uri) -> Result<ServerName<'static>, Error> {
    let host = uri.host().unwrap_or_default();
    let name = ServerName::try_from(without_brackets(host).to_owned());
    name.map_err(|_| Error::Tls("the host is not a valid server name"))
}

/// The rest of the timeout to connect. It began before the handshake.
fn remaining(details: &ConnectionDetails) -> Result<NextTimeout, Error> {
    let timeout = details.timeout;
    if timeout.after.is_not_happening() {
        return Ok(timeout);
    }
    let elapsed = match details.now {
        Moment::Exact(begun) => begun.elapsed(),
        Moment::AlreadyHappened | Moment::NotHappening => Duration::ZERO,
    };
    let left = timeout.after.saturating_sub(elapsed);
    if left.is_zero() {
        return Err(Error::Timeout(timeout.reason));
    }
    Ok(NextTimeout {
        after: Wait::from(left),
        ..timeout
    })
}

fn tls_error(error: rustls::Error) -> Error {
    Error::Io(io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Follows the framing of TLS records (RFC 8446 section 5.1), to know whether the bytes received so far end with a record.
#[derive(Debug, Default)]
struct RecordReader {
    header: [u8; RecordReader::HEADER],
    header_len: usize,
    payload_left: usize,
}

impl RecordReader {
    /// Type, version and, in the last two bytes, the length of the payload.
    const HEADER: usize = 5;

    fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((&first, rest)) = bytes.split_first() {
            if self.payload_left > 0 {
                let passed = self.payload_left.min(bytes.len());
                self.payload_left -= passed;
                bytes = &bytes[passed..];
                continue;
            }
            self.header[self.header_len] = first;
            self.header_len += 1;
            bytes = rest;
            if self.header_len == Self::HEADER {
                self.header_len = 0;
                self.payload_left = usize::from(u16::from_be_bytes([self.header[3], self.header[4]]));
            }
        }
    }

    fn is_at_boundary(&self) -> bool {
        self.header_len == 0 && self.payload_left == 0
    }
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::PrivateKeyDer;
    use std::sync::LazyLock;

    use rustls::client::Resumption;
    use rustls::{ProtocolVersion, ServerConfig, ServerConnection, SupportedProtocolVersion, version};

    use super::*;

    const BUFFER: usize = 16 * 1024;

    /// A transport with a server in memory at its other end. A read returns one piece of `arrived`, which the test fills.
    #[derive(Debug)]
    struct Wire {
        server: ServerConnection,
        written: Vec<u8>,
        arrived: Vec<Vec<u8>>,
        has_ended: bool,
        buffers: LazyBuffers,
    }

    impl Wire {
        /// Lets the server read what was written, and returns what it writes.
        fn serve(&mut self) -> Vec<u8> {
            let mut written = &std::mem::take(&mut self.written)[..];
            while !written.is_empty() {
                self.server.read_tls(&mut written).unwrap();
                self.server.process_new_packets().unwrap();
            }
            let mut output = Vec::new();
            while self.server.wants_write() {
                self.server.write_tls(&mut output).unwrap();
            }
            output
        }
    }

    impl Transport for Wire {
        fn buffers(&mut self) -> &mut dyn Buffers {
            &mut self.buffers
        }

        fn transmit_output(&mut self, amount: usize, _: NextTimeout) -> Result<(), Error> {
            self.written.extend_from_slice(&self.buffers.output()[..amount]);
            Ok(())
        }

        fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
            if timeout.after.is_zero() {
                return Err(Error::Timeout(timeout.reason));
            }
            assert!(
                *timeout.after >= ARRIVED,
                "a busy machine may suspend the thread before a read"
            );
            if self.arrived.is_empty() && self.server.is_handshaking() {
                let output = self.serve();
                self.arrived.push(output);
            }
            if self.arrived.is_empty() {
                return self.has_ended.then_some(false).ok_or(Error::Timeout(timeout.reason));
            }
            let piece = &mut self.arrived[0];
            let room = self.buffers.input_append_buf();
            let amount = piece.len().min(room.len());
            room[..amount].copy_from_slice(&piece[..amount]);
            self.buffers.input_appended(amount);
            piece.drain(..amount);
            self.arrived.retain(|piece| !piece.is_empty());
            Ok(true)
        }

        fn is_open(&mut self) -> bool {
            self.arrived.is_empty() && !self.has_ended
        }
    }

    struct Peers {
        version: ProtocolVersion,
        client: Arc<ClientConfig>,
        server: Arc<ServerConfig>,
    }

    static PEERS: LazyLock<[Peers; 2]> = LazyLock::new(|| [&version::TLS12, &version::TLS13].map(Peers::new));

    impl Peers {
        fn new(version: &'static SupportedProtocolVersion) -> Peers {
            let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
            let certificate = made.cert.der().clone();
            let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
            let provider = Arc::new(ring::default_provider());
            let server = ServerConfig::builder_with_provider(provider.clone())
                .with_protocol_versions(&[version])
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![certificate.clone()], key)
                .unwrap();
            let mut roots = RootCertStore::empty();
            roots.add(certificate).unwrap();
            let mut client = ClientConfig::builder_with_provider(provider)
                .with_protocol_versions(&[version])
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
            // All connections have the same handshake.
            client.resumption = Resumption::disabled();
            Peers {
                version: version.version,
                client: Arc::new(client),
                server: Arc::new(server),
            }
        }

        /// A connection after its handshake, and what the server wrote after it: session tickets, with TLS 1.3.
        fn connect(&self) -> (TlsStream<Wire>, Vec<u8>) {
            let mut server = ServerConnection::new(self.server.clone()).unwrap();
            server.set_buffer_limit(None);
            let wire = Wire {
                server,
                written: Vec::new(),
                arrived: Vec::new(),
                has_ended: false,
                buffers: LazyBuffers::new(BUFFER, BUFFER),
            };
            let name = ServerName::try_from("localhost").unwrap();
            let connection = ClientConnection::new(self.client.clone(), name).unwrap();
            let mut stream = TlsStream::new(wire, connection, (BUFFER, BUFFER));
            stream.handshake(|| Ok(NextTimeout::default())).unwrap();
            let behind = stream.transport.serve();
            (stream, behind)
        }
    }

    fn with_tickets() -> (TlsStream<Wire>, Vec<u8>) {
        PEERS[1].connect()
    }

    /// Lets these bytes arrive; each piece is returned by a read of its own.
    fn arrive<const COUNT: usize>(stream: &mut TlsStream<Wire>, pieces: [Vec<u8>; COUNT]) {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        stream.transport.arrived.extend(pieces);
    }

    /// The records that the server writes for this plaintext.
    fn encrypted(stream: &mut TlsStream<Wire>, plaintext: &[u8]) -> Vec<u8> {
        stream.transport.server.writer().write_all(plaintext).unwrap();
        stream.transport.serve()
    }

    fn send(stream: &mut TlsStream<Wire>, request: &[u8]) {
        stream.buffers().output()[..request.len()].copy_from_slice(request);
        stream.transmit_output(request.len(), NextTimeout::default()).unwrap();
        let output = stream.transport.serve();
        assert_eq!(output, b"", "the server says nothing by itself");
        let mut seen = vec![0; request.len()];
        stream.transport.server.reader().read_exact(&mut seen).unwrap();
        assert_eq!(seen, request);
    }

    /// Reads that many bytes, as ureq does.
    fn receive(stream: &mut TlsStream<Wire>, amount: usize) -> Vec<u8> {
        let mut taken = Vec::new();
        while taken.len() < amount {
            if stream.buffers().input().is_empty() {
                assert!(stream.await_input(NextTimeout::default()).unwrap());
            }
            let wanted = stream.buffers().input().len().min(amount - taken.len());
            taken.extend_from_slice(&stream.buffers().input()[..wanted]);
            stream.buffers().input_consume(wanted);
        }
        taken
    }

    /// The lengths at which a record begins.
    fn record_edges(bytes: &[u8]) -> Vec<usize> {
        let mut reader = RecordReader::default();
        let is_edge = |(index, byte): (usize, &u8)| {
            reader.pass(&[*byte]);
            reader.is_at_boundary().then_some(index + 1)
        };
        bytes.iter().enumerate().filter_map(is_edge).collect()
    }

    #[test]
    fn tickets_that_arrive_while_idle_are_harmless_and_half_a_record_is_not() {
        let length = with_tickets().1.len();
        for cut in 0..=length {
            let (mut stream, tickets) = with_tickets();
            assert_eq!(tickets.len(), length, "the same tickets each time");
            let edges = record_edges(&tickets);
            assert_eq!(edges.last(), Some(&length));
            arrive(&mut stream, [tickets[..cut].to_vec()]);
            let is_whole = cut == 0 || edges.contains(&cut);
            assert_eq!(stream.is_open(), is_whole, "cut at {cut} of {length}");
            arrive(&mut stream, [tickets[cut..].to_vec()]);
            assert!(stream.is_open(), "the rest behind {cut} of {length}");
        }
    }

    #[test]
    fn a_key_update_that_arrives_while_idle_is_answered_with_the_next_request() {
        let (mut stream, tickets) = with_tickets();
        arrive(&mut stream, [tickets]);
        for _ in 0..3 {
            stream.transport.server.refresh_traffic_keys().unwrap();
            let update = stream.transport.serve();
            arrive(&mut stream, [update]);
            assert!(stream.is_open());
            send(&mut stream, b"request");
            let answer = encrypted(&mut stream, b"answer");
            arrive(&mut stream, [answer]);
            assert_eq!(receive(&mut stream, 6), b"answer");
            assert!(stream.is_open());
        }
    }

    #[test]
    fn a_connection_with_key_updates_without_end_is_closed() {
        let (mut stream, tickets) = with_tickets();
        arrive(&mut stream, [tickets]);
        for _ in 0..MAX_IDLE_READS {
            stream.transport.server.refresh_traffic_keys().unwrap();
            let update = stream.transport.serve();
            arrive(&mut stream, [update]);
        }
        assert!(!stream.is_open());
    }

    #[test]
    fn application_data_without_a_request_ends_the_connection_wherever_it_is_cut() {
        for peers in &*PEERS {
            let (mut stream, behind) = peers.connect();
            let early = encrypted(&mut stream, b"HTTP/1.1 200 OK");
            for cut in 1..early.len() {
                let (mut stream, behind) = peers.connect();
                let early = encrypted(&mut stream, b"HTTP/1.1 200 OK");
                arrive(&mut stream, [[&behind, &early[..cut]].concat()]);
                assert!(!stream.is_open(), "{:?}, cut at {cut}", peers.version);
                arrive(&mut stream, [early[cut..].to_vec()]);
                assert!(!stream.is_open(), "{:?}, the rest behind {cut}", peers.version);
            }
            arrive(&mut stream, [behind, early]);
            assert!(!stream.is_open(), "{:?}, in pieces of its own", peers.version);
        }
    }

    #[test]
    fn a_close_while_idle_ends_the_connection() {
        for peers in &*PEERS {
            for (close_notify, fin) in [(true, false), (false, true), (true, true)] {
                let (mut stream, mut behind) = peers.connect();
                if close_notify {
                    stream.transport.server.send_close_notify();
                    behind.extend(stream.transport.serve());
                }
                arrive(&mut stream, [behind]);
                stream.transport.has_ended = fin;
                assert!(!stream.is_open(), "{:?}, {close_notify}, {fin}", peers.version);
            }
        }
    }

    /// Whether a connection can be used again after an answer of `length` bytes with `behind` further bytes in the same
    /// flight. Bytes that were read with the answer must be found without a read of the socket.
    fn is_reusable(peers: &Peers, length: usize, behind: usize, in_one_record: bool) -> bool {
        let (mut stream, tickets) = peers.connect();
        arrive(&mut stream, [tickets]);
        assert!(stream.is_open());
        send(&mut stream, b"request");
        let (answer, behind) = (vec![b'a'; length], vec![b'b'; behind]);
        let flight = if in_one_record {
            encrypted(&mut stream, &[&answer[..], &behind].concat())
        } else {
            [encrypted(&mut stream, &answer), encrypted(&mut stream, &behind)].concat()
        };
        arrive(&mut stream, [flight]);
        assert_eq!(receive(&mut stream, length), answer);
        if stream.transport.arrived.is_empty() {
            let no_time = NextTimeout {
                after: Wait::from(Duration::ZERO),
                ..NextTimeout::default()
            };
            let found = !stream.buffers.input().is_empty() || stream.await_input(no_time).is_ok();
            assert_eq!(found, !behind.is_empty(), "{length}");
        }
        stream.is_open()
    }

    #[test]
    fn what_follows_an_answer_is_found_at_every_edge() {
        for peers in &*PEERS {
            for length in [1, BUFFER - 1, BUFFER, BUFFER + 1, 2 * BUFFER, 2 * BUFFER + 1] {
                for in_one_record in [true, false] {
                    let row = format!("{:?}, {length}, in one record: {in_one_record}", peers.version);
                    assert!(is_reusable(peers, length, 0, in_one_record), "{row}");
                    for behind in [1, 100, BUFFER, 3 * BUFFER] {
                        assert!(
                            !is_reusable(peers, length, behind, in_one_record),
                            "{row}, {behind} behind"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn names_and_addresses_are_server_names() {
        for (uri, expected) in [
            ("https://example.com", Some("example.com")),
            ("https://example.com:8443/x", Some("example.com")),
            ("https://127.0.0.1:1", Some("127.0.0.1")),
            ("https://[::1]:1", Some("::1")),
            ("https://a_b..c", None),
        ] {
            let name = server_name(&uri.parse().unwrap());
            assert_eq!(
                name.ok().map(|name| name.to_str().into_owned()).as_deref(),
                expected,
                "{uri}"
            );
        }
    }
}
