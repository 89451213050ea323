//! The calm after the storm: faults cease, everybody comes back, and what people switched off is switched on again.

use std::time::Duration;

use hac_crm::cib::StatusChange;
use hac_netsim::Weather;
use hac_node::Request;

use super::{Planners, World};
use crate::check::{Violation, fencing, wishes};
use crate::manners::Manners;
use crate::service::Service;
use crate::workload;

/// So often people ask for what must be taken back; somebody may die or leave while they do.
const ATTEMPTS: u32 = 4;

impl World {
    /// Faults cease, and everybody comes back.
    ///
    /// # Errors
    ///
    /// The first property that is violated.
    pub(super) fn calm(&mut self) -> Result<(), Violation> {
        let ids: Vec<u32> = self.hosts.keys().copied().collect();
        self.trace.line(self.now, 0, "the world becomes calm");
        self.net.heal();
        self.net.weather = Weather::calm();
        self.deadly = 0;
        self.planners = Planners::default();
        self.end_plans();
        self.black_out_after = None;
        self.service = Service::well();
        self.powers.recover();
        self.manners = Manners::good();
        self.reality.broken.clear();
        self.agent_time = (Duration::from_millis(5), Duration::from_millis(60));
        self.install_what_is_needed();
        for &id in &ids {
            self.recover_disk(id);
            if let Some(host) = self.hosts.get_mut(&id) {
                host.clock_step_ms = 0;
            }
            self.start_after(id, Duration::from_millis(10));
        }
        self.run_until(Duration::from_secs(60), Self::halves_are_well)?;
        // Pauses and shutdowns that were under way end.
        self.run(Duration::from_secs(12))?;
        self.start_all();
        self.run(Duration::from_secs(10))?;
        self.clean_up();
        // Who wanted to leave and could not stop something can now.
        self.run(Duration::from_secs(10))?;
        self.start_all();
        self.run(Duration::from_secs(1))?;
        self.take_back()
    }

    /// Whoever is down comes back.
    fn start_all(&mut self) {
        self.install_what_is_needed();
        let ids: Vec<u32> = self.hosts.keys().copied().collect();
        ids.into_iter().for_each(|id| self.start_after(id, Duration::ZERO));
    }

    /// Failures are forgotten, in each membership: who waits alone to be let go, because something could not be stopped, and is
    /// not taken in by the others, because its program is too old, hears nothing of what they forget.
    fn clean_up(&mut self) {
        let everywhere = StatusChange::ClearFailures { resource: None, node: None, operation: None };
        let mut rings = Vec::new();
        let mut asked = Vec::new();
        for host in self.up() {
            let ring = host.seen.and_then(|(standing, _)| standing.ring);
            if !rings.contains(&ring) {
                rings.push(ring);
                asked.push(host.id);
            }
        }
        asked.into_iter().for_each(|id| self.ask(id, Request::Status(everywhere.clone())));
    }

    /// What people switched off is switched on again, and what failed meanwhile is forgotten.
    fn take_back(&mut self) -> Result<(), Violation> {
        for _ in 0..ATTEMPTS {
            if self.run_until(Duration::from_secs(30), Self::is_settled)? {
                self.wishes_hold()?;
            }
            let asked = self.up().find_map(|host| {
                let changes = workload::taken_back(&host.node.as_ref()?.cib().configuration);
                (!changes.is_empty()).then(|| (host.id, workload::request(changes, &host.name())))
            });
            let Some((id, request)) = asked else { break };
            self.ask(id, request);
            self.run(Duration::from_secs(2))?;
            // Who wanted to leave and was kept by something that was left alone is gone now.
            self.start_all();
        }
        // What was asked for before, and waits for its delay still.
        self.run_until(fencing::ENDS, Self::nobody_is_to_be_fenced)?;
        self.clean_up();
        self.run_until(Duration::from_secs(30), Self::is_settled)?;
        self.start_all();
        self.run(Duration::from_secs(1))
    }

    fn nobody_is_to_be_fenced(&self) -> bool {
        self.up().filter_map(|host| host.node.as_ref()).all(|node| node.cib().status.fencing.running.is_empty())
    }

    /// Nothing is in progress, unless something begins within a second: what people said of places holds.
    fn wishes_hold(&mut self) -> Result<(), Violation> {
        let begun = self.rests;
        self.run(Duration::from_secs(1))?;
        if self.rests != begun || !self.is_settled() {
            return Ok(());
        }
        wishes::check(self).map_or(Ok(()), Err)
    }
}
