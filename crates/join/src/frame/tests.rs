//! Frames as they go over a connection, and what is refused of them.

use super::*;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn a_frame_reads_back() {
    let said = FromHost::Refused { sentence: "no".to_owned(), remedy: "ask again".to_owned() };
    let read_back = runtime().block_on(async {
        let (mut one, mut other) = tokio::io::duplex(1024);
        write(&mut one, &said).await.expect("written");
        read::<FromHost>(&mut other, PATIENCE).await.expect("read")
    });
    assert_eq!(read_back, said);
}

#[test]
fn what_is_too_long_malformed_or_does_not_come_is_an_error() {
    runtime().block_on(async {
        let (mut one, mut other) = tokio::io::duplex(1024);
        one.write_all(&u32::MAX.to_be_bytes()).await.expect("written");
        assert!(matches!(read::<FromGuest>(&mut other, PATIENCE).await, Err(Trouble::TooLong)));
        one.write_all(&2_u32.to_be_bytes()).await.expect("written");
        one.write_all(b"{}").await.expect("written");
        assert!(matches!(read::<FromGuest>(&mut other, PATIENCE).await, Err(Trouble::Malformed)));
        let soon = Duration::from_millis(20);
        assert!(matches!(read::<FromGuest>(&mut other, soon).await, Err(Trouble::Silent)));
        drop(one);
        assert!(matches!(read::<FromGuest>(&mut other, PATIENCE).await, Err(Trouble::Broken(_))));
        let (mut one, _other) = tokio::io::duplex(1024);
        let long = FromGuest::Failed { sentence: "x".repeat(FRAME_MAX) };
        assert!(matches!(write(&mut one, &long).await, Err(Trouble::TooLong)));
    });
}

#[test]
fn a_key_is_not_shown() {
    assert_eq!(format!("{:?}", Secret("ab12".to_owned())), "********");
}
