//! One link to one peer: does it answer, how fast, how reliably, and how large a datagram passes.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use hac_types::{LinkId, Timestamp, mutant};

/// Datagram size every path is trusted with before anything was probed.
pub(crate) const DATAGRAM_FLOOR: u16 = 1200;
/// IPv6 and UDP headers, taken off `netmtu`.
const IP_OVERHEAD: u16 = 48;
/// Sizes worth trying below the largest, descending.
const LADDER: [u16; 9] = [60_000, 32_000, 16_000, 8952, 4000, 2000, 1452, 1400, 1300];
/// More frames in a row are not thought to be lost by chance.
const IN_A_ROW_MAX: u32 = 40;
/// Pings between two estimates of the loss.
const LOSS_WINDOW: u32 = 32;
/// How many probes of a size must be lost before it counts as too large.
const PROBES_LOST: u32 = 3;
/// How often the size in use is checked on a quiet path.
const VERIFY_EVERY: Duration = Duration::from_secs(10);
/// Fewest probes of the smallest size that must be lost before the path counts as too narrow for anything.
const FLOOR_PROBES_LOST: u32 = 6;
/// How often a path that is too narrow is tried again.
const NARROW_AGAIN: Duration = Duration::from_secs(1);
/// How often a hint makes the size in use be checked at most.
const HINT_EVERY: Duration = Duration::from_secs(1);
/// How long after a failure a larger size is tried again.
const SEARCH_AGAIN: Duration = Duration::from_secs(30);

/// One link to one peer.
#[derive(Debug, Hash)]
pub(crate) struct Path {
    pub(crate) link: LinkId,
    pub(crate) last_heard: Option<Timestamp>,
    pub(crate) up: bool,
    pub(crate) rtt: Rtt,
    pub(crate) loss: Loss,
    pub(crate) next_ping: Timestamp,
    pub(crate) last_ping: Option<Timestamp>,
    /// Pings since the last answer.
    pub(crate) unanswered: u32,
    /// Pings and answers since the loss was last estimated.
    counted: (u32, u32),
    /// When the last ping that was answered was sent.
    pub(crate) answered_ping: Option<Timestamp>,
    pub(crate) mtu: Mtu,
}

/// Round trip statistics with the weights of RFC 6298.
#[derive(Clone, Copy, Debug, Default, Hash)]
pub(crate) struct Rtt {
    smoothed: Option<Duration>,
    deviation: Duration,
}

impl Rtt {
    pub(crate) fn sample(&mut self, rtt: Duration) {
        let Some(smoothed) = self.smoothed else {
            self.smoothed = Some(rtt);
            self.deviation = rtt / 2;
            return;
        };
        self.deviation = (self.deviation * 3 + smoothed.abs_diff(rtt)) / 4;
        self.smoothed = Some((smoothed * 7 + rtt) / 8);
    }

    pub(crate) fn smoothed(&self) -> Option<Duration> {
        self.smoothed
    }

    pub(crate) fn deviation(&self) -> Duration {
        self.deviation
    }

    /// A time within which nearly every answer comes.
    pub(crate) fn bound(&self) -> Duration {
        self.smoothed.unwrap_or_default() + self.deviation * 4
    }
}

/// Pings lost, smoothed, and what follows from that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loss {
    share: f64,
    step: u8,
    in_a_row: u32,
}

impl Hash for Loss {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // The rest follows from it.
        self.share.to_bits().hash(state);
    }
}

impl Default for Loss {
    fn default() -> Self {
        Self::of(0.0)
    }
}

impl Loss {
    /// From a share of 0 to 1.
    pub(crate) fn of(share: f64) -> Self {
        let step = (0_u8..20).find(|step| share < f64::from(*step + 1) * 0.05).unwrap_or(20);
        let mut in_a_row = 0;
        let mut probability = 1.0;
        while probability > 1e-7 && in_a_row < IN_A_ROW_MAX {
            probability *= share;
            in_a_row += 1;
        }
        Self { share, step, in_a_row }
    }

    pub(crate) fn share(self) -> f64 {
        self.share
    }

    /// In steps of 5 %, so that noise does not move the traffic.
    pub(crate) fn step(self) -> u8 {
        self.step
    }

    /// So many frames in a row are lost once in ten million.
    pub(crate) fn in_a_row(self) -> u32 {
        self.in_a_row
    }
}

/// Search for the largest datagram that passes.
#[derive(Debug, Hash)]
pub(crate) struct Mtu {
    pub(crate) current: u16,
    max: u16,
    probe: Option<Probe>,
    next: Option<Timestamp>,
    /// Not even [`DATAGRAM_FLOOR`] passes, though smaller ones do: the path is of no use.
    pub(crate) narrow: bool,
    /// When a hint last made the size be checked.
    hinted: Option<Timestamp>,
}

#[derive(Debug, Hash)]
struct Probe {
    size: u16,
    sent: u32,
    /// When it was last sent, or is to be first.
    last: Timestamp,
}

/// What is known of a path besides the sizes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answers {
    /// How long to wait for one.
    pub(crate) spacing: Duration,
    /// Whether the path is alive.
    pub(crate) alive: bool,
    /// More in a row are not lost by chance.
    pub(crate) in_a_row: u32,
    /// When the last ping that was answered was sent.
    pub(crate) ping: Option<Timestamp>,
}

impl Mtu {
    pub(crate) fn new(netmtu: u16) -> Self {
        let max = netmtu.saturating_sub(IP_OVERHEAD).max(DATAGRAM_FLOOR);
        Self { current: DATAGRAM_FLOOR, max, probe: None, next: None, narrow: false, hinted: None }
    }

    /// Starts the search from the largest size.
    pub(crate) fn search(&mut self, at: Timestamp) {
        if !self.narrow {
            self.probe = Some(Probe { size: self.max, sent: 0, last: at });
            self.next = Some(at);
        }
    }

    /// A hint says that the size in use does not pass any more. Anybody can send one: it makes the size be checked, now
    /// and then.
    pub(crate) fn hint(&mut self, now: Timestamp) {
        if self.hinted.is_none_or(|hinted| now.since(hinted) >= HINT_EVERY) {
            self.hinted = Some(now);
            self.verify(now);
        }
    }

    /// Checks at once whether the size in use still passes.
    pub(crate) fn verify(&mut self, now: Timestamp) {
        if self.probe.is_none() {
            self.probe = Some(Probe { size: self.current, sent: 0, last: now });
            self.next = Some(now);
        }
    }

    /// Falls back to the size that must pass, and sees whether it does.
    pub(crate) fn fall_back(&mut self, now: Timestamp) {
        if !mutant("size-kept") {
            self.current = DATAGRAM_FLOOR;
        }
        self.probe = Some(Probe { size: DATAGRAM_FLOOR, sent: 0, last: now });
        self.next = Some(now);
    }

    pub(crate) fn next(&self) -> Option<Timestamp> {
        self.next
    }

    /// What to do now: the size of a probe to send, if any.
    pub(crate) fn poll(&mut self, now: Timestamp, answers: Answers) -> Option<u16> {
        let Answers { spacing, alive, in_a_row, ping } = answers;
        if self.next.is_none_or(|next| next > now) {
            return None;
        }
        if !alive {
            // Silence says nothing about sizes: what was lost in it is not held against the path when it answers again.
            self.probe = None;
            self.next = Some(now + VERIFY_EVERY);
            return None;
        }
        // A path is of no use only if small datagrams pass where these do not: each probe counts for itself, as one that
        // was lost in an outage between two answers says nothing.
        let is_floor = |probe: &Probe| probe.size <= DATAGRAM_FLOOR && probe.sent > 0;
        if self.probe.as_ref().is_some_and(|probe| is_floor(probe) && ping.is_none_or(|ping| ping < probe.last)) {
            self.next = Some(now + spacing);
            return None;
        }
        match &mut self.probe {
            None => {
                let tried = if self.narrow { DATAGRAM_FLOOR } else { self.max };
                let size = if self.current > DATAGRAM_FLOOR { self.current } else { tried };
                self.probe = Some(Probe { size, sent: 1, last: now });
            }
            Some(probe) if probe.sent < PROBES_LOST => *probe = Probe { sent: probe.sent + 1, last: now, ..*probe },
            Some(probe) if probe.size <= DATAGRAM_FLOOR && probe.sent < in_a_row.max(FLOOR_PROBES_LOST) => {
                *probe = Probe { sent: probe.sent + 1, last: now, ..*probe };
            }
            Some(probe) => {
                let lost = probe.size;
                if lost <= DATAGRAM_FLOOR {
                    self.narrow = true;
                    self.probe = None;
                    self.next = Some(now + NARROW_AGAIN);
                    return None;
                }
                if lost <= self.current {
                    self.fall_back(now);
                    return None;
                }
                self.probe =
                    Some(Probe { size: self.smaller_than(lost).unwrap_or(DATAGRAM_FLOOR), sent: 1, last: now });
            }
        }
        self.next = Some(now + spacing);
        self.probe.as_ref().map(|probe| probe.size)
    }

    /// A probe was answered; whether the size in use changed.
    pub(crate) fn acknowledge(&mut self, now: Timestamp, size: u16) -> bool {
        if self.probe.as_ref().is_none_or(|probe| probe.size != size) {
            return false;
        }
        let changed = self.current != size;
        self.current = size;
        self.narrow = false;
        self.probe = None;
        self.next = Some(now + if size > DATAGRAM_FLOOR { VERIFY_EVERY } else { SEARCH_AGAIN });
        changed
    }

    fn smaller_than(&self, size: u16) -> Option<u16> {
        LADDER.into_iter().find(|candidate| *candidate < size && *candidate > self.current)
    }
}

impl Path {
    pub(crate) fn new(link: LinkId, netmtu: u16, now: Timestamp) -> Self {
        Self {
            link,
            last_heard: None,
            up: false,
            rtt: Rtt::default(),
            loss: Loss::default(),
            next_ping: now,
            last_ping: None,
            unanswered: 0,
            counted: (0, 0),
            answered_ping: None,
            mtu: Mtu::new(netmtu),
        }
    }

    /// Forgets what belonged to an earlier life of the peer.
    pub(crate) fn restart(&mut self, now: Timestamp) {
        self.last_heard = None;
        self.up = false;
        self.forget_counts();
        self.last_ping = None;
        self.answered_ping = None;
        self.next_ping = now;
    }

    /// Notes that a ping goes out.
    pub(crate) fn pinged(&mut self, now: Timestamp, next: Timestamp) {
        self.unanswered = self.unanswered.saturating_add(1);
        self.counted.0 = self.counted.0.saturating_add(1);
        self.last_ping = Some(now);
        self.next_ping = next;
    }

    /// Notes the answer to a ping sent at `sent`. Loss is estimated only while answers come: an outage is none.
    pub(crate) fn answered(&mut self, now: Timestamp, sent: Timestamp) {
        self.answered_ping = self.answered_ping.max(Some(sent));
        self.rtt.sample(now.since(sent));
        self.unanswered = 0;
        self.counted.1 = self.counted.1.saturating_add(1);
        if self.counted.0 >= LOSS_WINDOW {
            let lost = self.counted.0.saturating_sub(self.counted.1);
            self.loss = Loss::of(f64::midpoint(self.loss.share, f64::from(lost) / f64::from(self.counted.0)));
            self.counted = (0, 0);
        }
    }

    /// Forgets counts that an outage made meaningless.
    pub(crate) fn forget_counts(&mut self) {
        self.counted = (0, 0);
        self.unanswered = 0;
    }
}

#[cfg(test)]
mod tests;
