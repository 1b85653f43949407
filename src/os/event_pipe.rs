//! The event of Unix systems that have no eventfd: a pipe.

use std::io;

/// An event that an event loop can wait for: its descriptor is readable while it is set.
#[derive(Debug)]
pub(crate) struct Event {
    read: libc::c_int,
    write: libc::c_int,
}

impl Event {
    pub fn new() -> io::Result<Event> {
        let mut fds = [-1; 2];
        // SAFETY: the array has room for two descriptors; the flags are set on descriptors of ours.
        unsafe {
            if libc::pipe(fds.as_mut_ptr()) != 0 {
                return Err(io::Error::last_os_error());
            }
            for fd in fds {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
                libc::fcntl(fd, libc::F_SETFL, libc::O_NONBLOCK);
            }
        }
        Ok(Event {
            read: fds[0],
            write: fds[1],
        })
    }

    pub fn handle(&self) -> isize {
        self.read as isize
    }

    // A write fails only if the pipe is full, so that it is set already. Nothing here blocks.
    pub fn set(&self) {
        // SAFETY: one byte of ours, to a descriptor of ours.
        let _ = unsafe { libc::write(self.write, [1u8].as_ptr().cast(), 1) };
    }

    /// Reads one byte for each time that the event was set.
    pub fn clear(&self) {
        let mut bytes = [0u8; 64];
        // SAFETY: as above.
        while unsafe { libc::read(self.read, bytes.as_mut_ptr().cast(), bytes.len()) } > 0 {}
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the descriptors are ours, and this is their last use.
        unsafe {
            libc::close(self.read);
            libc::close(self.write);
        }
    }
}
