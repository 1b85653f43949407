//! The event of Linux: an eventfd.

use std::io;

/// An event that an event loop can wait for: its descriptor is readable while it is set.
#[derive(Debug)]
pub(crate) struct Event(libc::c_int);

impl Event {
    pub fn new() -> io::Result<Event> {
        // SAFETY: no pointers.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Event(fd))
    }

    pub fn handle(&self) -> isize {
        self.0 as isize
    }

    // A write fails only if the event is set already, and a read only if it is clear already. Neither blocks.
    pub fn set(&self) {
        let one = 1u64.to_ne_bytes();
        // SAFETY: eight bytes of ours, to a descriptor of ours.
        let _ = unsafe { libc::write(self.0, one.as_ptr().cast(), one.len()) };
    }

    pub fn clear(&self) {
        let mut count = [0u8; 8];
        // SAFETY: as above.
        let _ = unsafe { libc::read(self.0, count.as_mut_ptr().cast(), count.len()) };
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        // SAFETY: the descriptor is ours, and this is its last use.
        unsafe { libc::close(self.0) };
    }
}
