//! What the ring's thread is given beside others: memory that is not swapped out, and a place at the processor. What the
//! host does not allow is said in the status; the daemon runs all the same.

use rustix::mm::{MlockAllFlags, mlockall};
use rustix::process::{Resource, Rlimit, getrlimit, setpriority_process, setrlimit};
use thread_priority::{
    RealtimeThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
    set_thread_priority_and_policy, thread_native_id,
};

use super::between::Shared;
use crate::config::{Priority, System};

/// The highest priority of `SCHED_RR` on Linux, as `sched_get_priority_max` tells it.
const HIGHEST: u8 = 99;

/// Keeps the pages of this process in memory once they are there. Not all at once: stacks and buffers that nobody has
/// touched stay where they are.
pub(super) fn lock_memory(shared: &Shared) {
    // With a limit, some allocation would fail sooner or later: rather no lock.
    let unlimited = Rlimit { current: None, maximum: None };
    let limit = getrlimit(Resource::Memlock);
    if limit.current.is_some() && setrlimit(Resource::Memlock, unlimited).is_err() {
        return shared.falls_short(
            "the memory of hacd is not locked, because its limit (LimitMEMLOCK=) is not infinity: it can be swapped out"
                .to_owned(),
        );
    }
    let all = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    if let Err(error) = mlockall(all) {
        shared.falls_short(format!("the memory of hacd is not locked and can be swapped out: {error}"));
    }
}

/// Gives the calling thread the place at the processor that `[system]` asks for.
pub(super) fn raise_priority(system: &System, shared: &Shared) {
    if system.sched_rr {
        let policy = ThreadSchedulePolicy::Realtime(RealtimeThreadSchedulePolicy::RoundRobin);
        let highest = ThreadPriorityValue::try_from(HIGHEST).map(ThreadPriority::Crossplatform);
        let set = highest.map(|highest| set_thread_priority_and_policy(thread_native_id(), highest, policy));
        if matches!(set, Ok(Ok(()))) {
            return;
        }
        // As in Corosync: where that is not allowed, the least nice value.
        let nice = set_nice(-20);
        let instead = if nice { "it runs with nice -20 instead" } else { "it runs as any other" };
        return shared.falls_short(format!("the ring has no real-time priority (system.sched_rr); {instead}"));
    }
    let wanted = match system.priority {
        Priority::Max => -20,
        Priority::Min => 19,
        Priority::Nice(nice) => nice,
    };
    if wanted != 0 && !set_nice(wanted) {
        shared.falls_short(format!("the ring does not run with nice {wanted} (system.priority): not permitted"));
    }
}

/// The nice value of this thread.
fn set_nice(nice: i32) -> bool {
    setpriority_process(Some(rustix::thread::gettid()), nice).is_ok()
}
