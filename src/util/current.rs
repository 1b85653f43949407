//! A value that can be replaced while others read it: each reader has one whole value, old or new, for as long as it
//! likes.

use crate::util::sync::{Arc, RwLock};

#[derive(Debug)]
pub(crate) struct Current<T>(RwLock<Arc<T>>);

impl<T> Current<T> {
    pub fn new(value: T) -> Current<T> {
        Current(RwLock::new(Arc::new(value)))
    }

    // Nothing panics while a lock is held: it only ever guards a copy of a pointer.
    pub fn get(&self) -> Arc<T> {
        self.0.read().expect("nobody panics with this lock").clone()
    }

    pub fn replace(&self, value: T) {
        let value = Arc::new(value);
        *self.0.write().expect("nobody panics with this lock") = value;
    }
}

#[cfg(all(test, feature = "loom"))]
mod models {
    use super::*;

    #[test]
    fn a_reader_has_one_whole_value_old_or_new() {
        loom::model(|| {
            let current = Arc::new(Current::new(("key 1", "secret 1")));
            let other = current.clone();
            let rotating = loom::thread::spawn(move || other.replace(("key 2", "secret 2")));
            let kept = current.get();
            let later = current.get();
            assert!([("key 1", "secret 1"), ("key 2", "secret 2")].contains(&*kept));
            assert!(*kept == *later || later.0 == "key 2", "nobody goes back");
            rotating.join().unwrap();
            assert_eq!(*current.get(), ("key 2", "secret 2"));
        });
    }
}
