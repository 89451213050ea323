//! The table read as lines: what is given for which argument, abbreviations, completion.

use proptest::prelude::*;

use super::*;

fn level(name: &str) -> &'static Level {
    Level::find(name).expect("is a level")
}

fn read(line: &str) -> Result<Call, Failure> {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let level = level(&words[0]);
    Call::read(level, level.command(&words[1])?, &words[2..])
}

#[test]
fn names_are_of_one_command_each() {
    for level in LEVELS {
        let mut names: Vec<&str> = level.commands.iter().flat_map(|command| command.names.iter().copied()).collect();
        names.sort_unstable();
        let before = names.len();
        names.dedup();
        assert_eq!(names.len(), before, "{}", level.name);
        for command in level.commands {
            assert_eq!(command.instead.is_some(), command.about.is_empty(), "{} {}", level.name, command.name());
        }
    }
}

#[test]
fn arguments_that_may_be_left_out_are_told_apart() {
    let call = read("resource move FloatIP secondary PT5M force").expect("is read");
    assert_eq!((call.get("NODE"), call.get("LIFETIME"), call.force()), (Some("secondary"), Some("PT5M"), true));
    let call = read("resource move FloatIP force").expect("is read");
    assert_eq!((call.get("NODE"), call.force()), (None, true));
    let call = read("resource ban FloatIP PT1H").expect("is read");
    assert_eq!((call.get("NODE"), call.get("LIFETIME")), (None, Some("PT1H")));
    let call = read("node standby reboot").expect("is read");
    assert_eq!((call.all("NODE").len(), call.get("forever|reboot")), (0, Some("reboot")));
    let call = read("node standby a b forever").expect("is read");
    assert_eq!(call.all("NODE"), ["a", "b"]);
    // A time is no way to be on standby, and a number is rather meant as that of a node.
    for line in ["node standby PT5M", "node standby 2", "resource ban FloatIP 2", "resource ban FloatIP 2 PT5M"] {
        let call = read(line).expect("is read");
        assert_eq!(call.all("NODE").len(), 1, "{line}");
    }
    let call = read("resource param s set value -1").expect("is read");
    assert_eq!(call.get("VALUE"), Some("-1"));
    let call = read("configure primitive a Dummy params x=-1 --wait").expect("is read");
    assert!(call.everywhere.wait && call.all("...").len() == 4);
}

#[test]
fn what_is_wrong_is_named_with_the_form() {
    for (line, said, remedy) in [
        ("resource stop", "missing argument: <RSC>", "resource stop RSC..."),
        ("resource move a b c d", "'c' has no place here", "resource move RSC [NODE] [LIFETIME] [force]"),
        ("resource param a get x", "'get' is not one of set, show, delete", "set|show|delete"),
        ("configure delete a --forc", "unknown option '--forc'", "'--force'"),
        ("resource stirt a", "resource.stirt: No such command", "'hacctl resource start'"),
        ("resource m a", "may mean", "more letters"),
        ("resource disable a", "resource.disable: No such command", "'hacctl resource stop RSC'"),
        // The nearest word would do the opposite.
        ("node unstandby a", "node.unstandby: No such command", "'hacctl node online NODE'"),
        ("node standby --timeout soon", "'soon' is no time to wait", "--timeout 60"),
        ("configure role a read cib", "hacd does not have 'configure role'", "access rules"),
        ("cluster crash_test", "hacd does not have 'cluster crash_test'", "hacctl test failover"),
    ] {
        let Err(failure) = read(line) else { panic!("{line} is read") };
        assert_eq!(failure.exit_code, 64, "{line}");
        assert!(failure.message.contains(said), "{line}: {}", failure.message);
        assert!(failure.remedy.as_deref().is_some_and(|r| r.contains(remedy)), "{line}: {:?}", failure.remedy);
    }
}

#[test]
fn words_are_abbreviated_by_beginnings_and_by_letters() {
    for (short, name) in
        [("mig", "move"), ("unmi", "clear"), ("mv", "move"), ("st", ""), ("stat", "status"), ("fc", "failcount")]
    {
        let found = level("resource").command(short).map(Command::name);
        if name.is_empty() { assert!(found.is_err(), "{short}") } else { assert_eq!(found.ok(), Some(name), "{short}") }
    }
    assert_eq!(level("configure").command("prop").map(Command::name).ok(), Some("property"));
    assert_eq!(level("configure").command("ptest").map(Command::name).ok(), Some("simulate"));
}

#[test]
fn a_slip_is_no_abbreviation_and_is_answered_with_what_was_meant() {
    for (of, slip, meant) in [
        ("resource", "stp", "stop"),
        ("resource", "refrsh", "refresh"),
        ("node", "stanby", "standby"),
        ("configure", "primitve", "primitive"),
        ("configure", "verfy", "verify"),
    ] {
        let Err(failure) = level(of).command(slip) else { panic!("{of} {slip} is taken for {meant}") };
        let remedy = failure.remedy.unwrap_or_default();
        assert!(remedy.contains(&format!("Did you mean 'hacctl {of} {meant}'?")), "{slip}: {remedy}");
    }
    // What lacks its end alone is an abbreviation.
    assert_eq!(level("resource").command("statu").map(Command::name).ok(), Some("status"));
}

fn complete(line: &str) -> Vec<String> {
    let known = Known {
        resources: vec!["FloatIP".into(), "Nginx".into()],
        nodes: vec!["primary".into(), "secondary".into()],
        objects: vec!["FloatIP".into(), "Nginx".into(), "col".into()],
        agents: vec!["ocf:heartbeat:nginx".into(), "ocf:pacemaker:Dummy".into(), "systemd:x".into()],
        parameters: vec![("httpd".into(), "The binary".into()), ("port".into(), String::new())],
        operations: vec!["monitor".into()],
        commands: vec![("status".into(), String::new())],
    };
    let (before, begun) = line.rsplit_once(' ').unwrap_or(("", line));
    let before: Vec<String> = before.split_whitespace().map(str::to_owned).collect();
    candidates(None, &before, begun, &known).into_iter().map(|candidate| candidate.word).collect()
}

#[test]
fn completion_knows_words_ids_nodes_agents_and_parameters() {
    assert!(complete("re").contains(&"resource".to_owned()));
    assert_eq!(complete("resource mov"), ["move"]);
    assert_eq!(complete("resource move Fl"), ["FloatIP"]);
    assert_eq!(complete("resource move FloatIP sec"), ["secondary"]);
    assert!(complete("resource move FloatIP secondary ").contains(&"PT5M".to_owned()));
    assert_eq!(complete("node standby pri"), ["primary"]);
    assert_eq!(complete("configure primitive x oc"), ["ocf:"]);
    assert_eq!(complete("configure primitive x ocf:h"), ["ocf:heartbeat:"]);
    assert_eq!(complete("configure primitive x ocf:heartbeat:n"), ["ocf:heartbeat:nginx"]);
    assert_eq!(complete("configure primitive x ng"), ["nginx"]);
    assert_eq!(complete("configure primitive x nginx params ht"), ["httpd="]);
    assert!(complete("configure primitive x nginx params httpd=/x ").iter().all(|word| word != "httpd="));
    assert!(complete("configure primitive x nginx op ").contains(&"monitor".to_owned()));
    assert_eq!(complete("configure primitive x nginx op monitor interv"), ["interval="]);
    assert_eq!(complete("configure property stonith-en"), ["stonith-enabled="]);
    assert_eq!(complete("configure delete co"), ["col"]);
    assert!(complete("configure show type:pr").contains(&"type:primitive".to_owned()));
    assert!(complete("resource param Nginx set ").contains(&"port".to_owned()));
}

proptest! {
    /// Whatever is typed, it is read or refused with a remedy, and completion has something to say or nothing.
    #[test]
    fn any_line_is_read_or_refused(words in proptest::collection::vec("[a-z-]{0,12}|[A-Z]{1,3}|P[T0-9MHSD]{0,5}|\\PC{0,6}", 0..7), at in 0..LEVELS.len()) {
        let level = &LEVELS[at];
        let first = words.first().cloned().unwrap_or_default();
        match level.command(&first).and_then(|command| Call::read(level, command, words.get(1..).unwrap_or_default())) {
            Ok(call) => prop_assert!(!call.command.about.is_empty()),
            Err(failure) => prop_assert!(failure.exit_code == 64 && failure.remedy.is_some(), "{failure:?}"),
        }
        let line: Vec<String> = std::iter::once(level.name.to_owned()).chain(words.iter().cloned()).collect();
        let _ = candidates(None, &line, "", &Known::default());
    }

    /// A call that is written down as its own help says is read.
    #[test]
    fn every_command_reads_what_its_help_says(at in 0..LEVELS.len(), pick in 0_usize..100) {
        let level = &LEVELS[at];
        let command = &level.commands[pick % level.commands.len()];
        let word = |kind: &Kind| match kind {
            Kind::Word(words) => (*words.first().expect("has words")).to_owned(),
            Kind::Lifetime => "PT5M".to_owned(),
            _ => "x".to_owned(),
        };
        let words: Vec<String> = command.arguments.iter().map(|argument| word(&argument.1)).collect();
        if command.instead.is_none() {
            let call = Call::read(level, command, &words);
            prop_assert!(call.is_ok(), "{} {}: {:?}", level.name, command.name(), call.err());
        }
    }
}

#[test]
fn manual_pages_have_the_commands_of_every_level() {
    use clap::CommandFactory as _;
    let mut command = documented(crate::args::Arguments::command().disable_help_subcommand(true));
    command.build();
    let resource = command.find_subcommand("resource").expect("is a level");
    assert!(resource.find_subcommand("move").is_some() && resource.find_subcommand("status").is_some());
    let page = command.find_subcommand_mut("configure").expect("is a level").render_long_help().to_string();
    assert!(page.contains("primitive") && page.contains("undo"), "{page}");
}
