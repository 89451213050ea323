//! Paths, and changes of a document.

use proptest::prelude::*;

use super::*;

const CIB: &str = r#"<cib epoch="3" num_updates="0" admin_epoch="0">
  <configuration>
    <nodes>
      <node id="1" uname="n1"/>
      <node id="2" uname="n2"/>
    </nodes>
    <resources>
      <clone id="c">
        <primitive id="a" class="ocf" type="Dummy">
          <meta_attributes id="a-m">
            <nvpair id="a-m-x" name="x" value="1"/>
          </meta_attributes>
        </primitive>
      </clone>
      <primitive id="b" class="ocf" type="Dummy"/>
    </resources>
  </configuration>
  <status>
    <node_state id="1" uname="n1" crmd="online"/>
    <node_state id="2" uname="n2" crmd="offline"/>
  </status>
</cib>
"#;

fn cib() -> Node {
    Node::parse(CIB).expect("is XML")
}

fn found(path: &str) -> Vec<String> {
    let cib = cib();
    let places = Path::read(path).expect("is a path").find(&cib);
    places.iter().map(|place| cib.path(place)).collect()
}

#[test]
fn a_document_is_written_as_it_was_read() {
    assert_eq!(cib().text(), CIB);
}

#[test]
fn paths_lead_to_elements() {
    const A: &str = "/cib/configuration/resources/clone[@id='c']/primitive[@id='a']";
    for (path, leads_to) in [
        ("//primitive", &[A, "/cib/configuration/resources/primitive[@id='b']"][..]),
        ("/cib/configuration/resources/primitive", &["/cib/configuration/resources/primitive[@id='b']"]),
        ("//clone/primitive[@id='a']", &[A]),
        ("//primitive[@id=\"a\" and @class='ocf']", &[A]),
        ("//primitive[not(@id='b')]", &[A]),
        ("//primitive[meta_attributes/nvpair/@value='1']", &[A]),
        ("//primitive[.//nvpair[@name='x']]", &[A]),
        ("//node[1]/@id", &["/cib/configuration/nodes/node[@id='1']"]),
        ("//node[last()]", &["/cib/configuration/nodes/node[@id='2']"]),
        ("//node_state[@crmd='online']", &["/cib/status/node_state[@id='1']"]),
        ("//node_state[@crmd!='online']", &["/cib/status/node_state[@id='2']"]),
        (
            "//node[contains(@uname,'2')] | //node[starts-with(@uname, 'n1')]",
            &["/cib/configuration/nodes/node[@id='1']", "/cib/configuration/nodes/node[@id='2']"],
        ),
        (
            "//*[@id='a-m-x']",
            &[
                "/cib/configuration/resources/clone[@id='c']/primitive[@id='a']/meta_attributes[@id='a-m']/nvpair[@id='a-m-x']",
            ],
        ),
        ("/cib", &["/cib"]),
        ("//nothing", &[]),
    ] {
        assert_eq!(found(path), leads_to, "{path}");
    }
    // A path that is printed leads back.
    let cib = cib();
    for place in Path::read("//*").expect("is a path").find(&cib) {
        assert_eq!(Path::read(&cib.path(&place)).expect("is a path").find(&cib), [place]);
    }
}

#[test]
fn what_is_not_understood_is_named_with_its_place() {
    for (path, column) in
        [("primitive", 1), ("//", 3), ("//a[", 5), ("//a[@x='y", 10), ("//a[count(b)>1]", 10), ("//a]", 4), ("", 1)]
    {
        let error = Path::read(path).expect_err("is no path");
        assert_eq!(error.column, column, "{path}: {error}");
    }
    assert!(Path::read(&format!("//a[{}@x]", "(".repeat(1000))).is_err());
}

fn objects(text: &str) -> Vec<Node> {
    Node::parse(&format!("<x>{text}</x>")).expect("is XML").children
}

#[test]
fn objects_are_created_modified_replaced_and_deleted() {
    let mut cib = cib();
    let new = objects(r#"<primitive id="d" class="ocf" type="Dummy"/>"#);
    let resources = |cib: &mut Node| cib.child_mut("configuration").and_then(|c| c.child_mut("resources")).cloned();
    let mut section = resources(&mut cib).expect("is there");
    create(&mut section, &new).expect("is new");
    assert_eq!(create(&mut section, &new), Err(Refused::Exists));
    modify(&mut section, &objects(r#"<nvpair id="a-m-x" value="2"/>"#), false).expect("is there");
    assert!(section.text().contains(r#"<nvpair id="a-m-x" name="x" value="2"/>"#));
    let before = section.clone();
    let missing = objects(r#"<primitive id="b" type="Other"/><primitive id="nosuch"/>"#);
    assert_eq!(modify(&mut section, &missing, false), Err(Refused::Missing));
    assert_eq!(section, before, "nothing was changed");
    modify(&mut section, &missing, true).expect("may create");
    assert!(section.text().contains(r#"<primitive id="nosuch"/>"#));
    replace(&mut section, &objects(r#"<primitive id="a" class="lsb" type="x"/>"#)).expect("is there");
    assert!(!section.text().contains("a-m-x"));
    delete(&mut section, &objects(r#"<primitive id="b" type="not this"/><clone id="c"/><primitive id="gone"/>"#));
    assert!(section.text().contains(r#"id="b""#) && !section.text().contains("clone"));
}

#[test]
fn versions_count_up() {
    let mut cib = cib();
    merge(&mut cib, &Node::parse(r#"<cib admin_epoch="admin_epoch++" epoch="epoch+=4"/>"#).expect("is XML"));
    assert_eq!((cib.get("admin_epoch"), cib.get("epoch")), (Some("1"), Some("7")));
}

#[test]
fn a_difference_is_carried_out_as_a_whole_or_not_at_all() {
    let diff = |source: &str, more: &str| {
        Node::parse(&format!(
            r#"<diff format="2"><version><source admin_epoch="0" epoch="{source}" num_updates="0"/><target admin_epoch="0" epoch="4" num_updates="0"/></version>
            <change operation="create" path="/cib/configuration/resources" position="0"><primitive id="n"/></change>
            <change operation="modify" path="/cib/configuration/nodes/node[@id='1']"><change-list><change-attr name="uname" operation="set" value="z"/></change-list></change>
            <change operation="delete" path="/cib/configuration/resources/clone[@id='c']"/>
            <change operation="move" path="/cib/configuration/resources/primitive[@id='n']" position="1"/>{more}</diff>"#
        ))
        .expect("is XML")
    };
    let mut changed = cib();
    patch(&mut changed, &diff("3", "")).expect("fits");
    let resources = changed.child("configuration").and_then(|c| c.child("resources")).expect("is there");
    let ids: Vec<_> = resources.children.iter().filter_map(|child| child.get("id")).collect();
    assert_eq!((ids, changed.get("epoch")), (vec!["b", "n"], Some("4")));
    assert!(changed.text().contains(r#"uname="z""#));
    assert_eq!(patch(&mut changed, &diff("3", "")), Err(Refused::Old));
    let mut same = cib();
    let wrong = diff("3", r#"<change operation="move" path="/cib/nosuch" position="1"/>"#);
    assert_eq!(patch(&mut same, &wrong), Err(Refused::Missing));
    assert_eq!(same, cib());
}

proptest! {
    #[test]
    fn no_path_panics(text in "[a-c/@*.\\[\\]()='\" |!,0-9-]{0,40}") {
        if let Ok(path) = Path::read(&text) {
            let _ = path.find(&cib());
        }
    }
}
