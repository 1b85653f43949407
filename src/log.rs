//! Where the library's log lines go: to the caller's sink, or nowhere. Lines hold no secret and no payload.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::util::sync::{Mutex, lock};

/// How much a line matters. Lower is more urgent; a sink with a maximum of `Warn` gets `Error` and `Warn`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(i32)]
pub enum Level {
    Error = 1,
    Warn = 2,
    Info = 3,
    Debug = 4,
}

impl Level {
    pub fn from_i32(value: i32) -> Option<Level> {
        [Level::Error, Level::Warn, Level::Info, Level::Debug]
            .into_iter()
            .find(|level| *level as i32 == value)
    }
}

type Sink = dyn Fn(Level, &str) + Send + Sync;

/// A handle on the sink; cheap to clone. The sink may be called by any thread, also by several at once.
#[derive(Clone, Default)]
pub struct Logger {
    sink: Option<(Arc<Sink>, Level)>,
    kept: Option<Arc<Kept>>,
}

/// The latest lines, for whoever comes to take them.
struct Kept {
    max_level: Level,
    capacity: usize,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<(Level, String)>,
    /// How many gave way since the last was taken.
    dropped: u64,
}

impl Logger {
    pub fn new(max_level: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Logger {
        Logger {
            sink: Some((Arc::new(sink), max_level)),
            kept: None,
        }
    }

    /// The same, which also keeps the latest lines.
    pub(crate) fn keeping(&self, max_level: Level, capacity: usize) -> Logger {
        Logger {
            sink: self.sink.clone(),
            kept: Some(Arc::new(Kept {
                max_level,
                capacity,
                lines: Mutex::new(Lines::default()),
            })),
        }
    }

    /// Makes and hands over a line if somebody wants it.
    pub(crate) fn log(&self, level: Level, line: impl FnOnce() -> String) {
        let sink = self.sink.as_ref().filter(|(_, max_level)| level <= *max_level);
        let kept = self.kept.as_ref().filter(|kept| level <= kept.max_level);
        if sink.is_none() && kept.is_none() {
            return;
        }
        let line = line();
        if let Some((sink, _)) = sink {
            sink(level, &line);
        }
        if let Some(kept) = kept {
            kept.keep(level, line);
        }
    }

    /// The oldest line that is kept goes to `take`; it stays if that says no. `None` if there is none.
    pub(crate) fn take_line(&self, take: impl FnOnce(Level, &str) -> bool) -> Option<()> {
        let mut lines = lock(&self.kept.as_ref()?.lines);
        if lines.dropped > 0 {
            let text = format!(
                "{} log lines gave way to newer ones: see log.buffer_lines",
                lines.dropped
            );
            if take(Level::Warn, &text) {
                lines.dropped = 0;
            }
            return Some(());
        }
        let (level, text) = lines.waiting.front()?;
        if take(*level, text) {
            lines.waiting.pop_front();
        }
        Some(())
    }
}

impl Kept {
    fn keep(&self, level: Level, line: String) {
        let mut lines = lock(&self.lines);
        if lines.waiting.len() >= self.capacity {
            lines.waiting.pop_front();
            lines.dropped += 1;
        }
        lines.waiting.push_back((level, line));
    }
}

impl fmt::Debug for Logger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.sink {
            Some((_, max_level)) => write!(f, "Logger({max_level:?})"),
            None => f.write_str("Logger(none)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(logger: &Logger) -> Option<(Level, String)> {
        let mut line = None;
        logger.take_line(|level, text| {
            line = Some((level, text.to_owned()));
            true
        })?;
        line
    }

    #[test]
    fn lines_are_kept_up_to_their_level_and_number_and_taken_once() {
        let logger = Logger::default().keeping(Level::Warn, 2);
        for (level, line) in [
            (Level::Info, "not kept"),
            (Level::Warn, "first"),
            (Level::Error, "second"),
            (Level::Warn, "third"),
        ] {
            logger.log(level, || line.to_owned());
        }
        let (level, line) = taken(&logger).unwrap();
        assert!(level == Level::Warn && line.starts_with("1 log lines gave way"));
        assert!(
            logger.take_line(|_, _| false).is_some(),
            "a line that is not taken stays"
        );
        assert_eq!(taken(&logger).unwrap(), (Level::Error, "second".to_owned()));
        assert_eq!(taken(&logger).unwrap(), (Level::Warn, "third".to_owned()));
        assert_eq!(taken(&logger), None);
    }
}
