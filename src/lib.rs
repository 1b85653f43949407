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
mod dispatch;
mod error;
mod ffi;
mod http;
mod log;
mod message;
mod metrics;
mod os;
mod quota;
mod redact;
mod report;
mod secret;
mod util;
mod volcengine;
mod zego;

pub use client::{CallOptions, CallTimeout, Client};
pub use config::{Config, Kind, SETTINGS, Setting, configuration_md};
pub use dispatch::{Completion, Dispatcher, Order, SubmitOptions};
pub use error::{Code, Error};
pub use log::{Level, Logger};
pub use message::{Message, Payload, Recipients, Signal, Vendor};
pub use report::{Attempt, Delivery, Device, Name, Recipient, Report, Request, User};
pub use secret::Secret;

/// The signatures, pure: for tests, tools and the curious.
pub mod sign {
    pub use crate::util::ascii::Ascii;
    pub use crate::volcengine::sign as volcengine;
    pub use crate::zego::sign as zego;
}

/// The pure parts, for the targets in `fuzz/`. Only they are built with this cfg.
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

    /// A request of each vendor that is configured.
    pub fn requests(config: &Config) -> Result<(), http::Error> {
        let now = time::UtcDateTime::UNIX_EPOCH;
        if let Ok(Some((mut account, credentials))) = volcengine::configured(config) {
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
