//! The reason why a TLS handshake failed, in a sentence that says what to do about it.

use rustls::{AlertDescription, CertificateError, Error};

/// A sentence for the error that ended a handshake.
pub(super) fn describe(error: &ureq::Error) -> String {
    known_cause(error).unwrap_or_else(|| format!("the TLS handshake failed: {error}"))
}

/// The sentence for an error with a known cause.
pub(super) fn known_cause(error: &ureq::Error) -> Option<String> {
    let why = rustls_error(error).and_then(sentence)?;
    Some(format!("the TLS handshake failed: {why}"))
}

/// Whether the connection failed during the handshake, by an error of the network. This says nothing about the certificate, so
/// another attempt may succeed.
pub(super) fn is_disconnect(error: &ureq::Error) -> bool {
    let kind = match error {
        ureq::Error::Io(error) => error.kind(),
        _ => return false,
    };
    rustls_error(error).is_none() && kind != std::io::ErrorKind::InvalidData
}

/// The error of rustls inside an I/O error.
fn rustls_error(error: &ureq::Error) -> Option<&Error> {
    match error {
        ureq::Error::Io(error) => error.get_ref()?.downcast_ref(),
        _ => None,
    }
}

/// `None` if the text of rustls is clear enough.
fn sentence(error: &Error) -> Option<String> {
    match error {
        Error::InvalidCertificate(error) => certificate(error),
        Error::InvalidMessage(_) => {
            Some("the peer does not speak TLS: is it an http:// endpoint, or is the port wrong?".to_owned())
        }
        Error::AlertReceived(AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure) => Some(
            "the peer has no TLS version or cipher in common with this library, which speaks TLS 1.2 and 1.3"
                .to_owned(),
        ),
        _ => None,
    }
}

fn certificate(error: &CertificateError) -> Option<String> {
    let text = match error {
        CertificateError::UnknownIssuer => {
            "the certificate's issuer is unknown: if it is a CA of your own or of a proxy that opens TLS, set tls.ca_file to its certificate"
        }
        CertificateError::Other(other) if other.to_string() == CA_USED_AS_END_ENTITY => {
            "the server uses a CA certificate as its own: it needs a certificate that is signed by a CA and is not itself a CA"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            return Some(format!("the certificate is for another host: {error}"));
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            return Some(format!(
                "the certificate has expired, or this machine's clock is wrong: {error}"
            ));
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            return Some(format!(
                "the certificate is not valid yet, or this machine's clock is wrong: {error}"
            ));
        }
        _ => return None,
    };
    Some(text.to_owned())
}

/// webpki's name of this error, which has no variant in rustls.
const CA_USED_AS_END_ENTITY: &str = "CaUsedAsEndEntity";

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use super::*;

    #[test]
    fn an_error_of_the_network_is_a_disconnect_and_an_error_of_tls_is_not() {
        for kind in [
            ErrorKind::BrokenPipe,
            ErrorKind::ConnectionReset,
            ErrorKind::HostUnreachable,
            ErrorKind::NetworkUnreachable,
            ErrorKind::UnexpectedEof,
        ] {
            assert!(is_disconnect(&ureq::Error::Io(io::Error::from(kind))), "{kind}");
        }
        let certificate = Error::InvalidCertificate(CertificateError::Expired);
        for error in [
            ureq::Error::Io(io::Error::new(ErrorKind::InvalidData, certificate)),
            ureq::Error::Io(io::Error::from(ErrorKind::InvalidData)),
            ureq::Error::HostNotFound,
        ] {
            assert!(!is_disconnect(&error), "{error}");
        }
    }
}
