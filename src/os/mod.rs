//! What the library needs of the platform: named threads that block the host's signals, a count of forks, an event that an
//! event loop can wait for, and what `std` cannot do with a socket.
//!
//! Each platform has one file with the same functions: `unix.rs` and `other.rs`. The event of Linux and the one of other
//! Unix systems are in `event_fd.rs` and `event_pipe.rs`.

#[cfg(target_os = "linux")]
mod event_fd;
#[cfg(all(unix, not(target_os = "linux")))]
mod event_pipe;
#[cfg(not(unix))]
mod other;
#[cfg(unix)]
mod unix;

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};

use once_cell::sync::OnceCell;

#[cfg(target_os = "linux")]
pub(crate) use event_fd::Event;
#[cfg(all(unix, not(target_os = "linux")))]
pub(crate) use event_pipe::Event;
#[cfg(not(unix))]
use other as platform;
#[cfg(not(unix))]
pub(crate) use other::Event;
pub(crate) use platform::{EndedConnect, is_lack_of_resources, is_quiet, wait_for_connect};
#[cfg(unix)]
use unix as platform;

static FORKS: AtomicU32 = AtomicU32::new(0);

/// The number of forks between the first client and this process. A client with another number was made by a parent.
pub(crate) fn fork_generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Begins to count forks. It is called before the first client is made; later calls do nothing.
pub(crate) fn watch_forks() -> io::Result<()> {
    unsafe extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    static WATCHING: OnceCell<()> = OnceCell::new();
    WATCHING.get_or_try_init(|| platform::on_fork(in_child)).copied()
}

const DEFAULT_STACK: usize = 2 * 1024 * 1024;

/// Starts a thread of the library. It has a name, and blocks all signals except those that a crash reporter or profiler needs.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    spawn_with_stack(name, DEFAULT_STACK, body)
}

pub(crate) fn spawn_with_stack(
    name: &str,
    stack_bytes: usize,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(stack_bytes);
    platform::with_signals_blocked(|| builder.spawn(|| as_library_thread(body)))
}

/// Starts a thread of the library that borrows, and ends within `scope`.
pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    let builder = thread::Builder::new().name(name.to_owned());
    platform::with_signals_blocked(|| builder.spawn_scoped(scope, || as_library_thread(body)))
}

thread_local! {
    static IS_LIBRARY_THREAD: Cell<bool> = const { Cell::new(false) };
}

fn as_library_thread<T>(body: impl FnOnce() -> T) -> T {
    IS_LIBRARY_THREAD.set(true);
    body()
}

/// Whether this thread was started by the library. Its panics do not concern the host.
pub(crate) fn is_library_thread() -> bool {
    IS_LIBRARY_THREAD.get()
}
