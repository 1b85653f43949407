//! Another Rust library with a C ABI in the same program: it allocates, starts threads, panics and has its own panic hook.

use std::collections::HashMap;
use std::panic;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

static PANICS: AtomicU32 = AtomicU32::new(0);

/// From now on panics are counted and not printed.
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

/// Uses the allocator and a thread: returns the sum of the numbers below `n`, or 0 if the thread failed.
#[unsafe(no_mangle)]
pub extern "C" fn second_sum(n: u64) -> u64 {
    let numbers: HashMap<String, u64> = (0..n).map(|number| (number.to_string(), number)).collect();
    thread::spawn(move || numbers.values().sum()).join().unwrap_or(0)
}

/// Panics and catches the panic. Returns 1 if that worked.
#[unsafe(no_mangle)]
pub extern "C" fn second_panics_and_catches() -> u32 {
    u32::from(panic::catch_unwind(|| panic!("the second library's own")).is_err())
}
