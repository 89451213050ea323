//! The log: what happens goes through `tracing` into a bounded queue, and one thread writes it to the file, to syslog (or
//! the journal) and to standard error, so that a slow disk never stops the ring.
//!
//! Levels are syslog's. `tracing` has no `notice`: an `info!` with the field `notice = true` is one. Secrets never get
//! here: what the agents are told is not logged, and types that hold secrets have a `Debug` without them.

mod sinks;
mod stamp;

use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};

use crate::clock;
use crate::config::{Logging, Verbosity};
use sinks::Sinks;

/// How many bytes of lines may wait to be written, with what each takes beside its text; beyond that they are dropped and
/// counted.
const QUEUE_BYTES: usize = 4 << 20;

/// How long lines are gathered after one was written: to wake the thread costs more than to write one.
const GATHER: Duration = Duration::from_millis(10);

/// Severities of syslog that hacd uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Something failed.
    Error = 3,
    /// Something is not as it should be.
    Warning = 4,
    /// Normal and worth knowing.
    Notice = 5,
    /// Normal.
    Info = 6,
    /// For those who look for a fault.
    Debug = 7,
}

impl Severity {
    /// The word in the file.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
            Self::Info => "info",
            Self::Debug => "debug",
        }
    }
}

/// A message on its way to the sinks.
#[derive(Clone, Debug)]
struct Line {
    severity: Severity,
    wall_ms: i64,
    /// The part of hacd it comes from.
    part: &'static str,
    text: String,
}

impl Line {
    /// About what it takes of memory, bytes.
    const fn size(&self) -> usize {
        self.text.len() + size_of::<Order>()
    }
}

enum Order {
    Write(Line),
    /// Open the file anew.
    Reopen,
    /// Answer when all that came before is written.
    Flush(SyncSender<()>),
}

/// The way to the thread that writes.
#[derive(Clone)]
pub(crate) struct Log {
    orders: Sender<Order>,
    state: Arc<State>,
}

/// What the log tells of itself.
#[derive(Debug, Default)]
struct State {
    /// Lines that found no place, since that was last said.
    dropped: AtomicU64,
    /// Bytes that wait to be written.
    waiting: AtomicUsize,
    /// All lines that were not written.
    lost: AtomicU64,
    /// Why the file does not take lines.
    trouble: Mutex<Option<String>>,
}

/// Writes what comes, and what could not be written.
fn write_all(sinks: &mut Sinks, inbox: &mpsc::Receiver<Order>, state: &State) {
    let mut told = None;
    let mut handle = |order| {
        match order {
            Order::Write(line) => {
                state.waiting.fetch_sub(line.size(), Ordering::Relaxed);
                sinks.write(&line);
            }
            Order::Reopen => sinks.reopen(),
            Order::Flush(done) => drop(done.send(())),
        }
        let dropped = state.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let text = format!("{dropped} messages were dropped because they could not be written in time");
            let wall_ms = clock::wall().0;
            sinks.write(&Line { severity: Severity::Warning, wall_ms, part: "log", text });
        }
        state.lost.fetch_add(dropped + sinks.refused(), Ordering::Relaxed);
        let trouble = sinks.trouble();
        if trouble != told {
            let mut shown = state.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            shown.clone_from(&trouble);
            drop(shown);
            told = trouble;
            let text = told.as_ref().map_or_else(
                || "the log file takes lines again".to_owned(),
                |why| format!("the log file cannot be written, going on without: {why}"),
            );
            let wall_ms = clock::wall().0;
            sinks.write(&Line { severity: Severity::Error, wall_ms, part: "log", text });
        }
    };
    while let Ok(order) = inbox.recv() {
        handle(order);
        inbox.try_iter().for_each(&mut handle);
        // Who puts a line in meanwhile has nobody to wake.
        thread::sleep(GATHER);
    }
}

impl std::fmt::Debug for Log {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Log")
    }
}

impl Log {
    /// Starts the log as configured and makes it the one of this process. `node` is the name of this node. A file that
    /// cannot be written (yet) is no reason not to start.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(config: &Logging, node: &str) -> std::io::Result<Self> {
        let (orders, inbox) = mpsc::channel();
        let log = Self { orders, state: Arc::default() };
        let state = Arc::clone(&log.state);
        let (logging, node) = (config.clone(), node.to_owned());
        // The sinks are opened there, too: opening a file may hang.
        let work = move || {
            // A fault costs the line that meets it.
            while catch_unwind(AssertUnwindSafe(|| write_all(&mut Sinks::open(&logging, &node), &inbox, &state)))
                .is_err()
            {}
        };
        thread::Builder::new().name("hacd-log".to_owned()).spawn(work)?;
        let own = match config.debug {
            Verbosity::Normal => LevelFilter::INFO,
            Verbosity::Debug => LevelFilter::DEBUG,
            Verbosity::Trace => LevelFilter::TRACE,
        };
        let targets = Targets::new().with_default(LevelFilter::WARN).with_target(TARGET, own);
        let subscriber = tracing_subscriber::registry().with(log.clone().with_filter(targets));
        // Only tests start a second log in one process; the first one stays then.
        let _ = tracing::subscriber::set_global_default(subscriber);
        Ok(log)
    }

    /// Opens the file anew, for logrotate.
    pub(crate) fn reopen(&self) {
        let _ = self.orders.send(Order::Reopen);
    }

    /// Waits (at most a second) until everything is written.
    pub(crate) fn flush(&self) {
        let (done, wait) = mpsc::sync_channel(1);
        // The disk may hang: nobody is to wait for that.
        if self.orders.send(Order::Flush(done)).is_ok() {
            let _ = wait.recv_timeout(Duration::from_secs(1));
        }
    }

    /// Why the file does not take lines, if it does not.
    pub(crate) fn trouble(&self) -> Option<String> {
        self.state.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many lines were not written.
    pub(crate) fn lost(&self) -> u64 {
        self.state.lost.load(Ordering::Relaxed) + self.state.dropped.load(Ordering::Relaxed)
    }

    /// Writes an event of the node, which `text` tells; its kind is the part of hacd.
    pub(crate) fn event(&self, event: &hac_node::Event, text: String, now: hac_node::Now) {
        let severity = match event.level() {
            hac_node::Level::Error => Severity::Error,
            hac_node::Level::Warning => Severity::Warning,
            hac_node::Level::Notice => Severity::Notice,
            hac_node::Level::Info => Severity::Info,
            hac_node::Level::Debug => Severity::Debug,
        };
        self.push(Line { severity, wall_ms: now.wall.0, part: event.kind(), text });
    }

    fn push(&self, line: Line) {
        let size = line.size();
        let waiting = self.state.waiting.fetch_add(size, Ordering::Relaxed);
        if waiting > QUEUE_BYTES || self.orders.send(Order::Write(line)).is_err() {
            self.state.waiting.fetch_sub(size, Ordering::Relaxed);
            self.state.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// First part of the targets of hacd's own messages; what follows the second colon is the part of hacd.
pub(crate) const TARGET: &str = "hacd";

impl<S: Subscriber> Layer<S> for Log {
    fn on_event(&self, event: &Event<'_>, _context: Context<'_, S>) {
        let metadata = event.metadata();
        let mut fields = Fields::default();
        event.record(&mut fields);
        let severity = match *metadata.level() {
            Level::ERROR => Severity::Error,
            Level::WARN => Severity::Warning,
            Level::INFO if fields.notice => Severity::Notice,
            Level::INFO => Severity::Info,
            _ => Severity::Debug,
        };
        let part = metadata.target().rsplit("::").next().unwrap_or(TARGET);
        self.push(Line { severity, wall_ms: clock::wall().0, part, text: fields.message + &fields.rest });
    }
}

/// Gathers the fields of a message into one line.
#[derive(Default)]
struct Fields {
    message: String,
    rest: String,
    notice: bool,
}

impl Visit for Fields {
    fn record_bool(&mut self, field: &Field, value: bool) {
        if field.name() == "notice" {
            self.notice = value;
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // `Debug` is what tracing hands over: our own macros record texts alone, which print as they are.
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            write!(self.rest, " {}={value:?}", field.name())
        };
    }
}
