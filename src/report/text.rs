//! A report in one line.

use std::fmt::Write;

use super::{Delivery, Report, Request};
use crate::error::Code;

impl Report {
    /// One line for a log: no secret, no payload.
    pub fn text(&self) -> String {
        let mut line = format!("{}: ", self.action);
        if self.code == Code::Ok {
            line.push_str(self.delivery.text());
        } else {
            let _ = write!(line, "{}, {}", self.code, self.delivery.text());
        }
        self.write_counts(&mut line);
        const MOST: usize = 3;
        let failed = self.requests.iter().filter(|request| request.code != Code::Ok);
        match &self.requests[..] {
            [request] => write_request(&mut line, request),
            requests => {
                let _ = write!(
                    line,
                    "; {} requests, {} of them failed",
                    requests.len(),
                    failed.clone().count()
                );
                failed.take(MOST).for_each(|request| write_request(&mut line, request));
            }
        }
        line
    }

    fn write_counts(&self, line: &mut String) {
        if self.recipients.len() < 2 {
            return;
        }
        let mut by_certainty = Delivery::ALL;
        by_certainty.sort_by_key(|delivery| std::cmp::Reverse(delivery.certainty()));
        let counts = by_certainty
            .into_iter()
            .map(|delivery| (self.count(delivery), delivery.text()))
            .filter(|(count, _)| *count > 0)
            .map(|(count, text)| format!("{count} {text}"))
            .collect::<Vec<_>>();
        let _ = write!(line, " ({})", counts.join(", "));
    }
}

fn write_request(line: &mut String, request: &Request) {
    if !request.vendor_error.is_empty() {
        let _ = write!(line, "; {}", one_line(&request.vendor_error));
    } else if request.vendor_code != 0 {
        let _ = write!(line, "; code {}", request.vendor_code);
    }
    if request.code != Code::Ok && !request.vendor_message.is_empty() {
        let _ = write!(line, ": {}", one_line(&request.vendor_message));
    }
    if !request.text.is_empty() {
        let _ = write!(line, "; {}", one_line(&request.text));
    }
    if request.http_status != 0 {
        let _ = write!(line, "; HTTP {}", request.http_status);
    }
    if request.attempts.len() > 1 {
        let _ = write!(line, "; {} attempts", request.attempts.len());
    }
    if !request.request_id.is_empty() {
        let _ = write!(line, "; request {}", one_line(&request.request_id));
    }
}

/// Vendors' texts may hold anything.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(200)
        .collect()
}
