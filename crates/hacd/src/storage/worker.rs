//! The thread that writes generations and keys, so that a slow disk never stops the ring. It works in the order of the orders.

use std::sync::mpsc;
use std::thread;

use hac_node::{Persist, PersistId};

use super::{Generations, KeyFile};

/// How many orders may wait. Configuration changes are made one at a time, so this is never reached.
const QUEUE: usize = 64;

/// What became of an order.
#[derive(Debug)]
pub(crate) struct WorkerReply {
    /// Which.
    pub(crate) id: PersistId,
    /// The error in words.
    pub(crate) result: Result<(), String>,
}

/// The way to the thread; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Worker {
    orders: Option<mpsc::SyncSender<(PersistId, Persist)>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Worker {
    /// Starts the thread. `reply` is called on it.
    ///
    /// # Errors
    /// No thread can be started.
    pub(crate) fn start(
        generations: Generations,
        keys: KeyFile,
        reply: impl Fn(WorkerReply) + Send + 'static,
    ) -> std::io::Result<Self> {
        let (orders, inbox) = mpsc::sync_channel::<(PersistId, Persist)>(QUEUE);
        let work = move || {
            for (id, what) in inbox {
                let result = match what {
                    Persist::CibPrepare { generation, bytes } => generations.prepare(generation, &bytes),
                    Persist::CibCommit { generation } => generations.commit(generation),
                    Persist::CibDiscard { generation } => generations.discard(generation),
                    Persist::KeyStage { sealed } => keys.stage(&sealed),
                    Persist::KeyCommit { key } => keys.commit(&key),
                    Persist::KeyDiscard => keys.discard(),
                    Persist::RingSeq(_) => Err("ring numbers are written by the owner of the ring".to_owned()),
                };
                reply(WorkerReply { id, result });
            }
        };
        let thread = thread::Builder::new().name("hacd-storage".to_owned()).spawn(work)?;
        Ok(Self { orders: Some(orders), thread: Some(thread) })
    }

    /// Gives an order.
    ///
    /// # Errors
    /// Too many are waiting.
    pub(crate) fn order(&self, id: PersistId, what: Persist) -> Result<(), String> {
        let Some(orders) = &self.orders else { return Err("the storage has ended".to_owned()) };
        orders.try_send((id, what)).map_err(|_| "the disk does not keep up".to_owned())
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
