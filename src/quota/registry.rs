//! The buckets of this process, by vendor, scope and class: clients that share an account share its quota.

use std::collections::HashMap;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::bucket::Bucket;
use crate::os;

/// What a vendor counts together. docs/VENDORS.md, Quotas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    /// The four RTC sends of Volcengine.
    VolcengineRtc,
    /// P2PSendMessage.
    VolcengineIm,
    Zego,
}

struct Registry {
    /// Which process it belongs to, see [`os::fork_generation`].
    generation: u32,
    buckets: Mutex<HashMap<(Class, String), Weak<Bucket>>>,
}

/// The bucket of an account's class; it lives as long as a client has it.
pub(crate) fn bucket_of(class: Class, scope: &str) -> Arc<Bucket> {
    let mut buckets = registry().buckets.lock().unwrap_or_else(PoisonError::into_inner);
    buckets.retain(|_, bucket| bucket.strong_count() > 0);
    let key = (class, scope.to_owned());
    if let Some(bucket) = buckets.get(&key).and_then(Weak::upgrade) {
        return bucket;
    }
    let bucket = Arc::new(Bucket::new());
    buckets.insert(key, Arc::downgrade(&bucket));
    bucket
}

/// After a fork the parent's lock may be held by a thread that is not there: the child begins with a registry of its
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
        let bucket = bucket_of(Class::Zego, "registry-test");
        assert!(Arc::ptr_eq(&bucket, &bucket_of(Class::Zego, "registry-test")));
        assert!(!Arc::ptr_eq(&bucket, &bucket_of(Class::Zego, "another")));
        assert!(!Arc::ptr_eq(&bucket, &bucket_of(Class::VolcengineIm, "registry-test")));
    }
}
