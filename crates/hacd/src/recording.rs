//! The flight recorder's file (`--record FILE`): what the halves of the node are given goes through a bounded queue to a
//! thread that seals and appends it, so that a slow disk never stops either of them.
//!
//! A recording must be whole from its beginning to be replayed, so it ends where it cannot go on: when it has reached
//! its limit, the disk refuses it or does not keep up. The log says so.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use hac_node::{Assurance, Effect, Given, Input, Note, Now, Output, Recorder, RingOutput};

use crate::calls;
use crate::storage::words;

/// Largest recording, bytes: a node of a small, quiet cluster fills it in two to three days.
const SIZE_MAX: u64 = 1 << 30;

/// How many notes may wait for the disk.
const QUEUE: usize = 4096;

/// How many bytes of them.
const QUEUE_BYTES: usize = 16 << 20;

/// What the threads tell the recorder.
enum Message {
    Note(Box<Note>),
    Stopped(Given),
}

/// What all notes share.
#[derive(Debug, Default)]
struct State {
    /// Nothing more is written.
    ended: AtomicBool,
    /// Bytes that wait.
    waiting: AtomicUsize,
}

/// The thread; it ends, all written, when every [`Notes`] is gone and this is dropped.
#[derive(Debug)]
pub(crate) struct Recording {
    notes: Option<Notes>,
    thread: Option<thread::JoinHandle<()>>,
}

/// One half's way to the thread.
#[derive(Clone, Debug)]
pub(crate) struct Notes {
    messages: mpsc::SyncSender<Message>,
    state: Arc<State>,
    given: Given,
    assured: Option<Assurance>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Message")
    }
}

impl Notes {
    /// The ring half is given this.
    pub(crate) fn ring(&mut self, now: Now, input: Input) {
        self.note(now, input);
    }

    /// The cluster half is given this, when this was published.
    pub(crate) fn cluster(&mut self, now: Now, assurance: Assurance, input: Input) {
        if self.assured != Some(assurance) {
            self.assured = Some(assurance);
            self.note(now, Input::Assured(assurance));
        }
        self.note(now, input);
    }

    /// The ring half gave this.
    pub(crate) fn gave_ring(&mut self, output: &RingOutput) {
        if !self.state.ended.load(Ordering::Relaxed) {
            self.given.add_ring(output);
        }
    }

    /// The cluster half gave this.
    pub(crate) fn gave_cluster(&mut self, output: &Effect) {
        if self.state.ended.load(Ordering::Relaxed) {
            return;
        }
        self.given.add_cluster(output);
        if matches!(output, Effect::Do(Output::Stopped)) {
            self.send(Message::Stopped(self.given), 0);
        }
    }

    fn note(&self, now: Now, input: Input) {
        let size = match &input {
            Input::Datagram { bytes, .. } => bytes.len(),
            Input::Request(..) | Input::Outcome(..) => 64 << 10,
            _ => 0,
        };
        self.send(Message::Note(Box::new(Note { now, input, given: self.given })), size + size_of::<Note>());
    }

    fn send(&self, message: Message, size: usize) {
        if self.state.ended.load(Ordering::Relaxed) {
            return;
        }
        let waiting = self.state.waiting.fetch_add(size, Ordering::Relaxed);
        if (waiting > QUEUE_BYTES || self.messages.try_send(message).is_err())
            && !self.state.ended.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(target: "hacd::recording", "the recording ends here: the disk does not keep up");
        }
    }
}

impl Recording {
    /// Creates the file, readable for its owner alone. One that is there already is kept as `FILE.1`.
    ///
    /// # Errors
    /// The file cannot be created, or no thread started.
    pub(crate) fn create(path: &Path, recorder: Recorder) -> io::Result<Self> {
        Self::with_limit(path, recorder, SIZE_MAX)
    }

    fn with_limit(path: &Path, recorder: Recorder, limit: u64) -> io::Result<Self> {
        let file = open(path)?;
        let (messages, inbox) = mpsc::sync_channel(QUEUE);
        let state = Arc::new(State::default());
        let notes = Notes { messages, state: Arc::clone(&state), given: Given::default(), assured: None };
        let work = move || write(file, recorder, &inbox, &state, limit);
        let thread = thread::Builder::new().name("hacd-record".to_owned()).spawn(work)?;
        Ok(Self { notes: Some(notes), thread: Some(thread) })
    }

    /// A way for one half.
    pub(crate) fn notes(&self) -> Option<Notes> {
        self.notes.clone()
    }
}

impl Drop for Recording {
    /// Waits until all is written.
    fn drop(&mut self) {
        self.notes = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Makes the file.
fn open(path: &Path) -> io::Result<File> {
    if fs::symlink_metadata(path).is_ok() {
        calls::rename(path, &earlier(path))?;
    }
    calls::open(path, OpenOptions::new().write(true).create_new(true).mode(0o600))
}

/// Where an earlier recording is kept.
fn earlier(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

fn write(mut file: File, mut recorder: Recorder, inbox: &mpsc::Receiver<Message>, state: &State, limit: u64) {
    let mut size = 0_u64;
    let mut append = |recorder: &mut Recorder| -> Result<(), String> {
        while let Some(chunk) = recorder.poll() {
            size = size.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if size > limit {
                return Err("it has reached its largest size".to_owned());
            }
            calls::write_all(&mut file, &chunk).map_err(|error| format!("the disk refuses it: {}", words(&error)))?;
        }
        Ok(())
    };
    let mut result = append(&mut recorder);
    for message in inbox {
        if result.is_err() || state.ended.load(Ordering::Relaxed) {
            break;
        }
        match message {
            Message::Note(note) => {
                let size = match &note.input {
                    Input::Datagram { bytes, .. } => bytes.len(),
                    Input::Request(..) | Input::Outcome(..) => 64 << 10,
                    _ => 0,
                };
                state.waiting.fetch_sub(size + size_of::<Note>(), Ordering::Relaxed);
                recorder.note(*note);
            }
            Message::Stopped(given) => recorder.stopped(given),
        }
        result = append(&mut recorder);
    }
    if let Err(why) = result
        && !state.ended.swap(true, Ordering::Relaxed)
    {
        tracing::warn!(target: "hacd::recording", "the recording ends here: {why}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TempDir;

    #[test]
    fn an_earlier_recording_is_kept_and_the_new_one_ends_at_its_limit() {
        let directory = TempDir::new();
        let path = directory.path().join("flight.rec");
        fs::write(&path, "before").expect("writes");
        let recording = Recording::with_limit(&path, crate::testing::recorder(), 4000).expect("creates");
        let mut notes = recording.notes().expect("it has begun");
        while !notes.state.ended.load(Ordering::Relaxed) {
            // Never so many that it would end because the disk does not keep up.
            if notes.state.waiting.load(Ordering::Relaxed) < QUEUE_BYTES.min(QUEUE * size_of::<Note>()) / 2 {
                notes.ring(Now::default(), Input::RingTimeout);
            }
            thread::yield_now();
        }
        drop((notes, recording));
        let length = fs::metadata(&path).expect("is there").len();
        assert!((1000..=4000).contains(&length), "{length}");
        assert_eq!(fs::read(earlier(&path)).expect("reads"), b"before");
    }

    #[test]
    fn a_recording_ends_where_a_call_is_refused_and_the_earlier_one_is_kept() {
        use crate::calls::faults;
        use rustix::io::Errno;

        for error in [Errno::IO, Errno::NOSPC, Errno::MFILE, Errno::FBIG] {
            for call in 1.. {
                let directory = TempDir::new();
                let path = directory.path().join("flight.rec");
                fs::write(&path, "before").expect("writes");
                let (messages, inbox) = mpsc::sync_channel(QUEUE);
                let state = Arc::new(State::default());
                let mut notes = Notes { messages, state: Arc::clone(&state), given: Given::default(), assured: None };
                (0..50).for_each(|_| notes.ring(Now::default(), Input::RingTimeout));
                drop(notes);
                faults::refuse(call, error, false);
                let opened = open(&path);
                let made = opened.is_ok();
                if let Ok(file) = opened {
                    write(file, crate::testing::recorder(), &inbox, &state, SIZE_MAX);
                }
                let refused = faults::end();
                let what = format!("call {call}: {error}");
                assert_eq!(state.ended.load(Ordering::Relaxed), refused && made, "{what}");
                let kept = fs::read(earlier(&path)).or_else(|_| fs::read(&path)).expect("one of them is there");
                assert_eq!(kept, b"before", "{what}");
                if !refused {
                    assert!(call > 3, "only {call} calls go through what can refuse them");
                    break;
                }
            }
        }
    }
}
