//! HTTPS from two PEM files.

use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use crate::error::StartError;
use crate::options::TlsFiles;

/// Reads the files. The server offers only HTTP/1.1.
pub(crate) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor, StartError> {
    let chain = CertificateDer::pem_slice_iter(&read(&files.certificate)?)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| unusable(&files.certificate, error))?;
    if chain.is_empty() {
        return Err(unusable(&files.certificate, "the file has no certificate"));
    }
    let key = PrivateKeyDer::from_pem_slice(&read(&files.key)?).map_err(|error| unusable(&files.key, error))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| builder.with_no_client_auth().with_single_cert(chain, key))
        .map_err(|error| unusable(&files.certificate, error))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// Reads a file without the byte order mark that some editors put before the text and that would hide the first PEM block.
fn read(file: &Path) -> Result<Vec<u8>, StartError> {
    let mut bytes = fs::read(file).map_err(|error| unusable(file, error))?;
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        bytes.drain(..3);
    }
    Ok(bytes)
}

fn unusable(file: &Path, fault: impl Display) -> StartError {
    StartError::Tls {
        file: file.to_owned(),
        fault: fault.to_string(),
    }
}
