//! The log of the library. Lines go to the sink of the caller, or to a buffer. They contain no secret and no payload.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use crate::util::sync::{Mutex, lock};

/// The severity of a line. Lower values are more severe: a sink with the maximum `Warn` gets `Error` and `Warn`.
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

/// A handle to the sink, which is cheap to clone. Any thread may call the sink, also several threads at the same time.
#[derive(Clone, Default)]
pub struct Logger {
    sink: Option<(Arc<Sink>, Level)>,
    buffer: Option<Arc<Buffer>>,
}

/// The latest lines, for callers that fetch them.
struct Buffer {
    max_level: Level,
    capacity: usize,
    lines: Mutex<Lines>,
}

#[derive(Default)]
struct Lines {
    waiting: VecDeque<(Level, String)>,
    /// The number of lines that were dropped since this number was reported last.
    dropped: u64,
}

impl Logger {
    pub fn new(max_level: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Logger {
        Logger {
            sink: Some((Arc::new(sink), max_level)),
            buffer: None,
        }
    }

    /// A logger with the same sink that also buffers the latest lines.
    pub(crate) fn with_buffer(&self, max_level: Level, capacity: usize) -> Logger {
        Logger {
            sink: self.sink.clone(),
            buffer: Some(Arc::new(Buffer {
                max_level,
                capacity,
                lines: Mutex::new(Lines::default()),
            })),
        }
    }

    /// Logs a line. It is made only if the sink or the buffer accepts its level.
    pub(crate) fn log(&self, level: Level, line: impl FnOnce() -> String) {
        let sink = self.sink.as_ref().filter(|(_, max_level)| level <= *max_level);
        let buffer = self.buffer.as_ref().filter(|buffer| level <= buffer.max_level);
        if sink.is_none() && buffer.is_none() {
            return;
        }
        let line = line();
        if let Some((sink, _)) = sink {
            sink(level, &line);
        }
        if let Some(buffer) = buffer {
            buffer.push(level, line);
        }
    }

    /// Calls `take` with the oldest line of the buffer, and removes the line if `take` returns true. `None` if the buffer is
    /// empty.
    pub(crate) fn take_line(&self, take: impl FnOnce(Level, &str) -> bool) -> Option<()> {
        let mut lines = lock(&self.buffer.as_ref()?.lines);
        if lines.dropped > 0 {
            let text = format!(
                "{} log lines were dropped, because the buffer was full: see log.buffer_lines",
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

impl Buffer {
    fn push(&self, level: Level, line: String) {
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
    fn lines_are_buffered_up_to_their_level_and_number_and_taken_once() {
        let logger = Logger::default().with_buffer(Level::Warn, 2);
        for (level, line) in [
            (Level::Info, "not buffered"),
            (Level::Warn, "first"),
            (Level::Error, "second"),
            (Level::Warn, "third"),
        ] {
            logger.log(level, || line.to_owned());
        }
        let (level, line) = taken(&logger).unwrap();
        assert!(level == Level::Warn && line.starts_with("1 log lines were dropped"));
        assert!(
            logger.take_line(|_, _| false).is_some(),
            "a line that is not taken stays"
        );
        assert_eq!(taken(&logger).unwrap(), (Level::Error, "second".to_owned()));
        assert_eq!(taken(&logger).unwrap(), (Level::Warn, "third".to_owned()));
        assert_eq!(taken(&logger), None);
    }
}
