//! The buckets of this process, by vendor, scope and class: clients that share an account share its quota.

use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::bucket::Bucket;
use crate::action::QuotaClass;
use crate::os;

struct Registry {
    /// Which process it belongs to, see [`os::fork_generation`].
    generation: u32,
    /// A few: one for each account and class in use.
    buckets: Mutex<Vec<(QuotaClass, String, Weak<Bucket>)>>,
}

/// A client's hold on a bucket that others may share. The last one gone takes it out of the registry.
#[derive(Debug)]
pub(crate) struct SharedBucket(Option<Arc<Bucket>>);

/// The bucket of an account's class; it lives as long as a client has it.
pub(crate) fn bucket_of(class: QuotaClass, scope: &str) -> SharedBucket {
    let mut buckets = registry().buckets.lock().unwrap_or_else(PoisonError::into_inner);
    let known = buckets.iter().find(|(c, s, _)| *c == class && s == scope);
    if let Some(bucket) = known.and_then(|(.., bucket)| bucket.upgrade()) {
        return SharedBucket(Some(bucket));
    }
    let bucket = Arc::new(Bucket::new());
    buckets.push((class, scope.to_owned(), Arc::downgrade(&bucket)));
    SharedBucket(Some(bucket))
}

impl Deref for SharedBucket {
    type Target = Bucket;

    fn deref(&self) -> &Bucket {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl Drop for SharedBucket {
    fn drop(&mut self) {
        let mut buckets = registry().buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // Given up under the lock under which others are handed out, so that the last one leaves nothing.
        drop(self.0.take());
        buckets.retain(|(.., bucket)| bucket.strong_count() > 0);
        buckets.shrink_to_fit();
    }
}

/// After a fork the parent's lock may be set_aside by a thread that is not there: the child begins with a registry of its
/// own, and leaves the parent's alone.
fn registry() -> &'static Registry {
    static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(ptr::null_mut());
    loop {
        let current = REGISTRY.load(Ordering::Acquire);
        // SAFETY: NULL or made below, and never freed.
        if let Some(registry) = unsafe { current.as_ref() } {
            if registry.generation == os::fork_generation() {
                return registry;
            }
        }
        let fresh = Box::into_raw(Box::new(Registry {
            generation: os::fork_generation(),
            buckets: Mutex::default(),
        }));
        if REGISTRY
            .compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire)
            .is_err()
        {
            // SAFETY: nobody else has seen it.
            drop(unsafe { Box::from_raw(fresh) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_account_and_class_has_one_bucket_and_others_have_their_own() {
        let bucket = bucket_of(QuotaClass::Zego, "registry-test");
        let is_same = |other: SharedBucket| ptr::eq::<Bucket>(&*other, &*bucket);
        assert!(is_same(bucket_of(QuotaClass::Zego, "registry-test")));
        assert!(!is_same(bucket_of(QuotaClass::Zego, "another")));
        assert!(!is_same(bucket_of(QuotaClass::VolcengineIm, "registry-test")));
    }

    #[test]
    fn the_last_one_gone_takes_the_bucket_along() {
        let known = || {
            let buckets = registry().buckets.lock().unwrap();
            buckets.iter().filter(|(_, scope, _)| scope == "short-lived").count()
        };
        let (one, two) = (
            bucket_of(QuotaClass::Zego, "short-lived"),
            bucket_of(QuotaClass::Zego, "short-lived"),
        );
        drop(one);
        assert_eq!(known(), 1);
        drop(two);
        assert_eq!(known(), 0);
    }
}
