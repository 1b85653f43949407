//! The one place that knows the platform: named threads that take no signals of the host's, and the fork count.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};

use once_cell::sync::OnceCell;

static FORKS: AtomicU32 = AtomicU32::new(0);

/// How many forks lie between the first client and this process. A client made under another count belongs to a parent.
pub(crate) fn fork_generation() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

/// Begins to count forks. Called before the first client is made; later calls do nothing.
pub(crate) fn watch_forks() -> io::Result<()> {
    static WATCHING: OnceCell<()> = OnceCell::new();
    WATCHING.get_or_try_init(register_fork_handler).copied()
}

#[cfg(unix)]
fn register_fork_handler() -> io::Result<()> {
    unsafe extern "C" fn in_child() {
        FORKS.fetch_add(1, Ordering::Relaxed);
    }
    // SAFETY: the handler is async-signal-safe (one atomic add) and is never unloaded (`-z nodelete`).
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

#[cfg(not(unix))]
fn register_fork_handler() -> io::Result<()> {
    Ok(())
}

/// Starts a thread of the library: named, and deaf to the host's signals but for those a crash reporter or profiler needs.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    let builder = thread::Builder::new().name(name.to_owned());
    with_signals_blocked(|| builder.spawn(|| as_library_thread(body)))
}

/// The same for a thread that borrows, and ends within its scope.
pub(crate) fn spawn_scoped<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    body: impl FnOnce() -> T + Send + 'scope,
) -> io::Result<ScopedJoinHandle<'scope, T>> {
    let builder = thread::Builder::new().name(name.to_owned());
    with_signals_blocked(|| builder.spawn_scoped(scope, || as_library_thread(body)))
}

thread_local! {
    static IS_OURS: Cell<bool> = const { Cell::new(false) };
}

fn as_library_thread<T>(body: impl FnOnce() -> T) -> T {
    IS_OURS.set(true);
    body()
}

/// Whether this thread is one of the library's: a panic in it is none of the host's.
pub(crate) fn is_library_thread() -> bool {
    IS_OURS.get()
}

/// A new thread inherits the signal mask of its maker, so the mask is set around the making.
#[cfg(unix)]
fn with_signals_blocked<T>(make: impl FnOnce() -> T) -> T {
    use std::mem::MaybeUninit;
    const LEFT_OPEN: [libc::c_int; 8] = [
        libc::SIGSEGV,
        libc::SIGBUS,
        libc::SIGFPE,
        libc::SIGILL,
        libc::SIGTRAP,
        libc::SIGSYS,
        libc::SIGABRT,
        libc::SIGPROF,
    ];
    let mut before = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: both sets are ours and filled before they are read; the calls cannot fail with valid arguments.
    unsafe {
        let mut blocked = MaybeUninit::<libc::sigset_t>::uninit();
        libc::sigfillset(blocked.as_mut_ptr());
        for signal in LEFT_OPEN {
            libc::sigdelset(blocked.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(libc::SIG_SETMASK, blocked.as_ptr(), before.as_mut_ptr());
    }
    let made = make();
    // SAFETY: `before` was filled by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    made
}

#[cfg(not(unix))]
fn with_signals_blocked<T>(make: impl FnOnce() -> T) -> T {
    make()
}
