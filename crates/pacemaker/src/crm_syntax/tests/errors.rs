//! Mistakes: where, what, and what to do.

use expect_test::{Expect, expect};

use super::*;

fn refused(text: &str, expected: &Expect) {
    let error = parse(text).expect_err("this must be refused");
    expected.assert_eq(&format!("{error}. {}", error.remedy));
}

#[test]
fn an_option_that_is_given_twice() {
    refused(
        "primitive x Dummy op monitor interval=10s timeout=5 interval=20s",
        &expect!["line 1, column 53: interval is given twice. Write interval= once."],
    );
    for text in [
        "primitive x Dummy op start timeout=1 timeout=2",
        "primitive x Dummy op monitor interval=10s op_params a=1 op start $id=a $id=b",
        "colocation c inf: a b node-attribute=x node-attribute=y",
        "colocation c inf: ( a b sequential=true sequential=false ) d",
        "order o a b symmetrical=true symmetrical=false",
        "order o a b require-all=true require-all=false",
        "location l a role=Started $role=Stopped 10: n1",
        "location l a resource-discovery=never resource-discovery=always 10: n1",
        "location l a rule 10: date spec hours=1 hours=2",
        "location l a rule 10: date in start=2026-01-01 start=2026-02-01 end=2026-03-01",
    ] {
        let error = parse(text).expect_err(text);
        assert!(error.to_string().ends_with(" is given twice"), "{text}: {error}");
    }
    // What an agent makes of two values is its own business.
    parse("primitive x Dummy op monitor interval=10s a=1 a=2").expect("is taken");
}

#[test]
fn a_keyword_with_a_slip_is_no_abbreviation() {
    for (slip, meant) in [
        ("primitve", "primitive"),
        ("prmitive", "primitive"),
        ("primtive", "primitive"),
        ("grop", "group"),
        ("clne", "clone"),
        ("ordr", "order"),
        ("locaton", "location"),
        ("colocaton", "colocation"),
        ("propety", "property"),
        ("rsc_defauts", "rsc_defaults"),
        ("monitr", "monitor"),
    ] {
        let error = parse(&format!("primitive a Dummy\n{slip} x a")).expect_err(slip);
        assert_eq!(error.to_string(), format!("line 2, column 1: unknown kind of object '{slip}'"));
        assert_eq!(error.remedy, format!("Did you mean '{meant}'?"), "{slip}");
    }
    // Beginnings, and letters that leave out more than one, are what crm takes too.
    for short in ["primitiv a Dummy", "prmtv a Dummy", "GRP a b"] {
        parse(short).expect(short);
    }
    let error = parse("cln a b").expect_err("two have these letters");
    assert_eq!(error.to_string(), "line 1, column 1: 'cln' may mean clone or colocation");
}

#[test]
fn primitives() {
    refused(
        "\nfrobnicate x",
        &expect![
            "line 2, column 1: unknown kind of object 'frobnicate'. Objects begin with primitive, clone, ms, master, group, bundle, colocation, collocation, order, location, property, rsc_defaults, op_defaults, node, rsc_template, tag, fencing_topology, rsc_ticket, alert, notice, monitor, rename, modgroup, xml."
        ],
    );
    refused(
        "p x",
        &expect![[r#"line 1, column 1: 'p' may mean primitive or property. Write some more letters of it."#]],
    );
    refused(
        "primitive",
        &expect![[
            r#"line 1, column 10: here ends what was written, but the id of the primitive must follow. Add the id of the primitive."#
        ]],
    );
    refused(
        "primitive 9x Dummy",
        &expect![[
            r#"line 1, column 11: '9x' is no id. An id begins with a letter; letters, digits, '-', '_' and '.' may follow."#
        ]],
    );
    refused(
        "primitive x ocf:a:b:c",
        &expect![
            "line 1, column 13: invalid agent name 'ocf:a:b:c'. Write CLASS:PROVIDER:TYPE such as ocf:heartbeat:nginx, CLASS:TYPE such as systemd:nginx, or a type alone."
        ],
    );
    refused(
        "primitive x Dummy params 5:",
        &expect![[r#"line 1, column 28: a block has nothing in it. Write NAME=VALUE, or leave the block out."#]],
    );
    refused(
        "primitive x Dummy \\\n\top interval=1",
        &expect![[r#"line 2, column 5: an op begins with its name. Write 'op monitor interval=10s timeout=20s'."#]],
    );
    refused(
        "primitive x Dummy op monitor interval=10s op monitor interval=10s",
        &expect![[r#"line 1, column 43: x already has a monitor op with interval 10s. Give each its own interval."#]],
    );
    refused(
        "primitive x Dummy op_meta a=1",
        &expect![[r#"line 1, column 19: 'op_meta' follows no op. Write it after an op."#]],
    );
    refused(
        "primitive x Dummy params a=\"b\nc",
        &expect![[r#"line 1, column 28: this quotation has no end. Close it with " on the same line."#]],
    );
}

#[test]
fn other_objects() {
    refused("group g", &expect![[r#"line 1, column 8: a group needs members. Write 'group ID RSC RSC...'."#]]);
    refused(
        "clone c d e",
        &expect!["line 1, column 11: 'e' has no place here. Write options after 'meta': meta interleave=true."],
    );
    refused(
        "bundle b docker replicas=2",
        &expect!["line 1, column 27: a bundle needs an image. Write 'bundle ID podman image=IMAGE ...'."],
    );
    refused(
        "property",
        &expect!["line 1, column 9: nothing is said to be set. Write NAME=VALUE, or NAME= to remove it."],
    );
    refused(
        "rsc_defaults rule #uname eq a",
        &expect!["line 1, column 30: nothing is said to be set. Write NAME=VALUE."],
    );
    refused(
        "order o Mandatory a b",
        &expect!["line 1, column 9: 'Mandatory' has no colon. Write 'Mandatory:' before the resources."],
    );
    refused("group g a a", &expect!["line 1, column 11: member 'a' is named twice in group g. Name each member once."]);
    refused(
        "pirmitive a b",
        &expect!["line 1, column 1: unknown kind of object 'pirmitive'. Did you mean 'primitive'?"],
    );
    refused(
        "role a read cib",
        &expect![
            "line 1, column 1: hacd has no 'role'. hacd has no access rules: everything is done as root on a node."
        ],
    );
    refused(
        "alert a true",
        &expect![
            "line 1, column 9: 'true' is no path of a program. Write the whole path, such as /usr/share/pacemaker/alerts/alert_file.sh."
        ],
    );
    refused(
        "alert a /bin/true select",
        &expect!["line 1, column 25: nothing is selected. Write nodes, fencing, resources or attributes."],
    );
    refused(
        "alert a /bin/true to",
        &expect!["line 1, column 21: nobody is named. Write a recipient after 'to', or leave 'to' out."],
    );
    refused(
        "notice a fax to=b",
        &expect![
            "line 1, column 10: 'fax' is nothing that a notice can be sent as. Write webhook, slack, ntfy or mail."
        ],
    );
    refused(
        "monitor a often",
        &expect!["line 1, column 11: 'often' is not a time. Write INTERVAL or INTERVAL:TIMEOUT, such as 10s:30s."],
    );
    refused(
        "node a:b",
        &expect![[r#"line 1, column 6: 'a:b' is no node. Write NAME, or NAME:member or NAME:remote."#]],
    );
    refused("tag t", &expect![[r#"line 1, column 6: a tag needs members. Write 'tag ID OBJECT OBJECT...'."#]]);
    refused(
        "fencing_topology n1:",
        &expect!["line 1, column 21: a topology needs levels. Write 'fencing_topology NODE: DEVICE DEVICE'."],
    );
    refused(
        "modgroup g drop a",
        &expect![[
            r#"line 1, column 12: 'drop' is neither add nor remove. Write 'modgroup GROUP add RSC [before|after MEMBER]' or 'remove RSC'."#
        ]],
    );
    refused(
        "xml <primitive/>",
        &expect![[
            r#"line 1, column 1: what follows xml is wrong: <primitive> lacks the attribute "id". Write one element of a CIB after xml."#
        ]],
    );
    refused(
        "xml <status/>",
        &expect![
            "line 1, column 1: what follows xml is wrong: no schema has a <status> inside of <resources>. Write one element of a CIB after xml."
        ],
    );
    refused(
        "primitive \u{1b}[2Jx Dummy",
        &expect![[
            r#"line 1, column 11: '\u{1b}[2Jx' is no id. An id begins with a letter; letters, digits, '-', '_' and '.' may follow."#
        ]],
    );
}

#[test]
fn what_crmsh_refuses_too() {
    refused(
        "bundle b image=x",
        &expect![
            "line 1, column 10: 'image=x' runs no containers. Write 'bundle ID podman image=IMAGE ...' (or docker)."
        ],
    );
    refused(
        "location l rsc-pattern=a.* inf: n1",
        &expect![
            "line 1, column 12: 'rsc-pattern=a.*' is no resource. Name a resource, a tag, '/PATTERN/' for all that match, or '{ RSC RSC }'."
        ],
    );
    refused(
        "location l a resource-discovery=sometimes inf: n1",
        &expect!["line 1, column 14: resource-discovery is not 'sometimes'. Write one of always, never, exclusive."],
    );
    refused(
        "order o a b symmetrical=maybe",
        &expect!["line 1, column 13: symmetrical is true or false. Write symmetrical=false."],
    );
    refused(
        "primitive a T meta $id=\"a b\" c=d",
        &expect![
            "line 1, column 20: 'a b' is no id. An id begins with a letter; letters, digits, '-', '_' and '.' may follow."
        ],
    );
    refused(
        "primitive a T op monitor:10s",
        &expect!["line 1, column 18: 'monitor:10s' is no operation. Write 'op monitor interval=10s timeout=20s'."],
    );
}

#[test]
fn constraints() {
    refused(
        "colocation c a b",
        &expect![[r#"line 1, column 14: a colocation needs a score. Write 'colocation ID inf: RSC WITH'."#]],
    );
    refused(
        "colocation c inf: a",
        &expect![[
            r#"line 1, column 20: a constraint is between two resources or more. Name the resources one after the other."#
        ]],
    );
    refused(
        "colocation c inf: a b:Leader",
        &expect![[
            r#"line 1, column 21: 'b:Leader' does not end in a role. After the colon stands one of Started, Stopped, Promoted, Unpromoted, Master, Slave."#
        ]],
    );
    refused(
        "colocation c inf: ( a b",
        &expect![[
            r#"line 1, column 24: here ends what was written, but ) at the end of the set must follow. Add ) at the end of the set."#
        ]],
    );
    refused(
        "colocation c inf: ( ) b",
        &expect![[r#"line 1, column 19: a set needs members. Name at least one resource between the brackets."#]],
    );
    refused("colocation c inf: a b )", &expect![[r#"line 1, column 23: ')' closes nothing. Remove it."#]]);
    refused(
        "order o Perhaps: a b",
        &expect![[
            r#"line 1, column 9: 'Perhaps' is no kind of order. Write Mandatory:, Optional: or Serialize: (or nothing for Mandatory)."#
        ]],
    );
    refused(
        "order o a b:restart",
        &expect![
            "line 1, column 11: 'b:restart' does not end in an action. After the colon stands one of start, stop, promote, demote."
        ],
    );
    refused(
        "order o a b symetrical=false",
        &expect![[
            r#"line 1, column 13: 'symetrical=false' has no place here. Remove it; values with blanks are written in quotes."#
        ]],
    );
    refused(
        "location l a primary",
        &expect![[
            r#"line 1, column 14: a location needs a score and a node, or rules. Write 'location ID RSC inf: NODE' or 'location ID RSC rule -inf: not_defined ATTRIBUTE'."#
        ]],
    );
    refused(
        "location l a inf:",
        &expect![[r#"line 1, column 18: here ends what was written, but a node must follow. Add a node."#]],
    );
    refused(
        "location l a rule inf: a is b",
        &expect![[
            r#"line 1, column 26: 'is' is no comparison. Write 'ATTRIBUTE eq VALUE' with lt, gt, lte, gte, eq or ne (before it perhaps string:, number: or version:), 'defined ATTRIBUTE', 'not_defined ATTRIBUTE' or 'date ...'."#
        ]],
    );
    refused(
        "location l a rule inf: a eq 1 and b eq 2 or c eq 3",
        &expect![[
            r#"line 1, column 42: a rule has either 'and' or 'or' between its parts. Use two rules, or write the constraint as xml."#
        ]],
    );
    refused(
        "location l a rule inf: date around noon",
        &expect![[
            r#"line 1, column 29: 'around' says nothing about a date. Write 'date lt TIME', 'date gt TIME', 'date in start=TIME end=TIME' or 'date spec hours=9-17'."#
        ]],
    );
    refused(
        "location l a rule inf: date in",
        &expect![[
            r#"line 1, column 29: this date has no times. Write start= and end=, or what a spec compares: hours=9-17."#
        ]],
    );
    refused(
        "rsc_ticket t T1 a",
        &expect![[r#"line 1, column 14: 'T1' is no ticket. Write 'rsc_ticket ID TICKET: RSC'."#]],
    );
}

#[test]
fn no_beginning_of_a_text_panics() {
    let text = "location l { a ( b:Master c ) } rule $id=x -inf: #uname number:eq \"a b\" or date in start=1 days=2 \\\n\
                \tx='y\nxml <a>";
    for end in (0..text.len()).filter(|&end| text.is_char_boundary(end)) {
        let _ = parse(&text[..end]).map_err(|error| error.to_string().len());
    }
}
