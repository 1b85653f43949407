//! Linux and other Unix systems.

use std::io;
use std::mem::MaybeUninit;
use std::net::TcpStream;
use std::os::fd::AsRawFd;
use std::time::Duration;

/// Lets `in_child` run in the child of every fork. It must be async-signal-safe.
pub(super) fn on_fork(in_child: unsafe extern "C" fn()) -> io::Result<()> {
    // SAFETY: the caller's promise. The library is never unloaded (`-z nodelete`), so the function stays where it is.
    match unsafe { libc::pthread_atfork(None, None, Some(in_child)) } {
        0 => Ok(()),
        code => Err(io::Error::from_raw_os_error(code)),
    }
}

/// Runs `start`, which starts a thread. The new thread inherits the signal mask of this one, so this one has the mask of the
/// library's threads meanwhile.
pub(super) fn with_signals_blocked<T>(start: impl FnOnce() -> T) -> T {
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
        libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), before.as_mut_ptr());
    }
    let started = start();
    // SAFETY: `before` was filled by the call above.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before.as_ptr(), std::ptr::null_mut()) };
    started
}

/// Whether the process or the system has no descriptor or no memory for a socket left.
pub(crate) fn is_lack_of_resources(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

/// A connect that has ended: its index among those that were waited for, and how it ended.
pub(crate) type EndedConnect = (usize, io::Result<()>);

/// Waits until one of these connects has ended. A shutdown of its socket by another thread ends it as well. The result is
/// `None` if none has ended when `at_most` has passed, or when a signal arrived.
pub(crate) fn wait_for_connect(streams: &[&TcpStream], at_most: Option<Duration>) -> io::Result<Option<EndedConnect>> {
    let millis = at_most.map_or(-1, |time| {
        time.as_micros().div_ceil(1000).try_into().unwrap_or(libc::c_int::MAX)
    });
    let waited_for = |stream: &&TcpStream| libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    let mut fds: Vec<libc::pollfd> = streams.iter().map(waited_for).collect();
    // SAFETY: the list has the length that is passed, and the owners of the descriptors keep them open.
    if unsafe { libc::poll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, millis) } < 0 {
        let error = io::Error::last_os_error();
        return match error.kind() {
            io::ErrorKind::Interrupted => Ok(None),
            _ => Err(error),
        };
    }
    let ended = fds.iter().position(|fd| fd.revents != 0);
    Ok(ended.map(|index| {
        let outcome = match streams[index].take_error() {
            Ok(None) => streams[index].peer_addr().map(drop),
            Ok(Some(error)) | Err(error) => Err(error),
        };
        (index, outcome)
    }))
}

/// Whether a connection is open and has no bytes to read. This is one system call, which does not wait.
pub(crate) fn is_quiet(stream: &TcpStream) -> bool {
    let mut byte = 0u8;
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: `byte` has room for the one byte that is requested, and the owner of the descriptor keeps it open.
    let count = unsafe { libc::recv(stream.as_raw_fd(), (&raw mut byte).cast(), 1, flags) };
    count < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
}
