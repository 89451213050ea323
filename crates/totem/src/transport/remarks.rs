//! What is told about peers: notices, at a bearable pace, and the state of every link.

use std::time::Duration;

use hac_types::{NodeId, Timestamp};

use crate::transport::Transport;
use crate::transport::peer::Peer;
use crate::{GatherReason, LinkStatus, Misbehaviour, Notice, Output, PeerProblem};

/// The same trouble with the same peer is told at most this often.
const TELL_EVERY: Duration = Duration::from_secs(60);
/// A problem is shown as long as its cause was seen within this time.
const PROBLEM_LASTS: Duration = Duration::from_secs(5);

impl Transport {
    pub(crate) fn notice(&mut self, notice: Notice) {
        self.outputs.push_back(Output::Notice(notice));
    }

    pub(crate) fn count_gather(&mut self, reason: GatherReason) {
        *self.stats.gathers.entry(reason).or_default() += 1;
    }

    pub(crate) fn report_misbehaving(&mut self, node: NodeId, what: Misbehaviour) {
        self.with_peer(node, |net, peer| net.report_misbehaviour(peer, what));
    }

    pub(super) fn report_misbehaviour(&mut self, peer: &mut Peer, what: Misbehaviour) {
        if peer.misbehaviour_told.is_none_or(|told| self.now.since(told) >= TELL_EVERY) {
            peer.misbehaviour_told = Some(self.now);
            self.notice(Notice::Misbehaving { node: peer.node, what });
        }
    }

    pub(super) fn report_problem(&mut self, peer: &mut Peer, problem: PeerProblem) {
        peer.problem = Some((problem, self.now));
        let told = peer.problem_told.is_some_and(|(what, at)| what == problem && self.now.since(at) < TELL_EVERY);
        if told {
            return;
        }
        peer.problem_told = Some((problem, self.now));
        let node = peer.node;
        self.notice(match problem {
            PeerProblem::WrongKey => Notice::WrongKey { node },
            PeerProblem::FormerKey => Notice::FormerKey { node },
            PeerProblem::CipherDiffers => Notice::CipherDiffers { node },
            PeerProblem::DuplicateNode => Notice::DuplicateNode { node },
            problem => Notice::Incompatible { node, problem },
        });
    }

    pub(super) fn notice_config_differs(&mut self, node: NodeId) {
        if self.config_told.get(&node).is_none_or(|told| self.now.since(*told) >= TELL_EVERY) {
            self.config_told.insert(node, self.now);
            self.notice(Notice::ConfigDiffers { node });
        }
    }

    /// Every link to every peer.
    pub(crate) fn links(&self, now: Timestamp) -> Vec<LinkStatus> {
        let mut links = Vec::new();
        for peer in self.peers.iter() {
            let problem = peer.problem.filter(|(_, at)| now.since(*at) < PROBLEM_LASTS).map(|(problem, _)| problem);
            links.extend(peer.paths.iter().map(|path| LinkStatus {
                node: peer.node,
                link: path.link,
                member: peer.member(),
                connected: path.up,
                peer_alive: peer.is_alive(),
                rtt: path.rtt.smoothed(),
                jitter: path.rtt.smoothed().map(|_| path.rtt.deviation()),
                loss: path.loss.share(),
                silence_limit: self.limit(peer),
                last_heard: path.last_heard,
                datagram_max: path.mtu.current,
                told: peer.told,
                problem,
            }));
        }
        links
    }
}
