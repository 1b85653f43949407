//! The vendors' limits of requests per second, each over a sliding window: a request is admitted if the weight admitted within
//! the last span plus its own is at most the limit. Refused requests do not count. // VENDORS.md, Quotas

use std::collections::VecDeque;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// One limit, and the requests that it has admitted within its span.
#[derive(Debug)]
pub(crate) struct SlidingWindow {
    limit: usize,
    span: Duration,
    entries: VecDeque<(Duration, usize)>,
    weight: usize,
}

impl SlidingWindow {
    fn new(limit: usize, span: Duration) -> Self {
        Self {
            limit,
            span,
            entries: VecDeque::new(),
            weight: 0,
        }
    }

    /// Admits a request of this weight, or refuses it. An entry that is exactly one span old no longer counts.
    pub fn admit(&mut self, weight: usize, now: Duration) -> bool {
        while let Some(&(entered, left)) = self.entries.front() {
            if now.saturating_sub(entered) < self.span {
                break;
            }
            self.weight -= left;
            self.entries.pop_front();
        }
        if self.weight + weight > self.limit {
            return false;
        }
        self.weight += weight;
        self.entries.push_back((now, weight));
        true
    }
}

/// All limits of the two accounts.
#[derive(Debug)]
pub(crate) struct Quotas {
    /// The sum of SendUnicast, SendRoomUnicast, SendBroadcast and BatchSendRoomUnicast.
    pub rtc_sends: SlidingWindow,
    pub im_conversation_sends: SlidingWindow,
    pub im_user_sends: SlidingWindow,
    pub im_sends_to_all: SlidingWindow,
    pub im_user_receivers: SlidingWindow,
    pub zego: SlidingWindow,
    /// ZEGO requests with `IsTest=true`.
    pub zego_test: SlidingWindow,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            rtc_sends: SlidingWindow::new(500, SECOND),
            im_conversation_sends: SlidingWindow::new(100, SECOND),
            im_user_sends: SlidingWindow::new(100, SECOND),
            im_sends_to_all: SlidingWindow::new(1, SECOND),
            im_user_receivers: SlidingWindow::new(25_000, MINUTE),
            zego: SlidingWindow::new(100, SECOND),
            zego_test: SlidingWindow::new(10, SECOND),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NANOSECOND: Duration = Duration::from_nanos(1);

    #[test]
    fn a_full_window_refuses_until_its_first_entry_is_a_second_old() {
        let mut window = SlidingWindow::new(2, SECOND);
        let first = Duration::from_millis(100);
        let second = Duration::from_millis(600);
        assert!(window.admit(1, first));
        assert!(window.admit(1, second));
        assert!(!window.admit(1, first + SECOND - NANOSECOND));
        assert!(window.admit(1, first + SECOND));
        assert!(!window.admit(1, second + SECOND - NANOSECOND));
        assert!(window.admit(1, second + SECOND));
    }

    #[test]
    fn what_was_refused_does_not_count() {
        let mut window = SlidingWindow::new(1, SECOND);
        assert!(window.admit(1, Duration::ZERO));
        for millisecond in 1..1000 {
            assert!(!window.admit(1, Duration::from_millis(millisecond)));
        }
        assert!(window.admit(1, SECOND));
    }

    #[test]
    fn a_weight_above_what_is_left_is_refused_and_a_smaller_one_let_in() {
        let mut window = SlidingWindow::new(10, SECOND);
        assert!(window.admit(7, Duration::ZERO));
        assert!(!window.admit(4, Duration::ZERO));
        assert!(window.admit(3, Duration::ZERO));
    }
}
