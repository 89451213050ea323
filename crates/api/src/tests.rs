//! The shape on the wire, which clients in other languages rely on.

use serde_json::json;

use crate::{Command, CommandRequest, ConfigureRequest, ErrorBody, ErrorCode, MemberState, Status, Sync};

#[test]
fn a_command_is_flat() {
    let request = CommandRequest {
        command: Command::Cleanup { resource: Some("Nginx".into()), node: None, operation: None, interval_ms: None },
        wait_ms: None,
    };
    let value = serde_json::to_value(&request).expect("serialises");
    assert_eq!(value, json!({"command": "cleanup", "resource": "Nginx"}));
    assert_eq!(serde_json::from_value::<CommandRequest>(value).expect("reads back"), request);
}

#[test]
fn what_is_missing_is_filled_in_and_what_is_new_is_ignored() {
    let status: Status =
        serde_json::from_value(json!({"node": "primary", "sync": "dreaming", "new": 1})).expect("reads");
    assert_eq!((status.node.as_str(), status.sync), ("primary", Sync::Unknown));
    let request: ConfigureRequest = serde_json::from_value(json!({"changes": []})).expect("reads");
    assert_eq!(request, ConfigureRequest::default());
}

#[test]
fn errors_have_the_exit_codes_of_pacemakers_tools() {
    let body: ErrorBody =
        serde_json::from_value(json!({"code": "no_such", "message": "no resource X"})).expect("reads");
    assert_eq!((body.code.exit_code(), body.code.http_status()), (105, 404));
    assert_eq!(body.with_remedy("create it").to_string(), "no resource X (create it)");
    let later: ErrorCode = serde_json::from_value(json!("from_the_future")).expect("reads");
    assert_eq!(later, ErrorCode::Unknown);
}

#[test]
fn members_have_the_words_of_cmapctl() {
    assert_eq!(MemberState::Joined.word(), "joined");
    assert_eq!(MemberState::Lost.word(), "left");
}
