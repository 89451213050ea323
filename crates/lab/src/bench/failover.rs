//! `bench failover`: how long the page is away when the active host dies or gives way.

use std::io::Write;
use std::time::{Duration, Instant};

use hac_api::Event as Noted;

use super::{LIMIT, Profile, Series, pause};
use crate::cloud::{Entry, Event};
use crate::far::{Far, Paid};
use crate::{Agents, Cluster, Error, Plan, Sample, Tools, Window};

/// So many answers in a row mean that the page is back.
const STEADY: usize = 10;
/// The cluster is left alone for this long between repetitions, plus a part that differs.
const CALM: Duration = Duration::from_millis(700);

/// Longer than a connection to the API is kept that nobody uses.
const IDLE: Duration = Duration::from_secs(95);

/// What happens to the active host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scenario {
    /// It loses power.
    PowerOff,
    /// It is put into standby.
    Standby,
    /// Its daemon is stopped in order.
    Stop,
    /// Its web server is killed.
    Nginx,
}

impl Scenario {
    /// The scenario of this name.
    pub fn named(name: &str) -> Option<Self> {
        Some(match name {
            "poweroff" => Self::PowerOff,
            "standby" => Self::Standby,
            "stop" => Self::Stop,
            "nginx" => Self::Nginx,
            _ => return None,
        })
    }

    fn words(self) -> &'static str {
        match self {
            Self::PowerOff => "the active host loses power",
            Self::Standby => "the active host is put into standby",
            Self::Stop => "hacd on the active host is stopped in order",
            Self::Nginx => "nginx on the active host is killed",
        }
    }
}

/// The parts that a gap is cut into, in order.
#[derive(Debug, Default)]
pub(super) struct Parts {
    pub(super) gap: Series,
    /// Requests without an answer.
    failed: usize,
    pub(super) detect: Series,
    agree: Series,
    decide: Series,
    api: Series,
    answer: Series,
}

/// Measures a scenario `repetitions` times and prints median and worst of all parts. The address moves `api` after the cloud was
/// asked for it.
///
/// # Errors
/// When the lab cannot be built or the cluster does not recover.
pub fn failover(
    tools: &Tools,
    scenario: Scenario,
    profile: Profile,
    api: Duration,
    repetitions: usize,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let cluster = Cluster::new(tools, 2, Agents::Native, "")?.tuned(profile.totem())?.up(LIMIT)?;
    cluster.lab().cloud().set(|settings| settings.apply_ms = u64::try_from(api.as_millis()).unwrap_or(u64::MAX));
    let mut parts = Parts::default();
    for repetition in 0..repetitions {
        // Faults shall strike at different moments of the daemons' periods.
        let part = u32::try_from(repetition % 10).unwrap_or(0);
        pause(CALM + Duration::from_millis(37) * part);
        let begin = Instant::now();
        let window = once(&cluster, scenario, &mut parts)?;
        let (gap, failed, asked) = (window.gap.as_secs_f64(), window.failed, window.failed + window.answered);
        let text = format!("  {:>2}: {gap:.3} s, {failed} of {asked} requests failed", repetition + 1);
        let lost = lost(&cluster, begin);
        writeln!(out, "{text}{lost}").map_err(Error::system("cannot write"))?;
        recover(&cluster, scenario)?;
    }
    let failed = parts.failed;
    print(scenario, profile, repetitions, &parts, out).map_err(Error::system("cannot write"))?;
    writeln!(out, "requests that failed in all repetitions: {failed}").map_err(Error::system("cannot write"))
}

/// Measures losses of power with the API by name, over TLS and `trip` away, on two clusters in turns: one whose nodes prove that
/// they could start what they do not run, and one whose nodes do not. Before each loss nothing happens for so long that a
/// connection which nobody uses is gone.
///
/// # Errors
/// When a lab cannot be built or a cluster does not recover.
pub fn far(tools: &Tools, trip: Duration, repetitions: usize, out: &mut dyn Write) -> Result<(), Error> {
    let failed = || Error::system("cannot write");
    let mut sides = Vec::new();
    for (words, more) in [("with readiness", ""), ("without (prove_interval = 0)", "[agents]\nprove_interval = 0\n")] {
        let cluster = Cluster::new(tools, 2, Agents::Native, more)?;
        let far = Far::new(&cluster, trip)?;
        let latency = u64::try_from(trip.as_millis()).unwrap_or(u64::MAX);
        cluster.lab().cloud().set(|settings| settings.metadata_latency_ms = latency);
        sides.push((words, cluster.up(LIMIT)?, far, Parts::default(), Vec::new()));
    }
    for _ in 0..repetitions {
        pause(IDLE);
        for (_, cluster, far, parts, paid) in &mut sides {
            let begin = Instant::now();
            let window = once(cluster, Scenario::PowerOff, parts)?;
            let end = window.around.map_or_else(Instant::now, |(_, first)| first);
            let journal = cluster.lab().cloud().journal(begin);
            let metadata = journal.iter().filter(|entry| entry.at <= end && is_metadata(entry)).count();
            let [names, connections, handshakes, requests] =
                [Paid::Name, Paid::Connection, Paid::Handshake, Paid::Request].map(|what| far.count(what, begin, end));
            paid.push([names, connections, handshakes, metadata, requests]);
        }
        for (_, cluster, ..) in &sides {
            recover(cluster, Scenario::PowerOff)?;
        }
    }
    for (words, _, _, parts, paid) in &sides {
        writeln!(out, "\n{words}, the API {} ms away over TLS", trip.as_millis()).map_err(failed())?;
        print(Scenario::PowerOff, Profile::Usual, repetitions, parts, out).map_err(failed())?;
        for [names, connections, handshakes, metadata, requests] in paid {
            writeln!(
                out,
                "paid from the loss to the first page: {names} names, {connections} connections, {handshakes} handshakes, \
                 {metadata} requests of metadata, {requests} requests of the API"
            )
            .map_err(failed())?;
        }
    }
    Ok(())
}

fn is_metadata(entry: &Entry) -> bool {
    matches!(&entry.event, Event::Request { path, .. } if path.contains("/metadata/"))
}

/// When the requests were made that failed, beside the moment at which the address moved.
fn lost(cluster: &Cluster, begin: Instant) -> String {
    let moved = cluster.lab().cloud().journal(begin).iter().find_map(pointing);
    let samples = cluster.lab().prober().samples(begin);
    let failed = samples.iter().filter(|sample| sample.host.is_none());
    let beside = |at: Instant, moved: Instant| {
        let ms = |length: Duration| length.as_secs_f64() * 1e3;
        ms(at.saturating_duration_since(moved)) - ms(moved.saturating_duration_since(at))
    };
    let word = |sample: &Sample| match moved {
        Some(moved) => format!("; from {:+.1} to {:+.1} ms", beside(sample.sent, moved), beside(sample.done, moved)),
        None => String::new(),
    };
    // Many are told by their number.
    failed.take(3).map(word).collect()
}

/// One repetition; gives what the client felt.
pub(super) fn once(cluster: &Cluster, scenario: Scenario, parts: &mut Parts) -> Result<Window, Error> {
    let active = cluster.active()?;
    let other = cluster.other(active)?;
    let before = cluster.nginx(active);
    let begin = Instant::now();
    match scenario {
        Scenario::PowerOff => cluster.lab().power_off(active)?,
        Scenario::Standby => {
            let words = ["--wait", "node", "standby", Plan::name(active)];
            cluster.hacctl(active, &words).map(drop)?;
        }
        Scenario::Stop => cluster.stop(active)?,
        Scenario::Nginx => cluster.kill_nginx(active)?,
    }
    let prober = cluster.lab().prober();
    if scenario == Scenario::Nginx {
        crate::wait_for("nginx runs again or the address has moved", LIMIT, || {
            let now = cluster.nginx(active);
            let moved = cluster.lab().cloud().holder() != Some(active);
            (moved || now.is_some() && now != before).then_some(())
        })?;
        prober.wait_answers(None, Instant::now(), STEADY, LIMIT)?;
    } else {
        prober.wait_answers(Some(Plan::name(other)), begin, STEADY, LIMIT)?;
    }
    let window = prober.window(begin);
    parts.gap.add(window.gap);
    parts.failed += window.failed;
    if scenario == Scenario::PowerOff
        && let Some((_, first)) = window.around
    {
        parts.cut(cluster, other, begin, first);
    }
    Ok(window)
}

/// Puts the cluster back to where a repetition begins.
pub(super) fn recover(cluster: &Cluster, scenario: Scenario) -> Result<(), Error> {
    for host in cluster.lab().hosts() {
        match scenario {
            Scenario::PowerOff if !host.is_on() => cluster.lab().power_on(host.number())?,
            Scenario::Standby => {
                let words = ["--wait", "node", "online", host.name()];
                cluster.hacctl(host.number(), &words).map(drop)?;
            }
            Scenario::Stop if host.ended("hacd")?.is_some() => cluster.start(host.number())?,
            Scenario::Nginx => {
                cluster.hacctl(host.number(), &["resource", "cleanup", "Nginx"]).map(drop)?;
            }
            Scenario::PowerOff | Scenario::Stop => (),
        }
    }
    cluster.wait_up(LIMIT)?;
    let prober = cluster.lab().prober();
    prober.wait_answers(None, Instant::now(), STEADY, LIMIT)
}

impl Parts {
    /// Cuts the time from the fault to the first answer with what the survivor noted and the cloud
    /// saw. A part whose ends were not noted is left out.
    fn cut(&mut self, cluster: &Cluster, survivor: usize, fault: Instant, answer: Instant) {
        let events = cluster.events(survivor).unwrap_or_default();
        let moment = |wanted: fn(&Noted) -> bool, after| first(cluster, &events, wanted, after);
        let suspected = moment(|event| event.kind == "ring" && event.text.contains("is silent"), fault);
        let agreed = suspected.and_then(|at| moment(|event| event.kind == "active", at));
        let asked = cluster.lab().cloud().assigns(fault).first().map(|entry| entry.at);
        let pointed = cluster.lab().cloud().journal(fault).iter().find_map(pointing);
        let mut add = |series: fn(&mut Self) -> &mut Series, from, to| {
            if let (Some(from), Some(to)) = (from, to) {
                let length = Instant::saturating_duration_since(&to, from);
                series(self).add(length);
            }
        };
        add(|parts| &mut parts.detect, Some(fault), suspected);
        add(|parts| &mut parts.agree, suspected, agreed);
        add(|parts| &mut parts.decide, agreed, asked);
        add(|parts| &mut parts.api, asked, pointed);
        add(|parts| &mut parts.answer, pointed, Some(answer));
    }
}

fn first(cluster: &Cluster, events: &[Noted], wanted: fn(&Noted) -> bool, after: Instant) -> Option<Instant> {
    // Events are exact to a millisecond: one in the same millisecond is after.
    let after = after.checked_sub(Duration::from_millis(1)).unwrap_or(after);
    events.iter().filter(|event| wanted(event)).map(|event| cluster.moment(event)).find(|at| *at >= after)
}

fn pointing(entry: &Entry) -> Option<Instant> {
    matches!(entry.event, Event::Holder(Some(_))).then_some(entry.at)
}

fn print(
    scenario: Scenario,
    profile: Profile,
    repetitions: usize,
    parts: &Parts,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let (what, how) = (scenario.words(), profile.words());
    writeln!(out, "\nfailover, {what}, {repetitions} times; detector: {how}")?;
    writeln!(out, "{:<44} {:>9}  {:>9}", "", "median", "worst")?;
    let mut line = |what: &str, series: &Series| match series.median() {
        Some(_) => writeln!(out, "{what:<44} {}", series.columns()),
        None => Ok(()),
    };
    line("gap in the page, as the client felt it", &parts.gap)?;
    line("  detect: fault to suspicion", &parts.detect)?;
    line("  agree:  suspicion to active membership", &parts.agree)?;
    line("  decide: membership to request at the API", &parts.decide)?;
    line("  API:    request to address moved", &parts.api)?;
    line("  answer: address moved to first page", &parts.answer)
}
