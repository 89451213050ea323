//! `hacctl report`: what is known of the cluster, in a folder, for whoever is to help.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use hac_api::ExplainQuery;
use hac_pacemaker::{cib_xml, crm_syntax};

use super::{Context, events};
use crate::failure::Failure;
use crate::terminal;

/// Lines of the log that are taken.
const LOG_LINES: &str = "5000";

/// Gathers it. Secrets are masked in all of it.
pub(crate) async fn run(context: &Context, folder: Option<PathBuf>) -> Result<ExitCode, Failure> {
    let status = context.client.status().await?;
    let folder = folder.unwrap_or_else(|| {
        let time = events::clock(status.now_ms).replace([' ', ':'], "-");
        PathBuf::from(format!("hacd-report-{}-{}", status.node, time.get(..19).unwrap_or(&time)))
    });
    if folder.exists() {
        return Err(Failure {
            exit_code: 73,
            ..Failure::usage(format!("{} exists already; nothing was written", folder.display()))
        }
        .with_remedy("Name a folder that is not there yet."));
    }
    fs::create_dir_all(&folder).map_err(|error| failed(&folder, &error))?;
    let put = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).map_err(|error| failed(&path, &error))
    };
    let cib = context.client.cib(false).await?;
    put("configuration.crm", &crm_syntax::show(&cib.configuration, &[]))?;
    put("cib.xml", &cib_xml::write(&cib))?;
    let mut shown = serde_json::to_value(&status).map_err(|error| Failure::system("could not write JSON", &error))?;
    if let Some(fields) = shown.as_object_mut() {
        fields.remove("cib");
    }
    put("status.json", &serde_json::to_string_pretty(&shown).unwrap_or_default())?;
    put("status.txt", &super::status::text(context).await?)?;
    let explained = context.client.explain(&ExplainQuery::default()).await?;
    put("explain.txt", &explained.text)?;
    let mut remembered = String::new();
    events::each(context, false, |event| {
        remembered.push_str(&format!("{}\n", events::line(&event)));
        Ok(())
    })
    .await?;
    put("events.txt", &remembered)?;
    // Where there is no journal, the log is a file that the configuration names.
    if let Ok(output) = Command::new("journalctl").args(["-u", "hacd", "-n", LOG_LINES, "--no-pager"]).output()
        && output.status.success()
    {
        put("journal.txt", &String::from_utf8_lossy(&output.stdout))?;
    }
    let name = folder.display();
    if context.json {
        terminal::print_json(&serde_json::json!({ "folder": folder }))?;
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("INFO: secrets are masked in it; pack it with: tar czf {name}.tar.gz {name}");
    eprintln!("INFO: it is what this node knows; do the same on the others");
    terminal::print(&name.to_string())?;
    Ok(ExitCode::SUCCESS)
}

fn failed(path: &Path, error: &std::io::Error) -> Failure {
    Failure { exit_code: 73, ..Failure::system(&format!("could not write {}", path.display()), error) }
        .with_remedy("Name a folder in a place that you may write to.")
}
