//! What is said twice, and what means nothing where it stands: refused or warned of, never taken in silence.

use hac_crm::cib::{Agents, Replicated as _, verify};

use hac_model::Cib;

use super::*;

const BASE: &str = "\
node 1: n1
primitive a ocf:x:D
primitive b ocf:x:D
primitive c ocf:x:D
clone cc c
primitive f stonith:fence_x
";

/// What is said of the configuration with this statement, beyond what is said of it without.
fn said(statement: &str) -> Vec<String> {
    let of = |text: &str| {
        let changes = parse(text).expect(text);
        let cib = Cib::default().with_unverified(&changes).map_err(|refusal| refusal.sentence).expect(text);
        verify(&cib.configuration, &Agents::default())
    };
    let before = of(BASE);
    let after = of(&format!("{BASE}{statement}"));
    let new = after.into_iter().filter(|finding| !before.contains(finding));
    new.map(|finding| format!("{finding}. {}", finding.remedy)).collect()
}

#[test]
fn what_is_said_twice_is_told() {
    let name = |subject: &str, name: &str| {
        vec![format!("{subject}: {name} is given twice, and only one of them counts. Give it once.")]
    };
    let member = |subject: &str, member: &str, what: &str| {
        vec![format!("{subject}: {member} is named twice in it. Name each {what} once.")]
    };
    for (statement, expected) in [
        ("primitive d ocf:x:D params s=1 s=2", name("d", "s")),
        ("primitive d ocf:x:D params s=1 s=2 s=3", name("d", "s")),
        ("primitive d ocf:x:D params s=1 params s=2", name("d", "s")),
        ("primitive d ocf:x:D meta priority=1 priority=2", name("d", "priority")),
        ("primitive d ocf:x:D utilization cpu=1 cpu=2", name("d", "cpu")),
        ("primitive d ocf:x:D op monitor interval=10s s=1 s=2", name("d", "s")),
        ("primitive d ocf:x:D op monitor interval=10s op_meta requires=quorum requires=nothing", name("d", "requires")),
        (
            "primitive d ocf:x:D op monitor interval=10s timeout=5s op_meta timeout=6s",
            vec!["d: timeout of op monitor is given twice, and only one of them counts. Give it once.".to_owned()],
        ),
        ("node 2: n2 attributes x=1 x=2", name("n2", "x")),
        ("node 2: n2 utilization cpu=1 cpu=2", name("n2", "cpu")),
        ("group g a b meta priority=1 priority=2", name("g", "priority")),
        ("rsc_defaults s: rule #uname eq n1 priority=1 priority=2", name("s", "priority")),
        ("tag t a a", member("t", "a", "object")),
        ("location l { a a } 10: n1", member("l", "a", "resource")),
        ("colocation k inf: ( a a ) b", member("k", "a", "resource")),
        ("colocation k inf: a b a", member("k", "a", "resource")),
        ("order o ( a b ) a", member("o", "a", "resource")),
        ("rsc_ticket r T: a a", member("r", "a", "resource")),
        ("alert al /bin/true attributes x=1 x=2", name("al", "x")),
        ("alert al /bin/true meta timeout=1s timeout=2s", name("al", "timeout")),
        ("alert al /bin/true to r r", vec!["al: r is told everything twice. Name each recipient once.".to_owned()]),
        ("alert al /bin/true select attributes { x x }", member("al", "x", "attribute")),
        ("notice no mail to=r@x to=s@x", name("no", "to")),
    ] {
        assert_eq!(said(statement), expected, "{statement}");
    }
    let level = said("fencing_topology n1: f,f");
    assert!(level.len() == 1 && level[0].contains("f is named twice in level 1"), "{level:?}");
    // Several values by rules or scores are what blocks are for; an order may come back to a resource.
    for statement in [
        "primitive d ocf:x:D params 2: rule #uname eq n1 s=1 params 1: s=2",
        "primitive d ocf:x:D params rule #uname eq n1 s=1 params s=2",
        "order o a:stop b:start a:start",
        "fencing_topology n1: f f",
    ] {
        assert_eq!(said(statement), [""; 0], "{statement}");
    }
}

#[test]
fn where_one_of_two_values_would_be_lost_the_second_is_refused() {
    for (statement, name) in [
        ("property batch-limit=1 batch-limit=2", "batch-limit"),
        ("property batch-limit=1 batch-limit=", "batch-limit"),
        ("property $id=x $id=y batch-limit=1", "$id"),
        ("rsc_defaults priority=1 priority=2", "priority"),
        ("op_defaults timeout=1 timeout=2", "timeout"),
        ("primitive d ocf:x:D params $id=x $id=y s=1", "$id"),
        ("primitive d ocf:x:D meta $id-ref=x $id-ref=y", "$id-ref"),
        ("bundle u podman image=x image=y", "image"),
        ("bundle u podman image=x network control-port=1 control-port=2", "control-port"),
        ("bundle u podman image=x network port-mapping port=1 port=2", "port"),
        ("bundle u podman image=x storage storage-mapping options=1 options=2", "options"),
    ] {
        let error = parse(statement).expect_err(statement);
        assert!(error.to_string().ends_with(&format!("{name} is given twice")), "{statement}: {error}");
        assert_eq!(error.remedy, format!("Write {name}= once."));
    }
}

#[test]
fn what_means_nothing_where_it_stands_is_told() {
    for (statement, expected) in [
        (
            "op_defaults interval=10s",
            "op-options: interval stands among the defaults of operations, where it has no effect. \
             Write it into each operation: op monitor interval=...",
        ),
        (
            "primitive d ocf:x:D meta clone-max=2",
            "d: clone-max is for clones, it has no effect here. Write it where it is cloned: clone ID d meta clone-max=...",
        ),
        (
            "group g a b meta interleave=true",
            "g: interleave is for clones, it has no effect here. Write it where it is cloned: clone ID g meta interleave=...",
        ),
        (
            "clone n a priority=5",
            "n: priority stands among the parameters, where it has no effect. Write it after 'meta': meta priority=...",
        ),
        (
            "rsc_defaults timeout=10s",
            "rsc-options: unknown meta-attribute timeout, it has no effect. Check the spelling.",
        ),
        (
            "primitive d ocf:x:D meta target-role=Promoted",
            "d: target-role=Promoted is for promotable clones, it has no effect. Write Started or Stopped.",
        ),
    ] {
        let told = said(statement);
        assert_eq!(told, [expected], "{statement}");
    }
    assert_eq!(said("clone n a meta clone-max=2 interleave=true"), [""; 0]);
}
