//! Control groups: one for each run, one for what each resource keeps running. They are only used to hold processes
//! together and to end them together; no controller is switched on below the unit, because systemd could not start the
//! daemon anew in a group whose children have controllers while services still run there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::calls;

/// Attributes by which systemd marks a group as delegated.
const DELEGATED: &[&str] = &["user.delegate", "trusted.delegate"];

/// How often processes are moved at most: what starts others faster than this stays where it is.
const MOVES: usize = 100;

/// The groups below the one that this daemon runs in.
#[derive(Debug)]
pub(super) struct Cgroups {
    base: PathBuf,
}

impl Cgroups {
    /// The groups of this daemon, if its own was delegated to it.
    ///
    /// # Errors
    /// It was not; says why.
    pub(super) fn delegated() -> Result<Self, String> {
        let base = own().ok_or("this host has no unified hierarchy of control groups")?;
        let marked = DELEGATED.iter().any(|name| {
            let mut value = [0_u8; 8];
            rustix::fs::getxattr(&base, *name, &mut value[..]).is_ok_and(|size| value.get(..size) == Some(b"1"))
        });
        if !marked {
            return Err("no control group is delegated to hacd (Delegate=yes in its unit)".into());
        }
        Self::below(base)
    }

    /// The groups below `base`, which are made.
    pub(super) fn below(base: PathBuf) -> Result<Self, String> {
        let cgroups = Self { base };
        for folder in [cgroups.runs(), cgroups.base.join(RESOURCES)] {
            fs::create_dir_all(&folder).map_err(|error| format!("{} cannot be made: {error}", folder.display()))?;
        }
        Ok(cgroups)
    }

    /// Where they are.
    pub(super) fn place(&self) -> std::path::Display<'_> {
        self.base.display()
    }

    fn runs(&self) -> PathBuf {
        self.base.join("runs")
    }

    /// Makes the group of a run; `None` if that fails, and the run has a process group.
    pub(super) fn make(&self, id: &str) -> Option<PathBuf> {
        let path = self.runs().join(id);
        calls::make_folder(&path).ok().map(|()| path)
    }

    /// Hands over what is in groups of runs that nobody ends: they ended by themselves.
    pub(super) fn sweep(&self, ending: impl Fn(&str) -> bool) {
        for entry in fs::read_dir(self.runs()).into_iter().flatten().flatten() {
            if entry.file_name().to_str().is_some_and(|id| !ending(id)) && entry.path().is_dir() {
                hand_over(&entry.path(), "unknown");
            }
        }
    }
}

/// Folder of the groups of resources.
const RESOURCES: &str = "resources";

/// The file through which a process enters a group.
pub(super) fn door(cgroup: &Path) -> PathBuf {
    cgroup.join("cgroup.procs")
}

/// The processes in a group; `None` if there is no such group.
pub(super) fn pids(cgroup: &Path) -> Option<Vec<u32>> {
    let text = fs::read_to_string(door(cgroup)).ok()?;
    Some(text.lines().filter_map(|line| line.parse().ok()).collect())
}

/// Kills all that is in a group, if the kernel can do that at once (since 5.14).
pub(super) fn kill(cgroup: &Path) {
    let _ = fs::write(cgroup.join("cgroup.kill"), "1");
}

/// Removes an empty group.
pub(super) fn remove(cgroup: &Path) {
    let _ = calls::remove_folder(cgroup);
}

/// Moves what is in the group of a run to that of its resource, and removes the former.
pub(super) fn hand_over(cgroup: &Path, resource: &str) {
    if calls::remove_folder(cgroup).is_ok() {
        return;
    }
    let Some(base) = cgroup.parent().and_then(Path::parent) else { return };
    let name: String = resource.chars().map(|c| if c == '/' || c.is_control() { '_' } else { c }).collect();
    let target = base.join(RESOURCES).join(format!("r-{name}"));
    let _ = fs::create_dir_all(&target);
    for _ in 0..MOVES {
        let Some(all) = pids(cgroup).filter(|all| !all.is_empty()) else { break };
        for pid in all {
            // It may have ended in between.
            let _ = fs::write(door(&target), pid.to_string());
        }
    }
    remove(cgroup);
}

/// The group of this process in the unified hierarchy.
pub(super) fn own() -> Option<PathBuf> {
    let text = fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let mount = mounts.lines().find_map(|line| {
        // ID PARENT DEVICE ROOT PLACE OPTIONS ... - TYPE SOURCE OPTIONS
        let (front, back) = line.split_once(" - ")?;
        let mut fields = front.split_whitespace().skip(3);
        let (root, place) = (fields.next()?, fields.next()?);
        (back.starts_with("cgroup2 ") && root == "/").then(|| place.to_owned())
    })?;
    Some(Path::new(&mount).join(path))
}
