//! What is too large: refused or cut where it enters the node, so that nothing larger is ever on its way.

mod longest;

use hac_crm::cib::{Command, Refusal};
use hac_crm::executor::Outcome;

use self::longest::{longest, unwritable};
use crate::Request;
use crate::wire::{self, Proposed};

/// Largest change of the configuration, bytes as nodes tell it to each other.
pub(crate) const CHANGE_MAX: usize = 4 << 20;

/// Largest value of a parameter or attribute, bytes.
pub(crate) const VALUE_MAX: usize = 64 << 10;

/// Longest text that an agent may give, bytes; longer ones are cut.
pub(crate) const TEXT_MAX: usize = 4 << 10;

/// Longest question for another node, bytes.
const QUESTION_MAX: usize = 4 << 10;

/// Longest answer to one, bytes: little enough to go whole, between other messages.
pub(crate) const ANSWER_MAX: usize = 96 << 10;

/// Most bytes of clients' requests that may wait for the cluster to agree.
pub(crate) const WAITING_MAX: usize = 64 << 20;

/// The size of a request as nodes tell it to each other.
///
/// # Errors
/// Why it is too large, with the limit.
pub(crate) fn check(request: &Request) -> Result<usize, Refusal> {
    let command = match request {
        Request::Configure(configure) => Command::Configure(configure.clone()),
        Request::Status(change) => Command::Status(change.clone()),
        Request::Settle { .. }
        | Request::CancelWaitForAll
        | Request::RotateKey(_)
        | Request::SetLevel { .. }
        | Request::SetNodes { .. }
        | Request::TrustArbiter
        | Request::ForgetLost => return Ok(0),
        Request::Ask { question, .. } if question.len() <= QUESTION_MAX => return Ok(question.len()),
        Request::Ask { .. } => {
            let sentence = "a question for another node has more than 4 KiB; nobody was asked";
            return Err(Refusal::new(sentence, "Ask for less."));
        }
    };
    if let Some((length, name)) = longest(&command).filter(|(length, _)| *length > VALUE_MAX) {
        let of = name.map(|name| format!(" of {name}")).unwrap_or_default();
        let sentence = format!("the value{of} has {length} bytes, and the limit is 64 KiB; nothing was changed");
        return Err(Refusal::new(sentence, "Put it into a file on the nodes and give the name of the file."));
    }
    // What agents and fence devices say comes in as status, and is made harmless where it is shown.
    if let Command::Configure(_) = &command
        && let Some((c, name)) = unwritable(&command)
    {
        let of = name.map(|name| format!(" of {name}")).unwrap_or_default();
        let sentence = format!("the value{of} has a control character (U+{:04X}); nothing was changed", u32::from(c));
        return Err(Refusal::new(sentence, "Leave it out: neither XML nor a terminal can show it."));
    }
    let size = wire::size(&Proposed::Command(command));
    if size > CHANGE_MAX {
        let sentence = format!("the change has {size} bytes, and the limit is 4 MiB; nothing was changed");
        return Err(Refusal::new(sentence, "Make it in several steps."));
    }
    Ok(size)
}

/// The outcome with what the agent said cut to [`TEXT_MAX`], with a mark.
pub(crate) fn cut(mut outcome: Outcome) -> Outcome {
    if let Some(reason) = &mut outcome.exit_reason {
        cut_text(reason);
    }
    outcome
}

fn cut_text(text: &mut String) {
    let length = text.len();
    if length <= TEXT_MAX {
        return;
    }
    let mark = format!(" … ({length} bytes, cut)");
    let mut end = TEXT_MAX - mark.len();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push_str(&mark);
}
