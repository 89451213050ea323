//! What happened in a run: a hash to compare runs by, and lines for people if they are wanted.

use std::fmt::Write as _;

use hac_types::Timestamp;

/// Most lines that are kept.
const LINES_MAX: usize = 200_000;

/// See the [module documentation](self).
#[derive(Clone, Debug)]
pub struct Trace {
    hash: u64,
    events: u64,
    lines: Option<Vec<Line>>,
}

/// Something that happened.
#[derive(Clone, Debug)]
pub struct Line {
    /// When.
    pub at: Timestamp,
    /// Where; 0 is the world.
    pub host: u32,
    /// What.
    pub text: String,
}

impl Trace {
    /// An empty trace, which keeps lines if `recording`.
    #[must_use]
    pub fn new(recording: bool) -> Self {
        Self { hash: 0xcbf2_9ce4_8422_2325, events: 0, lines: recording.then(Vec::new) }
    }

    /// Something happened that is not worth a line.
    pub fn mix(&mut self, at: Timestamp, host: u32, bytes: &[u8]) {
        self.events += 1;
        self.absorb(at.as_nanos());
        self.absorb(u64::from(host) << 32 ^ bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.absorb(u64::from_le_bytes(*word));
        }
        let mut last = [0; 8];
        last[..rest.len()].copy_from_slice(rest);
        self.absorb(u64::from_le_bytes(last));
    }

    fn absorb(&mut self, word: u64) {
        self.hash = (self.hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        self.hash ^= self.hash >> 32;
    }

    /// Something happened that people may want to read.
    pub fn line(&mut self, at: Timestamp, host: u32, text: impl Into<String>) {
        let text = text.into();
        self.mix(at, host, text.as_bytes());
        if let Some(lines) = &mut self.lines
            && lines.len() < LINES_MAX
        {
            lines.push(Line { at, host, text });
        }
    }

    /// Equal for equal runs.
    #[must_use]
    pub const fn hash(&self) -> u64 {
        self.hash
    }

    /// How much happened.
    #[must_use]
    pub const fn events(&self) -> u64 {
        self.events
    }

    /// The last lines as a table, a column for each host.
    #[must_use]
    pub fn timeline(&self, hosts: u32, last: usize) -> String {
        let mut table = String::new();
        let lines = self.lines.as_deref().unwrap_or_default();
        let width = 44;
        let _ = write!(table, "{:>12} {:width$}", "seconds", " world");
        for host in 1..=hosts {
            let _ = write!(table, "| {:width$}", format!("node{host}"));
        }
        table.push('\n');
        for line in lines.iter().skip(lines.len().saturating_sub(last)) {
            let indent = usize::try_from(line.host).unwrap_or(0) * (width + 2);
            let text: Vec<char> = line.text.chars().collect();
            for (index, part) in text.chunks(width.max(40) * 2).enumerate() {
                let part: String = part.iter().collect();
                let at = line.at.as_nanos() / 1000;
                let stamp =
                    if index == 0 { format!("{:>5}.{:06}", at / 1_000_000, at % 1_000_000) } else { " ".repeat(12) };
                let _ = writeln!(table, "{stamp} {:indent$} {part}", "");
            }
        }
        table
    }
}
