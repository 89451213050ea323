//! The thread that writes ring numbers, generations and keys, so that a slow disk stops neither half of the node. It
//! works in the order of the orders.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use hac_node::{Persist, PersistId};
use tokio::sync::mpsc::Sender;

use super::{Generations, KeyFile, Slots};
use crate::driver::Input;

/// How many orders may wait. Configuration changes are made one at a time and rings are formed one at a time, so that
/// this is reached by a disk that hangs alone.
const QUEUE: usize = 64;

/// What became of an order.
#[derive(Debug)]
pub(crate) struct WorkerReply {
    /// Which; for a ring number the number itself.
    pub(crate) id: PersistId,
    /// The error in words.
    pub(crate) result: Result<(), String>,
}

/// What is to be written.
enum Order {
    /// Ring numbers up to this are reserved.
    Reserve(u64),
    /// Something of the cluster half.
    Store(PersistId, Persist),
}

/// The files that are written.
pub(crate) struct Files {
    /// The ring's number.
    pub(crate) slots: Slots,
    /// The configuration.
    pub(crate) generations: Generations,
    /// The cluster's key.
    pub(crate) keys: KeyFile,
}

/// The way to the thread; it ends, all orders carried out, when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    orders: Option<SyncSender<Order>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. What became of ring numbers goes to `ring`, the rest to `cluster`.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(
        files: Files,
        ring: Sender<WorkerReply>,
        cluster: Sender<Input>,
        times: Arc<Times>,
    ) -> std::io::Result<Self> {
        let (orders, inbox) = mpsc::sync_channel::<Order>(QUEUE);
        let work = move || {
            let Files { mut slots, generations, keys } = files;
            for order in inbox {
                let begin = Instant::now();
                // Nobody may wait for it any more.
                match order {
                    Order::Reserve(ring_seq) => {
                        let result = guarded(|| slots.reserve(ring_seq).map_err(|error| error.to_string()));
                        times.count(begin.elapsed());
                        drop(ring.blocking_send(WorkerReply { id: PersistId(ring_seq), result }));
                    }
                    Order::Store(id, what) => {
                        let result = guarded(|| store(&generations, &keys, what));
                        times.count(begin.elapsed());
                        drop(cluster.blocking_send(Input::Persisted(WorkerReply { id, result })));
                    }
                }
            }
        };
        let thread = thread::Builder::new().name("hacd-storage".to_owned()).spawn(work)?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Orders something of the cluster half.
    ///
    /// # Errors
    /// Too many are waiting.
    pub(crate) fn order(&self, id: PersistId, what: Persist) -> Result<(), String> {
        self.give(Order::Store(id, what))
    }

    /// Orders ring numbers up to this one.
    ///
    /// # Errors
    /// Too many are waiting.
    pub(crate) fn reserve(&self, ring_seq: u64) -> Result<(), String> {
        self.give(Order::Reserve(ring_seq))
    }

    fn give(&self, order: Order) -> Result<(), String> {
        let Some(orders) = &self.orders else { return Err("the storage has ended".to_owned()) };
        orders.try_send(order).map_err(|_| "the disk does not keep up".to_owned())
    }
}

/// How long storing takes.
#[derive(Debug, Default)]
pub(crate) struct Times {
    stored: AtomicU64,
    slow: AtomicU64,
    longest_us: AtomicU64,
}

/// What takes longer to be stored is slow.
const SLOW: Duration = Duration::from_millis(500);

impl Times {
    fn count(&self, took: Duration) {
        self.stored.fetch_add(1, Ordering::Relaxed);
        self.slow.fetch_add(u64::from(took > SLOW), Ordering::Relaxed);
        self.longest_us.fetch_max(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// What was counted, by name.
    pub(crate) fn counters(&self) -> [(&'static str, u64); 3] {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("storage.stored", read(&self.stored)),
            ("storage.slow", read(&self.slow)),
            ("storage.longest_us", read(&self.longest_us)),
        ]
    }
}

/// A fault in what stores something fails this order and no other. Each writes whole files or slots beside what counts, so
/// that nothing half done is in the way of the next.
fn guarded(work: impl FnOnce() -> Result<(), String>) -> Result<(), String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("hacd has a fault in what stores it".to_owned()))
}

fn store(generations: &Generations, keys: &KeyFile, what: Persist) -> Result<(), String> {
    match what {
        Persist::CibPrepare { generation, bytes } => generations.prepare(generation, &bytes),
        Persist::CibCommit { generation } => generations.commit(generation),
        Persist::CibDiscard { generation } => generations.discard(generation),
        Persist::CibLost { file, bytes } => generations.keep_lost(&file, &bytes),
        Persist::CibLostSeen => generations.lost_seen(),
        Persist::KeyStage { sealed } => keys.stage(&sealed),
        Persist::KeyCommit { key } => keys.commit(&key),
        Persist::KeyDiscard => keys.discard(),
        Persist::RingSeq(_) => Err("ring numbers are the ring half's".to_owned()),
    }
}

impl Drop for Worker {
    /// Waits until all orders are carried out.
    fn drop(&mut self) {
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
