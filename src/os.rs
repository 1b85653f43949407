//! The one place that knows the platform: named threads that take no signals of the host's, the fork count, what an
//! event loop can wait on, and what std cannot do with a socket.

use std::cell::Cell;
use std::io;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle, Scope, ScopedJoinHandle};
use std::time::Duration;

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

const DEFAULT_STACK: usize = 2 * 1024 * 1024;

/// Starts a thread of the library: named, and deaf to the host's signals but for those a crash reporter or profiler needs.
pub(crate) fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    spawn_with_stack(name, DEFAULT_STACK, body)
}

pub(crate) fn spawn_with_stack(
    name: &str,
    stack_bytes: usize,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let builder = thread::Builder::new().name(name.to_owned()).stack_size(stack_bytes);
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
        libc::pthread_sigmask(libc::SIG_BLOCK, blocked.as_ptr(), before.as_mut_ptr());
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

/// Whether the process or the system has used up its descriptors or its memory for sockets.
#[cfg(unix)]
pub(crate) fn is_lack_of_resources(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM)
    )
}

#[cfg(not(unix))]
pub(crate) fn is_lack_of_resources(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
}

/// A connect that has ended: its index among those that were waited for, and how it ended.
pub(crate) type EndedConnect = (usize, io::Result<()>);

/// Waits until one of these connects has ended; another thread's shutdown of its socket ends it, too. `None` if none has
/// ended when `at_most` has passed, or a signal came.
#[cfg(unix)]
pub(crate) fn wait_for_connect(streams: &[&TcpStream], at_most: Option<Duration>) -> io::Result<Option<EndedConnect>> {
    use std::os::fd::AsRawFd;
    let millis = at_most.map_or(-1, |time| {
        time.as_micros().div_ceil(1000).try_into().unwrap_or(libc::c_int::MAX)
    });
    let waited_for = |stream: &&TcpStream| libc::pollfd {
        fd: stream.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    let mut fds: Vec<libc::pollfd> = streams.iter().map(waited_for).collect();
    // SAFETY: as many descriptors as are said, which their owners hold open.
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

#[cfg(not(unix))]
pub(crate) fn wait_for_connect(streams: &[&TcpStream], at_most: Option<Duration>) -> io::Result<Option<EndedConnect>> {
    let until = at_most.and_then(|time| std::time::Instant::now().checked_add(time));
    loop {
        for (index, stream) in streams.iter().enumerate() {
            if let Some(error) = stream.take_error()? {
                return Ok(Some((index, Err(error))));
            }
            if stream.peer_addr().is_ok() {
                return Ok(Some((index, Ok(()))));
            }
        }
        if until.is_some_and(|until| until <= std::time::Instant::now()) {
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(1));
    }
}

/// Whether a connection stands, and nothing waits on it to be read. One call, which does not wait.
#[cfg(unix)]
pub(crate) fn is_quiet(stream: &TcpStream) -> bool {
    use std::os::fd::AsRawFd;
    let mut byte = 0u8;
    let flags = libc::MSG_PEEK | libc::MSG_DONTWAIT;
    // SAFETY: room for the one byte that is asked for, and a descriptor that its owner holds open.
    let count = unsafe { libc::recv(stream.as_raw_fd(), (&raw mut byte).cast(), 1, flags) };
    count < 0 && io::Error::last_os_error().kind() == io::ErrorKind::WouldBlock
}

#[cfg(not(unix))]
pub(crate) fn is_quiet(stream: &TcpStream) -> bool {
    if stream.set_nonblocking(true).is_err() {
        return false;
    }
    let peeked = stream.peek(&mut [0]);
    let is_waiting = matches!(&peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_ok() && is_waiting
}

/// Something that an event loop can wait on: readable while it is set.
#[derive(Debug)]
pub(crate) struct Event {
    read: libc::c_int,
    write: libc::c_int,
}

#[cfg(unix)]
impl Event {
    pub fn new() -> io::Result<Event> {
        #[cfg(target_os = "linux")]
        let fds = {
            // SAFETY: no pointers.
            let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
            [fd, fd]
        };
        #[cfg(not(target_os = "linux"))]
        let fds = {
            let mut fds = [-1; 2];
            // SAFETY: two descriptors go into the array; the flags are set on descriptors of ours.
            unsafe {
                if libc::pipe(fds.as_mut_ptr()) == 0 {
                    for fd in fds {
                        libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                        libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
                    }
                }
            }
            fds
        };
        if fds[0] < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Event {
            read: fds[0],
            write: fds[1],
        })
    }

    pub fn handle(&self) -> isize {
        self.read as isize
    }

    // Neither can block, and what can fail (a full pipe, nothing to read) leaves it as it should be.
    pub fn set(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes of ours, to a descriptor of ours.
        let _ = unsafe { libc::write(self.write, one.as_ptr().cast(), one.len()) };
    }

    pub fn clear(&self) {
        let mut taken = [0u8; 8];
        loop {
            // SAFETY: as above.
            let count = unsafe { libc::read(self.read, taken.as_mut_ptr().cast(), taken.len()) };
            // One read takes all of an event; a pipe has one record for each time that it was set.
            if cfg!(target_os = "linux") || count <= 0 {
                return;
            }
        }
    }
}

#[cfg(unix)]
impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: ours, and nobody uses them any more.
        unsafe {
            libc::close(self.read);
            if self.write != self.read {
                libc::close(self.write);
            }
        }
    }
}

#[cfg(not(unix))]
impl Event {
    pub fn new() -> io::Result<Event> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub fn handle(&self) -> isize {
        self.read as isize
    }

    pub fn set(&self) {}

    pub fn clear(&self) {}
}
