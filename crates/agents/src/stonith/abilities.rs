//! What a fence agent says that it can do: read from its meta-data, as far as they are needed to use it.

use hac_model::{FenceAbilities, parse_bool};

/// Reads them. What is no meta-data says nothing.
pub(super) fn read(xml: &str) -> FenceAbilities {
    let mut can = FenceAbilities::default();
    for tag in xml.split('<').skip(1) {
        let Some((tag, _)) = tag.split_once('>') else { continue };
        let Some((kind, attributes)) = tag.split_once(char::is_whitespace) else { continue };
        match (kind, attribute(attributes, "name").unwrap_or_default()) {
            ("action", "list") => can.list = true,
            ("action", "status") => can.status = true,
            ("action", "reboot") => can.reboot = true,
            ("action", "on") => {
                can.on = true;
                can.on_target = attribute(attributes, "on_target").and_then(parse_bool).unwrap_or(false);
            }
            ("parameter", "plug") => can.plug = true,
            ("parameter", "port") => can.port = true,
            _ => {}
        }
    }
    can
}

/// The value of an attribute in the text of a tag.
fn attribute<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('=') {
        let found = before.trim().rsplit(char::is_whitespace).next() == Some(name);
        let after = after.trim_start();
        let quote = after.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        let (value, next) = after.get(1..)?.split_once(quote)?;
        if found {
            return Some(value);
        }
        rest = next;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn actions_and_the_parameter_of_the_target_are_found_in_any_order_of_attributes() {
        let xml = r#"<?xml version="1.0" ?><resource-agent name="fence_x" shortdesc="a > b">
            <parameters><parameter name="port" unique="0"/><parameter unique='0' required="1" name='plug' deprecated="1"/>
            <parameter name="ip"><content type="string" default="list"/></parameter></parameters>
            <actions><action name="on" automatic="0"/><action timeout="20s" name = "list"/><action name="off"/></actions>"#;
        let can = FenceAbilities { list: true, on: true, plug: true, port: true, ..FenceAbilities::default() };
        assert_eq!(read(xml), can);
        for (attributes, on_target) in
            [(r#"on_target="1" automatic="1""#, true), (r#"automatic="0" on_target="0""#, false)]
        {
            let can = read(&format!("<actions><action name=\"on\" {attributes}/></actions>"));
            assert_eq!((can.on, can.on_target), (true, on_target), "{attributes}");
        }
        assert_eq!(read("usage: fence_x <action name=\"list\""), FenceAbilities::default());
        assert_eq!(read("<action name=reboot/>"), FenceAbilities::default());
    }
}
