//! Server-side messages to the users of a real-time communication vendor: Volcengine RTC and IM, and ZEGO.
//!
//! One truthful report for every recipient. This is the Rust API; C, C++, Python and Go use the same through
//! `include/rtcmsg.h`.
//!
//! ```no_run
//! use rtcmsg::{CallOptions, Client, Config, Message, Payload};
//!
//! let mut config = Config::new();
//! config.load_env()?; // or config.set("volcengine.access_key", "…")? and so on
//! let client = Client::new(&config)?;
//! let message = Message::SendUnicast { from: "server", to: "alice", payload: Payload::Text("dinner is ready") };
//! let report = client.send(&message, &CallOptions::default())?;
//! println!("{}", report.text());
//! # Ok::<(), rtcmsg::Error>(())
//! ```

mod client;
mod config;
mod deadline;
mod error;
mod ffi;
mod http;
mod json;
mod log;
mod message;
mod os;
mod percent;
mod report;
mod secret;
mod volcengine;
mod zego;

pub use client::{CallOptions, CallTimeout, Client};
pub use config::{Config, Kind, SETTINGS, Setting, configuration_md};
pub use error::{Code, Error};
pub use log::{Level, Logger};
pub use message::{Message, Payload, Recipients, Signal, Vendor};
pub use report::{Delivery, Device, Recipient, Report, Request, User};
pub use secret::Secret;

/// The signatures, pure: for tests, tools and the curious.
pub mod sign {
    pub use crate::volcengine::sign as volcengine;
    pub use crate::zego::sign as zego;
}
