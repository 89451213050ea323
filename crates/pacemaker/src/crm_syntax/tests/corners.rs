//! Corners of the language that public configurations use: what comes about, and that what is shown of it reads back.

use hac_crm::cib::Replicated as _;
use hac_model::Cib;

use super::*;

/// What a text makes of an empty configuration, as it is shown; reads it back.
fn becomes(text: &str) -> String {
    let empty = Cib::default();
    let cib = empty.with_unverified(&parse(text).unwrap()).unwrap();
    let shown = show(&cib.configuration, &[]);
    let again = empty.with_unverified(&parse(&shown).unwrap()).unwrap();
    assert_eq!(shown, show(&again.configuration, &[]), "shown and read back");
    shown
}

#[test]
fn what_names_something_may_stand_before_it() {
    let text = "group g a b\nclone cl c\ncolocation k inf: g cl\nprimitive a T\nprimitive b T\nprimitive c T\n\
                monitor d 60s:30s\nprimitive d @t\nrsc_template t T\n";
    expect![[r#"
        rsc_template t T
        primitive d @t \
        	op monitor timeout=30s interval=60s
        primitive a T
        primitive b T
        primitive c T
        group g a b
        clone cl c
        colocation k inf: g cl
    "#]]
    .assert_eq(&becomes(text));
}

#[test]
fn a_group_that_names_what_nobody_defines_is_refused_and_nothing_is_moved() {
    let changes = parse("group g a nosuch\nprimitive a T\n").unwrap();
    let refusal = Cib::default().with_unverified(&changes).unwrap_err();
    assert!(refusal.sentence.contains("nosuch"), "{}", refusal.sentence);
}

#[test]
fn pairs_may_have_ids_and_stand_for_others() {
    let text = "primitive one T params $addr:value=192.0.2.1 other=1\nprimitive two T params @addr\n\
                primitive three T params @addr:ip\n";
    expect![[r#"
        primitive one T \
        	params $addr:value=192.0.2.1 other=1
        primitive two T \
        	params @addr
        primitive three T \
        	params @addr:ip
    "#]]
    .assert_eq(&becomes(text));
}

#[test]
fn an_objects_id_stands_for_its_block_or_its_rule() {
    let text = "primitive a1 T meta priority=7 utilization cpu=1\nprimitive a2 T meta $id-ref=a1 utilization $id-ref=a1\n\
                location l a1 rule 100: #uname eq node2\nlocation l2 a2 rule $id-ref=l\n\
                location l3 a1 rule $id=mine role=Promoted #uname eq node1\nlocation l4 a2 rule $id-ref=mine\n";
    expect![[r#"
        primitive a1 T \
        	meta $id=a1-meta_attributes priority=7 \
        	utilization $id=a1-utilization cpu=1
        primitive a2 T \
        	meta $id-ref=a1-meta_attributes \
        	utilization $id-ref=a1-utilization
        location l a1 \
        	rule $id=l-rule 100: #uname eq node2
        location l2 a2 \
        	rule $id-ref=l-rule
        location l3 a1 \
        	rule $id=mine $role=Promoted #uname eq node1
        location l4 a2 \
        	rule $id-ref=mine
    "#]]
    .assert_eq(&becomes(text));
}

#[test]
fn brackets_need_no_blanks_around_them() {
    let text = "primitive a T\nprimitive b T\nprimitive c T\norder o Mandatory: (a b) c\ncolocation k inf: [a b] c\n\
                location l {a b} 50: n1\norder p Serialize: a [b c sequential=true]\n";
    expect![[r#"
        primitive a T
        primitive b T
        primitive c T
        location l { a b } 50: n1
        colocation k inf: [ a b ] c
        order o Mandatory: ( a b ) c
        order p Serialize: a ( b c sequential=true require-all=false )
    "#]]
    .assert_eq(&becomes(text));
}

#[test]
fn defaults_may_have_rules_and_scores() {
    let text = "op_defaults rule #uname eq node1 timeout=90s\nxml <op_defaults><meta_attributes id=\"m\"><rule id=\"r\" score=\"1\">\
                <op_expression id=\"e\" name=\"start\"/></rule><nvpair id=\"n\" name=\"x\" value=\"1\"/></meta_attributes></op_defaults>\nop_defaults timeout=20s\nrsc_defaults mine: 5: priority=3\n\
                property $id=special rule date spec hours=9-17 batch-limit=3\n";
    expect![[r#"
        property special: \
        	rule date spec hours=9-17 \
        	batch-limit=3
        rsc_defaults mine: \
        	5: \
        	priority=3
        op_defaults op-options: \
        	rule #uname eq node1 \
        	timeout=90s
        xml <op_defaults> \
        <meta_attributes id="m"> \
          <rule id="r" score="1"> \
            <op_expression id="e" name="start"/> \
          </rule> \
          <nvpair id="n" name="x" value="1"/> \
        </meta_attributes> \
        </op_defaults>
        op_defaults op-options-1: \
        	timeout=20s
    "#]]
    .assert_eq(&becomes(text));
}

#[test]
fn a_date_with_a_blank_is_quoted_and_read_again() {
    let text = "location l a rule inf: #uname eq n and date lt \"2026-11-29 01:56:42Z\"\n";
    let c = assemble(parse(&format!("primitive a Dummy\n{text}")).expect("is read"));
    let shown = show(&c, &["l"]);
    assert!(shown.contains("date lt \"2026-11-29 01:56:42Z\""), "{shown}");
    let again = assemble(parse(&format!("primitive a Dummy\n{shown}")).expect("is read again"));
    assert_eq!(show(&again, &["l"]), shown);
}

#[test]
fn a_topology_without_nodes_is_for_all_there_are_and_is_shown_so() {
    let text = "node 1: n1\nnode 2: n2\nprimitive a stonith:x\nprimitive b stonith:x\nfencing_topology a,b b\n";
    expect![[r#"
        node 1: n1
        node 2: n2
        primitive a stonith:x
        primitive b stonith:x
        fencing_topology a,b b
    "#]]
    .assert_eq(&becomes(text));
    let one = becomes(&text.replace("topology ", "topology n2: "));
    assert!(one.contains("fencing_topology \\\n\tn2: a,b b\n"), "{one}");
}

#[test]
fn a_bundle_takes_in_what_it_names_and_shows_it_by_itself() {
    let text = "bundle box podman image=localhost/web:1 replicas=2 network ip-range-start=10.0.0.5 port-mapping port=80 \
                storage storage-mapping target-dir=/srv source-dir=/data primitive web meta target-role=Started\n\
                primitive web nginx\n";
    expect![[r#"
        primitive web nginx
        bundle box \
        	podman image="localhost/web:1" replicas=2 \
        	network ip-range-start=10.0.0.5 port-mapping id=box-0 port=80 \
        	storage storage-mapping id=box-1 source-dir="/data" target-dir="/srv" \
        	meta target-role=Started \
        	primitive web
    "#]]
    .assert_eq(&becomes(text));
    let refusal = Cib::default().with_unverified(&parse("bundle b docker image=x primitive nosuch").unwrap());
    assert!(refusal.unwrap_err().sentence.contains("nosuch"));
}

#[test]
fn keywords_may_be_written_large_and_a_word_may_go_on_in_the_next_line() {
    let text = "Primitive a T PARAMS x=\"one \\\n   two\" y=th\\\nree Op monitor Interval=1\nlocation l a rule inf: #uname eq n OR date gt 2030\n";
    expect![[r#"
        primitive a T \
        	params x="one two" y=three \
        	op monitor interval=0 \
        	op_params Interval=1
        location l a \
        	rule #uname eq n or date gt 2030
    "#]]
    .assert_eq(&becomes(text));
}

#[test]
fn operations_stand_for_others_by_the_object_they_are_of() {
    let text = "primitive a T operations $id=mine op monitor interval=10s\nprimitive b T operations $id-ref=a\n";
    assert!(becomes(text).contains("operations $id-ref=mine"), "{}", becomes(text));
}
