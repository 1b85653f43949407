//! The nonces of signatures that are still valid, so that none is accepted twice.

use std::collections::{BTreeMap, HashSet};

/// Nonces by the last second in which their signature is valid, so that the expired ones are removed in one step.
#[derive(Debug, Default)]
pub(crate) struct Nonces {
    seen: HashSet<u64>,
    by_last_second: BTreeMap<i64, Vec<u64>>,
}

impl Nonces {
    /// Adds a nonce; false if it was used before.
    pub fn insert(&mut self, nonce: u64, last_second: i64, now: i64) -> bool {
        let living = self.by_last_second.split_off(&now);
        for dead in std::mem::replace(&mut self.by_last_second, living)
            .into_values()
            .flatten()
        {
            self.seen.remove(&dead);
        }
        let fresh = self.seen.insert(nonce);
        if fresh {
            self.by_last_second.entry(last_second).or_default().push(nonce);
        }
        fresh
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_remembered_through_the_last_second_of_its_signature() {
        let mut nonces = Nonces::default();
        assert!(nonces.insert(7, 600, 0));
        assert!(!nonces.insert(7, 1200, 600));
        assert!(nonces.insert(8, 700, 600));
        assert!(nonces.insert(7, 1201, 601));
        assert!(!nonces.insert(8, 1201, 601));
    }
}
