//! `hac-lab writers`: a database on two hosts with fencing, hurt in every way, and a client of each host that tries to write to
//! it all the time. At any time one of the two takes writes, and no other.

use std::io::Write;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::databases::{Database, Engine, Stack, Writer};
use crate::history::disk;
use crate::run::{Progress, wait_for};
use crate::{Agents, Cluster, Error, Tools};

/// How long a step may take.
const LIMIT: Duration = Duration::from_secs(120);
/// How long a host stands still; its power is gone long before.
const STANDS_STILL: Duration = Duration::from_secs(60);
/// How long a disk takes no write.
const DISK_FROZEN: Duration = Duration::from_secs(12);
/// How long it is looked on after the other host has taken over, or nothing has followed.
const LOOK_ON: Duration = Duration::from_secs(4);
/// How often a host gets its power back after one run: it may be shot when the network is whole again.
const MENDS: u32 = 3;
/// Who takes no write for so long has stopped doing so.
const PAUSE: Duration = Duration::from_millis(100);
/// An answer may be read so much later than it was given.
const READ_LATE: Duration = Duration::from_millis(50);

/// What is done to the host that takes the writes, or to the link between the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Harm {
    /// It loses its power.
    PowerOff,
    /// The two do not hear each other.
    Cut,
    /// The other one does not hear it.
    Mute,
    /// It does not hear the other one.
    Deaf,
    /// Nothing on it runs for a minute; then it would go on.
    Freeze,
    /// Its daemon is killed; the database goes on.
    Kill,
    /// Its daemon stands still; the database goes on.
    Hang,
    /// The disk of its daemon takes no write.
    Disk,
}

impl Harm {
    /// All of them.
    pub const ALL: [Self; 8] =
        [Self::PowerOff, Self::Cut, Self::Mute, Self::Deaf, Self::Freeze, Self::Kill, Self::Hang, Self::Disk];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerOff => "power-off",
            Self::Cut => "cut",
            Self::Mute => "mute",
            Self::Deaf => "deaf",
            Self::Freeze => "freeze",
            Self::Kill => "kill",
            Self::Hang => "hang",
            Self::Disk => "disk",
        }
    }

    /// That of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|harm| harm.name() == name)
    }
}

/// What came of all runs of one kind.
#[derive(Debug, Default)]
struct Tally {
    runs: u32,
    switches: u32,
    slowest: Duration,
}

/// Hurts such a pair `runs` times in each of these ways, and prints what came of it.
///
/// # Errors
/// Both hosts have taken writes at the same time, a step does not end in time, or the lab cannot be built.
pub fn run(tools: &Tools, harms: &[Harm], runs: u32, out: &mut dyn Write) -> Result<(), Error> {
    let missing = Engine::Paf.missing();
    if !missing.is_empty() {
        return Err(Error::Invalid(format!("not installed: {}", missing.join(" "))));
    }
    let cluster = Cluster::new(tools, 2, Agents::Native, "")?;
    if harms.contains(&Harm::Disk) {
        disk::prepare(&cluster, disk::DISK)?;
    }
    let pair = Pair::up(&cluster)?;
    let mut progress = Progress::begin();
    for harm in harms {
        let mut tally = Tally::default();
        for number in 1..=runs {
            progress.say(|| format!("{}: {number} of {runs}", harm.name()));
            pair.hurt(*harm, &mut tally).map_err(|error| {
                Error::Invalid(format!("{}, run {number}: {error}\n{}", harm.name(), cluster.report()))
            })?;
        }
        let Tally { runs, switches, slowest } = tally;
        let (name, slowest) = (harm.name(), slowest.as_secs_f64());
        writeln!(
            out,
            "{name:10} {runs} runs: never two that took writes; the other took over {switches} times, after {slowest:.1} s at most"
        )
        .map_err(Error::system("nothing can be printed"))?;
    }
    Ok(())
}

/// Two hosts with the database, and who writes to each of them.
struct Pair<'a> {
    database: Database<'a>,
    writers: [Writer; 2],
}

impl<'a> Pair<'a> {
    fn up(cluster: &'a Cluster) -> Result<Self, Error> {
        cluster.lab().hosts().iter().for_each(|host| host.nothing_at_boot());
        let database = Database::up(cluster, Engine::Paf, Stack::Hacd, LIMIT)?;
        cluster.fence_by_cloud(LIMIT)?;
        let writers = [1, 2].map(|host| database.writer_to(host));
        let [first, second] = writers;
        let pair = Self { database, writers: [first?, second?] };
        pair.at_rest()?;
        Ok(pair)
    }

    fn cluster(&self) -> &Cluster {
        self.database.cluster()
    }

    /// Both instances run, the second may be promoted, and the first takes writes.
    fn at_rest(&self) -> Result<(), Error> {
        self.database.wait("all instances run", LIMIT, |roles| roles.standbys.len() == 1)?;
        self.database.wait_candidates(LIMIT)?;
        let primary = self.primary()?;
        self.writer(primary).wait(Instant::now(), 20, LIMIT)?;
        wait_for("nothing is in progress", LIMIT, || {
            [1, 2].iter().all(|host| self.cluster().is_settled(*host)).then_some(())
        })
    }

    fn primary(&self) -> Result<usize, Error> {
        Ok(self.database.wait("one host is the primary", LIMIT, |_| true)?.primary)
    }

    fn writer(&self, host: usize) -> &Writer {
        if host == 1 { &self.writers[0] } else { &self.writers[1] }
    }

    /// One run.
    fn hurt(&self, harm: Harm, tally: &mut Tally) -> Result<(), Error> {
        let (cluster, before, begin) = (self.cluster(), self.primary()?, Instant::now());
        let other = 3 - before;
        let network = cluster.lab().network()?;
        let moves = match harm {
            Harm::PowerOff => cluster.lab().power_off(before).map(|()| true)?,
            // The two shoot each other, and the first host is left.
            Harm::Cut => network.cut().map(|()| before == 2)?,
            Harm::Mute => network.lose(before, other).map(|()| before == 2)?,
            Harm::Deaf => network.lose(other, before).map(|()| before == 2)?,
            Harm::Freeze => self.stand_still(before).map(|()| true)?,
            Harm::Kill => cluster.kill(before).map(|()| true)?,
            Harm::Hang => cluster.pause(before).map(|()| true)?,
            // What must be stored is stored by the other one: nothing has to move.
            Harm::Disk => disk::freeze(cluster.host(before), DISK_FROZEN).map(|()| false)?,
        };
        if moves {
            self.writer(other).wait(begin, 20, LIMIT)?;
            tally.slowest = tally.slowest.max(begin.elapsed());
            tally.switches += 1;
        }
        if harm == Harm::Freeze {
            std::thread::sleep(STANDS_STILL.saturating_sub(begin.elapsed()));
            self.go_on(before);
        }
        std::thread::sleep(LOOK_ON);
        network.heal()?;
        self.judge(begin)?;
        tally.runs += 1;
        self.mend()?;
        self.judge(begin)
    }

    /// Whoever has lost its power gets it back and takes part, also if it loses it only now.
    fn mend(&self) -> Result<(), Error> {
        let off = || [1, 2].into_iter().filter(|host| !self.cluster().host(*host).is_on());
        let mut rest = Ok(());
        for _ in 0..MENDS {
            off().try_for_each(|host| self.database.rejoin(host))?;
            rest = self.at_rest();
            if rest.is_ok() || off().next().is_none() {
                break;
            }
        }
        rest
    }

    /// Nothing on a host runs, its database included.
    fn stand_still(&self, host: usize) -> Result<(), Error> {
        self.signal_all(host, Signal::STOP)
    }

    /// What is left of a host that stood still runs again.
    fn go_on(&self, host: usize) {
        // Its power is gone by then, as it should be.
        let _ = self.signal_all(host, Signal::CONT);
    }

    fn signal_all(&self, host: usize, signal: Signal) -> Result<(), Error> {
        for process in self.cluster().host(host).processes()? {
            if let Some(pid) = Pid::from_raw(process.pid) {
                // It may have ended meanwhile.
                let _ = kill_process(pid, signal);
            }
        }
        Ok(())
    }

    /// Since `from` one host took writes while the other took none.
    fn judge(&self, from: Instant) -> Result<(), Error> {
        let taken = |host: usize| {
            let all = self.writer(host).acknowledged();
            spans(all.into_iter().map(|(_, at)| at).filter(|at| *at >= from))
        };
        let (one, two) = (taken(1), taken(2));
        for (begin, end) in &one {
            for (other_begin, other_end) in &two {
                let (both, until) = (*begin.max(other_begin), *end.min(other_end));
                let time = until.saturating_duration_since(both);
                if time > READ_LATE {
                    let after = both.saturating_duration_since(from).as_secs_f64();
                    let time = time.as_millis();
                    return Err(Error::Invalid(format!(
                        "both hosts took writes for {time} ms, {after:.1} s after the harm"
                    )));
                }
            }
        }
        Ok(())
    }
}

/// The times without a longer pause between two of these.
fn spans(times: impl IntoIterator<Item = Instant>) -> Vec<(Instant, Instant)> {
    let mut spans: Vec<(Instant, Instant)> = Vec::new();
    for at in times {
        match spans.last_mut() {
            Some((_, end)) if at.saturating_duration_since(*end) < PAUSE => *end = at,
            _ => spans.push((at, at)),
        }
    }
    spans
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_host_took_is_told_apart_by_its_pauses() {
        let begin = Instant::now();
        let at = |millis: u64| begin + Duration::from_millis(millis);
        assert_eq!(spans([at(0), at(5), at(90), at(400), at(410)]), [(at(0), at(90)), (at(400), at(410))]);
        assert_eq!(spans([]), []);
    }

    #[test]
    fn every_harm_is_found_by_its_name() {
        assert!(Harm::ALL.into_iter().all(|harm| Harm::named(harm.name()) == Some(harm)));
        assert_eq!(Harm::named("nothing"), None);
    }
}
