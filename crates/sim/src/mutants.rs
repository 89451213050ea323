//! Deliberate bugs: each is switched on in a build of the simulator that can have them, over as many seeds as it takes
//! until a checker finds it. One that is never found shows a promise that nobody checks, or a fault that never happens.

use std::io::{self, Write};

use crate::options::Options;
use crate::power::Watchdogs;
use crate::run::Kind;
use crate::sweep::{Outcome, Sweep};

/// A deliberate bug.
#[derive(Clone, Copy, Debug)]
pub struct Mutant {
    /// Its name, as in the source.
    pub name: &'static str,
    /// Which world is to find it.
    pub kind: Kind,
    /// Whether what a seed stands for can show it at all: the others are passed over.
    pub shows: fn(&Options) -> bool,
    /// What is wrong.
    pub what: &'static str,
}

const fn ring(name: &'static str, what: &'static str) -> Mutant {
    Mutant { name, kind: Kind::Ring, shows: |_| true, what }
}

const fn cluster(name: &'static str, what: &'static str) -> Mutant {
    Mutant { name, kind: Kind::Cluster, shows: |_| true, what }
}

/// One that is seen only where there are fence devices.
const fn fencing(name: &'static str, what: &'static str) -> Mutant {
    Mutant { name, kind: Kind::Cluster, shows: |options| options.fencing.is_some(), what }
}

/// One that is seen only where hosts have watchdogs.
const fn watchdog(name: &'static str, what: &'static str) -> Mutant {
    let shows = |options: &Options| options.fencing.is_some_and(|fencing| fencing.watchdogs != Watchdogs::None);
    Mutant { name, kind: Kind::Cluster, shows, what }
}

const fn model(name: &'static str, what: &'static str) -> Mutant {
    Mutant { name, kind: Kind::Model, shows: |_| true, what }
}

/// All of them.
pub const MUTANTS: &[Mutant] = &[
    ring("safe-too-early", "safe messages are delivered before all members have them"),
    ring("released-too-early", "packets are forgotten before all members have them"),
    ring("nothing-forgotten", "packets are kept after all members have them"),
    ring("gap-delivered", "what comes after a missing packet is delivered"),
    ring("gap-in-transition", "what depends on a missing packet is delivered in the transitional view"),
    ring("replay-accepted", "a datagram is accepted again"),
    ring("mac-unchecked", "authentication codes are not checked"),
    ring("token-repeated", "a token is acted upon twice"),
    ring("requests-unserved", "nobody sends again what others ask for"),
    ring("nothing-requested", "nobody asks for what is missing"),
    ring("window-ignored", "what others sent in this rotation does not count"),
    ring("burst-unlimited", "one visit may use the whole window"),
    ring("lack-concealed", "a node that lacks packets does not lower the mark"),
    ring("own-packet-forgotten", "a sender does not keep what it sends"),
    ring("token-not-repeated", "a lost token is not sent again"),
    ring("last-first", "the youngest message is sent first"),
    ring("piece-not-repeated", "a message cut by a view change is not started again"),
    ring("piece-forgotten", "the first piece of a large message is dropped"),
    ring("ring-number-again", "a new ring takes the number of the last"),
    ring("ring-number-not-kept", "numbers of rings are not made durable"),
    ring("leave-unheard", "a goodbye is ignored"),
    ring("packet-after-account", "packets are taken after their receiver told what it has"),
    ring("packet-of-another-ring", "packets of any ring are taken"),
    ring("token-of-the-past", "a token is acted upon while a new membership is sought"),
    ring("pieces-forgotten", "the pieces of a message are forgotten before the transitional view"),
    ring("delivered-twice", "a message is delivered twice"),
    ring("agreement-assumed", "nobody waits for the agreement of the others"),
    ring("never-merges", "a larger membership is never sought"),
    ring("recovery-cut-short", "a ring is installed before all have everything"),
    ring("all-come-along", "everybody counts as coming from the same old ring"),
    ring("obligation-forgotten", "what others may have delivered relying on a node, it does not deliver"),
    ring("nothing-recovered", "nothing of the old ring is sent again"),
    ring("rest-disordered", "in the transitional view each node is given its own messages last"),
    ring("rest-dropped", "what is left of the old ring is not delivered"),
    ring("withheld-for-ever", "a node that was left out is never heard again"),
    ring("silence-unnoticed", "a silent peer is never suspected"),
    ring("size-kept", "large datagrams are used where they do not pass"),
    ring("nonce-again", "a nonce serves for a second session"),
    ring("level-raised-alone", "a member holds its own level for that of the ring"),
    cluster("half-is-enough", "half of the votes count as a majority"),
    cluster("result-unreported", "what an agent answered is not told to the others"),
    cluster("orders-outlive-view", "what was ordered in a view that has ended is still begun"),
    cluster("quorum-kept", "who once had quorum keeps it"),
    cluster("vote-before-stored", "a change of the configuration is said to be stored before it is"),
    cluster("one-vote-is-enough", "a change of the configuration counts when one member has stored it"),
    cluster("not-proposed-again", "what was lost with a view is not proposed again"),
    cluster("snapshot-untaken", "a node with another state keeps it"),
    cluster("marks-untaken", "a node that takes a state over does not learn what was carried out in it"),
    cluster("history-untold", "a node does not say that its resources stand otherwise than the state says"),
    cluster("new-life-unnoticed", "a node that died and is back counts as if it had been there all the time"),
    cluster("key-used-too-early", "the next key is used when one member has stored it"),
    cluster("key-told-too-early", "a node says that it has stored the next key before it has"),
    cluster("result-forgotten", "the coordinator does not know the results that it waits for"),
    cluster("ordered-amid-a-migration", "an order goes behind a migration that an earlier coordinator began"),
    cluster("ordered-again", "what is under way is ordered again by the next coordinator"),
    cluster("one-input-is-enough", "an action begins when one of those before it is done"),
    cluster("runs-overlap", "an agent is run for a resource while another is"),
    cluster("change-unreported", "a monitor that finds a change does not tell it"),
    cluster("unknown-skipped", "a delivery that a node cannot read is skipped there"),
    cluster("level-by-program", "what needs a level is judged by the program, not by the cluster's level"),
    cluster("digest-with-defaults", "fields at their default count in the digest of a state"),
    cluster("revert-unchecked", "the level is lowered although something needs the higher one"),
    cluster("barrier-without-end", "a member that says nothing is awaited without end when states are compared"),
    cluster("vote-without-end", "a vote that does not come is awaited without end"),
    cluster("late-plan-used", "a plan that nobody waits for any more is carried out"),
    cluster("fault-ends-planning", "after a fault of the planner nobody tries again"),
    cluster("standstill-unnoticed", "the ring goes on while nothing above it does"),
    cluster("number-used-early", "a ring's number is used before it is on the disk"),
    cluster("doubt-ignored", "what the ring does not confirm holds as if it had"),
    cluster("level-lowered-at-once", "a ring is given up for a lower level before all members can have heard of it"),
    cluster("fork-unreported", "changes that give way to those of the other side of a cut vanish without a word"),
    cluster("fork-imagined", "changes that are proposed again are reported as lost"),
    cluster("prepared-forgotten", "what all had stored but one disk had committed is gone with that disk"),
    cluster("prepared-unreported", "what was prepared and gives way to those who went on vanishes without a word"),
    cluster("taken-up-blindly", "an agent at work since an earlier view answers whatever is ordered next"),
    cluster("uncompared-unsaid", "a node that has started shows what its disk had as if it had met the others"),
    cluster("place-kept", "what follows a delivery is told as if it had been told before it"),
    cluster("cause-forgotten", "nobody tells why an operation was ordered"),
    fencing("attempt-without-end", "an attempt at fencing that nobody carries out is awaited without end"),
    fencing("delay-ignored", "who is to wait before it shoots does not"),
    fencing("failure-as-success", "a fencing that failed counts as done"),
    fencing("fence-by-target", "a node may be told to fence itself while there are others"),
    fencing("fence-without-quorum", "a node without quorum fences others"),
    fencing("fenced-in-an-earlier-life", "what was done to an earlier life of a node is said of its present one"),
    fencing("fenced-not-recorded", "a node that was fenced is not written down as down"),
    fencing("fenced-though-back", "a node that was lost and is back is shot all the same"),
    fencing("started-before-let-in", "what needs a node to be let in begins before it is"),
    fencing("fenced-for-an-old-plan", "a node is shot because an earlier plan wanted it"),
    fencing("started-before-fenced", "what waits for a fencing begins with it"),
    fencing("survivor-not-told", "a node that was fenced and lives does not learn of it"),
    fencing("unseen-is-down", "a node that was never seen counts as down, though it may run something"),
    watchdog("watchdog-petted-always", "a watchdog is petted although its node runs what it may not run"),
    watchdog("watchdog-not-waited-for", "a lost node counts as gone by its watchdog at once"),
    watchdog("watchdog-too-short", "a time is counted on that is shorter than a node needs until it is gone"),
    watchdog("watchdog-order-ignored", "a node goes on that hears that its own watchdog is waited for"),
    cluster("orphan-not-awaited", "a daemon starts beside the agents of its earlier life"),
    model("announced-is-expected", "a move of the address that the other node may not count decides nothing any more"),
    model("claimed-before-the-end", "an assignment counts as carried out while it may yet end as an error"),
    model("claims-outlive-a-meeting", "what was ordered before two nodes met counts as a claim after it"),
    model("compares-with-what-is-there", "a claim replaces what it finds at the arbiter, and not what it knows"),
    model("last-assignment-wins", "whom the address was assigned to last has the vote"),
    model("lease-decides", "who has lost the arbiter's vote claims it again after a while"),
    model("moves-in-one-step", "one node counts a move of the address, and the other one does not know that it does"),
    model("numbered-keys", "epochs are counted by who meets, and who can make the next one has the arbiter's vote"),
    model("other-nonce-wins", "what anybody wrote after what is known counts as the own claim"),
    model("pointer-decides", "who finds its own name at the arbiter has its vote"),
    model("rollback-trusted", "a store that is another one, or was set back, is believed"),
    model("steps-are-skipped", "what was proposed beside another change counts as a step of a move of the address"),
    model("two-node-with-arbiter", "one of two nodes may act alone although there is an arbiter"),
    model("vote-kept-in-meeting", "who has won keeps the vote although the other may know by now what it knows"),
    model("unanswered-is-mine", "an assignment that nobody knows is the one that was not answered"),
    model("unknown-is-won", "a claim that was not answered counts as won"),
];

/// Seeds that found the rare ones when somebody last looked for long. They are tried first; where a change of the program has changed
/// what happens under one, the others are searched as for all, and the one that is found belongs here.
const REMEMBERED: &[(&str, u64)] = &[
    ("gap-in-transition", 75),
    ("packet-of-another-ring", 56),
    ("unknown-skipped", 950),
    ("key-told-too-early", 107),
    ("withheld-for-ever", 182),
    ("key-used-too-early", 268),
    ("ordered-again", 164),
    ("ordered-amid-a-migration", 4026),
    ("prepared-forgotten", 105),
    ("revert-unchecked", 423),
    ("taken-up-blindly", 217),
    ("attempt-without-end", 1793),
    ("delay-ignored", 78),
    ("fence-by-target", 167),
    ("fenced-in-an-earlier-life", 119),
    ("fenced-though-back", 467),
    ("fenced-for-an-old-plan", 727),
    ("survivor-not-told", 94),
    ("unseen-is-down", 812),
    ("watchdog-petted-always", 499),
    ("watchdog-not-waited-for", 51),
    ("watchdog-order-ignored", 280),
];

/// How to run them.
#[derive(Clone, Copy, Debug)]
pub struct Hunt {
    /// The first seed.
    pub from: u64,
    /// Most seeds for one mutant.
    pub seeds: u64,
    /// Threads.
    pub jobs: usize,
}

impl Hunt {
    /// Runs the mutants whose names contain `pattern`, or all, and writes a table; whether each was caught.
    ///
    /// # Errors
    ///
    /// The table cannot be written.
    pub fn run(&self, pattern: Option<&str>, out: &mut impl Write) -> io::Result<bool> {
        let wanted = |mutant: &&Mutant| pattern.is_none_or(|pattern| mutant.name.contains(pattern));
        let mutants: Vec<&Mutant> = MUTANTS.iter().filter(wanted).collect();
        let mut survivors = Vec::new();
        for mutant in &mutants {
            match self.hunt(mutant) {
                Some(found) => {
                    let violation = found.violation.as_ref();
                    let property = violation.map_or("", |violation| violation.property);
                    writeln!(out, "{:24} {:8} {:9} seed {}", mutant.name, mutant.kind.word(), property, found.seed)?;
                }
                None => {
                    survivors.push(mutant.name);
                    writeln!(
                        out,
                        "{:24} {:8} SURVIVES {} seeds: {}",
                        mutant.name,
                        mutant.kind.word(),
                        self.seeds,
                        mutant.what
                    )?;
                }
            }
            out.flush()?;
        }
        writeln!(out, "mutants: {} caught, {} survived", mutants.len() - survivors.len(), survivors.len())?;
        Ok(survivors.is_empty() && !mutants.is_empty())
    }

    /// A seed that finds a mutant: the one that did before, or the first of those that were asked for.
    fn hunt(&self, mutant: &Mutant) -> Option<Outcome> {
        let remembered = REMEMBERED.iter().find(|(name, _)| *name == mutant.name);
        remembered.and_then(|(_, seed)| self.look(mutant, *seed, 1)).or_else(|| match mutant.kind {
            Kind::Model => self.look(mutant, 1, crate::model::WORLDS),
            Kind::Ring | Kind::Cluster => self.look(mutant, self.from, self.seeds),
        })
    }

    /// The first of these seeds that finds a mutant.
    fn look(&self, mutant: &Mutant, from: u64, seeds: u64) -> Option<Outcome> {
        let sweep = Sweep {
            kind: mutant.kind,
            from,
            seeds,
            nodes: None,
            fencing: true,
            twice: false,
            jobs: self.jobs,
            trace: false,
            mutant: Some(mutant.name),
            only: mutant.shows,
        };
        let mut found: Option<Outcome> = None;
        sweep.each(|outcome| {
            if outcome.violation.is_some() {
                found = Some(outcome);
            }
            found.is_none()
        });
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_of_the_list_and_can_show_it() {
        for (name, seed) in REMEMBERED {
            let mut named = MUTANTS.iter().filter(|mutant| mutant.name == *name);
            let mutant = named.next().unwrap_or_else(|| panic!("{name} is in no list"));
            assert!((mutant.shows)(&crate::run::options(mutant.kind, *seed, None)), "{name}: seed {seed}");
            assert_eq!(REMEMBERED.iter().filter(|(other, _)| other == name).count(), 1, "{name}");
        }
    }
}
