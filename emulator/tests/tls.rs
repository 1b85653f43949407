//! HTTPS with the certificate of the options.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rtcmsg_emulator::{Emulator, Options, StartError, TlsFiles};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

#[test]
fn https_is_served_with_the_given_certificate() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (certificate, key) = (folder.join("emulator.pem"), folder.join("emulator.key"));
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, issued.cert.pem()).unwrap();
    std::fs::write(&key, issued.signing_key.serialize_pem()).unwrap();
    let tls = Some(TlsFiles { certificate, key });
    let emulator = Emulator::start(Options {
        tls,
        ..Options::default()
    })
    .unwrap();
    assert_eq!(emulator.url(), format!("https://127.0.0.1:{}", emulator.port()));

    let mut roots = RootCertStore::empty();
    roots.add(issued.cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()));
    let config = config
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, TcpStream::connect(emulator.address()).unwrap());
    write!(stream, "GET /_emulator/health HTTP/1.1\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}

#[test]
fn tls_files_with_a_byte_order_mark_are_read() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let (certificate, key) = (folder.join("marked.pem"), folder.join("marked.key"));
    let issued = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&certificate, format!("\u{FEFF}{}", issued.cert.pem())).unwrap();
    std::fs::write(&key, format!("\u{FEFF}{}", issued.signing_key.serialize_pem())).unwrap();
    Emulator::start(Options {
        tls: Some(TlsFiles { certificate, key }),
        ..Options::default()
    })
    .unwrap();
}

#[test]
fn the_error_names_a_tls_file_that_cannot_be_used() {
    let missing = Path::new(env!("CARGO_TARGET_TMPDIR")).join("missing.pem");
    let tls = Some(TlsFiles {
        certificate: missing.clone(),
        key: missing.clone(),
    });
    let error = Emulator::start(Options {
        tls,
        ..Options::default()
    })
    .unwrap_err();
    assert!(
        matches!(&error, StartError::Tls { file, .. } if *file == missing),
        "{error}"
    );
    assert!(error.to_string().contains("missing.pem"), "{error}");
}
