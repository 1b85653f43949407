//! Where the library's log lines go: to the caller's sink, or nowhere. Lines hold no secret and no payload.

use std::fmt;
use std::sync::Arc;

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
}

impl Logger {
    pub fn new(max_level: Level, sink: impl Fn(Level, &str) + Send + Sync + 'static) -> Logger {
        Logger {
            sink: Some((Arc::new(sink), max_level)),
        }
    }

    /// Makes and hands over a line if somebody wants it.
    pub(crate) fn log(&self, level: Level, line: impl FnOnce() -> String) {
        if let Some((sink, max_level)) = &self.sink {
            if level <= *max_level {
                sink(level, &line());
            }
        }
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
