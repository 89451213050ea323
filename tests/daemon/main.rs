//! Real processes on this machine: `hacd` and `hacctl` without hosts of their own.

mod agents;
mod configuration;

use std::process::ExitCode;

use hac_lab::Tools;
use hac_tests::runner::{Case, run};

fn main() -> ExitCode {
    let tools = Tools::find();
    let cases = configuration::cases().into_iter().chain(agents::cases()).map(|(name, test)| {
        let found = tools.as_ref().ok().cloned();
        let case = Case::new(name, move || match &found {
            Some(tools) => test(tools),
            None => anyhow::bail!("no programs to test"),
        });
        match &tools {
            Err(error) => case.skipped(error.to_string()),
            Ok(_) => case,
        }
    });
    run(cases.collect())
}
