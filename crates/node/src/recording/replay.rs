//! A recording, given again to a node like the one that was recorded.

use std::collections::VecDeque;

use hac_totem::{AuthKey, SALT_LEN, Sealer};
use thiserror::Error;

use super::start::Made;
use super::{Entry, Input, MAGIC, Taken, VERSION};
use crate::{Config, ConfigError, Node, Now, Output, Persist, wire};

/// Gives a node what another one was given. Call [`Replay::step`] until it gives nothing more.
pub struct Replay<'a> {
    frames: Frames<'a>,
    node: Node,
    config: Config,
    /// Inputs so far.
    inputs: u64,
    /// What was taken from the cluster half, or from both if they were joined tightly; and from the ring half alone.
    taken: [Taken; 2],
    /// The same since the recording last said what should have been.
    unproven: [VecDeque<Taken>; 2],
    apart: bool,
    /// The recording said that the node stopped.
    complete: bool,
}

/// One input and what it led to.
#[derive(Debug)]
pub struct Step {
    /// When.
    pub now: Now,
    /// What the node was given.
    pub input: Input,
    /// What the node wanted done then.
    pub outputs: Vec<Output>,
}

/// What was replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Played {
    /// Inputs.
    pub inputs: u64,
    /// Outputs.
    pub outputs: u64,
    /// Hash over all outputs, in order.
    pub hash: u64,
    /// The recording reaches to the moment at which the node stopped.
    pub complete: bool,
}

/// Why a recording cannot be replayed, or how the replay went astray.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ReplayError {
    /// It does not begin like one.
    #[error("this is no recording of hacd")]
    NotARecording,
    /// Made by a program with another format.
    #[error("the recording has format {0}; this program knows {VERSION}")]
    Version(u8),
    /// Sealed under another key, or damaged.
    #[error("entry {0} cannot be opened: another authkey, or the recording is damaged")]
    Sealed(u64),
    /// Opened, and yet not an entry, or not in its place.
    #[error("entry {0} is malformed: the recording was made by another version of hacd")]
    Malformed(u64),
    /// The recorded configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The replayed node does something else than the recorded one did.
    #[error("before input {input} the recorded node had given {outputs} outputs, and the replayed one gave others")]
    Different {
        /// Number of the input, from 1, before which they differ; one above the last if it is the end.
        input: u64,
        /// How many outputs had been taken from the recorded node.
        outputs: u64,
    },
}

impl<'a> Replay<'a> {
    /// Makes the node that was recorded.
    ///
    /// # Errors
    ///
    /// The recording cannot be read, or not with this key.
    pub fn open(recording: &'a [u8], authkey: AuthKey) -> Result<Self, ReplayError> {
        let rest = recording.strip_prefix(MAGIC).ok_or(ReplayError::NotARecording)?;
        let (&version, rest) = rest.split_first().ok_or(ReplayError::NotARecording)?;
        if version != VERSION {
            return Err(ReplayError::Version(version));
        }
        let (salt, rest) = rest.split_first_chunk::<SALT_LEN>().ok_or(ReplayError::NotARecording)?;
        let mut frames = Frames { rest, sealer: Sealer::new(&authkey, *salt), read: 0 };
        let Some(Entry::Start(start)) = frames.next()? else { return Err(ReplayError::Malformed(1)) };
        let Made { config, stored, entropy, now, apart } = start.with(authkey);
        let node = if apart {
            Node::apart(config.clone(), stored, entropy, now)?
        } else {
            Node::new(config.clone(), stored, entropy, now)?
        };
        let unproven = [VecDeque::from([Taken::NOTHING]), VecDeque::from([Taken::NOTHING])];
        let taken = [Taken::NOTHING; 2];
        let mut replay = Self { frames, node, config, inputs: 0, taken, unproven, apart, complete: false };
        replay.take();
        Ok(replay)
    }

    /// Gives the node the next input; `None` after the last.
    ///
    /// # Errors
    ///
    /// The recording cannot be read further, or the node does something else than the recorded one did.
    pub fn step(&mut self) -> Result<Option<Step>, ReplayError> {
        match self.frames.next()? {
            None => Ok(None),
            Some(Entry::Start(_)) => Err(ReplayError::Malformed(self.frames.read)),
            Some(Entry::End(taken)) => {
                self.complete = true;
                self.prove(taken, 0)?;
                Ok(None)
            }
            Some(Entry::Input { now, taken, input }) => {
                self.prove(taken, usize::from(self.apart && input.is_of_the_ring()))?;
                self.inputs += 1;
                self.node.handle(now, input.clone());
                let outputs = self.take();
                Ok(Some(Step { now, input, outputs }))
            }
        }
    }

    /// How the recorded node was configured.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The node as it is after the last step.
    #[must_use]
    pub const fn node(&self) -> &Node {
        &self.node
    }

    /// What was replayed so far.
    #[must_use]
    pub const fn played(&self) -> Played {
        let [both, ring] = self.taken;
        let (outputs, hash) = (both.outputs + ring.outputs, both.hash ^ ring.hash ^ Taken::NOTHING.hash);
        Played { inputs: self.inputs, outputs, hash, complete: self.complete }
    }

    /// The recorded node had not always been asked for all that it had; this one is, and remembers in between.
    fn take(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        while let Some(output) = self.node.poll_output() {
            let of_the_ring =
                matches!(output, Output::Transmit { .. } | Output::Persist { what: Persist::RingSeq(_), .. });
            let half = usize::from(self.apart && of_the_ring);
            self.taken[half].add(&output);
            self.unproven[half].push_back(self.taken[half]);
            outputs.push(output);
        }
        outputs
    }

    fn prove(&mut self, recorded: Taken, half: usize) -> Result<(), ReplayError> {
        let unproven = &mut self.unproven[half];
        while unproven.front().is_some_and(|mine| mine.outputs < recorded.outputs) {
            unproven.pop_front();
        }
        if unproven.front() == Some(&recorded) {
            Ok(())
        } else {
            Err(ReplayError::Different { input: self.inputs + 1, outputs: recorded.outputs })
        }
    }
}

/// The entries of a recording.
struct Frames<'a> {
    rest: &'a [u8],
    sealer: Sealer,
    read: u64,
}

impl Frames<'_> {
    /// The next entry. A last one that was not written whole is none: the daemon died there.
    fn next(&mut self) -> Result<Option<Entry>, ReplayError> {
        let Some((length, rest)) = self.rest.split_first_chunk::<4>() else { return Ok(None) };
        let Ok(length) = usize::try_from(u32::from_le_bytes(*length)) else { return Ok(None) };
        let Some((sealed, rest)) = rest.split_at_checked(length) else { return Ok(None) };
        self.rest = rest;
        self.read += 1;
        let entry = self.sealer.open(sealed.to_vec()).ok_or(ReplayError::Sealed(self.read))?;
        wire::decode_record(&entry).map(Some).map_err(|_| ReplayError::Malformed(self.read))
    }
}
