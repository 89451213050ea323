//! What may happen in these worlds, and what it is called.

/// One thing that happens.
#[derive(Clone, Copy, Debug, Hash)]
pub enum Step {
    /// They lose each other.
    Cut,
    /// A node notices that it is alone.
    Notice(usize),
    /// They meet, and compare their states.
    Meet,
    /// A node takes part in what they met for.
    Activate(usize),
    /// What a node knows is on its disk.
    Persist(usize),
    /// What was to be stored is.
    Stored(usize),
    /// What one has proposed is delivered to both.
    Deliver,
    /// Something is due.
    Timeout(usize),
    /// A request arrives.
    Arrive(usize),
    /// A request arrives, and will again.
    Double(usize),
    /// A request arrives, and what answers it does not know yet what was accepted last.
    Stale(usize),
    /// The first action that is under way is carried out.
    Complete,
    /// The first action that is under way ends without that.
    Fail,
    /// The cluster is about to move the address.
    Tell,
    /// The cluster moves the address.
    Move,
    /// The operation that moved it has ended.
    End,
    /// An answer arrives.
    Answer(usize),
    /// Those who may change the state.
    Change(usize),
    /// A node crashes.
    Crash(usize),
    /// A node starts.
    Start(usize),
    /// The store is another one that has what this one had once.
    Restore,
}

/// What happened, for people.
pub(super) fn words(step: Step) -> String {
    let of = |what: &str, index: usize| format!("node {} {what}", index + 1);
    match step {
        Step::Cut => "the nodes lose each other".to_owned(),
        Step::Notice(index) => of("notices that it is alone", index),
        Step::Meet => "the nodes meet".to_owned(),
        Step::Activate(index) => of("is active with the other", index),
        Step::Persist(index) => of("has on its disk what it knows", index),
        Step::Stored(index) => of("has stored the register", index),
        Step::Deliver => "both are told what the list says".to_owned(),
        Step::Timeout(index) => of("has waited", index),
        Step::Arrive(at) => format!("request {at} arrives"),
        Step::Double(at) => format!("request {at} arrives, and will again"),
        Step::Stale(at) => format!("request {at} arrives, and its answer lacks what was accepted last"),
        Step::Complete => "an assignment is carried out".to_owned(),
        Step::Fail => "an assignment is not carried out".to_owned(),
        Step::Tell => "the cluster is about to move the address".to_owned(),
        Step::Move => "the cluster moves the address".to_owned(),
        Step::End => "the operation that moves the address has ended".to_owned(),
        Step::Answer(at) => format!("answer {at} arrives"),
        Step::Change(index) => of("changes the state, alone or with the other", index),
        Step::Crash(index) => of("crashes", index),
        Step::Start(index) => of("starts", index),
        Step::Restore => "the store is replaced by one that was restored".to_owned(),
    }
}
