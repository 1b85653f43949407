//! The waiting list under a clock of the test's: every run below is a pure function of its arrivals.

use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;

use super::*;

const MS: Nanos = 1_000_000;
const SECOND: Nanos = 1000 * MS;
const JITTER: Nanos = 30 * MS;

fn demand(weight: u64, limit: u64, priority: Priority) -> Demand {
    Demand {
        weight,
        limit: Limit {
            weight: limit,
            span: SECOND + JITTER,
        },
        room: None,
        priority,
    }
}

/// One who comes to the list, and perhaps gives up.
#[derive(Clone, Debug)]
struct Arrival {
    at: Nanos,
    demand: Demand,
    patience: Option<Nanos>,
}

#[derive(Clone, Debug, PartialEq)]
struct Passed {
    arrival: usize,
    at: Nanos,
}

/// Plays the arrivals against the list, waking exactly when the list says; gives who passed, in order. Holds at every
/// step that the window has spent what passed, and nothing else.
fn play(arrivals: &[Arrival]) -> Vec<Passed> {
    let mut state = State::default();
    let mut present: Vec<(usize, Place, std::sync::Arc<Waiter>, Option<Nanos>)> = Vec::new();
    let mut passed = Vec::new();
    let mut coming = arrivals.iter().enumerate().peekable();
    let mut now = 0;
    loop {
        while let Some((index, arrival)) = coming.next_if(|(_, arrival)| arrival.at <= now) {
            let (place, waiter) = state.arrive(arrival.demand.clone());
            present.push((
                index,
                place,
                waiter,
                arrival.patience.map(|patience| arrival.at + patience),
            ));
        }
        let mut next = state.let_pass(now);
        let mut left = Vec::new();
        present.sort_by_key(|(_, place, ..)| *place);
        present.retain(|(index, place, waiter, gives_up_at)| {
            if waiter.has_passed() {
                passed.push(Passed {
                    arrival: *index,
                    at: now,
                });
                return false;
            }
            let gives_up = gives_up_at.is_some_and(|at| at <= now);
            if gives_up {
                left.push(*place);
            }
            !gives_up
        });
        let spent: u64 = passed
            .iter()
            .filter(|passed| now - passed.at < SECOND + JITTER)
            .map(|passed| arrivals[passed.arrival].demand.weight)
            .sum();
        state.window.forget(now, SECOND + JITTER);
        assert_eq!(state.window.total(), spent, "who waits or leaves has spent nothing");
        for place in left {
            state.leave(place);
            next = Some(now); // whoever stood behind looks again
        }
        let gives_up = present.iter().filter_map(|(.., gives_up_at)| *gives_up_at).min();
        let arrives = coming.peek().map(|(_, arrival)| arrival.at);
        match next.into_iter().chain(gives_up).chain(arrives).min() {
            Some(at) => now = at.max(now),
            None => return passed,
        }
    }
}

fn arrivals(limit: u64) -> impl Strategy<Value = Vec<Arrival>> {
    let priority = prop_oneof![3 => Just(Priority::Normal), 1 => Just(Priority::Urgent)];
    let patience = prop_oneof![3 => Just(None), 1 => (0..2000u64).prop_map(|ms| Some(ms * MS))];
    let one = (0..40u64, 1..=limit.min(5), priority, patience);
    prop::collection::vec(one, 1..150).prop_map(move |gaps| {
        let mut at = 0;
        gaps.into_iter()
            .map(|(gap, weight, priority, patience)| {
                at += gap * gap * MS / 4;
                Arrival {
                    at,
                    demand: demand(weight, limit, priority),
                    patience,
                }
            })
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_second_at_the_vendor_holds_more_than_the_limit(
        limit in 1..20u64,
        seed in any::<u64>(),
        arrivals in (1..20u64).prop_flat_map(arrivals),
    ) {
        let arrivals: Vec<Arrival> = arrivals
            .into_iter()
            .map(|arrival| {
                let weight = arrival.demand.weight.min(limit);
                Arrival { demand: demand(weight, limit, arrival.demand.priority), ..arrival }
            })
            .collect();
        // Each departure takes its own time to the vendor, all within the jitter of one another.
        let mut random = seed | 1;
        let mut arrived: Vec<(Nanos, u64)> = play(&arrivals)
            .iter()
            .map(|passed| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (passed.at + random % JITTER, arrivals[passed.arrival].demand.weight)
            })
            .collect();
        arrived.sort_unstable();
        for (index, (end, _)) in arrived.iter().enumerate() {
            let within: u64 =
                arrived[..=index].iter().filter(|(at, _)| end - at < SECOND).map(|(_, weight)| weight).sum();
            prop_assert!(within <= limit, "{within} within the second up to {end}");
        }
    }

    #[test]
    fn nobody_waits_when_the_window_has_room(arrivals in arrivals(7)) {
        let passed = play(&arrivals);
        for one in &passed {
            let arrival = &arrivals[one.arrival];
            if one.at == arrival.at {
                continue;
            }
            // At the moment before, either the window was too full for it, or another stood before it.
            let before = one.at - 1;
            let full: u64 = passed
                .iter()
                .filter(|p| p.at <= before && before - p.at < SECOND + JITTER)
                .map(|p| arrivals[p.arrival].demand.weight)
                .sum();
            let stood_before = passed.iter().any(|p| {
                p.at == one.at && p.arrival != one.arrival
                    && arrivals[p.arrival].demand.priority <= arrival.demand.priority
            });
            let another_held_it = arrivals.iter().enumerate().any(|(index, other)| {
                let gone_at = other.patience.map(|patience| other.at + patience);
                index != one.arrival && gone_at == Some(one.at)
            });
            prop_assert!(full + arrival.demand.weight > 7 || stood_before || another_held_it);
        }
    }

    #[test]
    fn the_urgent_go_first_and_equals_in_the_order_they_came(arrivals in arrivals(5)) {
        let passed = play(&arrivals);
        for (earlier, later) in passed.iter().zip(passed.iter().skip(1)) {
            let (first, second) = (&arrivals[earlier.arrival], &arrivals[later.arrival]);
            if first.demand.priority == second.demand.priority {
                prop_assert!(earlier.arrival < later.arrival);
            } else if second.demand.priority == Priority::Urgent {
                prop_assert!(second.at > earlier.at, "an urgent one was there and had to wait for a normal one");
            }
        }
    }
}

/// A clock that the test moves; waiting on it moves it to the time waited for.
#[derive(Default)]
struct Hand(AtomicU64);

impl Clock for std::sync::Arc<Hand> {
    fn now(&self) -> Nanos {
        self.0.load(Ordering::SeqCst)
    }

    fn wait<'a, T>(
        &self,
        _: &'a Mutex<T>,
        _: &Condvar,
        guard: MutexGuard<'a, T>,
        until: Option<Nanos>,
    ) -> MutexGuard<'a, T> {
        self.0
            .fetch_max(until.expect("somebody has to keep the time"), Ordering::SeqCst);
        guard
    }
}

fn bucket() -> (std::sync::Arc<Hand>, Bucket<std::sync::Arc<Hand>>) {
    let clock = std::sync::Arc::new(Hand::default());
    (clock.clone(), Bucket::with(clock))
}

fn pass(bucket: &Bucket<std::sync::Arc<Hand>>, limit: u64, wait: Option<Nanos>) -> Result<(), Refusal> {
    bucket.pass(demand(1, limit, Priority::Normal), wait, || false)
}

#[test]
fn a_turn_that_cannot_come_in_time_is_refused_at_once_and_says_when_it_would_have_been() {
    let (clock, bucket) = bucket();
    for _ in 0..2 {
        pass(&bucket, 2, Some(0)).unwrap();
    }
    clock.0.store(400 * MS, Ordering::SeqCst);
    let refusal = Refusal::NoTurn {
        possible_in: SECOND + JITTER - 400 * MS,
    };
    assert_eq!(pass(&bucket, 2, Some(0)), Err(refusal));
    assert_eq!(pass(&bucket, 2, Some(SECOND + JITTER - 400 * MS - 1)), Err(refusal));
    assert_eq!(clock.now(), 400 * MS, "nobody waited for what cannot be");
    pass(&bucket, 2, Some(SECOND)).unwrap();
    assert_eq!(clock.now(), SECOND + JITTER);
}

#[test]
fn a_throttled_bucket_is_lowered_once_a_span_and_restored_step_by_step() {
    let (clock, bucket) = bucket();
    let span = SECOND + JITTER;
    let burst = || {
        clock.0.fetch_add(2 * span, Ordering::SeqCst);
        (0..200).take_while(|_| pass(&bucket, 100, Some(0)).is_ok()).count()
    };
    assert_eq!(burst(), 100);
    bucket.throttled(span);
    bucket.throttled(span);
    assert_eq!(burst(), 75);
    bucket.throttled(span);
    assert_eq!(burst(), 56);
    let mut restored = Vec::new();
    for _ in 0..10 {
        bucket.succeeded(span);
        bucket.succeeded(span);
        restored.push(burst());
    }
    assert_eq!(restored, [61, 66, 71, 76, 81, 86, 91, 96, 100, 100]);
}

#[test]
fn a_full_room_holds_up_its_own_and_nobody_else() {
    let (clock, bucket) = bucket();
    let to = |room: &str| Demand {
        room: Some((
            room.to_owned(),
            Limit {
                weight: 1,
                span: SECOND,
            },
        )),
        ..demand(1, 100, Priority::Normal)
    };
    let passes = |room: &str| bucket.pass(to(room), Some(0), || false).is_ok();
    assert!(passes("a") && !passes("a") && passes("b") && passes("c"));
    clock.0.store(SECOND, Ordering::SeqCst);
    assert!(passes("a"));
    assert_eq!(bucket.lock().rooms.len(), 3);
    clock.0.store(3 * SECOND, Ordering::SeqCst);
    assert!(passes("d"));
    assert_eq!(bucket.lock().rooms.len(), 1, "quiet rooms are forgotten");

    let mut state = State::default();
    let (_, first) = state.arrive(to("a"));
    let (_, held) = state.arrive(to("a"));
    let (_, other) = state.arrive(to("b"));
    assert_eq!(state.let_pass(0), Some(SECOND));
    assert_eq!(
        [&first, &held, &other].map(|waiter| waiter.has_passed()),
        [true, false, true]
    );
}

#[test]
fn who_is_abandoned_leaves_and_spends_nothing() {
    let (_, bucket) = bucket();
    pass(&bucket, 1, None).unwrap();
    assert_eq!(
        bucket.pass(demand(1, 1, Priority::Normal), None, || true),
        Err(Refusal::Abandoned)
    );
    assert!(bucket.lock().waiting.is_empty());
    assert_eq!(
        bucket.lock().window.due(
            SECOND + JITTER,
            Limit {
                weight: 1,
                span: SECOND + JITTER
            },
            1
        ),
        SECOND + JITTER
    );
}

#[test]
fn one_held_by_his_room_does_not_sleep_past_the_turn_of_those_behind() {
    let limit = Limit {
        weight: 1,
        span: SECOND,
    };
    let own = Demand {
        weight: 1,
        limit,
        room: None,
        priority: Priority::Normal,
    };
    let full_room = Demand {
        room: Some((
            "a".to_owned(),
            Limit {
                weight: 1,
                span: 10 * SECOND,
            },
        )),
        ..own.clone()
    };
    let mut state = State::default();
    state.arrive(full_room.clone());
    let (_, held) = state.arrive(full_room);
    let (_, behind) = state.arrive(own);
    assert_eq!(state.let_pass(0), Some(SECOND), "not the room's ten");
    assert_eq!(state.let_pass(SECOND), Some(10 * SECOND));
    assert!(behind.has_passed() && !held.has_passed());
}
