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
    /// The address could not be listened on.
    Listen {
        /// The address as it was asked for.
        address: SocketAddr,
        /// What the system said.
        fault: io::Error,
    },
    /// A file of the TLS certificate cannot be used.
    Tls {
        /// The file at fault.
        file: PathBuf,
        /// What is wrong with it.
        fault: String,
    },
    /// The system gave no thread.
    Thread(io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotLoopback(host) => {
                write!(
                    formatter,
                    "{host} is no loopback address: whoever reaches the emulator controls it, allow that with --allow-remote"
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
