//! Reading, writing, and what must be refused.

use std::fmt::Write as _;

use expect_test::{Expect, expect};
use hac_model::{Constraint, Expression, LocationSubject, LocationTarget, Resource};

use super::*;

/// One of everything.
const EVERYTHING: &str = include_str!("tests/everything.xml");

fn refused(text: &str, expected: &Expect) {
    expected.assert_eq(&read(text).expect_err("this must be refused").to_string());
}

#[test]
fn what_is_written_reads_back_the_same() {
    let cib = read(EVERYTHING).unwrap();
    let written = write(&cib);
    assert_eq!(read(&written).unwrap(), cib);
    assert_eq!(write(&read(&written).unwrap()), written);
}

#[test]
fn everything_is_read() {
    let cib = read(EVERYTHING).unwrap();
    assert_eq!((cib.version.admin_epoch, cib.version.epoch, cib.version.num_updates), (1, 22, 333));
    assert!(cib.info.have_quorum);
    assert_eq!(cib.info.execution_date, Some(1_600_000_000));
    assert_eq!(cib.info.last_changed_ms, Some(1_795_332_967_000));
    let c = &cib.configuration;
    assert_eq!(c.crm_config[0].get("stonith-enabled"), Some("false"));
    let kinds: Vec<&str> = c.resources.iter().map(Resource::id).collect();
    assert_eq!(kinds, ["tmpl", "FloatIP", "web", "db-clone", "old-ms", "box"]);
    let Resource::Clone(old) = &c.resources[4] else { panic!("a clone") };
    assert!(old.legacy_master);
    let Resource::Bundle(bundle) = &c.resources[5] else { panic!("a bundle") };
    assert_eq!(bundle.technology, "podman");
    assert_eq!(bundle.ports[0]["port"], "80");
    assert_eq!(bundle.primitive.as_ref().unwrap().id, "inner");
    let Constraint::Location(location) = &c.constraints[1] else { panic!("a location") };
    assert_eq!(location.subject, LocationSubject::Pattern("web-.*".to_owned(), true));
    let LocationTarget::Rules(rules) = &location.target else { panic!("rules") };
    assert!(matches!(&rules[0].expressions[1], Expression::Date { spec: Some(spec), .. } if spec["hours"] == "9-17"));
    assert_eq!(c.fencing_topology[0].devices, ["f1", "f2"]);
    let node = &cib.status.nodes[0];
    assert_eq!(node.attributes[0].get("fail-count-web-a#start_0"), Some("INFINITY"));
    assert_eq!(node.resources[0].shutdown_lock, Some(1_578_348_332));
    assert_eq!(node.resources[0].ops[1].interval_ms, 10_000);
    assert_eq!(cib.status.tickets[0].id, "t");
}

#[test]
fn values_survive_with_all_their_characters() {
    let mut cib = read(EVERYTHING).unwrap();
    cib.info.update_client = Some("a<b>&\"'\n\tü\u{1f980}".to_owned());
    assert_eq!(read(&write(&cib)).unwrap(), cib);
    cib.info.update_client = Some("bell\u{7}".to_owned());
    assert_eq!(read(&write(&cib)).unwrap().info.update_client.as_deref(), Some("bell\u{fffd}"));
}

#[test]
fn defaults_of_old_schemas_move() {
    let text = r#"<cib validate-with="pacemaker-1.3"><configuration><crm_config>
        <cluster_property_set id="s"><nvpair id="a" name="default-resource-stickiness" value="5"/>
        <nvpair id="b" name="default-action-timeout" value="9s"/></cluster_property_set>
        </crm_config></configuration></cib>"#;
    let c = read(text).unwrap().configuration;
    assert_eq!(c.rsc_defaults[0].get("resource-stickiness"), Some("5"));
    assert_eq!(c.op_defaults[0].get("timeout"), Some("9s"));
    assert!(c.crm_config[0].pairs.is_empty());
    let today = text.replace("1.3", "3.9");
    assert!(read(&today).unwrap().configuration.rsc_defaults.is_empty());
}

#[test]
fn broken_documents_are_refused_with_line_and_column() {
    refused("", &expect![[r#"line 1, column 1: the document has no element"#]]);
    refused("   \n", &expect![[r#"line 1, column 1: the document has no element"#]]);
    refused("hello", &expect![[r#"line 1, column 1: the document has no element"#]]);
    refused(
        "<cib>\n  <configuration>\n    <nodes",
        &expect![
            "line 3, column 5: not well-formed XML: syntax error: tag not closed: `>` not found before end of input"
        ],
    );
    refused("<cib>\n  <configuration>", &expect![[r#"line 2, column 18: the document ends inside <configuration>"#]]);
    refused(
        "<cib>\n  </configuration></cib>",
        &expect![
            "line 2, column 3: not well-formed XML: ill-formed document: expected `</cib>`, but `</configuration>` was found"
        ],
    );
    refused("<cib/>\n<cib/>", &expect![[r#"line 2, column 1: there is a second root element <cib>"#]]);
    refused(
        "<cib/>\n</cib>",
        &expect![
            "line 2, column 1: not well-formed XML: ill-formed document: close tag `</cib>` does not match any open tag"
        ],
    );
    refused("<configuration/>", &expect![[r#"line 1, column 1: the root element is <configuration>, not <cib>"#]]);
    refused(
        "<cib a=\"1\" a=\"2\"/>",
        &expect![
            "line 1, column 1: not well-formed XML: position 10: duplicated attribute, previous declaration at position 4"
        ],
    );
    refused(
        "<cib a=1/>",
        &expect![[
            r#"line 1, column 1: not well-formed XML: position 6: attribute value must be enclosed in `\"` or `\'`"#
        ]],
    );
    refused(
        "<cib a=\"&bomb;\"/>",
        &expect![[r#"line 1, column 1: not well-formed XML: at 1..5: unrecognized entity `bomb`"#]],
    );
    refused(
        "<cib a=\"&#0;\"/>",
        &expect![
            "line 1, column 1: not well-formed XML: invalid character reference: 0x0 character is not permitted in XML"
        ],
    );
    refused(
        "<cib a=\"&#1;\"/>",
        &expect![[r#"line 1, column 1: not well-formed XML: character \u{1} is not allowed"#]],
    );
    refused(
        "<cib\n epoch=\"many\"/>",
        &expect![[r#"line 1, column 1: epoch="many" in <cib> is not a number in its range"#]],
    );
    refused("<cib epoch=\"-1\"/>", &expect![[r#"line 1, column 1: epoch="-1" in <cib> is not a number in its range"#]]);
    refused(
        "<cib have-quorum=\"perhaps\"/>",
        &expect![[r#"line 1, column 1: have-quorum="perhaps" in <cib> is not true or false"#]],
    );
}

#[test]
fn meaningless_elements_are_refused_where_they_stand() {
    let within =
        |resources: &str| format!("<cib><configuration><resources>\n {resources}</resources></configuration></cib>");
    refused(
        &within("<primitive class=\"ocf\"/>"),
        &expect![[r#"line 2, column 2: <primitive> lacks the attribute "id""#]],
    );
    refused(
        &within("<clone id=\"c\"/>"),
        &expect![[r#"line 2, column 2: <clone id="c"> has no primitive or group inside"#]],
    );
    refused(&within("<bundle id=\"b\"/>"), &expect![[r#"line 2, column 2: <bundle id="b"> has no container inside"#]]);
    let status = "<cib><status><node_state id=\"1\"><lrm><lrm_resources><lrm_resource id=\"r\">\n\
                  <lrm_rsc_op id=\"r_last_0\" rc-code=\"\u{1b}[31mred\"/></lrm_resource></lrm_resources></lrm>\
                  </node_state></status></cib>";
    refused(status, &expect![[r#"line 2, column 1: not well-formed XML: character \u{1b} is not allowed"#]]);
    refused(
        &status.replace('\u{1b}', "?"),
        &expect![[r#"line 2, column 1: rc-code="?[31mred" in <lrm_rsc_op> is not a number in its range"#]],
    );
    refused(
        "<cib><configuration><constraints><rsc_location id=\"l\"/></constraints></configuration></cib>",
        &expect![[r#"line 1, column 34: <rsc_location> lacks the attribute "rsc""#]],
    );
}

#[test]
fn a_billion_laughs_are_not_laughed() {
    let bomb = "<?xml version=\"1.0\"?>\n<!DOCTYPE lolz [<!ENTITY lol \"lol\"><!ENTITY lol2 \"&lol;&lol;\">]>\n\
                <cib a=\"&lol2;\"/>";
    refused(bomb, &expect![[r#"line 2, column 1: document type definitions are not accepted: remove the DOCTYPE"#]]);
}

#[test]
fn floods_are_refused() {
    let mut deep = String::from("<cib>");
    for _ in 0..1_000_000 {
        deep.push_str("<rule>");
    }
    refused(&deep, &expect![[r#"line 1, column 384: elements are nested more than 64 deep"#]]);
    let mut wide = String::from("<cib>");
    for _ in 0..2_000_000 {
        wide.push_str("<a/>");
    }
    refused(&wide, &expect![[r#"line 1, column 2000002: the document has more than 500000 elements"#]]);
    let mut attributes = String::from("<cib");
    for i in 0..100_000 {
        write!(attributes, " a{i}=\"1\"").unwrap();
    }
    attributes.push_str("/>");
    refused(&attributes, &expect![[r#"line 1, column 1: an element has more than 256 attributes"#]]);
    let long = format!("<cib a=\"{}\"/>", "x".repeat(100_000_000));
    refused(&long, &expect![[r#"line 1, column 1: the document is longer than the 67108864 bytes that are read"#]]);
}

#[test]
fn every_truncation_is_an_error_and_no_panic() {
    let end = EVERYTHING.trim_end().len();
    for cut in 0..end {
        if EVERYTHING.is_char_boundary(cut) {
            assert!(read(&EVERYTHING[..cut]).is_err(), "cut at {cut}");
        }
    }
}

/// A CIB that names its schema, with these resources and constraints.
fn valid(resources: &str, constraints: &str) -> String {
    format!(
        "<cib validate-with=\"pacemaker-3.0\"><configuration>\n<resources>{resources}</resources>\n\
         <constraints>{constraints}</constraints></configuration></cib>"
    )
}

fn refused_as_valid(text: &str, expected: &Expect) {
    expected.assert_eq(&read_valid(text).unwrap_err().to_string());
}

const A: &str = "<primitive id=\"A\" class=\"ocf\" provider=\"heartbeat\" type=\"Dummy\"/>";

#[test]
fn references_to_nothing_are_refused_where_the_schema_forbids_them() {
    let dangling = valid(A, "<rsc_order id=\"o\" first=\"A\" then=\"B\"/>");
    refused_as_valid(
        &dangling,
        &expect![[r#"line 3, column 14: then="B" in <rsc_order> refers to nothing: there is no element with that id"#]],
    );
    assert!(read_valid(&dangling.replace("pacemaker-3.0", "none")).is_ok(), "without a schema nothing forbids them");
    refused_as_valid(
        &valid("<primitive id=\"A\" template=\"T\"/>", ""),
        &expect![[
            r#"line 2, column 12: template="T" in <primitive> refers to nothing: there is no template with that id"#
        ]],
    );
    refused_as_valid(
        &valid("<primitive id=\"A\" template=\"A\"/>", ""),
        &expect![[
            r#"line 2, column 12: template="A" in <primitive> refers to nothing: there is no template with that id"#
        ]],
    );
    refused_as_valid(
        &valid(&A.replace("/>", "><operations id-ref=\"x\"/></primitive>"), ""),
        &expect![[
            r#"line 2, column 76: id-ref="x" in <operations> refers to nothing: there is no element with that id"#
        ]],
    );
}

#[test]
fn an_id_belongs_to_one_element() {
    refused_as_valid(
        &valid(&format!("{A}{A}"), ""),
        &expect![[r#"line 2, column 77: <primitive> has the id "A", which an element before it has already"#]],
    );
}

#[test]
fn groups_do_not_nest() {
    let nested = format!("<group id=\"g\"><group id=\"h\">{A}</group></group>");
    refused_as_valid(&valid(&nested, ""), &expect!["line 2, column 26: no schema has a <group> inside of <group>"]);
}

#[test]
fn values_and_histories_are_bounded() {
    let long = format!("<cib update-user=\"{}\"/>", "x".repeat(MAX_VALUE + 1));
    refused(
        &long,
        &expect![[
            r#"line 1, column 1: the value of "update-user" has 1048577 bytes, more than the 1048576 that are read"#
        ]],
    );
    let operations = "<lrm_rsc_op id=\"o\" operation=\"monitor\"/>".repeat(MAX_OPERATIONS + 1);
    let history = format!(
        "<cib><status><node_state id=\"1\"><lrm><lrm_resources><lrm_resource id=\"A\">{operations}</lrm_resource>\
         </lrm_resources></lrm></node_state></status></cib>"
    );
    refused(&history, &expect![[r#"line 1, column 53: the history of A has more than 5000 operations"#]]);
}

/// A document that obeys a schema, with this configuration and this status.
fn obeying(configuration: &str, status: &str) -> String {
    format!(
        "<cib validate-with=\"pacemaker-3.9\">\n<configuration>{configuration}</configuration>\n<status>{status}</status></cib>"
    )
}

#[test]
fn what_no_schema_knows_is_refused_with_its_place() {
    let constraint = |inside: &str| {
        let rest = "<resources><primitive id=\"a\" class=\"ocf\" type=\"D\"/><primitive id=\"b\" class=\"ocf\" type=\"D\"/></resources>";
        obeying(&format!("{rest}<constraints>\n{inside}</constraints>"), "")
    };
    let resource = |inside: &str| obeying(&format!("<resources>\n{inside}</resources>"), "");
    let wrong = [
        constraint("<rsc_colocatoin id=\"c\" rsc=\"a\" with-rsc=\"b\"/>"),
        constraint("<rsc_colocation id=\"c\" rsc=\"a\" with-rsc=\"b\" with-rsc-role=\"Leader\"/>"),
        constraint("<rsc_colocation id=\"c\" rsc=\"a\" with-rcs=\"b\"/>"),
        constraint("<rsc_order id=\"c\" first=\"a\" then=\"b\" kind=\"mandatory\"/>"),
        constraint("<rsc_order id=\"c\" first=\"a\" then=\"b\" symmetrical=\"perhaps\"/>"),
        constraint("<rsc_location id=\"c\" rsc=\"a\"><rule id=\"r\" boolean-op=\"xor\"/></rsc_location>"),
        constraint(
            "<rsc_location id=\"c\" rsc=\"a\"><rule id=\"r\">\
             <expression id=\"e\" attribute=\"x\" operation=\"equals\"/></rule></rsc_location>",
        ),
        resource("<primitive id=\"a\" class=\"oct\" type=\"D\"/>"),
        resource("<primitive id=\"a\" class=\"ocf\" type=\"D\"><operation/></primitive>"),
        resource(
            "<primitive id=\"a\" class=\"ocf\" type=\"D\"><operations>\
             <op id=\"o\" name=\"monitor\" interval=\"9\" onfail=\"block\"/></operations></primitive>",
        ),
        resource(
            "<primitive id=\"a\" class=\"ocf\" type=\"D\"><operations>\
             <op id=\"o\" name=\"monitor\" interval=\"9\" on-fail=\"blok\"/></operations></primitive>",
        ),
        resource(
            "<primitive id=\"a\" class=\"ocf\" type=\"D\"><meta_attributes id=\"m\">\
             <nvpair id=\"p\" nam=\"x\" value=\"y\"/></meta_attributes></primitive>",
        ),
        constraint("<rsc_colocation id=\"c\" rsc=\"a\" with-rsc=\"b\" score=\"lots\"/>"),
        constraint("<rsc_colocation id=\"c\" rsc=\"a\"/>"),
        resource("<primitive id=\"a\" class=\"ocf\"/>"),
        obeying("<resuorces/>", ""),
        obeying("", "\n<node_stat id=\"1\"/>"),
        obeying(
            "",
            "<node_state id=\"1\"><lrm id=\"1\"><lrm_resources><lrm_resource id=\"a\"><lrm_op/></lrm_resource></lrm_resources></lrm></node_state>",
        ),
    ];
    let told: Vec<String> = wrong
        .iter()
        .map(|text| read_valid(text).map_or_else(|error| error.to_string(), |_| "taken".to_owned()))
        .collect();
    expect![[r#"
        line 3, column 1: no schema has a <rsc_colocatoin> inside of <constraints>: is "rsc_colocation" meant?
        line 3, column 1: with-rsc-role="Leader" in <rsc_colocation> is not one of Stopped, Started, Promoted, Unpromoted, Master, Slave
        line 3, column 1: no schema has an attribute "with-rcs" of <rsc_colocation>: is "with-rsc" meant?
        line 3, column 1: kind="mandatory" in <rsc_order> is not one of Mandatory, Optional, Serialize
        line 3, column 1: symmetrical="perhaps" in <rsc_order> is not true or false
        line 3, column 30: boolean-op="xor" in <rule> is not one of and, or
        line 3, column 43: operation="equals" in <expression> is not one of lt, gt, lte, gte, eq, ne, defined, not_defined
        line 3, column 1: class="oct" in <primitive> is not one of ocf, lsb, systemd, service, stonith, upstart, nagios, heartbeat
        line 3, column 40: no schema has a <operation> inside of <primitive>: is "operations" meant?
        line 3, column 52: no schema has an attribute "onfail" of <op>: is "on-fail" meant?
        line 3, column 52: on-fail="blok" in <op> is not one of ignore, block, stop, restart, demote, standby, fence, restart-container
        line 3, column 64: no schema has an attribute "nam" of <nvpair>: is "name" meant?
        line 3, column 1: score="lots" in <rsc_colocation> is not a whole number, INFINITY or -INFINITY
        line 3, column 1: <rsc_colocation> lacks the attribute "with-rsc"
        line 3, column 1: <primitive> lacks the attribute "type"
        line 2, column 16: no schema has a <resuorces> inside of <configuration>: is "resources" meant?
        line 4, column 1: no schema has a <node_stat> inside of <status>: is "node_state" meant?
        line 3, column 76: no schema has a <lrm_op> inside of <lrm_resource>"#]].assert_eq(&told.join("\n"));
    for text in &wrong {
        assert!(read_valid(&text.replace("pacemaker-3.9", "none")).is_ok(), "it obeys no schema: {text}");
    }
}

#[test]
fn everything_that_is_read_is_in_a_schema() {
    assert_eq!(read_part(EVERYTHING), read(EVERYTHING));
    let written = write(&read(EVERYTHING).unwrap());
    assert!(read_part(&written).is_ok(), "{:?}", read_part(&written).err());
}
