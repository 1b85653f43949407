//! Reproducible random numbers: the same seed gives the same faults in every run and on every machine.

/// SplitMix64 by Steele, Lea and Flood: one addition and two multiplications per number, with any seed, also 0.
#[derive(Clone, Debug)]
pub(crate) struct Rng {
    state: u64,
}

impl Rng {
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// Returns true with this probability, 0 to 1.
    pub fn random_bool(&mut self, probability: f64) -> bool {
        // A double represents 53 bits exactly.
        #[allow(clippy::cast_precision_loss, reason = "53 bits fit")]
        let draw = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        draw < probability
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ mixed >> 31
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_draws_are_those_of_the_published_generator() {
        let mut rng = Rng::new(1_234_567);
        let draws = [rng.next(), rng.next(), rng.next()];
        assert_eq!(
            draws,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn what_is_certain_happens_and_what_is_impossible_does_not() {
        let mut rng = Rng::new(0);
        assert!((0..1000).all(|_| rng.random_bool(1.0)));
        assert!((0..1000).all(|_| !rng.random_bool(0.0)));
    }
}
