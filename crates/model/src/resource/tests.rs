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

#[test]
fn agents_are_read_as_they_are_printed() {
    for name in ["ocf:heartbeat:nginx", "ocf:pacemaker:remote", "systemd:nginx", "stonith:fence_dummy"] {
        assert_eq!(name.parse::<Agent>().map(|agent| agent.to_string()), Ok(name.to_owned()));
    }
    let nginx = Agent::ocf("heartbeat", "nginx");
    for short in ["nginx", "ocf:nginx", "heartbeat:nginx"] {
        assert_eq!(short.parse(), Ok(nginx.clone()), "{short}");
    }
    for wrong in ["", "ocf:", "a:b:c", "ocf:a:b:c", "ocf:../../bin:sh", "ocf:.hidden:x", "a=b", "a b"] {
        assert_eq!(wrong.parse::<Agent>(), Err(NoAgent), "{wrong}");
    }
}
