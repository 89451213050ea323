//! The words of `hacctl explain`, and how its answer ends.

use hac_api::LastTransition;

use super::*;

fn words(words: &[&str]) -> Result<(Option<String>, Option<SubjectKind>), Failure> {
    subject(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
}

#[test]
fn a_name_may_be_said_to_be_a_nodes_or_a_resources() {
    assert_eq!(words(&[]), Ok((None, None)));
    assert_eq!(words(&["web"]), Ok((Some("web".into()), None)));
    assert_eq!(words(&["node", "n1"]), Ok((Some("n1".into()), Some(SubjectKind::Node))));
    assert_eq!(words(&["resource", "web"]), Ok((Some("web".into()), Some(SubjectKind::Resource))));
    for wrong in [&["pod", "web"][..], &["a", "b", "c"]] {
        let failure = words(wrong).expect_err("makes no sense");
        assert_eq!(failure.exit_code, 64, "{failure:?}");
        assert!(failure.remedy.is_some_and(|remedy| remedy.contains("explain NAME")));
    }
}

#[test]
fn the_whole_ends_with_the_last_transition_or_where_to_ask_for_it() {
    let last = LastTransition {
        number: 7,
        decisions: vec!["Start web (n1) because it is to run".into()],
        end: Some("complete (3 actions)".into()),
        ..LastTransition::default()
    };
    let answer = Explained {
        text: "Nothing changes.\n".into(),
        node: "n1".into(),
        dc: Some("n1".into()),
        waiting_for: vec!["web_start_0 on n1".into()],
        last_transition: Some(last),
        ..Explained::default()
    };
    let here = "Nothing changes.\n\nUnder way or waited for:\n  * web_start_0 on n1\n";
    let told = "\nThe last transition here was number 7, complete (3 actions):\n  \
                * Start web (n1) because it is to run\n";
    assert_eq!(text(&answer, true), format!("{here}{told}"));
    assert_eq!(text(&answer, false), here);
    let elsewhere = Explained { dc: Some("n2".into()), last_transition: None, ..answer };
    assert!(text(&elsewhere, true).ends_with("coordinator (DC), n2: ask there for the last one.\n"));
    let nobody = Explained { dc: None, ..elsewhere };
    assert!(text(&nobody, true).ends_with("There is no coordinator (DC) yet: nothing is carried out.\n"));
}
