//! Why there is no session with a peer, in words for people.

use std::fmt;

use hac_types::{Level, LevelWindow};

use crate::wire::Release;

/// What keeps a peer from being talked to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerProblem {
    /// What comes from its address is authenticated with another authkey or cluster name.
    WrongKey,
    /// The same, with the key from before the last change.
    FormerKey,
    /// Its cipher differs.
    CipherDiffers,
    /// Another process claims its id; the one that answers stays.
    DuplicateNode,
    /// The peer hears another process with the id of this node.
    OwnDuplicate {
        /// This one stays connected.
        stays: bool,
    },
    /// It is of another cluster that has the same name and key.
    OtherCluster {
        /// Which one.
        cluster_uuid: [u8; 16],
    },
    /// A program is too old for the active level.
    TooOld(Mismatch),
    /// A program no longer knows the active level.
    TooNew(Mismatch),
}

/// Two programs that cannot be in one ring.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// It is this node's program that does not fit the peer's cluster, not the other way round.
    pub own: bool,
    /// The release of the program that does not fit.
    pub release: Release,
    /// What it knows.
    pub levels: LevelWindow,
    /// The level that is active in the cluster.
    pub level: Level,
    /// A release that fits: that of the other side.
    pub fits: Release,
}

impl PeerProblem {
    /// One sentence; `peer` is what the peer is called in it.
    #[must_use]
    pub fn sentence(&self, peer: &str) -> String {
        match self {
            Self::WrongKey => format!("authkey or cluster_name of {peer} differs from ours"),
            Self::FormerKey => format!("{peer} was away when the key was rotated and still has the one before"),
            Self::CipherDiffers => format!("crypto_cipher of {peer} differs from ours"),
            Self::DuplicateNode => format!("another machine claims to be {peer}; the one that is connected stays"),
            Self::OwnDuplicate { stays: true } => {
                format!("another machine claims to be this node, as {peer} has found; this one stays")
            }
            Self::OwnDuplicate { stays: false } => {
                format!("{peer} is connected to another machine that claims to be this node; that one stays")
            }
            Self::OtherCluster { cluster_uuid } => {
                let made = Made(*cluster_uuid);
                format!("{peer} belongs to another cluster of the same name and key{made}: a cloned disk?")
            }
            Self::TooOld(Mismatch { own: false, release, levels, level, fits }) => format!(
                "{peer} runs hacd {release}, which knows levels up to {}; this cluster is at level {level}: install {} or \
                 newer there",
                levels.max,
                level.info().map_or_else(|| fits.to_string(), |info| info.release.to_owned()),
            ),
            Self::TooOld(Mismatch { release, levels, level, fits, .. }) => format!(
                "this node runs hacd {release}, which knows levels up to {}; the cluster of {peer} is at level {level}: \
                 install {fits} or newer here",
                levels.max
            ),
            Self::TooNew(Mismatch { own: false, release, levels, level, fits }) => format!(
                "{peer} runs hacd {release}, which needs level {}; this cluster is at {level}: 'hacctl upgrade finish' \
                 first, or install {fits} there",
                levels.min
            ),
            Self::TooNew(Mismatch { release, levels, level, fits, .. }) => format!(
                "this node runs hacd {release}, which needs level {}; the cluster of {peer} is at {level}: 'hacctl \
                 upgrade finish' there first, or install {fits} here",
                levels.min
            ),
        }
    }
}

/// When a cluster was made, if its name tells (version 7 of RFC 9562 begins with the time).
struct Made([u8; 16]);

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g, version, ..] = self.0;
        if version >> 4 != 7 {
            return Ok(());
        }
        let millis = u64::from_be_bytes([0, 0, a, b, c, d, e, g]);
        let (year, month, day) = date(millis / 86_400_000);
        write!(f, " (made {year:04}-{month:02}-{day:02})")
    }
}

/// Year, month and day of a day after 1970-01-01: whole cycles of 400 years, then centuries, then years that begin in
/// March, so that the day that is sometimes left out comes last.
const fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (cycle, day_of_cycle) = (shifted / 146_097, shifted % 146_097);
    let year_of_cycle = (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36_524 - day_of_cycle / 146_096) / 365;
    let day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = cycle * 400 + year_of_cycle + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_that_was_made_at_a_time_says_when() {
        let mut cluster_uuid = [0; 16];
        cluster_uuid[..6].copy_from_slice(&1_772_323_200_000_u64.to_be_bytes()[2..]);
        cluster_uuid[6] = 0x7a;
        assert_eq!(
            PeerProblem::OtherCluster { cluster_uuid }.sentence("secondary"),
            "secondary belongs to another cluster of the same name and key (made 2026-03-01): a cloned disk?"
        );
        let unknown = PeerProblem::OtherCluster { cluster_uuid: [0x42; 16] };
        assert_eq!(
            unknown.sentence("secondary"),
            "secondary belongs to another cluster of the same name and key: a cloned disk?"
        );
        let dates = [(0, (1970, 1, 1)), (59, (1970, 3, 1)), (11_016, (2000, 2, 29)), (20_512, (2026, 2, 28))];
        for (days, expected) in dates {
            assert_eq!(date(days), expected);
        }
    }

    #[test]
    fn programs_that_do_not_fit_are_named_on_both_sides() {
        let levels = |min, max| LevelWindow { min: Level(min), max: Level(max) };
        let old = Mismatch {
            own: false,
            release: Release::new("0.1.0"),
            levels: levels(1, 1),
            level: Level(9),
            fits: Release::new("0.9.0"),
        };
        assert_eq!(
            PeerProblem::TooOld(old).sentence("secondary"),
            "secondary runs hacd 0.1.0, which knows levels up to 1; this cluster is at level 9: install 0.9.0 or newer \
             there"
        );
        assert_eq!(
            PeerProblem::TooOld(Mismatch { own: true, ..old }).sentence("primary"),
            "this node runs hacd 0.1.0, which knows levels up to 1; the cluster of primary is at level 9: install 0.9.0 \
             or newer here"
        );
        let new = Mismatch {
            own: false,
            release: Release::new("0.4.0"),
            levels: levels(3, 4),
            level: Level(2),
            fits: Release::new("0.3.1"),
        };
        assert_eq!(
            PeerProblem::TooNew(new).sentence("secondary"),
            "secondary runs hacd 0.4.0, which needs level 3; this cluster is at 2: 'hacctl upgrade finish' first, or \
             install 0.3.1 there"
        );
        assert_eq!(
            PeerProblem::TooNew(Mismatch { own: true, ..new }).sentence("primary"),
            "this node runs hacd 0.4.0, which needs level 3; the cluster of primary is at 2: 'hacctl upgrade finish' \
             there first, or install 0.3.1 here"
        );
    }
}
