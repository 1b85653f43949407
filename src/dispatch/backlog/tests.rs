use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::message::{Message, Payload};

fn submission(id: u64, key: Option<u64>, urgent: bool, expires: Deadline) -> Submission {
    let message = Message::SendUnicast {
        from: "server",
        to: "alice",
        payload: Payload::Text("hi"),
    };
    Submission {
        id,
        user_data: 0,
        message: OwnedMessage::from_message(&message),
        options: SendOptions {
            urgent,
            ..SendOptions::default()
        },
        demand: None,
        expires,
        key: key.map(Key::Given),
        wants_completion: true,
        submitted: Instant::now(),
    }
}

fn never() -> Deadline {
    Deadline::after(None)
}

/// Makes every unscheduled message ready.
fn make_ready(backlog: &mut Backlog) {
    while let Some(submission) = backlog.next_unscheduled() {
        backlog.set_ready(&submission);
    }
}

fn assigned(backlog: &mut Backlog) -> Vec<u64> {
    make_ready(backlog);
    std::iter::from_fn(|| backlog.assign()).collect()
}

#[test]
fn messages_with_one_key_are_assigned_in_order_and_others_at_once() {
    let mut backlog = Backlog::default();
    for (id, key) in [
        (1, Some(7)),
        (2, Some(7)),
        (3, Some(8)),
        (4, None),
        (5, Some(7)),
        (6, None),
    ] {
        backlog.insert(submission(id, key, false, never()).into());
    }
    assert_eq!(assigned(&mut backlog), [1, 3, 4, 6]);
    assert!(backlog.remove(1).is_some() && backlog.remove(1).is_none(), "once");
    assert_eq!(assigned(&mut backlog), [2]);
    backlog.remove(2);
    assert_eq!(assigned(&mut backlog), [5]);
}

#[test]
fn a_message_removed_from_the_middle_of_a_group_does_not_break_the_order() {
    let mut backlog = Backlog::default();
    for id in 1..=4 {
        backlog.insert(submission(id, Some(7), false, never()).into());
    }
    assert_eq!(assigned(&mut backlog), [1]);
    backlog.remove(2);
    backlog.remove(1);
    assert_eq!(assigned(&mut backlog), [3]);
    backlog.remove(3);
    backlog.remove(4);
    assert!(backlog.groups.is_empty() && backlog.entries.is_empty());
}

#[test]
fn urgent_messages_go_first_and_every_ninth_is_a_normal_one() {
    let mut backlog = Backlog::default();
    for id in 1..=40 {
        backlog.insert(submission(id, None, id > 10, never()).into());
    }
    let order = assigned(&mut backlog);
    assert_eq!(order[..10], [11, 12, 13, 14, 15, 16, 17, 18, 1, 19]);
    assert_eq!(order[17], 2);
}

#[test]
fn the_messages_that_expire_soonest_come_first() {
    let mut backlog = Backlog::default();
    let now = Instant::now();
    for (id, seconds) in [(1, 30), (2, 10), (3, 20)] {
        let expires = Deadline::after_from(now, Some(Duration::from_secs(seconds)));
        backlog.insert(submission(id, None, false, expires).into());
    }
    backlog.insert(submission(4, None, false, never()).into());
    assert_eq!(backlog.next_expiry(), Some(now + Duration::from_secs(10)));
    let after = |seconds| now + Duration::from_secs(seconds);
    assert_eq!(backlog.next_expired(after(20)), Some(2));
    backlog.remove(2);
    assert_eq!(backlog.next_expired(after(20)), Some(3));
    backlog.forget_expiry(3);
    assert_eq!(backlog.next_expired(after(20)), None);
    assert_eq!(backlog.next_expired(after(99)), Some(1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// Messages are inserted, assigned and removed in any order: each is removed once, those with one key are assigned in
    /// the order of their ids and never two at a time, and no entry remains.
    #[test]
    fn order_holds_and_nothing_is_lost_whatever_happens(
        steps in prop::collection::vec((0..4u8, 0..4u64, any::<bool>(), any::<prop::sample::Index>()), 1..300),
    ) {
        let mut backlog = Backlog::default();
        let (mut next_id, mut out, mut ended) = (1u64, Vec::<u64>::new(), Vec::<u64>::new());
        let mut last_begun = HashMap::<Key, u64>::new();
        for (step, key, urgent, which) in steps {
            match step {
                0 | 1 => {
                    let key = (key > 0).then_some(key);
                    backlog.insert(submission(next_id, key, urgent, never()).into());
                    next_id += 1;
                }
                2 => {
                    make_ready(&mut backlog);
                    let Some(id) = backlog.assign() else { continue };
                    let key = backlog.submission(id).and_then(|submission| submission.key);
                    if let Some(key) = key {
                        let rival = out.iter().any(|other| backlog.submission(*other).and_then(|submission| submission.key) == Some(key));
                        prop_assert!(!rival, "two messages with one key are assigned");
                        let before = last_begun.insert(key, id);
                        prop_assert!(before.is_none_or(|before| before < id));
                    }
                    out.push(id);
                }
                _ => {
                    let ids: Vec<u64> = backlog.entries.keys().copied().collect();
                    if ids.is_empty() {
                        continue;
                    }
                    let id = *which.get(&ids);
                    prop_assert!(backlog.remove(id).is_some());
                    out.retain(|other| *other != id);
                    ended.push(id);
                }
            }
        }
        loop {
            make_ready(&mut backlog);
            out.extend(std::iter::from_fn(|| backlog.assign()));
            if out.is_empty() {
                break;
            }
            for id in out.drain(..) {
                prop_assert!(backlog.remove(id).is_some());
                ended.push(id);
            }
        }
        ended.sort_unstable();
        prop_assert_eq!(ended, (1..next_id).collect::<Vec<_>>());
        prop_assert!(backlog.groups.is_empty() && backlog.entries.is_empty());
        prop_assert!(backlog.ready.iter().all(BTreeSet::is_empty));
    }
}
