//! Who is let in.

use super::*;

fn web() -> Web {
    let at = "127.0.0.1:7630".parse().expect("an address");
    Web::new(Page { at, actions: false, certificate: None }).expect("randomness")
}

#[test]
fn the_token_opens_and_nothing_else_does() {
    let web = web();
    let token = web.token.clone();
    assert_eq!(token.len(), 32);
    assert_ne!(token, self::web().token, "another life has another one");
    assert_eq!(web.opens(&token), Ok(true));
    for wrong in ["", "0", &token[1..], &format!("{token}0"), &token.replace(|c: char| c.is_ascii_digit(), "x")] {
        assert_eq!(web.opens(wrong), Ok(false), "{wrong}");
    }
}

#[test]
fn guessing_is_slowed_down_and_the_right_token_still_opens() {
    let web = web();
    let looked_at = (0..100).filter(|number| web.opens(&number.to_string()).is_ok()).count();
    assert_eq!(looked_at, WRONG_MAX as usize);
    assert_eq!(web.opens(&web.token.clone()), Ok(true));
}

#[test]
fn only_names_that_can_mean_nothing_else_are_this_host() {
    let loopback = "127.0.0.1:7630".parse().expect("an address");
    for host in ["127.0.0.1:7630", "127.0.0.1", "localhost:9000", "localhost", "[::1]:7630"] {
        assert!(is_here(loopback, host), "{host}");
    }
    for host in
        ["", "evil.example", "evil.example:7630", "10.0.0.5:7630", "127.0.0.1.evil.example", "localhost.evil.example"]
    {
        assert!(!is_here(loopback, host), "{host}");
    }
    let all = "0.0.0.0:7630".parse().expect("an address");
    assert!(is_here(all, "203.0.113.7:7630") && !is_here(all, "evil.example"));
}

#[test]
fn a_token_comes_as_a_cookie_or_as_a_bearer() {
    let headers =
        |name: HeaderName, value: &'static str| HeaderMap::from_iter([(name, HeaderValue::from_static(value))]);
    assert_eq!(token(&headers(header::COOKIE, "a=b; hacd=c0ffee; d=e")), Some("c0ffee"));
    assert_eq!(token(&headers(header::COOKIE, "xhacd=c0ffee")), None);
    assert_eq!(token(&headers(header::AUTHORIZATION, "Bearer c0ffee")), Some("c0ffee"));
    assert_eq!(token(&HeaderMap::new()), None);
}

#[test]
fn what_names_and_texts_hold_stays_text() {
    assert_eq!(escaped("<script>\"'&"), "&lt;script&gt;&quot;&#39;&amp;");
}

#[test]
fn the_page_takes_nothing_from_elsewhere() {
    let names = PAGE.lines().filter(|line| line.contains("http://") || line.contains("https://"));
    assert_eq!(names.filter(|line| !line.contains("http://www.w3.org/2000/svg")).count(), 0);
    for forbidden in ["innerHTML", "insertAdjacentHTML", "document.write", "eval(", " style=", " onclick="] {
        assert!(!PAGE.contains(forbidden), "{forbidden}");
    }
    assert!(PAGE.contains("nonce=\"{{NONCE}}\"") && PAGE.contains("<noscript>"));
}
