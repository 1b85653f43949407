//! Why an emulator did not start.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Why an emulator did not start.
#[derive(Debug)]
#[non_exhaustive]
pub enum StartError {
    /// The host can be reached by other machines, and `allow_remote` is not set.
    NotLoopback(String),
    /// The emulator could not listen on the address.
    Listen {
        /// The address from the options.
        address: SocketAddr,
        /// The system's error.
        fault: io::Error,
    },
    /// A file of the TLS certificate cannot be used.
    Tls {
        /// The file that cannot be used.
        file: PathBuf,
        /// The reason.
        fault: String,
    },
    /// The system could not start a thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(host) => {
                write!(
                    formatter,
                    "{host} is not a loopback address: any client that reaches the emulator can control it; use --allow-remote to allow this"
                )
            }
            Self::Listen { address, fault } => write!(formatter, "cannot listen on {address}: {fault}"),
            Self::Tls { file, fault } => write!(formatter, "cannot use {}: {fault}", file.display()),
            Self::Thread(fault) => write!(formatter, "cannot start the emulator's thread: {fault}"),
        }
    }
}

impl std::error::Error for StartError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Listen { fault, .. } | Self::Thread(fault) => Some(fault),
            Self::NotLoopback(_) | Self::Tls { .. } => None,
        }
    }
}
