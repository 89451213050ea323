//! Pacemaker's own simulator beside ours.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use hac_tests::golden::{Golden, plan_of};

/// The program.
const TOOL: &str = "crm_simulate";

/// The installed simulator, or why there is none.
pub(crate) fn find() -> Result<String, String> {
    let version = Command::new(TOOL).arg("--version").stdout(Stdio::piped()).stderr(Stdio::null()).output();
    match version {
        Ok(output) if output.status.success() => Ok(TOOL.to_owned()),
        Ok(output) => Err(format!("{TOOL} --version ended with {}", output.status)),
        Err(_) => Err(format!("{TOOL} is not installed")),
    }
}

/// Both decide alike: the same summary, the same actions (their order may differ where nothing orders them).
pub(crate) fn agrees(tool: &str, golden: &Golden) -> anyhow::Result<()> {
    let folder =
        std::env::temp_dir().join(format!("hacd-golden-{}-{:?}", std::process::id(), std::thread::current().id()));
    fs::create_dir_all(&folder)?;
    let file = folder.join("state.xml");
    fs::File::create(&file)?.write_all(golden.xml().as_bytes())?;
    let output = Command::new(tool)
        .arg("--xml-file")
        .arg(&file)
        .arg("--simulate")
        .env("CIB_shadow_dir", &folder)
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .output()
        .with_context(|| format!("cannot run {tool}"))?;
    fs::remove_dir_all(&folder)?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(
        output.status.success(),
        "{tool} ended with {}: {}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let theirs = plan_of(&text);
    let ours = plan_of(&golden.simulate().report());
    ensure!(sorted(&ours) == sorted(&theirs), "ours:\n{ours}\nPacemaker's:\n{theirs}");
    Ok(())
}

/// The lines without regard to order and columns.
fn sorted(plan: &str) -> Vec<String> {
    let mut lines: Vec<String> = plan
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|l| !l.is_empty())
        .collect();
    lines.sort();
    lines
}
