//! What a worker does with one job.

use std::sync::Arc;

use super::backlog::Submission;
use super::shared::Shared;
use super::workers::{Admitted, Job};
use crate::engine::LOST;
use crate::error::Code;
use crate::message::Message;
use crate::report::Report;

const DEFECT: &str = "a defect of the library ended it; please report what the log says";

impl Shared {
    /// Runs a job. Returns false if the thread must end.
    pub fn run_job(&self, job: Job) -> bool {
        match job {
            Job::Exit => return false,
            Job::WarmUp => {
                self.catch_panic(|| self.engine.prewarm());
                self.finish_one();
            }
            Job::Send(id, admitted) => {
                self.catch_panic(|| self.send(id, admitted));
            }
        }
        self.workers.release();
        true
    }

    /// Drops a job that no worker can run.
    pub fn discard_job(&self, job: Job) {
        match job {
            Job::WarmUp => self.finish_one(),
            Job::Send(_, Some(admitted)) => self.give_back(admitted),
            Job::Send(_, None) | Job::Exit => {}
        }
    }

    fn send(&self, id: u64, mut admitted: Option<Admitted>) {
        // A statement of its own, so that the backlog is unlocked again.
        let submission = self.backlog().submission(id);
        if let Some(submission) = submission {
            let run = || {
                let message = &submission.message;
                message.with_message(|message| self.send_message(&submission, message, &mut admitted));
            };
            if self.catch_panic(run).is_none() {
                let removed = self.backlog().remove(id);
                if let Some(removed) = removed {
                    self.complete(removed, Code::Internal, DEFECT);
                }
            }
        }
        if let Some(admitted) = admitted {
            self.give_back(admitted);
        }
    }

    /// Sends the message and completes it, unless another thread has ended it. `admitted` stays if it is not used.
    fn send_message(&self, submission: &Submission, message: &Message, admitted: &mut Option<Admitted>) {
        let plan = self.engine.plan(message);
        let in_flight = Arc::new(plan.in_flight());
        if !self.backlog().start(submission.id, &in_flight) {
            return;
        }
        let options = self.engine.resolve(&submission.options, submission.expires);
        let admitted = admitted.take().map(|admitted| (admitted.slot, admitted.place));
        let sent = self.catch_panic(|| self.engine.run(&plan, &options, &in_flight, admitted));
        let removed = self.backlog().remove(submission.id);
        if removed.is_some() {
            // Every part has its outcome now. The code and the text apply only to a part that a defect left without one.
            let text = if sent.is_some() { LOST } else { DEFECT };
            let report = || self.engine.report(&plan, &in_flight, Code::Internal, text);
            let report = self.catch_panic(report).unwrap_or_else(Report::lost);
            self.complete_with(submission, report);
        }
    }
}
