//! What can be in a clone.

use super::*;

fn clone(child: Resource) -> Resource {
    Resource::Clone(Clone {
        id: "c".into(),
        description: None,
        child: Box::new(child),
        params: vec![],
        meta: vec![],
        legacy_master: false,
        attributes: BTreeMap::new(),
    })
}

#[test]
fn a_clone_of_a_primitive_or_group_is_read_and_a_clone_of_a_clone_is_not() {
    let read = |resource: &Resource| {
        let text = serde_json::to_string(resource).expect("a resource can be written");
        serde_json::from_str::<Resource>(&text)
    };
    for child in [Resource::Primitive(Primitive::default()), Resource::Group(Group::default())] {
        let resource = clone(child);
        assert_eq!(read(&resource).expect("it is read"), resource);
    }
    let inner = clone(Resource::Primitive(Primitive::default()));
    assert!(read(&clone(inner)).is_err());
}
