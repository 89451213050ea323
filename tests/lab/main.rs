//! Real hosts: `hacd` in network namespaces, real nginx, the packaged OCF agent, a stand-in cloud.
//!
//! Each case builds a lab of its own and removes it; bounds on time are wide, because these tests
//! assert what happens and in which order, never how fast.

mod api;
mod arbiter;
mod claims;
mod cloud_init;
mod common;
mod databases;
mod endurance;
mod failover;
mod fencing;
mod hostile;
mod membership;
mod mixed;
mod package;
mod page;
mod partitions;
mod ready;
mod ring;
mod six;
mod storage;
mod systemd;
mod tutorial;
mod watchdog;

use std::io::stderr;
use std::process::ExitCode;

use common::Env;
use hac_lab::{Agents, Error, Ground, Tools, clean_up_on_signals, setup, sweep};
use hac_tests::runner::{Case, run};

/// A test of this program.
type Test = fn(&Env) -> anyhow::Result<()>;

fn main() -> ExitCode {
    sweep();
    if let Err(error) = clean_up_on_signals() {
        return fail(&error.to_string());
    }
    let listing = std::env::args().any(|argument| argument == "--list");
    // Listing must work, and be quick, everywhere.
    let possible = if listing { Ok(()) } else { setup::install(&mut stderr()) };
    let tools = Tools::find();
    let reason = match (&possible, &tools) {
        (Err(error), _) | (Ok(()), Err(error)) => Some(error.to_string()),
        (Ok(()), Ok(_)) => None,
    };
    let with_both: Vec<(&str, Test)> = [failover::both(), tutorial::both()].concat();
    let with_one: Vec<(&str, Test)> = [
        tutorial::one(),
        failover::one(),
        membership::one(),
        api::one(),
        hostile::one(),
        storage::one(),
        ring::one(),
        partitions::one(),
        mixed::one(),
        endurance::one(),
        six::one(),
        cloud_init::one(),
        fencing::one(),
        ready::one(),
        arbiter::one(),
        claims::one(),
    ]
    .concat();
    let both = [("native", Agents::Native), ("packaged", Agents::Packaged)];
    let variants = with_both.iter().flat_map(|&(name, test)| {
        both.iter().map(move |&(variant, agents)| (format!("{name}/{variant}"), test, agents))
    });
    let single = with_one.iter().map(|&(name, test)| (name.to_owned(), test, Agents::Native));
    let with_etcd = arbiter::with_etcd().into_iter().map(|(name, test)| (name, test, arbiter::missing()));
    let optional = databases::all().into_iter().chain(watchdog::all()).chain(with_etcd).chain(page::all());
    let optional = optional.map(|(name, test, missing)| {
        let tools = tools.as_ref().ok().cloned();
        let case = Case::new(name, move || match &tools {
            Some(tools) => test(&Env::new(tools.clone(), Agents::Native)),
            None => anyhow::bail!("no programs to test"),
        });
        match reason.clone().or(missing) {
            Some(reason) if !listing => case.skipped(reason.as_str()),
            _ => case,
        }
    });
    let cases = variants.chain(single).map(|(name, test, agents)| {
        let tools = tools.as_ref().ok().cloned();
        let case = Case::new(name, move || match &tools {
            Some(tools) => test(&Env::new(tools.clone(), agents)),
            None => anyhow::bail!("no programs to test"),
        });
        match (&reason, listing) {
            (Some(reason), false) => case.skipped(reason.as_str()),
            (Some(_), true) | (None, _) => case,
        }
    });
    run(cases.chain(optional).chain(packaged(&tools, reason.as_deref(), listing)).collect())
}

/// The tests of the package, which need more than the others: a package and systemd.
fn packaged(tools: &Result<Tools, Error>, reason: Option<&str>, listing: bool) -> Vec<Case> {
    let package = tools.as_ref().map_err(ToString::to_string).and_then(|tools| {
        setup::check(Ground::Systemd).map_err(|error| error.to_string())?;
        tools.package().map_err(|error| error.to_string())
    });
    let reason = reason.map(str::to_owned).or_else(|| package.as_ref().err().cloned());
    let case = |(name, test, missing): (&str, package::Test, Option<String>)| {
        let package = package.clone();
        let case = Case::new(name, move || test(&package.clone().map_err(anyhow::Error::msg)?));
        match reason.clone().or(missing) {
            Some(reason) if !listing => case.skipped(reason.as_str()),
            _ => case,
        }
    };
    let units = systemd::all().into_iter().map(|(name, test)| (name, test, None));
    package::all().into_iter().chain(units).map(case).collect()
}

fn fail(text: &str) -> ExitCode {
    use std::io::Write;
    // Nothing is left to be done when even this cannot be said.
    let _ = writeln!(stderr(), "{text}");
    ExitCode::FAILURE
}
