//! A client that sees bytes: connections of its own, with or without TLS, whose end is told apart by how it came.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use rtcmsg_emulator::{Emulator, TlsFiles};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::Value;

use super::Lab;

/// Long past anything that can be right: a test that hangs should fail instead.
pub const SAFETY_NET: Duration = Duration::from_secs(60);

/// A lab whose emulator is spoken to byte by byte, with a control connection that no fault can hit any more.
pub struct WireLab {
    pub lab: Lab,
    tls: Option<Arc<ClientConfig>>,
    control: std::cell::RefCell<Wire>,
}

/// How a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// FIN; under TLS after a word of farewell.
    Closed,
    /// FIN under TLS, without a word.
    CutOff,
    Reset,
}

impl WireLab {
    pub fn plain() -> Self {
        Self::new(None)
    }

    pub fn tls() -> Self {
        static FILES: AtomicU64 = AtomicU64::new(0);
        let number = FILES.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = |ending| folder.join(format!("wire-{}-{number}.{ending}", std::process::id()));
        let (certificate, key) = (file("pem"), file("key"));
        let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(&certificate, issued.cert.pem()).unwrap();
        std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(issued.cert.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
        let config = config
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self::new(Some((TlsFiles { certificate, key }, Arc::new(config))))
    }

    fn new(tls: Option<(TlsFiles, Arc<ClientConfig>)>) -> Self {
        let (files, config) = tls.unzip();
        let lab = Lab::with(|options| {
            options.tls = files;
            options.quota = false;
        });
        let control = Wire::to(lab.emulator.address(), config.as_ref()).unwrap();
        let wired = Self {
            lab,
            tls: config,
            control: control.into(),
        };
        wired.look("health");
        wired.control("zego/join", r#"{"room_id":"room","user_id":"alice"}"#);
        wired.control("volcengine/join", r#"{"room_id":"room","user_id":"alice"}"#);
        wired
    }

    /// The end that a FIN in the middle of things is seen as.
    pub fn fin(&self) -> End {
        if self.tls.is_some() { End::CutOff } else { End::Closed }
    }

    pub fn emulator(&self) -> &Emulator {
        &self.lab.emulator
    }

    pub fn connect(&self) -> Wire {
        self.try_connect().unwrap()
    }

    /// A connection whose handshake may fail.
    pub fn try_connect(&self) -> std::io::Result<Wire> {
        Wire::to(self.emulator().address(), self.tls.as_ref())
    }

    pub fn fault(&self, rule: &str) -> u64 {
        self.emulator().add_fault(rule.parse().expect(rule))
    }

    pub fn control(&self, path: &str, body: &str) -> Value {
        self.ask("POST", path, body)
    }

    pub fn look(&self, path: &str) -> Value {
        self.ask("GET", path, "")
    }

    fn ask(&self, method: &str, path: &str, body: &str) -> Value {
        let length = body.len();
        let request =
            format!("{method} /_emulator/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\r\n{body}");
        let mut control = self.control.borrow_mut();
        control.send(request.as_bytes());
        let answer = control.answer();
        serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
    }

    /// The connections that sent a byte or none to the vendors.
    pub fn connections(&self) -> Vec<Value> {
        self.look("connections").as_array().unwrap().clone()
    }

    /// The row of a connection, once it is as it should be.
    pub fn row_when(&self, wire: &Wire, right: impl Fn(&Value) -> bool) -> Value {
        self.row_of_port_when(wire.port, right)
    }

    pub fn row_of_port_when(&self, port: u16, right: impl Fn(&Value) -> bool) -> Value {
        let mut seen = Vec::new();
        let row = eventually(|| {
            seen = self.connections();
            let row = seen.iter().rev().find(|row| row["peer_port"] == port)?;
            right(row).then(|| row.clone())
        });
        row.unwrap_or_else(|| panic!("no such row of port {port}: {seen:?}"))
    }

    pub fn closed_row(&self, wire: &Wire) -> Value {
        self.row_when(wire, |row| row["open"] == false)
    }

    /// The ledger's entries of one connection.
    pub fn ledger_of(&self, wire: &Wire) -> Vec<Value> {
        let ledger = self.look("ledger");
        let entries = ledger.as_array().unwrap().iter();
        entries
            .filter(|entry| entry["peer_port"] == wire.port)
            .cloned()
            .collect()
    }

    /// A custom command to alice, fresh, as it is on the wire.
    pub fn command(&self) -> Vec<u8> {
        self.command_to("alice")
    }

    pub fn command_to(&self, user: &str) -> Vec<u8> {
        let common = self.lab.zego_common();
        let query =
            format!("Action=SendCustomCommand&{common}&RoomId=room&FromUserId=s&ToUserId[]={user}&MessageContent=hi");
        format!("GET /?{query} HTTP/1.1\r\nHost: h\r\n\r\n").into_bytes()
    }
}

/// Asks until there is an answer, or far too long.
pub fn eventually<T>(mut ask: impl FnMut() -> Option<T>) -> Option<T> {
    let start = Instant::now();
    while start.elapsed() < SAFETY_NET {
        if let Some(answer) = ask() {
            return Some(answer);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    None
}

trait Duplex: Read + Write {}

impl<T: Read + Write> Duplex for T {}

pub struct Wire {
    stream: Box<dyn Duplex>,
    pub port: u16,
    tls: bool,
}

impl Wire {
    fn to(address: SocketAddr, tls: Option<&Arc<ClientConfig>>) -> std::io::Result<Self> {
        let mut tcp = TcpStream::connect(address)?;
        tcp.set_nodelay(true)?;
        tcp.set_read_timeout(Some(SAFETY_NET))?;
        let port = tcp.local_addr()?.port();
        let stream: Box<dyn Duplex> = match tls {
            None => Box::new(tcp),
            Some(config) => {
                let name = ServerName::try_from("localhost").unwrap();
                let mut session = ClientConnection::new(Arc::clone(config), name).unwrap();
                while session.is_handshaking() {
                    session.complete_io(&mut tcp)?;
                }
                Box::new(StreamOwned::new(session, tcp))
            }
        };
        Ok(Self {
            stream,
            port,
            tls: tls.is_some(),
        })
    }

    /// Sends bytes in one go.
    pub fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        self.stream.flush().unwrap();
    }

    /// One whole answer.
    pub fn answer(&mut self) -> String {
        let mut answer = Vec::new();
        while !is_whole(&answer) {
            let mut bytes = [0; 4096];
            let read = self.stream.read(&mut bytes).unwrap();
            assert!(read > 0, "cut off after {:?}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&bytes[..read]);
        }
        String::from_utf8(answer).unwrap()
    }

    /// All that still comes, and how the connection ends.
    pub fn rest(&mut self) -> (Vec<u8>, End) {
        let mut rest = Vec::new();
        let mut bytes = [0; 4096];
        loop {
            match self.stream.read(&mut bytes) {
                Ok(0) => return (rest, End::Closed),
                Ok(read) => rest.extend_from_slice(&bytes[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return (rest, End::Reset),
                Err(error) if error.kind() == ErrorKind::UnexpectedEof && self.tls => return (rest, End::CutOff),
                Err(error) => panic!("{error}"),
            }
        }
    }
}

fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else {
        return false;
    };
    let text = String::from_utf8_lossy(&answer[..head]).to_ascii_lowercase();
    let length = text.lines().find_map(|line| line.strip_prefix("content-length: "));
    answer.len() >= head + 4 + length.map_or(0, |length| length.parse::<usize>().unwrap())
}
