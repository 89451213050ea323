//! A client that writes one number after the other through the cluster's address, and remembers which were acknowledged.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Error;
use crate::netns::spawn_in;
use crate::run::wait_for;

/// A server that does not answer for this long is given up, and asked anew over another connection.
const ANSWER_LIMIT: Duration = Duration::from_millis(400);
/// Between two numbers, and after a failure.
const PAUSE: Duration = Duration::from_millis(5);
/// The longest message that is believed.
const MESSAGE_MAX: usize = 1 << 26;

/// What the server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speech {
    /// PostgreSQL's protocol, version 3, to a server that trusts everybody.
    Postgres,
    /// Redis's protocol. A number counts when one replica has it.
    Redis,
    /// As [`Speech::Postgres`]. A number counts when the server has it, whatever standbys have.
    PostgresAlone,
}

/// The client; it stops when it is dropped.
#[derive(Debug)]
pub struct Writer {
    acknowledged: Arc<Mutex<Vec<(u64, Instant)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Writer {
    /// Writes to `target` from a namespace.
    pub(super) fn start(namespace: String, target: SocketAddr, speech: Speech) -> Result<Self, Error> {
        let acknowledged = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (shared, ended) = (Arc::clone(&acknowledged), Arc::clone(&stop));
        let thread = spawn_in(Some(namespace), "writer", move || {
            let mut number = 0;
            while !ended.load(Ordering::Relaxed) {
                // A failed connection is the next one's reason.
                let _ = talk(target, speech, &mut number, &shared, &ended);
                std::thread::sleep(PAUSE);
            }
            Ok(())
        })?;
        Ok(Self { acknowledged, stop, thread: Some(thread) })
    }

    /// Every number that was acknowledged, and when.
    pub fn acknowledged(&self) -> Vec<(u64, Instant)> {
        self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The longest time between two acknowledgements from the last one before `from` until now.
    pub fn gap(&self, from: Instant) -> Duration {
        let all = self.acknowledged();
        let first = all.partition_point(|(_, at)| *at < from).saturating_sub(1);
        let tail = all.get(first..).unwrap_or_default();
        let next = tail.iter().skip(1);
        tail.iter().zip(next).map(|((_, one), (_, two))| two.saturating_duration_since(*one)).max().unwrap_or_default()
    }

    /// Waits for `count` acknowledgements after `from`.
    ///
    /// # Errors
    /// [`Error::Late`].
    pub fn wait(&self, from: Instant, count: usize, limit: Duration) -> Result<(), Error> {
        wait_for(&format!("{count} numbers are acknowledged"), limit, || {
            let all = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
            let first = all.partition_point(|(_, at)| *at < from);
            (all.len() - first >= count).then_some(())
        })
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // its failure would have shown as missing acknowledgements
        }
    }
}

/// Writes numbers over one connection until it fails. A number is used once, whatever became of it.
fn talk(
    target: SocketAddr,
    speech: Speech,
    number: &mut u64,
    acknowledged: &Mutex<Vec<(u64, Instant)>>,
    ended: &AtomicBool,
) -> io::Result<()> {
    let mut stream = connect(target, speech, ANSWER_LIMIT)?;
    while !ended.load(Ordering::Relaxed) {
        *number += 1;
        match speech {
            Speech::Postgres => {
                query(&mut stream, &format!("insert into entries values ({number})"))?;
            }
            // Another client may have used the number.
            Speech::PostgresAlone => {
                query(&mut stream, &format!("insert into entries values ({number}) on conflict do nothing"))?;
            }
            Speech::Redis => {
                if command(&mut stream, &["SADD", "entries", &number.to_string()])? != [":1"]
                    || command(&mut stream, &["WAIT", "1", "300"])? == [":0"]
                {
                    return Err(io::Error::other("it is on no replica"));
                }
            }
        }
        acknowledged.lock().unwrap_or_else(PoisonError::into_inner).push((*number, Instant::now()));
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// All numbers that a server has, asked from within a namespace.
pub(super) fn numbers(namespace: String, target: SocketAddr, speech: Speech) -> Result<Vec<u64>, Error> {
    let limit = ANSWER_LIMIT * 50;
    let thread = spawn_in(Some(namespace), "reader", move || {
        let mut stream = connect(target, speech, limit)?;
        let rows = match speech {
            Speech::Postgres | Speech::PostgresAlone => query(&mut stream, "select n from entries")?,
            Speech::Redis => command(&mut stream, &["SMEMBERS", "entries"])?,
        };
        Ok(rows.iter().filter_map(|row| row.parse().ok()).collect())
    })?;
    let failed = Error::system("the database cannot be read");
    match thread.join() {
        Ok(numbers) => numbers.map_err(failed),
        Err(_) => Err(failed(io::Error::other("the reader panicked"))),
    }
}

fn connect(target: SocketAddr, speech: Speech, limit: Duration) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect_timeout(&target, limit)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    if matches!(speech, Speech::Postgres | Speech::PostgresAlone) {
        let mut body = 0x0003_0000_u32.to_be_bytes().to_vec();
        body.extend(b"user\0postgres\0database\0postgres\0\0");
        stream.write_all(&framed(&body))?;
        answer(&mut stream)?;
    }
    if speech == Speech::PostgresAlone {
        query(&mut stream, "set synchronous_commit to local")?;
    }
    Ok(stream)
}

/// The body with its length in front, as PostgreSQL frames it.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), body].concat()
}

/// Runs a statement and gives the first column of its rows.
fn query(stream: &mut TcpStream, sql: &str) -> io::Result<Vec<String>> {
    let body = [sql.as_bytes(), b"\0"].concat();
    stream.write_all(&[b"Q", framed(&body).as_slice()].concat())?;
    answer(stream)
}

/// Reads until the server is ready for the next statement; an error of its is ours, and so is a warning: it may say that a
/// commit did not wait.
fn answer(stream: &mut TcpStream) -> io::Result<Vec<String>> {
    let mut rows = Vec::new();
    let mut failed = None;
    loop {
        let mut head = [0; 5];
        stream.read_exact(&mut head)?;
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX).saturating_sub(4);
        if length > MESSAGE_MAX {
            return Err(io::Error::other("a message of the server is too long"));
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body)?;
        match kind {
            b'Z' => return failed.map_or(Ok(rows), Err),
            b'E' | b'N' => failed = Some(io::Error::other(String::from_utf8_lossy(&body).into_owned())),
            b'D' => rows.push(first_column(&body)),
            _ => (),
        }
    }
}

/// The first column of a row: a count of columns (2 bytes), the column's length (4 bytes), its text.
fn first_column(body: &[u8]) -> String {
    let text = body.get(6..).unwrap_or_default();
    let length = body.get(2..6).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok()).map_or(0, u32::from_be_bytes);
    let text = text.get(..usize::try_from(length).unwrap_or(usize::MAX)).unwrap_or(text);
    String::from_utf8_lossy(text).into_owned()
}

/// Runs a command of Redis and gives the lines of its answer: one, or the members of a list.
fn command(stream: &mut TcpStream, words: &[&str]) -> io::Result<Vec<String>> {
    let mut text = format!("*{}\r\n", words.len());
    words.iter().for_each(|word| text.push_str(&format!("${}\r\n{word}\r\n", word.len())));
    stream.write_all(text.as_bytes())?;
    let mut reader = io::BufReader::new(stream);
    let first = line(&mut reader)?;
    let Some(count) = first.strip_prefix('*') else {
        return if first.starts_with('-') { Err(io::Error::other(first)) } else { Ok(vec![first]) };
    };
    let count: usize = count.parse().map_err(io::Error::other)?;
    let mut members = Vec::new();
    for _ in 0..count {
        line(&mut reader)?; // its length
        members.push(line(&mut reader)?);
    }
    Ok(members)
}

fn line(reader: &mut impl io::BufRead) -> io::Result<String> {
    let mut text = String::new();
    if reader.read_line(&mut text)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(text.trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{first_column, framed};

    #[test]
    fn messages_of_postgresql_are_framed_and_read() {
        assert_eq!(framed(b"ab"), [0, 0, 0, 6, b'a', b'b']);
        assert_eq!(first_column(&[0, 1, 0, 0, 0, 2, b'4', b'2']), "42");
        assert_eq!(first_column(&[0, 1]), "");
    }
}
