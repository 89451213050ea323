//! One product on all hosts of a lab, measured through the programs that send on each of them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::Protection;
use crate::{Error, Ground, Host, Lab, Options};

/// The port of the ring under test.
const PORT: u16 = 5405;
/// How long a ring may take to form, or an order beyond its own time.
const LIMIT: Duration = Duration::from_secs(20);
/// Messages of a measurement of latency.
const ECHOES: usize = 300;
/// CPU clock ticks in microseconds.
const TICK_MICROS: f64 = 10_000.0;

/// What one repetition found.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Measured {
    /// Messages a second with one sender.
    pub(super) one: f64,
    /// Messages a second of all senders together.
    pub(super) all: f64,
    /// Microseconds from sending to own delivery: median.
    pub(super) p50: f64,
    /// The slowest of a hundred.
    pub(super) p99: f64,
    /// CPU microseconds of the ring's processes on all hosts for a message of the one sender.
    pub(super) cpu: f64,
}

impl Measured {
    /// The median of each figure.
    pub(super) fn median(all: &[Self]) -> Self {
        let median = |figure: fn(&Self) -> f64| {
            let mut figures: Vec<f64> = all.iter().map(figure).collect();
            figures.sort_unstable_by(f64::total_cmp);
            figures.get(figures.len() / 2).copied().unwrap_or(0.0)
        };
        Self {
            one: median(|m| m.one),
            all: median(|m| m.all),
            p50: median(|m| m.p50),
            p99: median(|m| m.p99),
            cpu: median(|m| m.cpu),
        }
    }
}

/// Whose CPU time is the cost of a product.
#[derive(Debug)]
enum Cost {
    /// That of the programs that send, which are the ring themselves.
    Senders,
    /// That of daemons, here their pids: what their clients use is not counted.
    Daemons(Vec<i32>),
}

/// One product on hosts of its own.
#[derive(Debug)]
pub(super) struct Contender {
    name: &'static str,
    senders: Vec<Sender>,
    cost: Cost,
    // Last: what runs on its hosts ends first.
    _lab: Lab,
}

/// The program that sends on one host.
#[derive(Debug)]
pub(super) struct Sender {
    child: Child,
    orders: ChildStdin,
    answers: Receiver<String>,
}

impl Drop for Sender {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sender {
    /// A program that was started on a host with its input and output piped.
    pub(super) fn new(mut child: Child) -> Result<Self, Error> {
        let broken = || Error::Invalid("a pipe is missing".to_owned());
        let orders = child.stdin.take().ok_or_else(broken)?;
        let output = child.stdout.take().ok_or_else(broken)?;
        let (sender, answers) = channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    return;
                }
            }
        });
        Ok(Self { child, orders, answers })
    }

    fn order(&mut self, line: &str) -> Result<(), Error> {
        writeln!(self.orders, "{line}").map_err(Error::system("a sender has ended"))
    }

    /// The numbers of the next answer, which must begin with `word`.
    pub(super) fn answer(&self, word: &str) -> Result<Vec<f64>, Error> {
        let late = |_| Error::Late { what: format!("a sender answers {word}"), limit: LIMIT };
        loop {
            let line = self.answers.recv_timeout(LIMIT).map_err(late)?;
            let mut words = line.split_whitespace();
            match words.next() {
                Some(first) if first == word => return Ok(words.filter_map(|word| word.parse().ok()).collect()),
                // The membership was formed anew; what is asked for comes all the same.
                Some("ready") => {}
                _ => return Err(Error::Invalid(format!("a sender says {line} and not {word}"))),
            }
        }
    }
}

impl Contender {
    /// The ring of `hacd` on so many hosts.
    pub(super) fn hacd(hosts: usize, protection: Protection) -> Result<Self, Error> {
        let lab = lab(hosts)?;
        let program = this_program()?.display().to_string();
        let addresses: Vec<String> = lab.hosts().iter().map(|host| host.private().to_string()).collect();
        let (addresses, port) = (addresses.join(","), PORT.to_string());
        let start = |host: &Host| {
            let number = host.number().to_string();
            let mut words = vec![program.as_str(), "ring-node", "--number", &number, "--addresses", &addresses];
            words.extend(["--port", &port]);
            if protection == Protection::Encrypted {
                words.push("--encrypted");
            }
            Sender::new(host.converse(&words)?)
        };
        let senders = lab.hosts().iter().map(start).collect::<Result<_, _>>()?;
        Self { name: "hacd", senders, cost: Cost::Senders, _lab: lab }.ready()
    }

    /// Clients of daemons that run on all hosts of a lab.
    pub(super) fn of_daemons(
        name: &'static str,
        senders: Vec<Sender>,
        daemons: Vec<i32>,
        lab: Lab,
    ) -> Result<Self, Error> {
        Self { name, senders, cost: Cost::Daemons(daemons), _lab: lab }.ready()
    }

    fn ready(self) -> Result<Self, Error> {
        self.senders.iter().try_for_each(|sender| sender.answer("ready").map(drop))?;
        Ok(self)
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// Measures everything once with messages of `size` bytes.
    pub(super) fn measure(&mut self, size: usize, length: Duration) -> Result<Measured, Error> {
        let before = self.used()?;
        let (messages, one) = self.flood(1, size, length)?;
        let cpu = (self.used()? - before) / messages.max(1.0);
        let (_, all) = self.flood(self.senders.len(), size, length)?;
        let echo = format!("echo {size} {ECHOES}");
        let first = self.senders.first_mut().ok_or_else(|| Error::Invalid("no hosts".to_owned()))?;
        first.order(&echo)?;
        let times = first.answer("echo")?;
        let micros = |index: usize| times.get(index).copied().unwrap_or(0.0) / 1000.0;
        Ok(Measured { one, all, p50: micros(0), p99: micros(1), cpu })
    }

    /// Lets the first so many hosts send for a while; messages, and messages a second.
    fn flood(&mut self, senders: usize, size: usize, length: Duration) -> Result<(f64, f64), Error> {
        let order = format!("flood {size} {}", length.as_millis());
        for sender in self.senders.iter_mut().take(senders) {
            sender.order(&order)?;
        }
        let (mut messages, mut rate) = (0.0, 0.0);
        for sender in self.senders.iter().take(senders) {
            let numbers = sender.answer("flood")?;
            let [count, nanos] = numbers.as_slice() else {
                return Err(Error::Invalid("a flood has no figures".to_owned()));
            };
            messages += count;
            rate += count / nanos.max(1.0) * 1e9;
        }
        Ok((messages, rate))
    }

    /// CPU microseconds used so far.
    fn used(&mut self) -> Result<f64, Error> {
        match &self.cost {
            Cost::Senders => {
                let mut sum = 0.0;
                for sender in &mut self.senders {
                    sender.order("count")?;
                    sum += sender.answer("count")?.get(1).copied().unwrap_or(0.0);
                }
                Ok(sum)
            }
            Cost::Daemons(pids) => Ok(pids.iter().filter_map(|pid| ticks(*pid)).sum::<f64>() * TICK_MICROS),
        }
    }
}

/// Hosts for one product.
pub(super) fn lab(hosts: usize) -> Result<Lab, Error> {
    let programs = this_program()?.parent().map(PathBuf::from).unwrap_or_default();
    Lab::new(&Options { ground: Ground::Namespaces, hosts, programs, probe_period: Duration::from_secs(1) })
}

fn this_program() -> Result<PathBuf, Error> {
    std::env::current_exe().map_err(Error::system("cannot find this program"))
}

/// CPU clock ticks of a process.
fn ticks(pid: i32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let ticks = crate::host::cpu_ticks(&stat)?;
    u32::try_from(ticks).ok().map(f64::from)
}
