//! What a client has done, for its statistics.

use crate::error::Code;
use crate::metrics::Counter;
use crate::report::{Delivery, Report};

#[derive(Debug)]
pub(crate) struct Counters {
    /// Messages by the code of their report, in the order of [`Code::ALL`].
    pub codes: Vec<Counter>,
    /// Messages by the delivery of their report, in the order of [`Delivery::ALL`].
    pub deliveries: Vec<Counter>,
    pub retries: Counter,
    /// Requests that waited for their quota.
    pub quota_waits: Counter,
}

impl Counters {
    pub fn new() -> Counters {
        Counters {
            codes: Code::ALL.iter().map(|_| Counter::default()).collect(),
            deliveries: Delivery::ALL.iter().map(|_| Counter::default()).collect(),
            retries: Counter::default(),
            quota_waits: Counter::default(),
        }
    }

    pub fn count(&self, report: &Report) {
        let code = Code::ALL.iter().position(|code| *code == report.code());
        let delivery = Delivery::ALL.iter().position(|delivery| *delivery == report.delivery());
        let code = code.and_then(|index| self.codes.get(index));
        let delivery = delivery.and_then(|index| self.deliveries.get(index));
        code.into_iter().chain(delivery).for_each(|counter| counter.add(1));
    }
}
