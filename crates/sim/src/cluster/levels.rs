//! Hosts whose programs are of two releases: one knows the first level alone, the other the second one as well. Programs
//! are replaced by newer and older ones while the cluster works; people raise and lower the level, say how long the
//! cluster waits before it raises it by itself, and use what the second level brings.
//!
//! Where this build has one level, all hosts have the same program and nothing of this happens.

use hac_crm::cib::{Change, Section};
use hac_netsim::Rng;
use hac_node::Request;
use hac_types::{Level, LevelWindow};

use super::{Host, Power, World};
use crate::check::Violation;
use crate::workload::Workload;

/// The stream of the seed's random numbers that all of this is drawn from.
const STREAM: u64 = 21;

/// The program of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    /// What it knows.
    pub levels: LevelWindow,
    /// It forgets to look at the level before it proposes something.
    careless: bool,
}

impl Program {
    /// The newest one, unless a seed says that it has a fault.
    pub const NEW: Self = Self { levels: LevelWindow::KNOWN, careless: false };

    /// One that knows the first level alone.
    pub const OLD: Self = Self { levels: LevelWindow { min: Level::FIRST, max: Level::FIRST }, careless: false };

    /// A new one with a fault.
    const CARELESS: Self = Self { careless: true, ..Self::NEW };

    /// Its release.
    #[must_use]
    pub const fn release(self) -> &'static str {
        if self.levels.max.0 > 1 { hac_types::RELEASE } else { "0.1.0" }
    }

    /// Whatever this thread does from now on with a node is done by this program.
    #[cfg(feature = "level2")]
    pub fn runs(self) {
        use hac_model::level_two::{Release, run_as};
        run_as(Release { knows: self.levels.max > Level::FIRST, careless: self.careless });
    }

    /// There is one release.
    #[cfg(not(feature = "level2"))]
    pub const fn runs(self) {}
}

/// What the second level brings, to be set or taken back; `None` where there is no second level.
#[cfg(feature = "level2")]
fn word(word: &str) -> Option<Change> {
    Some(Change::SetWord(hac_model::level_two::NewWord(word.to_owned())))
}

#[cfg(not(feature = "level2"))]
const fn word(_: &str) -> Option<Change> {
    None
}

/// What happens to programs and levels in one run.
pub(super) struct Levels {
    rng: Rng,
    /// How often, thousandths of the faults.
    often: u64,
    /// How long the cluster waits in this run.
    hold: &'static str,
}

impl Levels {
    /// What a seed draws.
    pub(super) fn new(seed: u64) -> Self {
        let mut rng = Rng::new(seed, STREAM);
        let play = LevelWindow::KNOWN.max > Level::FIRST && rng.chance(600);
        let often = if play { rng.between(100, 700) } else { 0 };
        let hold = match rng.below(4) {
            0 => "0",
            1 => "3s",
            2 => "never",
            _ => "24h",
        };
        Self { rng, often, hold }
    }

    /// Each host gets its first program. Where nothing of this happens, all have the newest, or all the oldest one.
    pub(super) fn begin(&mut self, world: &mut World) {
        let all_old = self.rng.chance(300);
        if self.often > 0 && self.rng.chance(350) {
            world.newest = Program::CARELESS;
        }
        for host in world.hosts.values_mut() {
            let old = if self.often > 0 { self.rng.chance(600) } else { all_old };
            host.program = if old { Program::OLD } else { world.newest };
        }
    }

    /// Something that has to do with levels happens, or nothing.
    pub(super) fn happen(&mut self, world: &mut World, ids: &[u32], people: &mut Workload) {
        if !self.rng.chance(self.often) {
            return;
        }
        let Some(&id) = self.rng.pick(ids) else { return };
        // A release with a fault is asked for what shows it.
        let kinds = if world.newest == Program::CARELESS { 20 } else { 12 };
        match self.rng.below(kinds) {
            0..=2 => self.install(world, id, world.newest),
            3 => self.install(world, id, Program::OLD),
            4 => ids.iter().for_each(|&id| self.install(world, id, world.newest)),
            5 | 6 => Self::level(world, id, 1),
            7 | 8 => Self::level(world, id, -1),
            9 => {
                let pairs = vec![("upgrade-hold".to_owned(), Some(self.hold.to_owned()))];
                let change = Change::SetProperties { section: Section::CrmConfig, set: None, pairs };
                world.ask(id, people.marked(vec![change], &format!("node{id}")));
            }
            _ => {
                let text = if self.rng.chance(700) { "word" } else { "" };
                let change = word(text).into_iter().collect();
                world.ask(id, people.marked(change, &format!("node{id}")));
            }
        }
    }

    /// A host gets another program, and its daemon starts anew with it.
    fn install(&mut self, world: &mut World, id: u32, program: Program) {
        let Some(host) = world.hosts.get_mut(&id) else { return };
        if host.program == program {
            return;
        }
        let older = program.levels.max < host.program.levels.max;
        world.checks.happened(if older { "an older program was installed" } else { "a newer program was installed" });
        world.trace.line(world.now, id, format!("gets hacd {}", program.release()));
        // The file is replaced first: whatever starts the daemon from now on starts the other program.
        if let Some(host) = world.hosts.get_mut(&id) {
            host.next_program = Some(program);
        }
        let delay = std::time::Duration::from_millis(self.rng.between(1, 3000));
        if self.rng.chance(500) || !world.shut_down(id) {
            world.kill(id, Power::Stays);
            world.start_after(id, delay);
        } else {
            world.start_after(id, delay + std::time::Duration::from_secs(3));
        }
    }

    /// Somebody asks for the next level, or the one before.
    fn level(world: &mut World, id: u32, step: i32) {
        let seen = world.hosts.get(&id).and_then(|host| host.seen);
        let to = seen.and_then(|(standing, _)| u16::try_from(i32::from(standing.level.0) + step).ok());
        if let Some(to) = to {
            world.ask(id, Request::SetLevel { to: Level(to) });
        }
    }
}

impl Host {
    /// Its daemon starts: with the program that was installed last.
    pub(super) fn take_program(&mut self) {
        self.program = self.next_program.take().unwrap_or(self.program);
        self.was_careless |= self.program.careless;
    }

    /// Whether its next daemon is one that knows the first level alone.
    fn is_to_be_old(&self) -> bool {
        self.next_program.unwrap_or(self.program).levels.max == Level::FIRST
    }

    /// Whether a program with a fault has run here.
    pub(crate) const fn was_careless(&self) -> bool {
        self.was_careless
    }
}

impl World {
    /// The level of what a node says may have changed.
    pub(super) fn note_level(&mut self, id: u32, before: Option<Level>, now: Option<Level>) {
        let Some(now) = now else { return };
        if let Some(host) = self.hosts.get_mut(&id) {
            host.was_above |= now > Level::FIRST;
        }
        match before {
            Some(before) if before < now => self.checks.happened("the level was raised"),
            Some(before) if before > now => self.checks.happened("the level was lowered"),
            _ => {}
        }
    }

    /// Whatever is done from now on with the node of this host is done by its program.
    pub(super) fn run_program_of(&self, id: u32) {
        if let Some(host) = self.hosts.get(&id) {
            host.program.runs();
        }
    }

    /// A node says that it cannot read what all others can. That is allowed to one that was told something above the
    /// level, by a program with a fault; and then somebody installs what it needs.
    pub(super) fn cannot_read(&mut self, id: u32, why: &str) {
        let told_too_much = self.hosts.values().any(|host| host.was_careless);
        let newest = self.newest;
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if !told_too_much || host.program.levels.max > Level::FIRST {
            self.checks.violated(Violation::new("P-1", format!("node {id} cannot read: {why}")));
            return;
        }
        host.next_program = Some(newest);
        self.checks.happened("a node that could not follow left alone");
        self.start_after(id, std::time::Duration::from_secs(2));
    }

    /// A daemon does not start with what is on its disk: that of an older program with what a newer one has stored.
    pub(super) fn cannot_start(&mut self, id: u32, why: &str) {
        let Some(host) = self.hosts.get_mut(&id) else { return };
        if host.program.levels.max == Level::FIRST && self.newest.levels.max > Level::FIRST {
            // What it found may be prepared and never have counted.
            host.was_above = true;
            self.checks.happened("an older program found a newer state");
        } else {
            self.checks.violated(Violation::new("LEVEL-2", format!("node{id} cannot start: {why}")));
        }
    }

    /// Programs that are too old for the level are replaced: without that nobody could be one cluster again.
    pub(super) fn install_what_is_needed(&mut self) {
        let raised = self.hosts.values().any(|host| host.was_careless || host.was_above);
        let old: Vec<u32> =
            self.hosts.values().filter(|host| raised && host.is_to_be_old()).map(|host| host.id).collect();
        let newest = self.newest;
        for id in old {
            if let Some(host) = self.hosts.get_mut(&id) {
                host.next_program = Some(newest);
            }
            self.kill(id, Power::Stays);
            self.start_after(id, std::time::Duration::from_millis(20));
        }
    }
}
