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
    // A queue with somebody to send for everyone tells the order in which they pass.
    let (desk, seat) = desk(u64::MAX);
    let mut present: Vec<(usize, Place, Option<Nanos>)> = Vec::new();
    let mut passed = Vec::new();
    let mut coming = arrivals.iter().enumerate().peekable();
    let mut now = 0;
    loop {
        while let Some((index, arrival)) = coming.next_if(|(_, arrival)| arrival.at <= now) {
            let who = Who::Queue {
                seat: seat.clone(),
                ticket: index as u64,
            };
            let (place, _) = state.arrive(arrival.demand.clone(), who);
            present.push((index, place, arrival.patience.map(|patience| arrival.at + patience)));
        }
        let mut next = state.let_pass(now);
        let just_passed = std::mem::take(&mut *desk.passed.lock().unwrap());
        present.retain(|(index, ..)| !just_passed.contains(&(*index as u64)));
        passed.extend(just_passed.into_iter().map(|ticket| Passed {
            arrival: ticket as usize,
            at: now,
        }));
        let mut left = Vec::new();
        present.retain(|(_, place, gives_up_at)| {
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
            let stood_before = passed.iter().any(|p| p.at == one.at && p.arrival != one.arrival);
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
        for (index, (earlier, later)) in passed.iter().zip(passed.iter().skip(1)).enumerate() {
            let (first, second) = (&arrivals[earlier.arrival], &arrivals[later.arrival]);
            if first.demand.priority == second.demand.priority {
                prop_assert!(earlier.arrival < later.arrival);
            } else if second.demand.priority == Priority::Urgent {
                let before = &passed[index.saturating_sub(URGENT_IN_A_ROW as usize)..index];
                let was_its_turn = before.len() == URGENT_IN_A_ROW as usize
                    && before.iter().all(|p| arrivals[p.arrival].demand.priority == Priority::Urgent);
                prop_assert!(
                    second.at > earlier.at || was_its_turn,
                    "an urgent one was there and had to wait for a normal one"
                );
            }
        }
    }
}

#[test]
fn a_normal_one_gets_every_ninth_turn_among_urgent_ones() {
    let urgent = (0..40).map(|_| Priority::Urgent);
    let arrivals: Vec<Arrival> = std::iter::once(Priority::Normal)
        .chain(std::iter::once(Priority::Normal))
        .chain(urgent)
        .map(|priority| Arrival {
            at: 0,
            demand: demand(1, 1, priority),
            patience: None,
        })
        .collect();
    let passed: Vec<usize> = play(&arrivals).iter().map(|passed| passed.arrival).collect();
    assert_eq!((passed[8], passed[17]), (0, 1));
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

fn pass(bucket: &Bucket<std::sync::Arc<Hand>>, limit: u64, wait: Option<Nanos>) -> Result<bool, Refusal> {
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
    let (_, first) = state.arrive(to("a"), Who::thread());
    let (_, held) = state.arrive(to("a"), Who::thread());
    let (_, other) = state.arrive(to("b"), Who::thread());
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
    state.arrive(full_room.clone(), Who::thread());
    let (_, held) = state.arrive(full_room, Who::thread());
    let (_, behind) = state.arrive(own, Who::thread());
    assert_eq!(state.let_pass(0), Some(SECOND), "not the room's ten");
    assert_eq!(state.let_pass(SECOND), Some(10 * SECOND));
    assert!(behind.has_passed() && !held.has_passed());
}

/// A queue with so many workers.
#[derive(Default)]
struct Desk {
    free: AtomicU64,
    passed: std::sync::Mutex<Vec<u64>>,
    looks: AtomicU64,
}

impl Seat for Desk {
    fn claim(&self) -> bool {
        let one_less = |free: u64| free.checked_sub(1);
        self.free
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_less)
            .is_ok()
    }

    fn passed(&self, ticket: u64) {
        self.passed.lock().unwrap().push(ticket);
    }

    fn look(&self) {
        self.looks.fetch_add(1, Ordering::SeqCst);
    }
}

fn desk(free: u64) -> (StdArc<Desk>, StdArc<dyn Seat>) {
    let desk = StdArc::new(Desk {
        free: free.into(),
        ..Desk::default()
    });
    (desk.clone(), desk)
}

#[test]
fn a_queue_passes_only_while_it_has_somebody_to_send_with_and_holds_up_nobody() {
    let (_, bucket) = bucket();
    let (desk, seat) = desk(1);
    for ticket in [1, 2] {
        bucket.join(demand(1, 100, Priority::Normal), &seat, ticket);
    }
    bucket.tend(&seat);
    assert_eq!(*desk.passed.lock().unwrap(), [1]);
    assert_eq!(pass(&bucket, 100, Some(0)), Ok(false), "the thread behind it goes");
    assert_eq!(bucket.lock().window.total(), 2, "who does not pass spends nothing");
    desk.free.store(1, Ordering::SeqCst);
    bucket.tend(&seat);
    assert_eq!(*desk.passed.lock().unwrap(), [1, 2]);
    assert!(bucket.lock().seats.is_empty());
}

#[test]
fn a_queue_that_stands_first_keeps_the_time_and_is_told_when_it_comes_to_that() {
    let (clock, bucket) = bucket();
    let (desk, seat) = desk(9);
    let (other, others_seat) = self::desk(9);
    pass(&bucket, 1, None).unwrap();
    let first = bucket.join(demand(1, 1, Priority::Normal), &seat, 1);
    let second = bucket.join(demand(1, 1, Priority::Normal), &others_seat, 2);
    assert_eq!(bucket.tend(&seat), Some(SECOND + JITTER));
    assert_eq!(bucket.tend(&others_seat), None, "another keeps the time");
    assert!(bucket.leave(first));
    assert_eq!(other.looks.load(Ordering::SeqCst), 1);
    clock.0.store(SECOND + JITTER, Ordering::SeqCst);
    assert_eq!(bucket.tend(&others_seat), None);
    assert_eq!(*other.passed.lock().unwrap(), [2]);
    assert!(desk.passed.lock().unwrap().is_empty());
    assert!(
        !bucket.leave(first) && !bucket.leave(second),
        "neither stands there any more"
    );
}

#[test]
fn a_queue_held_by_a_room_and_without_a_worker_holds_up_nobody() {
    let (_, bucket) = bucket();
    let (desk, seat) = desk(1);
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
    // The room is full after the first, and there is no worker for the third.
    for (ticket, room) in [(1, "full"), (2, "full"), (3, "free")] {
        bucket.join(to(room), &seat, ticket);
    }
    assert_eq!(pass(&bucket, 100, Some(0)), Ok(false), "the thread behind them goes");
    assert_eq!(*desk.passed.lock().unwrap(), [1]);
}

#[test]
fn who_has_begun_goes_before_all_who_have_not() {
    let arrivals: Vec<Arrival> = [Priority::Normal, Priority::Urgent, Priority::Begun]
        .map(|priority| Arrival {
            at: 0,
            demand: demand(1, 1, priority),
            patience: None,
        })
        .to_vec();
    let passed: Vec<usize> = play(&arrivals).iter().map(|passed| passed.arrival).collect();
    assert_eq!(passed, [2, 1, 0]);
}
