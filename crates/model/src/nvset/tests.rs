//! How deep rules may be, and what a pair shows of itself.

use super::*;

fn nested(depth: usize) -> Rule {
    let mut rule = Rule::default();
    for _ in 0..depth {
        rule = Rule { expressions: vec![Expression::Rule(Box::new(rule))], ..Rule::default() };
    }
    rule
}

#[test]
fn rules_are_read_as_deep_as_anybody_writes_them_and_no_deeper() {
    let read = |depth| {
        let text = serde_json::to_string(&nested(depth)).expect("a rule can be written");
        serde_json::from_str::<Rule>(&text)
    };
    for _ in 0..2 {
        assert_eq!(read(16).expect("deep enough"), nested(16));
        let error = read(17).expect_err("too deep").to_string();
        assert!(error.starts_with("rules are nested too deeply"), "{error}");
    }
}

#[test]
fn a_pair_does_not_show_a_secret() {
    let pair = |name: &str| NvPair { name: name.into(), value: Some("hunter2".into()), ..NvPair::default() };
    assert!(!format!("{:?}", pair("do_token")).contains("hunter2"));
    assert!(format!("{:?}", pair("colour")).contains("hunter2"));
}
