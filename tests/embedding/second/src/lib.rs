//! A stranger's Rust library with a C ABI: it allocates, starts threads, panics and has a panic hook of its own.

use std::collections::HashMap;
use std::panic;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

static PANICS: AtomicU32 = AtomicU32::new(0);

/// Counts panics from now on, and prints none.
#[unsafe(no_mangle)]
pub extern "C" fn second_count_panics() {
    panic::set_hook(Box::new(|_| {
        PANICS.fetch_add(1, Ordering::SeqCst);
    }));
}

#[unsafe(no_mangle)]
pub extern "C" fn second_panics() -> u32 {
    PANICS.load(Ordering::SeqCst)
}

/// Work for the allocator and the threads: the sum of the numbers below `n`, 0 if it goes wrong.
#[unsafe(no_mangle)]
pub extern "C" fn second_sum(n: u64) -> u64 {
    let numbers: HashMap<String, u64> = (0..n).map(|number| (number.to_string(), number)).collect();
    thread::spawn(move || numbers.values().sum()).join().unwrap_or(0)
}

/// Panics and catches it. 1 if that is how it went.
#[unsafe(no_mangle)]
pub extern "C" fn second_panics_and_catches() -> u32 {
    u32::from(panic::catch_unwind(|| panic!("the second library's own")).is_err())
}
