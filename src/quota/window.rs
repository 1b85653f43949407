//! A sliding window, exact: which permits were used within the last span, and when more may be.
//!
//! Two requests that a limit keeps apart lie a whole span apart: one second and the jitter. So they also arrive more
//! than a second apart, as long as delays on the way vary by less than the jitter, and no second at the vendor holds
//! more than the limit. A burst up to the limit leaves at once.

use std::collections::VecDeque;

/// Nanoseconds on a clock that only moves forward.
pub(crate) type Nanos = u64;

/// How many permits may be used within any span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limit {
    pub permits: u64,
    pub span: Nanos,
}

/// Names the permits that one request took. A later one has a greater number.
pub(super) type SlotId = u64;

#[derive(Debug)]
struct Entry {
    at: Nanos,
    /// 0 once they were removed.
    permits: u64,
    slot: SlotId,
}

/// The permits that still count, oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Ordered by time and by slot alike. The first is never one that was removed.
    entries: VecDeque<Entry>,
    total: u64,
    /// The longest of all limits that were asked for: clients of one account may differ in their jitter.
    span: Nanos,
}

impl Window {
    /// When so many permits may be used: `now` or later, if nothing else is used before.
    ///
    /// A request for more than the limit waits until nothing else counts, so that a lowered limit blocks no request for ever.
    pub fn due(&mut self, now: Nanos, limit: Limit, permits: u64) -> Nanos {
        self.span = self.span.max(limit.span);
        self.forget(now);
        let permits = permits.min(limit.permits);
        let mut excess = (self.total + permits).saturating_sub(limit.permits);
        let mut due = now;
        for entry in &self.entries {
            if excess == 0 {
                break;
            }
            due = entry.at.saturating_add(self.span);
            excess = excess.saturating_sub(entry.permits);
        }
        due
    }

    /// `slot` is greater than every one before, and `now` not earlier.
    pub fn insert(&mut self, now: Nanos, permits: u64, slot: SlotId) {
        self.total += permits;
        self.entries.push_back(Entry { at: now, permits, slot });
    }

    /// One permit, in a window that may not have been asked when it is due.
    pub fn insert_for(&mut self, limit: Limit, now: Nanos, slot: SlotId) {
        self.span = self.span.max(limit.span);
        self.insert(now, 1, slot);
    }

    /// Removes the permits of a slot; gives their number, or `None` if they no longer count.
    pub fn remove(&mut self, slot: SlotId) -> Option<u64> {
        let index = self.entries.binary_search_by_key(&slot, |entry| entry.slot).ok()?;
        let permits = std::mem::take(&mut self.entries[index].permits);
        self.total -= permits;
        self.drop_removed();
        (permits > 0).then_some(permits)
    }

    pub fn contains(&self, slot: SlotId) -> bool {
        let found = self.entries.binary_search_by_key(&slot, |entry| entry.slot);
        found.is_ok_and(|index| self.entries[index].permits > 0)
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Drops what no longer counts.
    pub fn forget(&mut self, now: Nanos) {
        while let Some(first) = self.entries.front() {
            if first.permits > 0 && now.saturating_sub(first.at) < self.span {
                break;
            }
            self.total -= first.permits;
            self.entries.pop_front();
        }
    }

    fn drop_removed(&mut self) {
        while self.entries.front().is_some_and(|first| first.permits == 0) {
            self.entries.pop_front();
        }
        while self.entries.back().is_some_and(|last| last.permits == 0) {
            self.entries.pop_back();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Limit = Limit { permits: 3, span: 100 };

    fn window(used: &[(Nanos, u64)]) -> Window {
        let mut window = Window::default();
        for (slot, (at, permits)) in (0..).zip(used) {
            window.insert(*at, *permits, slot);
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
    fn a_request_for_more_than_the_limit_waits_for_an_empty_window() {
        assert_eq!(window(&[]).due(0, LIMIT, 9), 0);
        assert_eq!(window(&[(0, 1), (50, 1)]).due(60, LIMIT, 9), 150);
    }

    #[test]
    fn entries_older_than_the_span_are_dropped() {
        let mut window = window(&[(0, 1), (50, 2)]);
        window.due(100, LIMIT, 1);
        assert_eq!((window.total, window.entries.len()), (2, 1));
        window.forget(150);
        assert!(window.is_empty() && window.total == 0);
    }

    #[test]
    fn the_longest_span_that_was_asked_for_counts_for_all() {
        let mut window = window(&[(0, 3)]);
        let longer = Limit { span: 130, ..LIMIT };
        assert_eq!(window.due(10, LIMIT, 1), 100);
        assert_eq!(window.due(10, longer, 1), 130);
        assert_eq!(window.due(110, LIMIT, 1), 130);
    }

    #[test]
    fn removed_permits_count_no_longer_and_are_removed_once() {
        let mut window = window(&[(0, 1), (5, 1), (6, 1)]);
        assert_eq!(window.due(7, LIMIT, 1), 100);
        assert!(window.contains(1));
        assert_eq!(window.remove(1), Some(1));
        assert!(!window.contains(1));
        assert_eq!((window.remove(1), window.remove(7)), (None, None));
        assert_eq!(window.due(7, LIMIT, 1), 7);
        assert_eq!(window.due(7, LIMIT, 2), 100, "the first still counts");
        assert_eq!(window.remove(0), Some(1));
        assert_eq!(
            window.entries.len(),
            1,
            "what was removed keeps no memory once it is first"
        );
        assert_eq!(window.due(7, LIMIT, 3), 106);
    }
}
