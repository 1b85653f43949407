//! Work that is given out, and the workers who wait for it.

use std::collections::VecDeque;

use crate::deadline::Deadline;
use crate::sync::{Condvar, Mutex, lock, wait_until};

#[derive(Debug)]
pub(super) struct Tray<T> {
    work: Mutex<VecDeque<T>>,
    is_there: Condvar,
}

impl<T> Tray<T> {
    pub fn new() -> Tray<T> {
        Tray {
            work: Mutex::new(VecDeque::new()),
            is_there: Condvar::new(),
        }
    }

    pub fn put(&self, work: T) {
        lock(&self.work).push_back(work);
        self.is_there.notify_one();
    }

    /// The oldest, waited for.
    pub fn take(&self) -> T {
        let mut all = lock(&self.work);
        loop {
            match all.pop_front() {
                Some(work) => return work,
                None => all = wait_until(&self.is_there, all, Deadline::NEVER),
            }
        }
    }

    pub fn try_take(&self) -> Option<T> {
        lock(&self.work).pop_front()
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use loom::sync::Arc;
    use loom::thread;

    use super::*;

    #[test]
    fn each_piece_goes_to_one_worker_and_none_is_slept_over() {
        loom::model(|| {
            let tray = Arc::new(Tray::new());
            let workers: Vec<_> = (0..2)
                .map(|_| {
                    let tray = tray.clone();
                    thread::spawn(move || tray.take())
                })
                .collect();
            tray.put(1);
            tray.put(2);
            let mut taken: Vec<i32> = workers.into_iter().map(|worker| worker.join().unwrap()).collect();
            taken.sort_unstable();
            assert_eq!(taken, [1, 2]);
        });
    }
}
