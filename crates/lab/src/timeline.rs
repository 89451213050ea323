//! What happened when, for people.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use hac_api::Level;

use crate::cloud::{Entry, Event};
use crate::{Cluster, Plan};

/// A list of moments, counted from the one that matters.
#[derive(Debug)]
pub struct Timeline {
    zero: Instant,
    lines: Vec<(Instant, String)>,
}

impl Timeline {
    /// A timeline that begins at `zero` with what was done then.
    pub fn new(zero: Instant, what: impl Into<String>) -> Self {
        Self { zero, lines: vec![(zero, what.into())] }
    }

    /// Adds a moment.
    pub fn add(&mut self, at: Instant, what: impl Into<String>) {
        self.lines.push((at, what.into()));
    }

    /// Adds what the cloud saw, the daemons noted and the prober felt from the beginning to `end`.
    pub fn gather(&mut self, cluster: &Cluster, end: Instant) {
        for entry in cluster.lab().cloud().journal(self.zero) {
            if let Some(text) = told(&entry) {
                self.add(entry.at, text);
            }
        }
        for host in cluster.lab().hosts().iter().filter(|host| host.is_on()) {
            // A daemon that does not answer has nothing to tell.
            for event in cluster.events(host.number()).unwrap_or_default() {
                let at = cluster.moment(&event);
                if at >= self.zero && event.level >= Level::Notice {
                    self.add(at, format!("{}: {}", host.name(), event.text));
                }
            }
        }
        let mut last: Option<String> = None;
        for sample in cluster.lab().prober().samples(self.zero) {
            if let Some(host) = sample.host
                && last.as_ref() != Some(&host)
            {
                self.add(sample.done, format!("the page comes from {host}"));
                last = Some(host);
            }
        }
        self.lines.retain(|(at, _)| *at <= end);
    }

    /// Prints the lines in order, each with its distance from the beginning.
    ///
    /// # Errors
    /// When the output is closed.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut lines: Vec<&(Instant, String)> = self.lines.iter().collect();
        lines.sort_by_key(|(at, _)| *at);
        for (at, what) in lines {
            let seconds = at.saturating_duration_since(self.zero).as_secs_f64();
            writeln!(out, "    {seconds:7.3} s  {what}")?;
        }
        Ok(())
    }
}

/// An entry of the cloud's journal in words; none for what does not matter to people.
fn told(entry: &Entry) -> Option<String> {
    let who = |host: Option<usize>| host.map_or("somebody", Plan::name);
    match &entry.event {
        Event::Request { host, status, took, .. } if entry.is_assign() => {
            let answer = status.map_or("no answer".to_owned(), |status| status.to_string());
            let millis = took.as_secs_f64() * 1000.0;
            Some(format!("{} asks the API for the address: {answer} after {millis:.0} ms", who(*host)))
        }
        Event::Holder(holder) => Some(format!("the floating IP points at {}", who(*holder))),
        Event::Power { host, on } => {
            let state = if *on { "on" } else { "off" };
            Some(format!("{} is {state}", Plan::name(*host)))
        }
        Event::Request { .. } | Event::ActionEnded { .. } => None,
    }
}

/// A duration in plain words: `0.412 s`.
pub(crate) fn seconds(duration: Duration) -> String {
    format!("{:.3} s", duration.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_printed_in_order() {
        let zero = Instant::now();
        let mut timeline = Timeline::new(zero, "power off");
        timeline.add(zero + Duration::from_millis(1500), "later");
        timeline.add(zero + Duration::from_millis(20), "soon");
        let mut out = Vec::new();
        timeline.print(&mut out).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "      0.000 s  power off\n      0.020 s  soon\n      1.500 s  later\n");
    }
}
