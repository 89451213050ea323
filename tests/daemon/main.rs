//! Real processes on this machine: `hacd` and `hacctl` without hosts of their own.

mod agents;
mod configuration;
mod earlier;
mod join;
mod leaving;
mod mistakes;
mod mixed;
mod names;
mod page;
mod ready;
mod review;
mod screens;
mod told;

use std::process::ExitCode;

use hac_lab::{Tools, clean_up_on_signals, sweep};
use hac_tests::runner::{Case, run};

/// A test of this program.
type Test = fn(&Tools) -> anyhow::Result<()>;

fn main() -> ExitCode {
    sweep();
    // Without it a lab that is interrupted is cleaned up by the next one.
    let _ = clean_up_on_signals();
    let tools = Tools::find();
    let of_releases = tools.as_ref().ok().and_then(mixed::missing);
    let alone = configuration::cases().into_iter().chain(agents::cases()).chain(names::cases()).chain(join::cases());
    let alone = alone.chain(told::cases()).chain(leaving::cases()).chain(ready::cases());
    let alone = alone.chain(earlier::cases()).chain(mistakes::cases()).chain(review::cases());
    let alone = alone.map(|(name, test)| (name, test as Test, None));
    let mixed = mixed::cases().into_iter().map(|(name, test)| (name, test, of_releases.clone()));
    let page = page::cases().into_iter().map(|(name, test, missing)| (name, test as Test, missing));
    let screens = screens::cases().into_iter().map(|(name, test, missing)| (name, test as Test, missing));
    let cases = alone.chain(mixed).chain(page).chain(screens).map(|(name, test, missing)| {
        let found = tools.as_ref().ok().cloned();
        let case = Case::new(name, move || match &found {
            Some(tools) => test(tools),
            None => anyhow::bail!("no programs to test"),
        });
        match (&tools, missing) {
            (Err(error), _) => case.skipped(error.to_string()),
            (Ok(_), Some(reason)) => case.skipped(reason),
            (Ok(_), None) => case,
        }
    });
    run(cases.collect())
}
