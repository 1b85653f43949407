//! A message on its way: what is settled of each of its parts, and how far each has come. Another thread may look, and
//! may take the message over from the one that carries it: each part then ends with what is known of it.

use std::mem;

use crate::error::Code;
use crate::http::Progress;
use crate::message::Recipients;
use crate::report::{Attempt, Delivery, Outcome, Request};
use crate::util::sync::{Arc, Mutex, lock};

#[derive(Debug)]
pub(crate) struct InFlight {
    parts: Vec<PartState>,
}

/// One request of it, over all its attempts.
#[derive(Debug)]
pub(super) struct PartState {
    /// Of the attempt that is under way.
    pub progress: Arc<Progress>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// What the attempts so far come to.
    settled: Option<Outcome>,
    attempts: Vec<Attempt>,
    has_ended: bool,
}

impl InFlight {
    pub fn new(parts: usize) -> InFlight {
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

    /// One endpoint was tried.
    pub fn record_attempt(&self, request: &Request) {
        lock(&self.state).attempts.push(Attempt {
            code: request.code,
            delivery: request.delivery,
            http_status: request.http_status,
            error_message: request.error_message.clone(),
        });
    }

    /// An attempt has come to this.
    pub fn record_outcome(&self, outcome: Outcome) {
        let mut state = lock(&self.state);
        if !state.has_ended {
            state.settled = Some(combine(state.settled.take(), outcome));
            self.progress.reset();
        }
    }

    /// There is no further attempt, because of this: it counts if there was none before.
    pub fn set_unsent(&self, unsent: Request, recipients: Recipients) {
        let mut state = lock(&self.state);
        if !state.has_ended {
            state.settled.get_or_insert_with(|| Outcome::of(unsent, recipients));
        }
    }

    /// The end. A refusal that concerns every other part too is told by its code.
    pub fn finish(&self) -> Option<Code> {
        let mut state = lock(&self.state);
        state.has_ended = true;
        let settled = state.settled.as_ref()?;
        settled.concerns_all.then_some(settled.request.code)
    }

    /// What became of it. If it has not ended, it ends here with what is known, for that reason, and nothing more of it is
    /// sent. `None` if that was asked before.
    pub fn outcome(&self, recipients: Recipients, why: Code, text: &str) -> Option<Outcome> {
        let mut state = lock(&self.state);
        if !mem::replace(&mut state.has_ended, true) {
            let delivery = if self.progress.stop() {
                Delivery::Unknown
            } else {
                Delivery::NotSent
            };
            let now = Outcome::of(Request::failed(why, delivery, 0, text.to_owned()), recipients);
            state.settled = Some(combine(state.settled.take(), now));
        }
        let mut outcome = state.settled.take()?;
        outcome.request.attempts = mem::take(&mut state.attempts);
        Some(outcome)
    }
}

/// What two tries come to. The later one counts, but it cannot undo what an earlier one may have done: where that was
/// unknown only success settles it, and where the vendor has answered, "not sent" is no longer true.
fn combine(earlier: Option<Outcome>, later: Outcome) -> Outcome {
    let Some(earlier) = earlier else { return later };
    match (earlier.request.delivery, later.request.delivery) {
        (Delivery::Unknown, delivery) if !delivery.is_success() => earlier,
        // It was taken over between its answer and its end.
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

    /// A worker sends and gets its answer while another thread closes: whatever the close says is true.
    #[test]
    fn a_message_that_is_taken_over_is_not_sent_only_if_nothing_was_and_nothing_will_be_written() {
        loom::model(|| {
            let in_flight = Arc::new(InFlight::new(1));
            let closing = in_flight.clone();
            let closer = thread::spawn(move || closing.parts()[0].outcome(TO, Code::Closed, "closed"));
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
            let mine = part.outcome(TO, Code::Internal, "nobody");
            let theirs = closer.join().unwrap();
            assert!(mine.is_some() != theirs.is_some(), "one of the two has it");
            let told = mine.or(theirs).map(|outcome| outcome.request.delivery);
            if was_written {
                assert!(matches!(told, Some(Delivery::Accepted | Delivery::Unknown)), "{told:?}");
            } else {
                assert_eq!(told, Some(Delivery::NotSent));
            }
        });
    }
}
