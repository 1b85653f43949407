//! The state of a message while its requests run: how far each part has come, and what is known of it.
//!
//! The thread that sends the message writes this state. When the client is closed, another thread may end the message
//! first: each part then ends with what is known of it, and its sender writes nothing more to the network.

use std::mem;

use crate::error::Code;
use crate::http::Progress;
use crate::message::Recipients;
use crate::report::{Attempt, Delivery, Outcome, Request};
use crate::util::sync::{Arc, Mutex, lock};

/// Reported for a part without an outcome, which only a defect of the library can cause.
pub(crate) const LOST: &str = "lost by a defect of the library";

#[derive(Debug)]
pub(crate) struct InFlight {
    parts: Vec<PartState>,
}

/// One part of a message: one request, over all its attempts.
#[derive(Debug)]
pub(super) struct PartState {
    /// How far the current attempt has come.
    pub progress: Arc<Progress>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The combined outcome of all attempts so far.
    outcome: Option<Outcome>,
    attempts: Vec<Attempt>,
    has_ended: bool,
}

impl InFlight {
    pub(super) fn new(parts: usize) -> InFlight {
        InFlight {
            parts: (0..parts).map(|_| PartState::new()).collect(),
        }
    }

    pub(super) fn parts(&self) -> &[PartState] {
        &self.parts
    }
}

impl PartState {
    fn new() -> PartState {
        PartState {
            progress: Arc::new(Progress::new()),
            state: Mutex::default(),
        }
    }

    /// Adds one exchange with one endpoint to the report's list of attempts.
    pub fn record_attempt(&self, request: &Request) {
        lock(&self.state).attempts.push(Attempt {
            code: request.code,
            delivery: request.delivery,
            http_status: request.http_status,
            error_message: request.error_message.clone(),
        });
    }

    /// Combines the outcome of an attempt with those of the earlier ones.
    pub fn record_outcome(&self, outcome: Outcome) {
        let mut state = lock(&self.state);
        if !state.has_ended {
            state.outcome = Some(combine(state.outcome.take(), outcome));
            self.progress.reset();
        }
    }

    /// No further attempt starts, for this reason. It is the outcome only if there was no attempt before.
    pub fn set_unsent(&self, unsent: Request, recipients: Recipients) {
        let mut state = lock(&self.state);
        if !state.has_ended {
            state.outcome.get_or_insert_with(|| Outcome::of(unsent, recipients));
        }
    }

    /// Ends the part. Returns the code if the vendor refused it for a reason that applies to every other part.
    pub fn finish(&self) -> Option<Code> {
        let mut state = lock(&self.state);
        state.has_ended = true;
        let outcome = state.outcome.as_ref()?;
        outcome.concerns_all.then_some(outcome.request.code)
    }

    /// Takes the outcome. A part that has not ended ends here, with what is known of it and with the reason given: no byte
    /// of it is written any more. `None` if another thread has taken the outcome.
    pub fn take_outcome(&self, recipients: Recipients, why: Code, text: &str) -> Option<Outcome> {
        let mut state = lock(&self.state);
        if !mem::replace(&mut state.has_ended, true) {
            let delivery = if self.progress.stop() {
                Delivery::Unknown
            } else {
                Delivery::NotSent
            };
            let now = Outcome::of(Request::failed(why, delivery, 0, text.to_owned()), recipients);
            state.outcome = Some(combine(state.outcome.take(), now));
        }
        let mut outcome = state.outcome.take()?;
        outcome.request.attempts = mem::take(&mut state.attempts);
        Some(outcome)
    }
}

/// A request of which no byte was sent.
pub(super) fn unsent(code: Code, text: &str) -> Request {
    Request::failed(code, Delivery::NotSent, 0, text.to_owned())
}

/// The outcome of a part of which nothing is known.
pub(super) fn lost(recipients: Recipients) -> Outcome {
    Outcome::of(
        Request::failed(Code::Internal, Delivery::Unknown, 0, LOST.to_owned()),
        recipients,
    )
}

/// The outcome of two attempts. The later one counts, but it cannot undo the effect of an earlier one: after an unknown
/// outcome only success settles the delivery, and after an answer of the vendor "not sent" is no longer true.
fn combine(earlier: Option<Outcome>, later: Outcome) -> Outcome {
    let Some(earlier) = earlier else { return later };
    match (earlier.request.delivery, later.request.delivery) {
        (Delivery::Unknown, delivery) if !delivery.is_success() => earlier,
        // Another thread ended the message between the answer and the end of the attempt.
        (Delivery::Accepted | Delivery::Delivered, _) => earlier,
        (Delivery::Unknown, _) => later.with_failures_unknown(earlier.request.code),
        (Delivery::NotDelivered, Delivery::NotSent) => earlier,
        _ => later,
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;
    use crate::http::write_for_model;

    const TO: Recipients = Recipients::One("alice");

    /// A worker sends a request and gets its answer while another thread closes the client: what the close reports is true.
    #[test]
    fn a_message_that_is_taken_over_is_not_sent_only_if_nothing_was_and_nothing_will_be_written() {
        loom::model(|| {
            let in_flight = Arc::new(InFlight::new(1));
            let closing = in_flight.clone();
            let closer = thread::spawn(move || closing.parts()[0].take_outcome(TO, Code::Closed, "closed"));
            let part = &in_flight.parts()[0];
            let was_written = write_for_model(&part.progress);
            if was_written {
                let answer = Request::failed(Code::Ok, Delivery::Accepted, 200, String::new());
                part.record_outcome(Outcome::of(answer, TO));
            } else {
                let failure = Request::failed(Code::Closed, Delivery::NotSent, 0, String::new());
                part.record_outcome(Outcome::of(failure, TO));
            }
            part.finish();
            let mine = part.take_outcome(TO, Code::Internal, LOST);
            let theirs = closer.join().unwrap();
            assert!(
                mine.is_some() != theirs.is_some(),
                "exactly one thread gets the outcome"
            );
            let reported = mine.or(theirs).map(|outcome| outcome.request.delivery);
            if was_written {
                assert!(
                    matches!(reported, Some(Delivery::Accepted | Delivery::Unknown)),
                    "{reported:?}"
                );
            } else {
                assert_eq!(reported, Some(Delivery::NotSent));
            }
        });
    }
}
