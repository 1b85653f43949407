//! The request log on standard error: one line for each vendor request.

use std::io::Write;

use serde_json::Value;

use crate::moment::Moment;
use crate::state::record::{LedgerEntry, Outcome};

/// Writes the line of one request. An error is ignored: a log that cannot be written must not stop the emulator.
pub(crate) fn log(now: Moment, entry: &LedgerEntry) {
    let time = now.civil();
    let code = match &entry.code {
        Value::String(code) if code.is_empty() => "ok".to_owned(),
        Value::String(code) => code.clone(),
        Value::Null => "-".to_owned(),
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

/// The client chooses the text of an action's name, so it is escaped: it must not be able to add lines to the log.
fn printable(action: &str) -> String {
    if action.is_empty() {
        return "-".to_owned();
    }
    action.chars().take(64).flat_map(char::escape_debug).collect()
}
