//! An exact sliding window: which permits were used within the last span, and when the next ones may be used.
//!
//! A span is one second plus the jitter (`quota.jitter_ms`). A request that exceeds the limit waits until a whole span has
//! passed since an earlier one. The two then arrive at least one second apart if network delays vary by less than the
//! jitter, so the vendor never sees more than the limit in one second. A burst up to the limit is sent at once.

use std::collections::VecDeque;

/// Nanoseconds on a clock that only moves forward.
pub(crate) type Nanos = u64;

/// How many permits may be used within any span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Limit {
    pub permits: u64,
    pub span: Nanos,
}

/// Identifies the permits of one request. A later request has a greater number.
pub(super) type SlotId = u64;

#[derive(Debug)]
struct Entry {
    at: Nanos,
    /// 0 after the entry was removed.
    permits: u64,
    slot: SlotId,
}

/// The permits that still count, oldest first.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// Ordered by time and also by slot. The first entry is never a removed one.
    entries: VecDeque<Entry>,
    total: u64,
    /// The longest span in use: clients of one account may have different jitter settings.
    span: Nanos,
}

impl Window {
    /// When this number of permits may be used, if no other request uses permits before: `now` or later.
    ///
    /// A request for more than the limit waits until the window is empty, so that a lowered limit never blocks it forever.
    pub fn due(&mut self, now: Nanos, limit: Limit, permits: u64) -> Nanos {
        self.extend(limit);
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

    /// The window counts permits for at least the span of this limit.
    pub fn extend(&mut self, limit: Limit) {
        self.span = self.span.max(limit.span);
    }

    /// `slot` must be greater than all before, and `now` not earlier than in any call before.
    pub fn insert(&mut self, now: Nanos, permits: u64, slot: SlotId) {
        self.total += permits;
        self.entries.push_back(Entry { at: now, permits, slot });
    }

    /// Removes the permits of a slot and returns their number, or `None` if they no longer count.
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

    /// Drops the permits that are older than the span.
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
    fn a_burst_up_to_the_limit_is_sent_at_once_and_the_next_request_waits_a_span() {
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
    fn the_longest_span_in_use_applies_to_all() {
        let mut window = window(&[(0, 3)]);
        let longer = Limit { span: 130, ..LIMIT };
        assert_eq!(window.due(10, LIMIT, 1), 100);
        assert_eq!(window.due(10, longer, 1), 130);
        assert_eq!(window.due(110, LIMIT, 1), 130);
    }

    #[test]
    fn removed_permits_no_longer_count_and_are_removed_once() {
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
            "a removed entry is freed when it becomes the first"
        );
        assert_eq!(window.due(7, LIMIT, 3), 106);
    }
}
