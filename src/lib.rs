//! Sends messages from a server to the users of Volcengine RTC, Volcengine IM and ZEGO.
//!
//! A [`Report`] says for each recipient whether the message was delivered. [`Client::send`] waits for the report;
//! [`Client::submit`] enqueues the message, and [`Client::poll`] returns the report later. This is the Rust API. C, C++,
//! Python and Go have the same functions, through `include/rtcmsg.h`.
//!
//! ```no_run
//! use rtcmsg::{Client, Config, Message, Payload, SendOptions};
//!
//! let mut config = Config::new();
//! config.load_env()?; // or config.set("volcengine.access_key", "...")?
//! let client = Client::new(&config)?;
//! let message = Message::SendUnicast { from: "server", to: "alice", payload: Payload::Text("dinner is ready") };
//! let report = client.send(&message, &SendOptions::default())?;
//! println!("{}", report.summary());
//! # Ok::<(), rtcmsg::Error>(())
//! ```

mod action;
mod client;
mod config;
mod dispatch;
mod engine;
mod error;
mod ffi;
mod http;
mod log;
mod message;
mod metrics;
mod os;
#[cfg(feature = "inject-panics")]
mod panic_injection;
mod quota;
mod redact;
mod report;
mod secret;
#[cfg(test)]
mod tests;
mod util;
mod volcengine;
mod zego;

pub use action::{Action, Vendor};
pub use client::Client;
pub use config::{Config, Kind, SETTINGS, Setting, configuration_md};
pub use dispatch::{Completion, Order, SubmitOptions};
pub use engine::{SendOptions, SendTimeout};
pub use error::{Code, Error};
pub use log::{Level, Logger};
pub use message::{Message, Payload, Recipients, Signal};
pub use report::{Attempt, Delivery, Device, Name, Recipient, Report, Request, User};
pub use secret::Secret;

/// The signatures of the vendors, as functions without I/O, for tests and tools.
pub mod sign {
    pub use crate::util::ascii::Ascii;
    pub use crate::volcengine::sign as volcengine;
    pub use crate::zego::sign as zego;
}

/// The parts without I/O, for the fuzz targets. Only `fuzz/` is built with this cfg.
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    use crate::config::Config;
    use crate::error::Error;
    use crate::message::{Message, Payload, Recipients};
    use crate::report::Report;
    use crate::{volcengine, zego};

    pub fn volcengine_report(recipients: Recipients, status: u16, body: &[u8]) -> Report {
        Report::merged(
            "Fuzzed",
            vec![volcengine::answer::read(&Message::any_to(recipients), status, body)],
        )
    }

    pub fn zego_report(recipients: Recipients, status: u16, body: &[u8]) -> Report {
        Report::merged("Fuzzed", vec![zego::answer::read(recipients, status, body)])
    }

    pub fn zego_parameters(json: &str) -> Result<Vec<(String, String)>, Error> {
        zego::actions::parameters_of_json(json)
    }

    /// Makes a request for each configured vendor.
    pub fn requests(config: &Config) -> Result<(), http::Error> {
        let now = time::UtcDateTime::UNIX_EPOCH;
        if let Ok(Some((mut account, credentials))) = volcengine::configured(config, None) {
            if account.rtc_app_id.is_empty() {
                account.rtc_app_id = "app".to_owned();
            }
            let message = Message::SendUnicast {
                from: "server",
                to: "alice",
                payload: Payload::Text("hi"),
            };
            if let Ok(call) = volcengine::actions::call(&account, &message) {
                let signer = volcengine::Signer::new(credentials);
                volcengine::request(&account, &account.sites[0], &signer, call, now)?;
            }
        }
        if let Ok(Some((project, credentials))) = zego::configured(config) {
            zego::request(
                &project,
                &project.sites[0],
                &credentials,
                "SendCustomCommand",
                &[("RoomId", "lobby")],
                now,
                "4fd24687296dd9f3",
            )?;
        }
        Ok(())
    }
}
