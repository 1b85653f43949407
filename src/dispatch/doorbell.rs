//! Wakes one thread, without ever waiting for it: ringing takes no lock. A ring while that thread is busy is not lost; it
//! does not fall asleep then.

#[cfg(feature = "loom")]
use loom::thread::{self, Thread};
use std::sync::OnceLock;
#[cfg(not(feature = "loom"))]
use std::thread::{self, Thread};
use std::time::Duration;

use crate::sync::atomic::{AtomicU8, Ordering};

#[derive(Debug)]
pub(super) struct Doorbell {
    state: AtomicU8,
    sleeper: OnceLock<Thread>,
}

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const RUNG: u8 = 2;

impl Doorbell {
    pub fn new() -> Doorbell {
        Doorbell {
            state: AtomicU8::new(AWAKE),
            sleeper: OnceLock::new(),
        }
    }

    /// Any thread. Only the first of those who ring while it sleeps makes a system call.
    pub fn ring(&self) {
        if self.state.swap(RUNG, Ordering::SeqCst) == ASLEEP {
            if let Some(sleeper) = self.sleeper.get() {
                sleeper.unpark();
            }
        }
    }

    /// The thread that is to be woken says before it looks at what there is to do that it will have seen it.
    pub fn answer(&self) {
        self.sleeper.get_or_init(thread::current);
        self.state.swap(AWAKE, Ordering::SeqCst);
    }

    /// Sleeps until it rings, so long at most, and not at all if it rang since [`answer`](Doorbell::answer). It may wake for
    /// nothing.
    pub fn sleep(&self, at_most: Option<Duration>) {
        let to_sleep = self
            .state
            .compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst);
        if to_sleep.is_ok() {
            park(at_most);
        }
    }
}

fn park(at_most: Option<Duration>) {
    match at_most {
        #[cfg(not(feature = "loom"))]
        Some(time) => thread::park_timeout(time),
        _ => thread::park(),
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::sync::Arc;
    use loom::sync::atomic::AtomicUsize;

    use super::*;

    #[test]
    fn nothing_that_was_there_before_a_ring_is_slept_over() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let bell = Arc::new(Doorbell::new());
            let work = Arc::new(AtomicUsize::new(0));
            let ringers: Vec<_> = (0..2)
                .map(|_| {
                    let (bell, work) = (bell.clone(), work.clone());
                    thread::spawn(move || {
                        work.fetch_add(1, Ordering::SeqCst);
                        bell.ring();
                    })
                })
                .collect();
            loop {
                bell.answer();
                if work.load(Ordering::SeqCst) == 2 {
                    break;
                }
                bell.sleep(None); // a lost ring would be a deadlock, which loom reports
            }
            for ringer in ringers {
                ringer.join().unwrap();
            }
        });
    }
}
