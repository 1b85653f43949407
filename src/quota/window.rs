//! A sliding window, exact: what left within the last span, and when more may.
//!
//! Two departures that a limit keeps apart lie a whole span apart: one second and the jitter. So they also arrive more
//! than a second apart, as long as delays on the way vary by less than the jitter, and no second at the vendor holds
//! more than the limit. A burst up to the limit leaves at once.

use std::collections::VecDeque;

/// Nanoseconds on a clock that only moves forward.
pub(crate) type Nanos = u64;

/// What one limit asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    /// The most weight within a span.
    pub weight: u64,
    pub span: Nanos,
}

/// The departures that still count, oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    departures: VecDeque<(Nanos, u64)>,
    total: u64,
}

impl Window {
    /// When this weight may leave: `now` or later, if nothing else leaves before.
    ///
    /// A weight above the limit leaves when nothing else counts, so that a lowered limit holds nobody for ever.
    pub fn due(&mut self, now: Nanos, limit: Limit, weight: u64) -> Nanos {
        self.forget(now, limit.span);
        let weight = weight.min(limit.weight);
        let mut excess = (self.total + weight).saturating_sub(limit.weight);
        let mut due = now;
        for (at, gone) in &self.departures {
            if excess == 0 {
                break;
            }
            due = at.saturating_add(limit.span);
            excess = excess.saturating_sub(*gone);
        }
        due
    }

    pub fn depart(&mut self, now: Nanos, weight: u64) {
        self.departures.push_back((now, weight));
        self.total += weight;
    }

    pub fn is_empty(&self) -> bool {
        self.departures.is_empty()
    }

    /// The weight that counts, as of the last look.
    #[cfg(test)]
    pub fn total(&self) -> u64 {
        self.total
    }

    pub fn forget(&mut self, now: Nanos, span: Nanos) {
        while let Some((at, weight)) = self.departures.front() {
            if now.saturating_sub(*at) < span {
                break;
            }
            self.total -= weight;
            self.departures.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { weight: 3, span: 100 };

    fn window(departures: &[(Nanos, u64)]) -> Window {
        let mut window = Window::default();
        for (at, weight) in departures {
            window.depart(*at, *weight);
        }
        window
    }

    #[test]
    fn a_burst_up_to_the_limit_leaves_at_once_and_the_next_waits_for_the_first_to_pass() {
        assert_eq!(window(&[]).due(0, LIMIT, 1), 0);
        assert_eq!(window(&[(0, 1), (5, 1)]).due(7, LIMIT, 1), 7);
        assert_eq!(window(&[(0, 1), (5, 1), (6, 1)]).due(7, LIMIT, 1), 100);
        assert_eq!(window(&[(0, 1), (5, 1), (6, 1)]).due(7, LIMIT, 2), 105);
        assert_eq!(window(&[(0, 1), (5, 1), (6, 1)]).due(100, LIMIT, 1), 100);
        assert_eq!(window(&[(0, 3)]).due(99, LIMIT, 1), 100);
    }

    #[test]
    fn a_weight_above_the_limit_waits_for_an_empty_window() {
        assert_eq!(window(&[]).due(0, LIMIT, 9), 0);
        assert_eq!(window(&[(0, 1), (50, 1)]).due(60, LIMIT, 9), 150);
    }

    #[test]
    fn what_passed_is_forgotten() {
        let mut window = window(&[(0, 1), (50, 2)]);
        window.forget(100, 100);
        assert_eq!((window.total, window.departures.len()), (2, 1));
        window.forget(150, 100);
        assert!(window.is_empty() && window.total == 0);
    }
}
