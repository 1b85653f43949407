//! The send loop: wait for the rate limit, sign, exchange, read the answer, and retry if that is safe.
//!
//! The main path reads from top to bottom: parts, one part, one attempt, one exchange. It runs on the caller's thread;
//! `split.concurrency` adds threads for a message of several parts.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, SystemTime};

use super::active_calls::ActiveCalls;
use super::counters::Counters;
use super::in_flight::{InFlight, PartState, lost, unsent};
use super::options::ResolvedOptions;
use super::pacing::{Pacing, RatePermit};
use super::retry::{self, Retries};
use super::vendors::{ApiRequest, Vendors};
use crate::error::Code;
use crate::http::{Agent, Answer, BrokenExchange, Failure, SendPermit};
use crate::log::Logger;
use crate::message::Message;
use crate::os;
use crate::quota::{Place, Slot};
use crate::report::{Delivery, Outcome, Request};
use crate::util::sync::{Mutex, lock};

/// A vendor that asks for a longer pause is not waited for. The report has its `retry_after_ms`.
const MAX_PAUSE: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(super) struct Sender {
    pub vendors: Vendors,
    pub pacing: Pacing,
    pub retries: Retries,
    pub agent: Agent,
    pub calls: Arc<ActiveCalls>,
    pub counters: Counters,
    pub logger: Logger,
    /// `split.concurrency`.
    pub concurrency: usize,
}

/// The result of one attempt, or of one exchange with one endpoint.
struct Attempted {
    outcome: Outcome,
    /// The answer corrected the clock that requests are signed with.
    clock_was_set: bool,
    /// The failure has a cause that every endpoint shares: the permit or the proxy's password was refused.
    fails_everywhere: bool,
}

impl Sender {
    /// Sends every part, `split.concurrency` at a time. After a refusal that applies to all parts, those that have not
    /// started are not sent. Any other failure applies only to its own part.
    pub fn send_parts(
        &self,
        parts: &[Message],
        options: &ResolvedOptions,
        in_flight: &InFlight,
        admitted: Option<(Slot, Place)>,
    ) {
        let admitted = Mutex::new(admitted);
        let next = AtomicUsize::new(0);
        let refused = OnceLock::new();
        let work = || {
            loop {
                let index = next.fetch_add(1, Ordering::Relaxed);
                let Some((message, part)) = parts.get(index).zip(in_flight.parts().get(index)) else {
                    break;
                };
                let admitted = if index == 0 { lock(&admitted).take() } else { None };
                match refused.get() {
                    Some(code) => {
                        skip_part(*code, message, part);
                        if let Some((slot, place)) = admitted {
                            self.give_back(message, options, slot, place);
                        }
                    }
                    None => {
                        if let Some(code) = self.send_part(&ApiRequest::Message(*message), options, part, admitted) {
                            let _ = refused.set(code);
                        }
                    }
                }
            }
        };
        match self.concurrency.min(parts.len()) {
            0 | 1 => work(),
            several => thread::scope(|scope| {
                for _ in 1..several {
                    // If the system has no more threads, the caller's thread sends all parts.
                    let _ = os::spawn_scoped(scope, "rtcmsg-split", work);
                }
                work();
            }),
        }
    }

    /// Sends one request: attempts until one of them settles the outcome, or until another attempt would be unsafe, too
    /// late or over the budget. Returns the code of a refusal that applies to the other parts as well.
    pub fn send_part(
        &self,
        api_request: &ApiRequest,
        options: &ResolvedOptions,
        part: &PartState,
        admitted: Option<(Slot, Place)>,
    ) -> Option<Code> {
        let permit = self.pacing.permit(api_request, options, &self.calls);
        if let Some((permit, (slot, place))) = permit.as_ref().zip(admitted) {
            permit.adopt(slot, place);
        }
        let send_permit = permit.clone().map(|permit| -> Arc<dyn SendPermit> { permit });
        let mut may_set_the_clock = true;
        let mut attempts = 0;
        self.retries.earn();
        loop {
            if let Err(unsent) = self.wait_for_permit(permit.as_deref(), options) {
                part.set_unsent(*unsent, api_request.recipients());
                break;
            }
            attempts += 1;
            let attempted = self.attempt(api_request, options, part, send_permit.as_ref());
            let request = &attempted.outcome.request;
            if let Some(permit) = &permit {
                update_quota(permit, request);
            }
            let set_the_clock =
                request.code == Code::Clock && attempted.clock_was_set && std::mem::take(&mut may_set_the_clock);
            let may_retry = attempts < self.retries.max_attempts && (set_the_clock || self.retries.is_safe(request));
            let retry_after_ms = request.retry_after_ms;
            part.record_outcome(attempted.outcome);
            if !may_retry {
                break;
            }
            // A wrong clock is not a fault of the vendor's: the retry needs no pause and no budget.
            let pause = if set_the_clock {
                Duration::ZERO
            } else {
                self.retries.pause(attempts, retry_after_ms)
            };
            let in_time = options.latest_start().remaining().is_none_or(|left| pause < left) && pause <= MAX_PAUSE;
            if !in_time || !(set_the_clock || self.retries.spend()) || !self.calls.sleep(pause) {
                break;
            }
            self.counters.retries.add(1);
            if let Some(permit) = &permit {
                permit.prepare_retry();
            }
        }
        self.counters
            .quota_waits
            .add(permit.is_some_and(|permit| permit.has_waited()).into());
        part.finish()
    }

    /// Waits until the rate limit admits the request. The error is the request's result if it may not be sent in time.
    fn wait_for_permit(&self, permit: Option<&RatePermit>, options: &ResolvedOptions) -> Result<(), Box<Request>> {
        if self.calls.is_aborted() {
            return Err(unsent(Code::Closed, "the client was closed before it was sent").into());
        }
        if options.expires.has_passed() {
            return Err(unsent(Code::Expired, "it expired before it was sent").into());
        }
        if options.deadline.has_passed() {
            return Err(unsent(Code::Timeout, "the deadline passed before it was sent").into());
        }
        permit.map_or(Ok(false), SendPermit::acquire).map(drop)
    }

    /// One attempt: the vendor's endpoints in order, until one of them may have received a byte of the request.
    fn attempt(
        &self,
        api_request: &ApiRequest,
        options: &ResolvedOptions,
        part: &PartState,
        permit: Option<&Arc<dyn SendPermit>>,
    ) -> Attempted {
        let mut last = None;
        for endpoint in self.vendors.endpoint_order(api_request.vendor()) {
            let attempted = self.exchange(api_request, endpoint, options, part, permit);
            part.record_attempt(&attempted.outcome.request);
            if attempted.outcome.request.delivery != Delivery::NotSent {
                self.vendors.prefer_endpoint(api_request.vendor(), endpoint);
                return attempted;
            }
            let is_last = attempted.fails_everywhere || self.calls.is_aborted() || options.latest_start().has_passed();
            last = Some(attempted);
            if is_last {
                break;
            }
        }
        last.unwrap_or_else(|| Attempted::failed(lost(api_request.recipients())))
    }

    /// Signs the request for one endpoint and exchanges it for an answer.
    fn exchange(
        &self,
        api_request: &ApiRequest,
        endpoint: usize,
        options: &ResolvedOptions,
        part: &PartState,
        permit: Option<&Arc<dyn SendPermit>>,
    ) -> Attempted {
        let (request, keys) = match self.vendors.sign(api_request, endpoint) {
            Ok(signed) => signed,
            Err(text) => {
                let failed = Request::failed(Code::Internal, Delivery::NotSent, 0, text);
                return Attempted::failed(Outcome::of(failed, api_request.recipients()));
            }
        };
        let (deadline, expires) = (options.deadline, options.expires);
        let answered = self
            .agent
            .exchange(request, deadline, expires, &part.progress, permit.cloned());
        let mut attempted = match answered {
            Ok((answer, connection)) => {
                let attempted = self.read_answer(api_request, answer);
                if !attempted.outcome.answers_another_request {
                    connection.keep();
                }
                attempted
            }
            Err(Failure::NotPermitted(request)) => Attempted {
                fails_everywhere: true,
                ..Attempted::failed(Outcome::of(*request, api_request.recipients()))
            },
            Err(Failure::Broken(failure)) => Attempted {
                fails_everywhere: failure.proxy_refuses_credentials,
                ..Attempted::failed(self.read_failure(api_request, failure))
            },
        };
        keys.redact(api_request, &mut attempted.outcome);
        attempted
    }

    fn read_answer(&self, api_request: &ApiRequest, answer: Answer) -> Attempted {
        let status = answer.status().as_u16();
        let mut outcome = match unexpected_coding(&answer) {
            None => api_request.read(status, answer.body()),
            Some(coding) => {
                let what = format!("it is compressed ({coding}), although the request does not accept that");
                Outcome::unreadable(api_request.recipients(), status, &what)
            }
        };
        outcome.request.retry_after_ms = retry_after_ms(&answer);
        let clock_was_set = outcome.request.code == Code::Clock
            && self.vendors.correct_clock(api_request.vendor(), &answer, &self.logger);
        outcome.body = answer.into_body();
        Attempted {
            outcome,
            clock_was_set,
            fails_everywhere: false,
        }
    }

    /// The outcome of an exchange without a complete answer.
    fn read_failure(&self, api_request: &ApiRequest, failure: BrokenExchange) -> Outcome {
        let was_cut = self.calls.is_aborted() && !matches!(failure.code, Code::Timeout | Code::Expired);
        let code = if was_cut { Code::Closed } else { failure.code };
        if let Some(status) = failure.status {
            let outcome = Outcome::unreadable(api_request.recipients(), status, &failure.text);
            if outcome.request.delivery != Delivery::Unknown {
                return outcome;
            }
            // The status does not settle the delivery. The code then says why the rest of the answer is missing.
            return Outcome::of(
                Request {
                    code,
                    ..outcome.request
                },
                api_request.recipients(),
            );
        }
        let delivery = if failure.may_have_left {
            Delivery::Unknown
        } else {
            Delivery::NotSent
        };
        Outcome::of(
            Request::failed(code, delivery, 0, failure.text),
            api_request.recipients(),
        )
    }

    /// Returns the slot of a part that is not sent.
    fn give_back(&self, message: &Message, options: &ResolvedOptions, slot: Slot, place: Place) {
        if let Some(permit) = self.pacing.permit(&ApiRequest::Message(*message), options, &self.calls) {
            permit.adopt(slot, place);
            permit.release();
        }
    }
}

impl Attempted {
    fn failed(outcome: Outcome) -> Attempted {
        Attempted {
            outcome,
            clock_was_set: false,
            fails_everywhere: false,
        }
    }
}

/// Updates the quota by the answer of the vendor, so that it follows the vendor's own limit.
fn update_quota(permit: &RatePermit, request: &Request) {
    permit.release();
    match request.code {
        Code::Throttled => permit.throttled(),
        Code::Ok => permit.succeeded(),
        _ => {}
    }
}

/// Ends a part that is not sent, because an earlier one was refused for a reason that applies to all.
fn skip_part(code: Code, message: &Message, part: &PartState) {
    let text = "not sent: another part of the message was refused for a reason that concerns all of it";
    part.set_unsent(unsent(code, text), message.recipients());
    part.finish();
}

/// The compression of a body, although the request forbids it (`Accept-Encoding: identity`). Some gateways name a coding
/// that they did not apply, so a body that starts like JSON, after any byte order marks, is read as it is.
fn unexpected_coding(answer: &Answer) -> Option<&'static str> {
    const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";
    let mut body = answer.body().trim_ascii_start();
    while let Some(rest) = body.strip_prefix(BYTE_ORDER_MARK) {
        body = rest.trim_ascii_start();
    }
    if body.is_empty() || body.starts_with(b"{") {
        return None;
    }
    let coding = answer.headers().get(http::header::CONTENT_ENCODING)?.to_str().ok()?;
    match coding.trim().to_ascii_lowercase().as_str() {
        "" | "identity" => None,
        "gzip" | "x-gzip" => Some("gzip"),
        "deflate" => Some("deflate"),
        "br" => Some("br"),
        "zstd" => Some("zstd"),
        _ => Some("an unknown coding"),
    }
}

/// The answer's `Retry-After`; 0 if it has none.
fn retry_after_ms(answer: &Answer) -> u32 {
    let header = answer.headers().get(http::header::RETRY_AFTER);
    let text = header.and_then(|value| value.to_str().ok());
    text.map_or(0, |text| retry::after_ms(text, SystemTime::now()))
}
