//! From a received request to its answer: which vendor is meant, what that vendor says, and what is written down of it.

use std::io::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::moment::Moment;
use crate::options::Options;
use crate::record::{Capture, Findings, LedgerEntry, Outcome, Vendor};
use crate::request::Request;
use crate::state::{State, Visit};
use crate::{volcengine, zego};

/// The emulator behind its sockets.
pub(crate) struct Service {
    options: Options,
    state: Mutex<State>,
    started: Duration,
    /// Sets the request ids of one run apart from those of another.
    seed: u32,
    sequence: AtomicU64,
    pub vendor_connections: AtomicU64,
}

/// What goes back to the client, and the vendor's code in it: 0 or an empty text when all is well.
pub(crate) struct Reply {
    pub status: u16,
    pub code: Value,
    pub body: Vec<u8>,
}

/// Where a request came in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub connection: u64,
    pub request_on_connection: u64,
}

impl Service {
    pub fn new(options: Options) -> Self {
        let started = (options.steady_clock)();
        let seed = Moment::new((options.clock)(), started);
        let seed = seed
            .unix_seconds
            .wrapping_mul(1000)
            .wrapping_add(i64::from(seed.milliseconds));
        Self {
            state: Mutex::default(),
            started,
            seed: u32::try_from(seed & 0xFFFF_FFFF).unwrap_or_default(),
            sequence: AtomicU64::new(0),
            vendor_connections: AtomicU64::new(0),
            options,
        }
    }

    /// The time now, by the clocks that the emulator was started with.
    pub fn now(&self) -> Moment {
        let steady = (self.options.steady_clock)().saturating_sub(self.started);
        Moment::new((self.options.clock)(), steady)
    }

    /// The state, for as long as the guard lives. No handler panics half way through a change, so a poisoned lock is taken over.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The vendor requests answered since the start.
    pub fn requests(&self) -> u64 {
        self.sequence.load(Ordering::Relaxed)
    }

    /// Answers one vendor request. Clocks are read, quotas spent and the ledger written under one lock, so that all agree on the order.
    pub fn answer(&self, vendor: Vendor, arrival: Arrival, request: Request) -> Reply {
        let mut state = self.state();
        let now = self.now();
        let sequence = self.sequence.fetch_add(1, Ordering::Relaxed) + 1;
        let mut visit = Visit {
            request: &request,
            options: &self.options,
            state: &mut state,
            now,
            sequence,
            request_id: self.request_id(vendor, sequence, now),
            findings: Findings::default(),
        };
        let reply = match vendor {
            Vendor::Volcengine => volcengine::answer(&mut visit),
            Vendor::Zego => zego::answer(&mut visit),
        };
        let entry = ledger_entry(vendor, arrival, visit, &reply);
        if self.options.request_log {
            log(now, &entry);
        }
        state.record.ledger.push(entry);
        state.record.capture(Capture {
            sequence,
            connection: arrival.connection,
            request,
        });
        reply
    }

    /// In the vendors' own forms: time and hex digits, or a number above 2^53 in decimal.
    fn request_id(&self, vendor: Vendor, sequence: u64, now: Moment) -> String {
        match vendor {
            Vendor::Volcengine => format!("{}{:08X}{sequence:012X}", now.civil().digits(), self.seed),
            Vendor::Zego => (u64::from(self.seed >> 1 | 1 << 30) << 32 | sequence & 0xFFFF_FFFF).to_string(),
        }
    }
}

/// The vendor whose client sent this, or `None` if it looks like neither's.
pub(crate) fn vendor_of(request: &Request) -> Option<Vendor> {
    if request.path != "/" {
        return None;
    }
    let query = request.query();
    let signed = request
        .header("authorization")
        .is_some_and(|value| value.starts_with("HMAC-SHA256"));
    if signed || query.contains("Version") {
        return Some(Vendor::Volcengine);
    }
    ["Signature", "SignatureNonce", "AppId"]
        .iter()
        .any(|name| query.contains(name))
        .then_some(Vendor::Zego)
}

fn ledger_entry(vendor: Vendor, arrival: Arrival, visit: Visit<'_>, reply: &Reply) -> LedgerEntry {
    let Findings {
        action,
        version,
        from,
        room_id,
        payload,
        recipients,
        accepted,
    } = visit.findings;
    LedgerEntry {
        sequence: visit.sequence,
        connection: arrival.connection,
        request_on_connection: arrival.request_on_connection,
        vendor,
        action,
        version,
        status: reply.status,
        code: reply.code.clone(),
        request_id: visit.request_id,
        from,
        room_id,
        payload,
        recipients,
        accepted,
        received_at: visit.now.steady,
    }
}

/// One line per request. A log that cannot be written must not stop the emulator.
fn log(now: Moment, entry: &LedgerEntry) {
    let time = now.civil();
    let code = match &entry.code {
        Value::String(code) if code.is_empty() => "ok".to_owned(),
        Value::String(code) => code.clone(),
        code => code.to_string(),
    };
    let what = if entry.accepted {
        let delivered = entry
            .recipients
            .iter()
            .filter(|recipient| recipient.outcome == Outcome::Delivered)
            .count();
        format!("delivered to {delivered} of {}", entry.recipients.len())
    } else {
        "refused".to_owned()
    };
    let _ = writeln!(
        std::io::stderr().lock(),
        "{:02}:{:02}:{:02}.{:03} #{} {} {} {} {code} {what}",
        time.hour,
        time.minute,
        time.second,
        now.milliseconds,
        entry.connection,
        entry.vendor.name(),
        printable(&entry.action),
        entry.status,
    );
}

/// An action's name is the client's text: it must not write lines of its own into the log.
fn printable(action: &str) -> String {
    if action.is_empty() {
        return "-".to_owned();
    }
    action.chars().take(64).flat_map(char::escape_debug).collect()
}
