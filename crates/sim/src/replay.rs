//! The flight recorder's other end: a node is given what a daemon's was given, and must do the same.

use std::io::Write;

use hac_node::{Output, Replay};
use hac_totem::AuthKey;

/// Replays a recording that was made under this key, and writes what came of it. With `trace`, all that happened too.
///
/// # Errors
///
/// The recording cannot be read, or the node does something else than the recorded one did.
pub fn run(recording: &[u8], authkey: Vec<u8>, trace: bool, out: &mut impl Write) -> Result<(), String> {
    let authkey = AuthKey::new(authkey).map_err(|why| why.to_string())?;
    let mut replay = Replay::open(recording, authkey).map_err(|why| why.to_string())?;
    let name = replay.config().name.clone();
    let mut since = None;
    loop {
        let step = match replay.step() {
            Ok(Some(step)) => step,
            Ok(None) => break,
            Err(why) => {
                let inputs = replay.played().inputs;
                return Err(format!("{name}: after {inputs} inputs: {why}"));
            }
        };
        let since = *since.get_or_insert(step.now.mono);
        if trace {
            for output in &step.outputs {
                if let Some(line) = line(output) {
                    let micros = step.now.mono.since(since).as_micros();
                    let text = format!("{:>6}.{:06} {line}", micros / 1_000_000, micros % 1_000_000);
                    writeln!(out, "{text}").map_err(|why| why.to_string())?;
                }
            }
        }
    }
    let played = replay.played();
    let end =
        if played.complete { "until it stopped" } else { "until the recording ends; the node did not stop there" };
    let text = format!(
        "{name}: {} inputs, {} outputs, all as recorded, {end}; hash {:016x}",
        played.inputs, played.outputs, played.hash
    );
    writeln!(out, "{text}").map_err(|why| why.to_string())
}

/// What a trace shows of an output: all but datagrams and what goes to the disk.
fn line(output: &Output) -> Option<String> {
    match output {
        Output::Decide { id, .. } => Some(format!("decides ({})", id.0)),
        Output::Event(told) => Some(told.event.to_string()),
        Output::Invoke(invocation) => Some(format!("runs {} {}", invocation.resource, invocation.action)),
        Output::Fault(why) | Output::Fenced { why, .. } => Some(why.clone()),
        Output::Stopped => Some("has left".to_owned()),
        Output::Transmit { .. }
        | Output::Persist { .. }
        | Output::CancelInvocation(_)
        | Output::Watch(..)
        | Output::Unwatch(_)
        | Output::Remember(..)
        | Output::Ask(..)
        | Output::Arbiter { .. }
        | Output::Alert(_)
        | Output::Reply { .. } => None,
    }
}

#[cfg(test)]
mod tests;
