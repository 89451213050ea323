//! `cargo xtask often`: the list by which the linker lays together what a node at idle goes through (decision 55).
//!
//! A release program with its symbols gets a probe of the kernel at the begin of each function; then two nodes start and idle
//! (`bench idle`), and the functions that were met are written down. Of each name as much is told as tells it from all that
//! were not met, without the numbers that each build gives to crates: so the list, made of one build, serves others.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, ensure};

use crate::options::Options;
use crate::project::{Profile, Project};

/// The list, for the linker.
const LIST: &str = "crates/hacd/often.ld";

/// Where the kernel takes probes, and counts how often each was met.
const TRACING: &str = "/sys/kernel/tracing";

/// The group that all of them are in.
const GROUP: &str = "hacd_often";

/// Least letters of a name that are told, if it has so many: a shorter beginning would take in too much of what comes later.
const LETTERS_MIN: usize = 80;

/// What stands before the number of a copy that the compiler made of a function; elsewhere a dot alone does.
const COPY: &str = ".llvm.";

/// How long the nodes idle, unless it is said.
const SECONDS: u64 = 20;

/// What stands before the names.
const HEAD: &str = "\
/* What a node at idle goes through, from its start on: laid together, because the kernel maps 64 KiB around each page that is
   touched (decision 55). Written by `cargo xtask often`, to be made anew when `hac-lab bench idle` shows more than 12 MiB. A name
   that is not there any more does no harm, one that is missing costs a little memory. */
SECTIONS { .text.often : {
";

/// What stands behind them.
const TAIL: &str = "} } INSERT BEFORE .text;\n";

/// Builds, unless programs are given (`hacd` with its symbols, `hacctl`, `hac-lab`), probes, and writes the list.
pub(crate) fn run(project: &Project, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let options = Options::parse(arguments, &[], &["--seconds", "--programs"])?;
    options.no_words()?;
    let seconds = options.number("--seconds")?.unwrap_or(SECONDS);
    let events = Path::new(TRACING).join("uprobe_events");
    ensure!(events.exists(), "{} is not there: probes need root, CONFIG_UPROBES and tracefs", events.display());
    let folder = match options.value("--programs") {
        Some(folder) => PathBuf::from(folder),
        None => build(project)?,
    };
    let program = fs::canonicalize(folder.join("hacd"))?;
    let functions = functions(&program)?;
    let probes = Probes::set(&program, &functions)?;
    let mut bench = Command::new(folder.join("hac-lab"));
    bench.args(["bench", "idle", "--seconds", &seconds.to_string()]).current_dir(&project.root);
    ensure!(bench.status().context("cannot run hac-lab")?.success(), "the nodes did not idle");
    let met = met(&fs::read_to_string(Path::new(TRACING).join("uprobe_profile"))?);
    ensure!(!met.is_empty(), "no function was met: does {} run at all?", program.display());
    let (mut often, mut seldom) = (BTreeSet::new(), BTreeSet::new());
    for (number, function) in functions.iter().enumerate() {
        let names = if met.contains(&number) { &mut often } else { &mut seldom };
        names.insert(plain(&function.name));
    }
    let patterns = patterns(&often, &seldom);
    let mut text = HEAD.to_owned();
    for pattern in &patterns {
        writeln!(text, "*(.text*.{pattern})")?;
    }
    text.push_str(TAIL);
    fs::write(project.root.join(LIST), text)?;
    println!("{LIST}: {} of {} functions, in {} patterns", often.len(), often.len() + seldom.len(), patterns.len());
    println!("{} has its symbols still: build it anew before it is measured", program.display());
    println!("The kernel takes the probes out, for which it needs some minutes.");
    drop(probes);
    Ok(ExitCode::SUCCESS)
}

/// Builds what is needed: the daemon with its symbols.
fn build(project: &Project) -> anyhow::Result<PathBuf> {
    let folder = project.build(Profile::Release, &["hacctl", "hac-lab"])?;
    let mut build = project.cargo("rustc");
    build.args(["--locked", "--release", "--package", "hacd", "--bin", "hacd", "--", "-C", "strip=none"]);
    ensure!(build.status().context("cannot run cargo")?.success(), "the build of hacd with its symbols failed");
    Ok(folder)
}

/// A function of the program.
struct Function {
    name: String,
    /// Where it begins in the file.
    offset: u64,
}

/// All of them, one for each place.
fn functions(program: &Path) -> anyhow::Result<Vec<Function>> {
    let segments = segments(&told(Command::new("readelf").args(["-lW"]).arg(program))?);
    let mut places = BTreeMap::new();
    for line in told(Command::new("nm").arg("--defined-only").arg(program))?.lines() {
        let mut words = line.split_whitespace();
        let (Some(address), Some("t" | "T"), Some(name)) = (words.next(), words.next(), words.next()) else { continue };
        let Ok(address) = u64::from_str_radix(address, 16) else { continue };
        let segment = segments.iter().find(|(begin, size, _)| (*begin..begin + size).contains(&address));
        if let Some((begin, _, offset)) = segment {
            places.entry(address - begin + offset).or_insert_with(|| name.to_owned());
        }
    }
    ensure!(!places.is_empty(), "{} has no symbols", program.display());
    Ok(places.into_iter().map(|(offset, name)| Function { name, offset }).collect())
}

fn told(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(output.status.success(), "{} failed", command.get_program().display());
    Ok(String::from_utf8(output.stdout)?)
}

/// What of the file is loaded to be run: address, size, and where in the file.
fn segments(told: &str) -> Vec<(u64, u64, u64)> {
    let number = |word: &str| u64::from_str_radix(word.strip_prefix("0x")?, 16).ok();
    told.lines()
        .filter_map(|line| {
            // LOAD OFFSET ADDRESS PHYSICAL IN-FILE IN-MEMORY FLAGS ALIGNMENT
            let words: Vec<&str> = line.split_whitespace().collect();
            let ["LOAD", offset, address, _, size, _, flags @ .., _] = words.as_slice() else { return None };
            let runs = flags.iter().any(|flag| flag.contains('E'));
            runs.then_some((number(address)?, number(size)?, number(offset)?))
        })
        .collect()
}

/// The probes; taken out when dropped.
struct Probes {
    folder: PathBuf,
}

impl Probes {
    /// One at each function, named by its number.
    fn set(program: &Path, functions: &[Function]) -> anyhow::Result<Self> {
        let folder = PathBuf::from(TRACING);
        let probes = Self { folder };
        // Those of a run that did not come to its end.
        probes.clear();
        let mut file = OpenOptions::new().append(true).open(probes.folder.join("uprobe_events"))?;
        for (number, function) in functions.iter().enumerate() {
            let line = format!("p:{GROUP}/f{number} {}:{:#x}\n", program.display(), function.offset);
            file.write_all(line.as_bytes()).with_context(|| format!("no probe at {}", function.name))?;
        }
        fs::write(probes.folder.join("events").join(GROUP).join("enable"), "1").context("the probes do not begin")?;
        Ok(probes)
    }

    fn clear(&self) {
        let group = self.folder.join("events").join(GROUP);
        if !group.exists() {
            return;
        }
        let cleared = fs::write(group.join("enable"), "0").and_then(|()| {
            let mut file = OpenOptions::new().append(true).open(self.folder.join("uprobe_events"))?;
            file.write_all(format!("-:{GROUP}/\n").as_bytes())
        });
        if let Err(error) = cleared {
            eprintln!("the probes of the group {GROUP} are still there: {error}");
        }
    }
}

impl Drop for Probes {
    fn drop(&mut self) {
        self.clear();
    }
}

/// The numbers of the functions that were met, of what the kernel counted.
fn met(profile: &str) -> BTreeSet<usize> {
    // PROGRAM EVENT HITS ...
    let number = |line: &str| {
        let mut words = line.split_whitespace().skip_while(|word| {
            word.strip_prefix('f').is_none_or(|rest| rest.is_empty() || !rest.bytes().all(|byte| byte.is_ascii_digit()))
        });
        let number = words.next()?.strip_prefix('f')?.parse().ok()?;
        (words.next()? != "0").then_some(number)
    };
    profile.lines().filter_map(number).collect()
}

/// A name without what a build gives it: the number of a crate (`Cs`, letters and digits, `_`), and of a copy of a function.
fn plain(name: &str) -> String {
    let numbered = |(_, number): &(&str, &str)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let (mut rest, copy) = match name.split_once(COPY) {
        Some((name, _)) => (name, COPY),
        None => name.rsplit_once('.').filter(numbered).map_or((name, ""), |(name, _)| (name, ".")),
    };
    let mut plain = String::with_capacity(name.len());
    while let Some(at) = rest.find("Cs") {
        let (before, after) = rest.split_at(at + 2);
        plain.push_str(before);
        rest = after;
        let number = after.bytes().take_while(u8::is_ascii_alphanumeric).count();
        // What is too short is a part of a word.
        if (8..=14).contains(&number) && after.as_bytes().get(number) == Some(&b'_') {
            plain.push('*');
            rest = &after[number..];
        }
    }
    plain.push_str(rest);
    if !copy.is_empty() {
        plain.push_str(copy);
        plain.push('*');
    }
    plain
}

/// The beginnings that tell what is often met from what is not.
fn patterns(often: &BTreeSet<String>, seldom: &BTreeSet<String>) -> BTreeSet<String> {
    let common =
        |one: &str, other: &str| one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    let pattern = |name: &String| {
        // Of all in order those next to it have most in common with it.
        let next = [seldom.range::<String, _>(..name).next_back(), seldom.range::<String, _>(name..).next()];
        let shared = next.into_iter().flatten().map(|other| common(name, other)).max().unwrap_or(0);
        match name.get(..(shared + 1).max(LETTERS_MIN)) {
            Some(begin) if begin.len() < name.len() => format!("{begin}*"),
            _ => name.clone(),
        }
    };
    often.iter().map(pattern).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lose_the_numbers_of_their_crates_and_nothing_else() {
        let name = "_RINvMNtCs8XqwzkAb12c_4core3stre12trim_matchesECs1QrL9zYpTb7_3std";
        assert_eq!(plain(name), "_RINvMNtCs*_4core3stre12trim_matchesECs*_3std");
        assert_eq!(plain("_RNvCs_4main"), "_RNvCs_4main");
        assert_eq!(plain("ring_core_0_17_14__gcm_init.llvm.123456"), "ring_core_0_17_14__gcm_init.llvm.*");
        assert_eq!(plain("_RNvNtCs8XqwzkAb12c_4core4char8to_digit.1749"), "_RNvNtCs*_4core4char8to_digit.*");
        assert_eq!(plain("_ZN3std2fs8read_dir.isra"), "_ZN3std2fs8read_dir.isra");
    }

    #[test]
    fn a_pattern_takes_in_nothing_that_is_not_met() {
        let long = "a".repeat(LETTERS_MIN);
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
        let often = set(&["short", &format!("{long}_often_1"), &format!("{long}_often_2"), &format!("{long}_x")]);
        let seldom = set(&["shorter", &format!("{long}_once"), &format!("{long}_often")]);
        let expected = [format!("{long}_often_*"), format!("{long}_x"), "short".to_owned()];
        assert_eq!(patterns(&often, &seldom), expected.into());
    }

    #[test]
    fn what_the_kernel_counted_is_read() {
        let profile = "  /f3/hacd    f12     3      0\n  /f3/hacd    f13     0      0\n";
        assert_eq!(met(profile), [12].into());
    }

    #[test]
    fn only_what_is_run_is_probed() {
        let told = "  LOAD           0x000000 0x0000000000000000 0x0000000000000000 0x001000 0x001000 R   0x1000\n  \
                    LOAD           0x001040 0x0000000000002040 0x0000000000002040 0x000800 0x000800 R E 0x1000\n";
        assert_eq!(segments(told), [(0x2040, 0x800, 0x1040)]);
    }
}
