//! A value that a thread can replace while others read it. Each reader has one whole value, the old or the new one, for as
//! long as it keeps it.

use crate::util::sync::{Arc, RwLock};

#[derive(Debug)]
pub(crate) struct Swap<T>(RwLock<Arc<T>>);

impl<T> Swap<T> {
    pub fn new(value: T) -> Swap<T> {
        Swap(RwLock::new(Arc::new(value)))
    }

    // The lock only guards the copy of a pointer, so no thread can panic while it holds the lock.
    pub fn load(&self) -> Arc<T> {
        self.0
            .read()
            .expect("no thread panics while it holds this lock")
            .clone()
    }

    pub fn store(&self, value: T) {
        let value = Arc::new(value);
        *self.0.write().expect("no thread panics while it holds this lock") = value;
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use super::*;

    #[test]
    fn a_reader_has_one_whole_value_old_or_new() {
        loom::model(|| {
            let current = Arc::new(Swap::new(("key 1", "secret 1")));
            let other = current.clone();
            let rotating = loom::thread::spawn(move || other.store(("key 2", "secret 2")));
            let kept = current.load();
            let later = current.load();
            assert!([("key 1", "secret 1"), ("key 2", "secret 2")].contains(&*kept));
            assert!(
                *kept == *later || later.0 == "key 2",
                "a reader never sees an older value later"
            );
            rotating.join().unwrap();
            assert_eq!(*current.load(), ("key 2", "secret 2"));
        });
    }
}
