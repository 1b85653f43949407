//! The buckets of this process, by class and scope: clients that share an account share its quota.

use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::bucket::Bucket;
use crate::action::QuotaClass;
use crate::os;

struct Registry {
    /// The process that it belongs to, see [`os::fork_generation`].
    generation: u32,
    /// One for each account and class in use, so the list is short.
    buckets: Mutex<Vec<(QuotaClass, String, Weak<Bucket>)>>,
}

/// A reference to a bucket that several clients may share. Dropping the last one removes the bucket from the registry.
#[derive(Debug)]
pub(crate) struct SharedBucket(Option<Arc<Bucket>>);

/// The bucket of a class and scope. It exists as long as a client uses it.
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
        self.0.as_ref().expect("present until it is dropped")
    }
}

impl Drop for SharedBucket {
    fn drop(&mut self) {
        let mut buckets = registry().buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // Dropped under the lock that `bucket_of` takes, so that the count below cannot miss a new reference.
        drop(self.0.take());
        buckets.retain(|(.., bucket)| bucket.strong_count() > 0);
        buckets.shrink_to_fit();
    }
}

/// After a fork a thread that exists only in the parent may hold the lock, so the child gets a registry of its own and never
/// touches the parent's.
fn registry() -> &'static Registry {
    static REGISTRY: AtomicPtr<Registry> = AtomicPtr::new(ptr::null_mut());
    loop {
        let current = REGISTRY.load(Ordering::Acquire);
        // SAFETY: NULL, or made below and never freed.
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
            // SAFETY: no other thread has seen the pointer.
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
    fn dropping_the_last_reference_removes_the_bucket() {
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
