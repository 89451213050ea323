//! Looking at files without waiting for them: what may hang (a dead file server, a FIFO, a process that holds its memory
//! map) is done on threads of their own, which nobody has to wait for, neither an action nor the end of the daemon.
//!
//! A thread that is done takes the next work that comes soon: to begin one costs as much as a small script. One that hangs
//! is alone with its work, and others are begun.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use tokio::sync::oneshot;

/// Stack of a looking thread, bytes.
const STACK: usize = 256 << 10;

/// How many threads may wait for work. Where there is more to do than the host has processors for, some have their result on
/// its way and not yet come back here: if they ended for want of room, as many would be begun.
const IDLE_MAX: usize = 64;

/// How long one waits for work before it ends.
const IDLE: Duration = Duration::from_secs(5);

/// Who looks at what. For each key there is one thread at most: who comes while the one before still hangs waits for it,
/// so that a file server that is dead for a day costs one thread for each resource and not one for each monitor.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    keys: Mutex<BTreeMap<String, Arc<Key>>>,
    pool: Arc<Pool>,
}

type Work = Box<dyn FnOnce() + Send>;

/// Threads that wait, by number.
type Idle = Vec<(u64, mpsc::Sender<Work>)>;

/// The threads.
#[derive(Debug, Default)]
struct Pool {
    /// The last number, and those that wait for work. The one that began to wait last gets the next.
    idle: Mutex<(u64, Idle)>,
}

impl Pool {
    /// Does `work` on a thread that has nothing else to do.
    ///
    /// # Errors
    /// There is none to be had.
    fn give(self: &Arc<Self>, work: Work) -> io::Result<()> {
        let waiting = lock(&self.idle).1.pop();
        let work = match waiting {
            // One that waits is there until it has been taken off the list.
            Some((_, sender)) => match sender.send(work) {
                Ok(()) => return Ok(()),
                Err(mpsc::SendError(work)) => work,
            },
            None => work,
        };
        let pool = Arc::clone(self);
        std::thread::Builder::new().name(crate::THREADS[0].into()).stack_size(STACK).spawn(move || pool.serve(work))?;
        Ok(())
    }

    fn serve(&self, first: Work) {
        let (sender, orders) = mpsc::channel::<Work>();
        let mut work = first;
        loop {
            work();
            let number = {
                let mut idle = lock(&self.idle);
                if idle.1.len() >= IDLE_MAX {
                    return;
                }
                idle.0 += 1;
                let number = idle.0;
                idle.1.push((number, sender.clone()));
                number
            };
            work = match orders.recv_timeout(IDLE) {
                Ok(next) => next,
                Err(_) => {
                    let mut idle = lock(&self.idle);
                    let before = idle.1.len();
                    idle.1.retain(|(of, _)| *of != number);
                    if idle.1.len() < before {
                        return;
                    }
                    drop(idle);
                    // Somebody has just chosen this one.
                    match orders.recv() {
                        Ok(next) => next,
                        Err(_) => return,
                    }
                }
            };
        }
    }
}

/// What is looked at in turn.
#[derive(Debug, Default)]
pub(crate) struct Key {
    turn: Arc<tokio::sync::Mutex<()>>,
    /// What the thread does now.
    doing: Mutex<Option<String>>,
}

impl Key {
    /// The thread is past what may hang.
    pub(crate) fn is_past(&self) {
        *lock(&self.doing) = None;
    }
}

/// The turn of one who looks at a key. Whatever becomes of the work, also if it panics or nobody waits for it any more, the
/// next one has its turn when this is dropped, and a key that nobody uses is forgotten.
struct Turn {
    looks: Arc<Looks>,
    of: String,
    /// Nothing only while it is dropped.
    key: Option<Arc<Key>>,
    /// Nothing until it has come.
    turn: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Turn {
    /// Says what is done now.
    fn does(&self, what: &str) {
        if let Some(key) = &self.key {
            *lock(&key.doing) = Some(what.to_owned());
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if let (Some(key), Some(_)) = (&self.key, &self.turn) {
            key.is_past();
        }
        (self.turn, self.key) = (None, None);
        self.looks.tidy(&self.of);
    }
}

impl Looks {
    /// Does `work` on a thread, in turn with what else is looked at for `key`; `what` says what it does (`reading FILE`).
    /// Has no end of its own: dropping the future leaves the thread to itself.
    ///
    /// # Errors
    /// There is no thread to be had, or the work panicked.
    pub(crate) async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        key: &str,
        what: impl Into<String>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> io::Result<T> {
        let turn = self.turn(key, what.into()).await;
        let (sender, receiver) = oneshot::channel();
        self.pool.give(Box::new(move || {
            let result = work();
            drop(turn);
            // Nobody may wait for it any more.
            let _ = sender.send(result);
        }))?;
        receiver.await.map_err(|_| io::Error::other("looking at it failed"))
    }

    /// The same for work that leaves something to be done, which `after` says, when its result is on its way: who waits for
    /// that does not wait for this, but what comes next for `key` does.
    ///
    /// # Errors
    /// There is no thread to be had, or the work panicked.
    pub(crate) async fn look_then<T: Send + 'static, L: Send + 'static>(
        self: &Arc<Self>,
        key: &str,
        what: impl Into<String>,
        work: impl FnOnce(&Key) -> (T, L) + Send + 'static,
        after: &'static str,
        rest: impl FnOnce(L) + Send + 'static,
    ) -> io::Result<T> {
        let turn = self.turn(key, what.into()).await;
        let (sender, receiver) = oneshot::channel();
        self.pool.give(Box::new(move || {
            let Some(key) = &turn.key else { return };
            let (result, left) = work(key);
            turn.does(after);
            let _ = sender.send(result);
            rest(left);
        }))?;
        receiver.await.map_err(|_| io::Error::other("looking at it failed"))
    }

    /// Waits for the turn to look at `key`.
    async fn turn(self: &Arc<Self>, key: &str, what: String) -> Turn {
        let entry = Arc::clone(lock(&self.keys).entry(key.to_owned()).or_default());
        let before = Arc::clone(&entry.turn);
        let mut turn = Turn { looks: Arc::clone(self), of: key.to_owned(), key: Some(entry), turn: None };
        turn.turn = Some(before.lock_owned().await);
        turn.does(&what);
        turn
    }

    /// What the thread of `key` does at this moment, if there is one.
    pub(crate) fn hanging(&self, key: &str) -> Option<String> {
        let entry = lock(&self.keys).get(key).cloned()?;
        lock(&entry.doing).clone()
    }

    /// Forgets a key that nobody uses.
    fn tidy(&self, key: &str) {
        let mut keys = lock(&self.keys);
        if keys.get(key).is_some_and(|entry| Arc::strong_count(entry) == 1) {
            keys.remove(key);
        }
    }
}

/// The text of a regular file, up to `limit` bytes. May wait for the file system: to be called on a thread that may. What
/// is no regular file is refused before it is opened: a FIFO would hang, a device might never end.
///
/// # Errors
/// It cannot be read, is no regular file, or is longer.
pub(crate) fn read(file: &Path, limit: u64) -> io::Result<String> {
    if !std::fs::metadata(file)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    let mut bytes = Vec::new();
    let size = File::open(file)?.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(size).is_ok_and(|size| size > limit) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("it is longer than {limit} bytes")));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Nothing panics while it holds one of these locks, and none is held across an await.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// What nobody uses is forgotten: by the thread that used it, a moment after its answer.
    async fn all_is_forgotten(looks: &Looks) {
        let gone = async {
            while !lock(&looks.keys).is_empty() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("what nobody uses is forgotten");
    }

    #[tokio::test]
    async fn a_look_that_hangs_is_left_alone_and_the_next_waits_for_it() {
        let looks = Arc::new(Looks::default());
        let (release, hang) = mpsc::channel::<()>();
        let hung = looks.look("R", "reading /dead/pid", move || hang.recv());
        assert!(tokio::time::timeout(Duration::from_millis(50), hung).await.is_err());
        assert_eq!(looks.hanging("R").as_deref(), Some("reading /dead/pid"));
        let second = looks.look("R", "reading", || 2);
        assert!(tokio::time::timeout(Duration::from_millis(50), second).await.is_err(), "one thread for each key");
        assert_eq!(looks.look("S", "reading", || 1).await.expect("another key"), 1);
        release.send(()).expect("it waits for this");
        assert_eq!(looks.look("R", "reading", || 3).await.expect("its turn"), 3);
        all_is_forgotten(&looks).await;
        assert_eq!(looks.hanging("R"), None);
    }

    #[tokio::test]
    async fn threads_are_used_again_and_one_that_hangs_is_not_waited_for() {
        let looks = Arc::new(Looks::default());
        let here = || std::thread::current().id();
        let waits = |count| {
            let looks = Arc::clone(&looks);
            async move {
                while lock(&looks.pool.idle).1.len() != count {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        };
        let first = looks.look("R", "looking", here).await.expect("a thread");
        waits(1).await;
        assert_eq!(looks.look("S", "looking", here).await.expect("the same"), first);
        waits(1).await;
        let (release, hang) = mpsc::channel::<()>();
        let work = move |_: &Key| (1, hang);
        let rest = |hang: mpsc::Receiver<()>| {
            let _ = hang.recv();
        };
        assert_eq!(looks.look_then("R", "looking", work, "noting", rest).await.expect("a result"), 1);
        assert_eq!(looks.hanging("R").as_deref(), Some("noting"));
        assert_ne!(looks.look("S", "looking", here).await.expect("another"), first);
        let next = looks.look("R", "looking", here);
        assert!(tokio::time::timeout(Duration::from_millis(50), next).await.is_err(), "it comes after the rest");
        release.send(()).expect("it waits for this");
        looks.look("R", "looking", here).await.expect("its turn");
        waits(2).await;
        while !lock(&looks.keys).is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    #[tokio::test]
    async fn work_that_panics_takes_its_thread_with_it_and_nothing_else() {
        let looks = Arc::new(Looks::default());
        assert!(looks.look("R", "looking", || panic!("no way out")).await.is_err());
        assert_eq!(looks.look("R", "looking", || 1).await.expect("another thread"), 1);
        let fails = |_: &Key| -> ((), ()) { panic!("no way out") };
        assert!(looks.look_then("S", "looking", fails, "noting", |()| ()).await.is_err());
        let left = |_: &Key| (1, ());
        assert_eq!(
            looks.look_then("S", "looking", left, "noting", |()| panic!("no way out")).await.expect("its result"),
            1
        );
        looks.look("S", "looking", || ()).await.expect("its turn");
        all_is_forgotten(&looks).await;
    }

    #[tokio::test]
    async fn who_does_not_wait_for_a_turn_any_more_leaves_nothing_behind() {
        let looks = Arc::new(Looks::default());
        let (release, hang) = mpsc::channel::<()>();
        let first = looks.look("R", "reading", move || hang.recv());
        let second = async {
            let never = looks.look("R", "reading", || ());
            assert!(tokio::time::timeout(Duration::from_millis(50), never).await.is_err(), "one at a time");
            release.send(()).expect("it waits for this");
        };
        let (first, ()) = tokio::join!(first, second);
        first.expect("a result").expect("released");
        all_is_forgotten(&looks).await;
    }

    #[test]
    fn only_files_of_a_sane_length_are_read() {
        let file = std::env::temp_dir().join(format!("hacd-look-{}", std::process::id()));
        std::fs::write(&file, "1234").expect("written");
        assert_eq!(read(&file, 4).expect("read"), "1234");
        assert!(read(&file, 3).is_err());
        std::fs::remove_file(&file).expect("removed");
        assert!(read(Path::new("/dev/zero"), 4).is_err(), "it never ends");
        rustix::fs::mknodat(rustix::fs::CWD, &file, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
        assert!(read(&file, 4).is_err(), "it would hang");
        std::fs::remove_file(&file).expect("removed");
    }
}
