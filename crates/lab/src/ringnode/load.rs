//! What a node of the bench sends, and what it measures.

use std::time::Duration;

use hac_totem::{Engine, Guarantee};
use hac_types::Timestamp;

use super::{cpu, say};

/// A flood keeps so many messages on their way, or so many bytes.
const ON_THEIR_WAY: u64 = 2048;
const BYTES_ON_THEIR_WAY: u64 = 1 << 20;
/// But so many at least.
const ON_THEIR_WAY_MIN: u64 = 16;
/// Bytes in which a message says whose it is.
const SENDER_LEN: usize = 4;
/// Largest message that can be asked for.
const SIZE_MAX: usize = 1 << 20;

/// An order, as it comes in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Flood { size: usize, length: Duration },
    Echo { size: usize, count: usize },
    Count,
}

impl Order {
    pub(super) fn parse(line: &str) -> Option<Self> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let size = |text: &str| text.parse().ok().filter(|size| (SENDER_LEN..=SIZE_MAX).contains(size));
        match *words.as_slice() {
            ["flood", bytes, millis] => {
                Some(Self::Flood { size: size(bytes)?, length: Duration::from_millis(millis.parse().ok()?) })
            }
            ["echo", bytes, count] => {
                Some(Self::Echo { size: size(bytes)?, count: count.parse().ok().filter(|count| *count > 0)? })
            }
            ["count"] => Some(Self::Count),
            _ => None,
        }
    }
}

/// What is being sent.
#[derive(Debug)]
enum Task {
    Idle,
    /// As much as the ring takes, until a moment; then what is on its way is waited for.
    Flood {
        size: usize,
        begun: Timestamp,
        until: Timestamp,
    },
    /// One message at a time.
    Echo {
        size: usize,
        left: usize,
        sent_at: Option<Timestamp>,
        times: Vec<u64>,
    },
}

/// The load of one node.
#[derive(Debug)]
pub(super) struct Load {
    own: [u8; SENDER_LEN],
    task: Task,
    /// Own messages sent, and delivered here, in the present task.
    sent: u64,
    returned: u64,
    /// All messages delivered here.
    delivered: u64,
}

impl Load {
    pub(super) fn new(number: usize) -> Self {
        let own = u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        Self { own, task: Task::Idle, sent: 0, returned: 0, delivered: 0 }
    }

    pub(super) fn begin(&mut self, order: Order, now: Timestamp) {
        match order {
            Order::Count => say(&format!("count {} {}", self.delivered, cpu().as_micros())),
            Order::Flood { size, length } => {
                (self.sent, self.returned) = (0, 0);
                self.task = Task::Flood { size, begun: now, until: now + length };
            }
            Order::Echo { size, count } => {
                (self.sent, self.returned) = (0, 0);
                self.task = Task::Echo { size, left: count, sent_at: None, times: Vec::with_capacity(count) };
            }
        }
    }

    /// Gives the ring what is to be sent now; whether there was anything.
    pub(super) fn offer(&mut self, engine: &mut Engine, now: Timestamp) -> bool {
        let before = self.sent;
        match &mut self.task {
            Task::Idle => {}
            Task::Flood { size, until, .. } if now < *until => {
                let most = (BYTES_ON_THEIR_WAY / (*size as u64)).clamp(ON_THEIR_WAY_MIN, ON_THEIR_WAY);
                // Half of it at a time, so that messages are given in numbers, as a busy daemon does.
                if self.sent - self.returned <= most / 2 {
                    while self.sent - self.returned < most && send(engine, now, self.own, *size) {
                        self.sent += 1;
                    }
                }
            }
            Task::Flood { .. } => self.end_flood(now),
            Task::Echo { size, sent_at, .. } => {
                if sent_at.is_none() && send(engine, now, self.own, *size) {
                    *sent_at = Some(now);
                    self.sent += 1;
                }
            }
        }
        self.sent > before
    }

    /// Counts a message that was delivered.
    pub(super) fn deliver(&mut self, payload: &[u8], now: Timestamp) {
        self.delivered += 1;
        if payload.first_chunk() != Some(&self.own) {
            return;
        }
        self.returned += 1;
        match &mut self.task {
            Task::Idle => {}
            Task::Flood { .. } => self.end_flood(now),
            Task::Echo { left, sent_at, times, .. } => {
                times.extend(sent_at.take().map(|at| u64::try_from(now.since(at).as_nanos()).unwrap_or(u64::MAX)));
                *left = left.saturating_sub(1);
                if *left == 0 {
                    times.sort_unstable();
                    let nth = |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or(0);
                    say(&format!("echo {} {}", nth(50), nth(99)));
                    self.task = Task::Idle;
                }
            }
        }
    }

    /// A flood is over when its time is and everything has come back.
    fn end_flood(&mut self, now: Timestamp) {
        if let Task::Flood { begun, until, .. } = self.task
            && now >= until
            && self.returned == self.sent
        {
            say(&format!("flood {} {}", self.returned, now.since(begun).as_nanos()));
            self.task = Task::Idle;
        }
    }
}

/// Gives the ring a message; whether it had room.
fn send(engine: &mut Engine, now: Timestamp, own: [u8; SENDER_LEN], size: usize) -> bool {
    let mut payload = vec![0; size];
    if let Some(head) = payload.first_chunk_mut() {
        *head = own;
    }
    engine.broadcast(now, payload, Guarantee::Agreed).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_read_and_nonsense_is_not() {
        let flood = Order::Flood { size: 64, length: Duration::from_millis(300) };
        assert_eq!(Order::parse("flood 64 300"), Some(flood));
        assert_eq!(Order::parse(" echo 1024 5 "), Some(Order::Echo { size: 1024, count: 5 }));
        assert_eq!(Order::parse("count"), Some(Order::Count));
        for nonsense in ["", "flood", "flood 3 300", "flood 64", "echo 64 0", "echo 9999999 1", "count 1"] {
            assert_eq!(Order::parse(nonsense), None, "{nonsense}");
        }
    }
}
