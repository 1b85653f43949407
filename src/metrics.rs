//! Counters and histograms that many threads write.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A number that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The number of cells for each power of two. A percentile is at most one eighth too large.
const STEPS: u64 = 8;
/// The cells reach up to 2^42 µs, which is fifty days.
const CELLS: usize = 40 * STEPS as usize;

/// Durations in microseconds.
pub(crate) struct Histogram {
    cells: [AtomicU64; CELLS],
    max: AtomicU64,
}

/// The percentiles of a [`Histogram`] at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Percentiles {
    pub count: u64,
    pub p50: u64,
    pub p90: u64,
    pub p99: u64,
    pub max: u64,
}

impl Histogram {
    pub fn record(&self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.cells[cell(micros)].fetch_add(1, Ordering::Relaxed);
        self.max.fetch_max(micros, Ordering::Relaxed);
    }

    pub fn percentiles(&self) -> Percentiles {
        let cells: Vec<u64> = self.cells.iter().map(|cell| cell.load(Ordering::Relaxed)).collect();
        let count: u64 = cells.iter().sum();
        let max = self.max.load(Ordering::Relaxed);
        let at = |percent: u64| -> u64 {
            let rank = (count * percent).div_ceil(100);
            let mut seen = 0;
            let found = cells.iter().position(|cell| {
                seen += cell;
                seen >= rank && *cell > 0
            });
            found.map_or(0, |index| upper_end(index).min(max))
        };
        Percentiles {
            count,
            p50: at(50),
            p90: at(90),
            p99: at(99),
            max,
        }
    }
}

/// The cell of a value. Each value below `STEPS` has a cell of its own. Above that each power of two has `STEPS` cells.
fn cell(micros: u64) -> usize {
    if micros < STEPS {
        return micros as usize;
    }
    let power = u64::from(micros.ilog2()) - u64::from(STEPS.ilog2());
    let step = (micros >> power) - STEPS;
    usize::try_from((power + 1) * STEPS + step).map_or(CELLS - 1, |cell| cell.min(CELLS - 1))
}

/// The largest value of a cell.
fn upper_end(cell: usize) -> u64 {
    let (power, step) = (cell as u64 / STEPS, cell as u64 % STEPS);
    match power {
        0 => step,
        power => ((STEPS + step + 1) << (power - 1)) - 1,
    }
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram {
            cells: [const { AtomicU64::new(0) }; CELLS],
            max: AtomicU64::new(0),
        }
    }
}

impl std::fmt::Debug for Histogram {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.percentiles().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_its_cell_and_cells_do_not_overlap() {
        for value in (0..4096).chain([1 << 20, (1 << 30) + 12345, u64::from(u32::MAX)]) {
            let cell = cell(value);
            assert!(value <= upper_end(cell), "{value}");
            assert!(cell == 0 || value > upper_end(cell - 1), "{value}");
            assert!(
                upper_end(cell) - value <= value / STEPS,
                "{value} is at most one eighth too large"
            );
        }
        assert_eq!(cell(u64::MAX), CELLS - 1);
    }

    #[test]
    fn percentiles_are_those_of_what_was_recorded() {
        let histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        let Percentiles {
            count,
            p50,
            p90,
            p99,
            max,
        } = histogram.percentiles();
        assert_eq!((count, max), (1000, 1000));
        assert!((500..=562).contains(&p50) && (900..=1000).contains(&p90) && (990..=1000).contains(&p99));
        let none = Histogram::default().percentiles();
        assert_eq!((none.count, none.p50, none.p99, none.max), (0, 0, 0, 0));
    }
}
