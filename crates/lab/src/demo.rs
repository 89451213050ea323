//! The demonstration: the tutorial's cluster comes up, things break, and the page stays.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use crate::bench::pause;
use crate::timeline::seconds;
use crate::{Agents, Cluster, Error, Lab, Plan, Timeline, Tools, setup};

/// How long each step may take until the demonstration gives up.
const LIMIT: Duration = Duration::from_secs(60);
/// So many answers in a row mean that the page is back.
const STEADY: usize = 10;
/// What is watched for longer shows that it stays well.
const CALM: Duration = Duration::from_millis(500);

/// A step that was measured.
struct Measured {
    what: &'static str,
    gap: Duration,
    failed: usize,
}

/// The demonstration under way.
struct Demo<'a> {
    cluster: Cluster,
    out: &'a mut dyn Write,
    measured: Vec<Measured>,
}

/// Runs the demonstration with the `hacd` and `hacctl` of `tools` and tells it on `out`. With
/// `keep` the lab is given back still running; otherwise nothing is left of it.
///
/// # Errors
/// When the machine cannot hold a lab, or a step does not come to its good end.
pub fn run(tools: &Tools, keep: bool, out: &mut dyn Write) -> Result<Option<Lab>, Error> {
    let (ground, reason) = setup::ground(out)?;
    let begin = Instant::now();
    title(out, "Two hosts, one floating IP, one web server")?;
    let text = match reason {
        None => {
            "Each host is a set of namespaces of this machine, with its own network, files and processes.".to_owned()
        }
        Some(reason) => format!(
            "Each host is a handful of processes on a loopback address: no cables, no packaged agents.\n  \
             (No namespaces: {reason})"
        ),
    };
    writeln!(out, "  {text}").map_err(closed)?;
    let cluster = Cluster::on(ground, tools, 2, Agents::Native, "")?;
    let mut demo = Demo { cluster, out, measured: Vec::new() };
    let told = demo.tell();
    if told.is_err() {
        let report = demo.cluster.report();
        // The failure itself matters more than a closed output.
        let _ = writeln!(demo.out, "\nThis went wrong. What the hosts say:\n{report}");
        told?;
    }
    demo.summary(begin.elapsed())?;
    let lab = demo.cluster.into_lab();
    Ok(keep.then_some(lab))
}

impl Demo<'_> {
    fn tell(&mut self) -> Result<(), Error> {
        self.introduce()?;
        self.bring_up()?;
        self.show()?;
        self.power_loss()?;
        self.standby_and_online()?;
        self.dead_web_server()
    }

    fn say(&mut self, text: &str) -> Result<(), Error> {
        writeln!(self.out, "{text}").map_err(closed)
    }

    fn introduce(&mut self) -> Result<(), Error> {
        let names = self
            .cluster
            .lab()
            .hosts()
            .iter()
            .map(|host| format!("  {:<10} private {}, public {}", host.name(), host.private(), host.public()));
        let lines: Vec<String> = names.collect();
        self.say(&lines.join("\n"))?;
        self.say(&format!(
            "  Floating IP {}. A client asks it for its page every 10 ms.\n  \
             The cloud's API is a stand-in; hacd and nginx are real. Nothing leaves this machine.",
            Plan::floating_ip()
        ))
    }

    fn bring_up(&mut self) -> Result<(), Error> {
        title(self.out, "The cluster comes up")?;
        self.say("  hacctl keygen            (on primary; the key is copied to secondary)")?;
        self.say("  systemctl start hacd     (on both)")?;
        let begin = Instant::now();
        self.cluster.start_all()?;
        self.cluster.wait_status(1, "both hosts are online", LIMIT, |status| status.online.len() == 2)?;
        let joined = begin.elapsed();
        self.say(&format!("  Both are online after {}. Now the tutorial's lines:\n", seconds(joined)))?;
        for line in self.cluster.tutorial_lines("YOUR_TOKEN")? {
            self.say(&format!("  hacctl {}", line.join(" ")))?;
        }
        self.cluster.configure_tutorial(1)?;
        self.cluster.wait_up(LIMIT)?;
        self.steady(None, begin).map(drop)
    }

    fn show(&mut self) -> Result<(), Error> {
        for words in [["status"], ["members"]] {
            title(self.out, &format!("hacctl {}", words.join(" ")))?;
            let text = self.cluster.hacctl(1, &words)?;
            self.say(&indented(&text))?;
        }
        title(self.out, &format!("The page at http://{}/", Plan::floating_ip()))?;
        let page = self.cluster.lab().page()?;
        self.say(&indented(&page))
    }

    fn power_loss(&mut self) -> Result<(), Error> {
        let active = self.cluster.active()?;
        let (name, other) = (Plan::name(active), self.cluster.other(active)?);
        title(self.out, &format!("{name} loses power"))?;
        self.say("  Its cables go dead and everything on it is killed. It holds the address now.")?;
        let begin = Instant::now();
        self.cluster.lab().power_off(active)?;
        self.steady(Some(other), begin)?;
        self.measure("the active host loses power", begin, &format!("{name} loses power"))?;
        let text = self.cluster.hacctl(other, &["status"])?;
        self.say(&indented(&text))?;

        title(self.out, &format!("{name} comes back"))?;
        let begin = Instant::now();
        self.cluster.lab().power_on(active)?;
        self.cluster.wait_up(LIMIT)?;
        let joined = begin.elapsed();
        self.steady(None, Instant::now())?;
        self.measure("it comes back", begin, &format!("{name} is switched on"))?;
        let holder = Plan::name(self.cluster.active()?);
        self.say(&format!("  All is up again after {}; the address is at {holder}.", seconds(joined)))
    }

    fn standby_and_online(&mut self) -> Result<(), Error> {
        let active = self.cluster.active()?;
        let (name, other) = (Plan::name(active), self.cluster.other(active)?);
        title(self.out, &format!("hacctl --wait node standby {name}"))?;
        self.say("  For maintenance: everything moves away from the host, which stays a member.")?;
        let begin = Instant::now();
        self.cluster.hacctl(active, &["--wait", "node", "standby", name])?;
        self.steady(Some(other), begin)?;
        let did = format!("hacctl node standby {name}");
        self.measure("standby of the active host", begin, &did)?;

        title(self.out, &format!("hacctl --wait node online {name}"))?;
        let begin = Instant::now();
        self.cluster.hacctl(active, &["--wait", "node", "online", name])?;
        self.cluster.wait_up(LIMIT)?;
        self.steady(None, Instant::now())?;
        let did = format!("hacctl node online {name}");
        self.measure("and online again", begin, &did)
    }

    fn dead_web_server(&mut self) -> Result<(), Error> {
        let active = self.cluster.active()?;
        let name = Plan::name(active);
        title(self.out, &format!("nginx on {name} is killed"))?;
        self.say("  All its processes, with SIGKILL, as the kernel does when memory runs out.")?;
        let before = self.cluster.nginx(active);
        let begin = Instant::now();
        self.cluster.kill_nginx(active)?;
        let what = format!("nginx runs again on {name}, or the address has moved");
        crate::wait_for(&what, LIMIT, || {
            let now = self.cluster.nginx(active);
            let moved = self.cluster.lab().cloud().holder() != Some(active);
            (moved || now.is_some() && now != before).then_some(())
        })?;
        self.cluster.wait_up(LIMIT)?;
        self.steady(None, Instant::now())?;
        self.measure("nginx killed on the active host", begin, "kill -9 of nginx")
    }

    /// Waits until the page comes steadily, from a certain host if one is given.
    fn steady(&mut self, host: Option<usize>, from: Instant) -> Result<(), Error> {
        let prober = self.cluster.lab().prober();
        prober.wait_answers(host.map(Plan::name), from, STEADY, LIMIT)
    }

    /// Shows what happened since `begin`, and the gap that the client felt.
    fn measure(&mut self, what: &'static str, begin: Instant, did: &str) -> Result<(), Error> {
        pause(CALM);
        let window = self.cluster.lab().prober().window(begin);
        let mut timeline = Timeline::new(begin, did);
        if let Some((last, first)) = window.around.filter(|_| window.gap > CALM / 5) {
            timeline.add(last, "the last answer before the gap");
            timeline.add(first, "the first answer after it");
        }
        timeline.gather(&self.cluster, Instant::now());
        timeline.print(self.out).map_err(closed)?;
        self.say(&format!(
            "  => the page was away for {} at most; {} of {} requests went unanswered.",
            seconds(window.gap),
            window.failed,
            window.failed + window.answered
        ))?;
        self.measured.push(Measured { what, gap: window.gap, failed: window.failed });
        Ok(())
    }

    fn summary(&mut self, took: Duration) -> Result<(), Error> {
        title(self.out, "What the client felt")?;
        let mut lines = String::new();
        for step in &self.measured {
            lines.push_str(&format!(
                "  {:<34} longest gap {:>8}, {:>3} requests unanswered\n",
                step.what,
                seconds(step.gap),
                step.failed
            ));
        }
        self.say(&lines)?;
        self.say(&format!("The demonstration took {} s.", took.as_secs()))
    }
}

fn title(out: &mut dyn Write, text: &str) -> Result<(), Error> {
    writeln!(out, "\n== {text}").map_err(closed)
}

fn indented(text: &str) -> String {
    let lines: Vec<String> = text.trim_end().lines().map(|line| format!("  | {line}")).collect();
    lines.join("\n")
}

fn closed(source: io::Error) -> Error {
    Error::System { what: "cannot write to the output".to_owned(), source }
}
