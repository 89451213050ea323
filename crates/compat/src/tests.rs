//! What the programs say without a daemon, and what they say of wrong words. What they do with one is tested with real
//! daemons.

use super::*;
use crate::options::{COMMON, Given, Spec, Value};

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// The exit code and the first line on standard error.
fn refused(line: &str) -> (u8, String) {
    let words = words(line);
    let name = NAMES.iter().find(|name| **name == words[0]).expect("is one of the names");
    let said = program(name, &words[1..]);
    (said.code, said.err.lines().next().unwrap_or_default().to_owned())
}

#[test]
fn options_may_be_bundled_glued_and_named() {
    const SPECS: &[Spec] = &[
        Spec("n", &["name", "attr-name"], Value::Yes),
        Spec("qQ", &["quiet"], Value::No),
        Spec("G", &["query"], Value::No),
        Spec("p", &["promotion"], Value::Maybe),
        Spec("v", &["update"], Value::Yes),
    ];
    let read = |line: &str| Given::read("crm_attribute", &[SPECS, COMMON], &words(line)).expect("is right");
    let given = read("-Gqnsite");
    assert_eq!((given.value("name"), given.has("quiet"), given.has("query")), (Some("site"), true, true));
    assert_eq!(read("--attr-name=a=b").value("name"), Some("a=b"));
    assert_eq!(read("--name a --name b").value("name"), Some("b"));
    assert_eq!(read("-p db -v -INFINITY").value("promotion"), Some("db"));
    let bare = read("--promotion -v -INFINITY");
    assert_eq!((bare.has("promotion"), bare.value("promotion"), bare.value("update")), (true, None, Some("-INFINITY")));
    assert_eq!(read("-pdb").value("promotion"), Some("db"));
    assert_eq!(read("-n a b c").words, ["b", "c"]);
    for (line, why) in
        [("-x", "Unknown option -x"), ("--nam", "Unknown option --nam"), ("-n", "Missing argument for -n")]
    {
        let said = Given::read("crm_attribute", &[SPECS, COMMON], &words(line)).expect_err("is wrong");
        assert_eq!((said.code, said.err), (64, format!("crm_attribute: {why}")));
    }
}

#[test]
fn wrong_words_are_refused_with_the_exit_codes_of_pacemaker() {
    assert_eq!(refused("crm_node -x"), (64, "crm_node: Unknown option -x".into()));
    assert_eq!(refused("crm_node").0, 64);
    assert_eq!(refused("attrd_updater -U 1"), (64, "Command requires --name or --pattern argument".into()));
    assert_eq!(refused("crm_failcount -r a"), (64, "error: must specify a command".into()));
    assert_eq!(refused("crm_master -v 1"), (1, "error: No resource specified".into()));
    assert_eq!(
        refused("crm_attribute -p -v 1").1,
        "crm_attribute: -p/--promotion must be called from an OCF resource agent or with a resource ID specified"
    );
    assert_eq!(refused("crm_attribute --output-as=bogus -n a").0, 1);
    for line in [
        "crm_resource --digests -r a -N n",
        "crm_resource -c",
        "crm_resource --force-check -r a",
        "crm_resource --restart -r a",
        "crm_node -R a",
    ] {
        let (code, why) = refused(line);
        assert!(code == 64 && why.contains("hacctl"), "{line}: {why}");
    }
}

#[test]
fn a_wrong_number_shoots_nobody() {
    for option in ["-t", "-y", "--tolerance"] {
        let said = refused(&format!("stonith_admin {option} soon -F n1"));
        assert_eq!(said, (exit::USAGE, "stonith_admin: 'soon' is no number of seconds".to_owned()), "{option}");
    }
}

#[test]
fn everybody_tells_a_version() {
    for name in NAMES {
        let said = program(name, &words("--version"));
        let begin =
            if name.starts_with("corosync-") { format!("{name}, version '3.") } else { "Pacemaker 3.".to_owned() };
        assert!(said.out.starts_with(&begin), "{}", said.out);
    }
    let features = program("pacemakerd", &words("--features")).out;
    assert!(features.starts_with("Pacemaker 3.") && features.contains("\n Supporting v3.20"), "{features}");
    assert!(program("pacemakerd", &words("-$")).out.starts_with("Pacemaker 3."));
}

#[test]
fn names_are_never_put_over_what_is_there() {
    let dir = std::env::temp_dir().join(format!("hac-compat-{}", std::process::id()));
    let (folder, program) = (dir.join("bin"), Path::new("/usr/sbin/hacd"));
    install(&folder, program).expect("nothing is there");
    install(&folder, Path::new("/opt/hacd")).expect("the links are ours");
    assert_eq!(std::fs::read_link(folder.join("crm_node")).expect("a link"), Path::new("/opt/hacd"));
    let foreign = folder.join("crm_resource");
    std::fs::remove_file(&foreign).expect("can be removed");
    std::fs::write(&foreign, "Pacemaker's").expect("can be written");
    assert!(matches!(install(&folder, program), Err(NotInstalled::Taken(path)) if path == foreign));
    assert_eq!(
        std::fs::read_link(folder.join("crm_node")).expect("a link"),
        Path::new("/opt/hacd"),
        "nothing was done"
    );

    let others = dir.join("others");
    std::fs::create_dir(&others).expect("can be made");
    for name in ["sm-notify", "crm_node"] {
        std::fs::write(others.join(name), "").expect("can be written");
    }
    link_others(&folder, &others);
    assert_eq!(std::fs::read_link(folder.join("sm-notify")).expect("a link"), others.join("sm-notify"));
    assert_eq!(std::fs::read_link(folder.join("crm_node")).expect("a link"), Path::new("/opt/hacd"));

    let at = |seconds: u64| std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let changed = |time| std::fs::File::open(&others).and_then(|folder| folder.set_modified(time)).expect("can be set");
    let missing = || std::fs::remove_file(folder.join("sm-notify")).expect("can be removed");
    missing();
    changed(at(1_000_000_000));
    link_others(&folder, &others);
    assert!(!folder.join("sm-notify").is_symlink(), "all was linked after the last change");
    changed(std::time::SystemTime::now());
    link_others(&folder, &others);
    assert!(folder.join("sm-notify").is_symlink(), "something may have come");
    missing();
    changed(at(1_000_000_000));
    std::fs::remove_file(folder.join(".linked")).expect("can be removed");
    link_others(&folder, &others);
    assert!(folder.join("sm-notify").is_symlink(), "nobody knows whether all was linked");
    // What stays behind in a temporary folder harms nobody.
    let _ = std::fs::remove_dir_all(&dir);
}
