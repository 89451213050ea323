//! Reading, showing, and mistakes.

mod beside_crmsh;
mod corners;
mod errors;
mod round_trip;
mod twice;

use expect_test::{Expect, expect, expect_file};
use hac_crm::cib::{Change, Object};
use hac_model::{Clone as CloneResource, Configuration, Group, Node, NvPair, NvSet, Primitive, Resource};

use super::*;

/// What changes make of nothing, without any check: sets get ids, groups and clones take their members in.
fn assemble(changes: Vec<Change>) -> Configuration {
    let mut c = Configuration::default();
    for change in changes {
        match change {
            Change::Put { object, .. } => place(&mut c, object),
            Change::SetProperties { section, set, pairs } => {
                let (sets, usual) = match section {
                    hac_crm::cib::Section::CrmConfig => (&mut c.crm_config, "cib-bootstrap-options"),
                    hac_crm::cib::Section::RscDefaults => (&mut c.rsc_defaults, "rsc-options"),
                    hac_crm::cib::Section::OpDefaults => (&mut c.op_defaults, "op-options"),
                };
                let pair = |(name, value): (String, Option<String>)| NvPair { name, value, ..NvPair::default() };
                let id = set.unwrap_or_else(|| usual.to_owned());
                sets.push(NvSet { id, pairs: pairs.into_iter().map(pair).collect(), ..NvSet::default() });
            }
            other => panic!("no object: {other:?}"),
        }
    }
    c
}

fn place(c: &mut Configuration, object: Object) {
    let mut take = |id: &str| {
        let at = c.resources.iter().position(|r| r.id() == id).expect("members come first");
        c.resources.remove(at)
    };
    let resource = match object {
        Object::Primitive(primitive) => Resource::Primitive(primitive),
        Object::Template(template) => Resource::Template(template),
        Object::Bundle(bundle) => Resource::Bundle(bundle),
        Object::Group(def) => {
            let member = |id: &String| -> Primitive {
                let Resource::Primitive(primitive) = take(id) else { panic!("a primitive") };
                primitive
            };
            let members = def.members.iter().map(member).collect();
            let (id, description, params, meta) = (def.id, def.description, def.params, def.meta);
            Resource::Group(Group { id, description, members, params, meta, ..Group::default() })
        }
        Object::Clone(def) => Resource::Clone(CloneResource {
            child: Box::new(take(&def.child)),
            id: def.id,
            description: def.description,
            params: def.params,
            meta: def.meta,
            legacy_master: false,
            attributes: BTreeMap::new(),
        }),
        Object::Constraint(constraint) => return c.constraints.push(constraint),
        Object::Node(node) => return c.nodes.push(node),
        Object::Tag(tag) => return c.tags.push(tag),
        Object::FencingLevel(level) => return c.fencing_topology.push(level),
        Object::Alert(alert) => return c.alerts.push(alert),
        Object::Notice(notice) => return c.notices.push(notice),
    };
    c.resources.push(resource);
}

fn shown(text: &str, expected: &Expect) {
    let configuration = assemble(parse(text).unwrap());
    let text = show(&configuration, &[]);
    expected.assert_eq(&text);
    assert_eq!(show(&assemble(parse(&text).unwrap()), &[]), text, "it reads back as shown");
}

#[test]
fn the_tutorials_lines_are_shown_as_crm_shows_them() {
    let text = "\
node 1: primary standby=off
node 2: secondary attributes standby=on
primitive FloatIP ocf:digitalocean:floatip params do_token=your_digitalocean_personal_access_token floating_ip=198.51.100.10
primitive Nginx ocf:heartbeat:nginx params httpd=\"/usr/sbin/nginx\" op start timeout=40s interval=0 \\
   op monitor timeout=30s interval=10s on-fail=restart op stop timeout=\"60s\" interval=\"0\"
clone Nginx-clone Nginx
colocation FloatIP-Nginx inf: FloatIP Nginx-clone
property have-watchdog=false dc-version=2.1.5-a3f44794f94 cluster-name=lbcluster stonith-enabled=false
";
    shown(
        text,
        &expect![[r#"
        node 1: primary \
        	attributes standby=off
        node 2: secondary \
        	attributes standby=on
        primitive FloatIP ocf:digitalocean:floatip \
        	params do_token=your_digitalocean_personal_access_token floating_ip=198.51.100.10
        primitive Nginx nginx \
        	params httpd="/usr/sbin/nginx" \
        	op start timeout=40s interval=0 \
        	op monitor timeout=30s interval=10s on-fail=restart \
        	op stop timeout=60s interval=0
        clone Nginx-clone Nginx
        colocation FloatIP-Nginx inf: FloatIP Nginx-clone
        property cib-bootstrap-options: \
        	have-watchdog=false \
        	dc-version=2.1.5-a3f44794f94 \
        	cluster-name=lbcluster \
        	stonith-enabled=false
    "#]],
    );
}

#[test]
fn everything_the_language_has() {
    let configuration = assemble(parse(include_str!("tests/everything.crm")).unwrap());
    let text = show(&configuration, &[]);
    expect_file!["tests/everything-shown.crm"].assert_eq(&text);
    assert_eq!(show(&assemble(parse(&text).unwrap()), &[]), text, "it reads back as shown");
}

#[test]
fn keywords_and_letters_of_them_will_do() {
    let (long, short) =
        ("primitive a Dummy\nproperty b=c\ncolocation d inf: a b", "prim a Dummy\nproperty b=c\ncoloc d inf: a b");
    assert_eq!(parse(long).unwrap(), parse(short).unwrap());
    assert_eq!(parse("rscd x=1").unwrap(), parse("rsc_defaults x=1").unwrap());
    assert_eq!(parse("configure primitive a Dummy").unwrap(), parse("primitive a Dummy").unwrap());
}

#[test]
fn words_from_a_shell_keep_their_blanks() {
    let words = ["primitive", "a", "Dummy", "params", "x=two words"].map(str::to_owned);
    assert_eq!(parse_words(&words).unwrap(), parse("primitive a Dummy params x=\"two words\"").unwrap());
    let error = parse_words(&["primitive".to_owned(), "a".to_owned()]).unwrap_err();
    assert_eq!((error.line, error.column), (1, 12));
}

#[test]
fn an_empty_value_removes_a_property() {
    let Some(Change::SetProperties { pairs, .. }) = parse("property a= b=1").unwrap().pop() else {
        panic!("properties")
    };
    assert_eq!(pairs, [("a".to_owned(), None), ("b".to_owned(), Some("1".to_owned()))]);
}

#[test]
fn a_set_without_properties_reads_as_it_is_shown() {
    let empty = NvSet { id: "other".to_owned(), ..NvSet::default() };
    let c = Configuration {
        crm_config: vec![empty.clone()],
        rsc_defaults: vec![empty.clone()],
        op_defaults: vec![empty],
        ..Configuration::default()
    };
    let text = show(&c, &[]);
    assert_eq!(text, "property other:\nrsc_defaults other:\nop_defaults other:\n");
    assert_eq!(assemble(parse(&text).unwrap()), c);
}

#[test]
fn properties_that_have_no_words_are_shown_as_xml_and_none_is_lost() {
    let pair = |value: &str| NvPair { name: "x".to_owned(), value: Some(value.to_owned()), ..NvPair::default() };
    let set = |id: &str, value| NvSet { id: id.to_owned(), pairs: vec![pair(value)], ..NvSet::default() };
    let c = Configuration {
        crm_config: vec![set("a", "1\t2"), set("two words", "3")],
        rsc_defaults: vec![set("b", "4\n5")],
        op_defaults: vec![set("c", "\u{7f}")],
        ..Configuration::default()
    };
    let text = show(&c, &[]);
    expect![[r#"
        xml <crm_config> \
        <cluster_property_set id="a"> \
          <nvpair name="x" value="1&#9;2"/> \
        </cluster_property_set> \
        </crm_config>
        xml <crm_config> \
        <cluster_property_set id="two words"> \
          <nvpair name="x" value="3"/> \
        </cluster_property_set> \
        </crm_config>
        xml <rsc_defaults> \
        <meta_attributes id="b"> \
          <nvpair name="x" value="4&#10;5"/> \
        </meta_attributes> \
        </rsc_defaults>
        xml <op_defaults> \
        <meta_attributes id="c"> \
          <nvpair name="x" value="&#127;"/> \
        </meta_attributes> \
        </op_defaults>
    "#]]
    .assert_eq(&text);
    assert_eq!(assemble(parse(&text).unwrap()), c);
}

#[test]
fn a_node_whose_attributes_have_no_words_is_shown_as_xml() {
    let pair = NvPair { name: "where".to_owned(), value: Some("a\nb".to_owned()), ..NvPair::default() };
    let attributes = vec![NvSet { id: "n1-attributes".to_owned(), pairs: vec![pair], ..NvSet::default() }];
    let node = Node { id: "1".to_owned(), uname: "n1".to_owned(), attributes, ..Node::default() };
    let c = Configuration { nodes: vec![node], ..Configuration::default() };
    let text = show(&c, &[]);
    expect![[r#"
        xml <node id="1" uname="n1"> \
          <instance_attributes id="n1-attributes"> \
            <nvpair name="where" value="a&#10;b"/> \
          </instance_attributes> \
        </node>
    "#]]
    .assert_eq(&text);
    assert_eq!(assemble(parse(&text).unwrap()), c);
}

#[test]
fn the_first_block_may_have_an_id_though_its_keyword_is_left_out() {
    let long = parse("primitive a Dummy params $id=shared x=1").unwrap();
    assert_eq!(parse("primitive a Dummy $id=shared x=1").unwrap(), long);
}

#[test]
fn a_name_that_would_be_read_as_something_else_is_shown_as_xml() {
    for name in ["$id", "meta", "x:"] {
        let pair = NvPair { name: name.to_owned(), ..NvPair::default() };
        let params = vec![NvSet { id: "set".to_owned(), pairs: vec![pair], ..NvSet::default() }];
        let Some(Change::Put { object: Object::Primitive(plain), .. }) = parse("primitive a Dummy").unwrap().pop()
        else {
            panic!("a primitive")
        };
        let resources = vec![Resource::Primitive(Primitive { params, ..plain })];
        let c = Configuration { resources, ..Configuration::default() };
        let text = show(&c, &[]);
        assert!(text.starts_with("xml "), "{text}");
        assert_eq!(assemble(parse(&text).unwrap()), c);
    }
}

#[test]
fn groups_are_changed_and_objects_renamed() {
    use hac_crm::cib::{GroupEdit, Place};
    let add = GroupEdit::Add { resource: "b".to_owned(), place: Place::Before("a".to_owned()) };
    assert_eq!(parse("modgroup g add b before a").unwrap(), [Change::ModGroup { group: "g".to_owned(), edit: add }]);
    assert_eq!(parse("rename a b").unwrap(), [Change::Rename { from: "a".to_owned(), to: "b".to_owned() }]);
}

#[test]
fn only_what_is_asked_for_is_shown() {
    let c = assemble(parse("primitive a Dummy\nprimitive b Dummy\nclone k b\nlocation l a 5: n\ntag t a l\n").unwrap());
    assert_eq!(show(&c, &["b", "l"]), "primitive b Dummy\nlocation l a 5: n\n");
    assert_eq!(show(&c, &["type:clone"]), "clone k b\n");
    assert_eq!(show(&c, &["tag:t"]), "primitive a Dummy\ntag t a l\nlocation l a 5: n\n");
    // What refers to a group or clone refers to what is in it.
    let c2 = assemble(parse("primitive a Dummy\nprimitive b Dummy\nclone k b\ncolocation col inf: a k\n").unwrap());
    assert_eq!(show(&c2, &["related:b"]), "primitive b Dummy\nclone k b\ncolocation col inf: a k\n");
    assert_eq!(chosen(&c2, &["type:clone"]), ["k"]);
    assert_eq!(related(&c2, "b"), ["k", "col", "b", "k"].map(str::to_owned));
    assert_eq!(show(&c, &["related:b"]), "primitive b Dummy\nclone k b\n");
    assert_eq!(show(&c, &["nothing"]), "");
}
