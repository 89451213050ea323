//! What needs no nginx; with a real one the agent is tested on the laboratory's hosts.

use hac_model::{Agent, InvocationId};
use tokio::net::TcpListener;

use super::*;

/// A program that is not there.
fn absent() -> String {
    crate::testing::absent().display().to_string()
}

fn nginx() -> Nginx {
    Nginx::new(Arc::default(), Arc::new(Runs::new(crate::testing::options("/nowhere").runs)))
}

fn invocation(action: &str, params: &[(&str, &str)]) -> Invocation {
    Invocation {
        id: InvocationId(1),
        node: "primary".into(),
        migration: None,
        fencing: None,
        resource: "Nginx".into(),
        instance: "Nginx".into(),
        agent: Agent { class: "ocf".into(), provider: Some("heartbeat".into()), kind: "nginx".into() },
        action: action.into(),
        interval_ms: 10_000,
        timeout: Duration::from_secs(20),
        expected_rc: 0,
        params: params.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
        meta: BTreeMap::new(),
    }
}

#[tokio::test]
async fn without_the_program_a_start_says_so_and_a_stop_is_done() {
    let file = std::env::temp_dir().join(format!("hacd-no-nginx-{}.conf", std::process::id()));
    let program = absent();
    fs::write(&file, format!("pid {program}.pid;\n")).expect("written");
    let params = [("httpd", &*program), ("configfile", file.to_str().expect("text"))];
    let started = nginx().run(&invocation("start", &params)).await;
    assert_eq!(started.rc, 5);
    assert!(started.exit_reason.is_some_and(|reason| reason.contains(&program)));
    assert_eq!(nginx().run(&invocation("stop", &params)).await, Finished::with(Exit::Success));
    assert_eq!(nginx().run(&invocation("monitor", &params)).await, Finished::with(Exit::NotRunning));
    fs::remove_file(&file).expect("removed");
}

#[tokio::test]
async fn an_unknown_action_is_unsupported() {
    let promoted = nginx().run(&invocation("promote", &[])).await;
    assert_eq!((promoted.rc, promoted.status), (3, ExecStatus::NotSupported));
}

#[test]
fn the_pid_file_is_read_from_the_configuration() {
    let file = std::env::temp_dir().join(format!("hacd-nginx-{}.conf", std::process::id()));
    fs::write(&file, "user www-data;\n  pid /run/web.pid;\nevents {}\n").expect("written");
    let params = BTreeMap::from([("configfile".to_owned(), file.display().to_string())]);
    assert_eq!(pid_file(&params), Path::new("/run/web.pid"));
    fs::remove_file(&file).expect("removed");
    assert_eq!(pid_file(&params), Path::new(PID_FILE));
}

#[tokio::test]
async fn files_that_would_hang_hold_up_no_action() {
    let base = std::env::temp_dir().join(format!("hacd-nginx-hangs-{}", std::process::id()));
    fs::create_dir_all(&base).expect("a folder for the test");
    // Who opens it waits for somebody who writes, for ever.
    let fifo = base.join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, 0o600.into(), 0).expect("a FIFO");
    let names = base.join("names.conf");
    fs::write(&names, format!("pid {};\n", fifo.display())).expect("written");
    let program = absent();
    for file in [&fifo, &names] {
        let params = [("httpd", &*program), ("configfile", file.to_str().expect("text"))];
        for action in ["monitor", "stop"] {
            let agent = nginx();
            let wanted = invocation(action, &params);
            let ended = tokio::time::timeout(Duration::from_secs(10), agent.run(&wanted)).await;
            let ended = ended.unwrap_or_else(|_| panic!("{action} hangs at {}", file.display()));
            assert!(action == "stop" || ended.rc != 0, "{action} at {}: {ended:?}", file.display());
        }
    }
    fs::remove_dir_all(&base).expect("removed");
}

#[tokio::test]
async fn the_status_page_must_answer_200() {
    for (answer, rc) in [("HTTP/1.1 200 OK\r\n\r\n", 0), ("HTTP/1.1 502 Bad Gateway\r\n\r\n", 1), ("", 1)] {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}/status", listener.local_addr().expect("bound"));
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a client");
            let mut request = [0; 512];
            let size = stream.read(&mut request).await.expect("a request");
            assert!(request[..size].starts_with(b"GET /status HTTP/1.0\r\n"));
            stream.write_all(answer.as_bytes()).await.expect("answered");
        });
        assert_eq!(check_url(&url).await.rc, rc, "{answer:?}");
        server.await.expect("no panic");
    }
    assert_eq!(check_url("https://localhost/").await.rc, 6);
}

/// With nginx where it is installed: a request that is under way when it is stopped is served to its end, and one that would
/// take too long is cut. What was received, and how long the stop took.
async fn stopped_while_it_serves(rate: &str, timeout: Duration) -> Option<(usize, Duration)> {
    if !Path::new("/usr/sbin/nginx").is_file() {
        eprintln!("nginx is not installed here: not tried");
        return None;
    }
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("hacd-nginx-stop-{}-{count}", std::process::id()));
    fs::create_dir_all(&folder).expect("made");
    let port = std::net::TcpListener::bind("127.0.0.1:0").and_then(|taken| taken.local_addr()).expect("a port").port();
    let at = folder.display();
    let configuration = format!(
        "pid {at}/pid;\nerror_log {at}/error;\nuser root;\nevents {{}}\nhttp {{\n  access_log off;\n  server {{\n    \
         listen 127.0.0.1:{port};\n    root {at};\n    limit_rate {rate};\n  }}\n}}\n"
    );
    let file = folder.join("nginx.conf");
    fs::write(&file, configuration).expect("written");
    fs::write(folder.join("page"), vec![b'x'; SIZE]).expect("written");
    let options = crate::testing::options(&folder);
    let agent = Nginx::new(Arc::default(), Arc::new(Runs::new(options.runs)));
    let params = [("httpd", "/usr/sbin/nginx"), ("configfile", file.to_str().expect("text"))];
    let started = agent.run(&invocation("start", &params)).await;
    assert_eq!(started, Finished::with(Exit::Success));
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    stream.write_all(b"GET /page HTTP/1.0\r\n\r\n").await.expect("asked");
    let mut first = [0; 64];
    let begun = stream.read(&mut first).await.expect("it answers");
    let client = tokio::spawn(async move {
        let mut rest = Vec::new();
        // What is cut may end in an error.
        let _ = stream.read_to_end(&mut rest).await;
        begun + rest.len()
    });
    let begin = Instant::now();
    let stopped = agent.run(&Invocation { timeout, ..invocation("stop", &params) }).await;
    let took = begin.elapsed();
    assert_eq!(stopped, Finished::with(Exit::Success));
    let received = client.await.expect("no panic");
    fs::remove_dir_all(&folder).expect("removed");
    Some((received, took))
}

/// Bytes of the page.
const SIZE: usize = 400_000;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_under_way_is_served_to_its_end_when_nginx_is_stopped() {
    let Some((received, took)) = stopped_while_it_serves("200k", Duration::from_secs(40)).await else { return };
    assert!(received >= SIZE, "{received} of {SIZE} bytes");
    assert!(took < Duration::from_secs(9), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_cut_when_nginx_is_stopped() {
    let Some((received, took)) = stopped_while_it_serves("10k", Duration::from_secs(4)).await else { return };
    assert!(received < SIZE, "it came to its end");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn only_what_nginx_says_of_its_configuration_counts() {
    let syntax = "nginx: [emerg] unknown directive \"this\" in /etc/nginx/nginx.conf:1\n\
                  nginx: configuration file /etc/nginx/nginx.conf test failed\n";
    assert_eq!(refusal(syntax), Some("unknown directive \"this\" in /etc/nginx/nginx.conf:1"));
    let address = "nginx: [emerg] bind() to 203.0.113.25:80 failed (99: Cannot assign requested address)\n";
    assert_eq!(refusal(address), None, "the address comes with another resource");
    assert_eq!(refusal(""), None);
}

#[tokio::test]
async fn a_configuration_that_nginx_does_not_take_is_told_before_it_is_started() {
    let program = absent();
    let found = nginx().prove(&invocation("validate-all", &[("httpd", &program)])).await;
    assert!(found[0].sentence.contains(&program), "{found:?}");
    if !Path::new("/usr/sbin/nginx").is_file() {
        eprintln!("nginx is not installed here: not tried further");
        return;
    }
    let folder = std::env::temp_dir().join(format!("hacd-nginx-prove-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("made");
    let file = folder.join("nginx.conf");
    let params = [("httpd", "/usr/sbin/nginx"), ("configfile", file.to_str().expect("text"))];
    let agent = Nginx::new(Arc::default(), Arc::new(Runs::new(crate::testing::options(&folder).runs)));
    let at = folder.display();
    for (text, wrong) in [
        (
            format!(
                "pid {at}/pid;\nerror_log {at}/error;\nevents {{}}\nhttp {{ server {{ listen 192.0.2.1:80; }} }}\n"
            ),
            false,
        ),
        ("this is no configuration\n".to_owned(), true),
    ] {
        fs::write(&file, &text).expect("written");
        let found = agent.prove(&invocation("validate-all", &params)).await;
        assert_eq!(!found.is_empty(), wrong, "{text}: {found:?}");
        assert!(
            found.iter().all(|one| one.sentence.starts_with("nginx does not take its configuration: ")),
            "{found:?}"
        );
    }
    fs::remove_dir_all(&folder).expect("removed");
}
