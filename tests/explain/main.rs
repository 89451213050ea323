//! Golden explanations: every file of this folder is a state, in the language of the golden plans, and below it questions
//! (`> web`, `> node n1`, `>` for the whole) with their answers. With `HACD_BLESS=1` the answers are rewritten.
//!
//! Besides, everything in every golden plan is explained, and what is said must agree with the plan and with itself.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use hac_model::Cib;
use hac_pacemaker::simulate::Clock;
use hac_scheduler::explain::{Explanation, Question, Service, explain};
use hac_tests::golden::Golden;
use hac_tests::runner::{Case, run};
use hac_types::WallTime;

/// Between state and questions.
const MARK: &str = "----\n";

fn main() -> ExitCode {
    let (own, plans) = (files("explain"), files("scheduler"));
    let counts = (own.len(), plans.len());
    let mut cases = vec![Case::new("there_are_explanations_and_plans", move || {
        ensure!(counts.0 > 0 && counts.1 > 0, "no file was found");
        Ok(())
    })];
    for file in own {
        cases.push(Case::new(format!("answers/{}", name(&file)), move || answers(&file)));
    }
    for file in plans {
        cases.push(Case::new(format!("agrees/{}", name(&file)), move || agrees(&file)));
    }
    run(cases)
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|ending| ending == "txt")).collect();
    files.sort();
    files
}

fn name(file: &Path) -> String {
    file.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn ask(cib: &Cib, question: &Question) -> Result<Explanation, hac_scheduler::explain::Unknown> {
    explain(cib, Clock::Present(WallTime(0)).time_for(cib), question)
}

/// The answers are those in the file.
fn answers(file: &Path) -> anyhow::Result<()> {
    let text = fs::read_to_string(file)?;
    let golden = Golden::read(&text).with_context(|| file.display().to_string())?;
    let (state, questions) = text.split_once(MARK).context("the file has no questions")?;
    let mut real = format!("{state}{MARK}");
    for question in questions.lines().filter_map(|line| line.strip_prefix('>')) {
        let asked = match question.split_whitespace().collect::<Vec<_>>()[..] {
            [] => Question::Cluster,
            [name] => Question::Named(name.to_owned()),
            ["node", name] => Question::Node(name.to_owned()),
            ["resource", name] => Question::Resource(name.to_owned()),
            _ => anyhow::bail!("'{question}' is no question"),
        };
        let answer = match ask(&golden.cib, &asked) {
            Ok(explanation) => explanation.to_string(),
            Err(unknown) => format!("{unknown}\n{}\n", unknown.remedy()),
        };
        real.push_str(&format!(">{question}\n{answer}"));
    }
    ensure!(real.contains("\n>"), "the file asks nothing");
    if real != text && std::env::var_os("HACD_BLESS").is_some() {
        fs::write(file, &real)?;
        return Ok(());
    }
    let mut lines = text.lines().zip(real.lines()).enumerate();
    let first = lines.find(|(_, (a, b))| a != b);
    ensure!(real == text, "first difference (line, expected, real): {first:?}\n(HACD_BLESS=1 rewrites the files)");
    Ok(())
}

/// The explanation of the whole has the plan's decisions, each with a reason; those of all resources and nodes add up.
fn agrees(file: &Path) -> anyhow::Result<()> {
    let golden = Golden::read(&fs::read_to_string(file)?)?;
    let outcome = golden.simulate().outcome;
    let Explanation::Cluster(whole) = ask(&golden.cib, &Question::Cluster)? else {
        anyhow::bail!("the answer is about something else")
    };
    ensure!(whole.decisions == outcome.plan.summary, "the decisions are not those of the plan");
    for decision in &whole.decisions {
        ensure!(!decision.why().is_empty(), "nothing says why: {decision:?}");
    }
    let work =
        outcome.plan.actions.iter().filter(|action| action.kind != hac_scheduler::plan::ActionKind::Pseudo).count();
    let told = whole.steps.iter().filter(|step| !step.blocked).count();
    ensure!(work == told, "{told} of {work} actions are told");
    for node in &outcome.view.nodes {
        let Explanation::Node(story) = ask(&golden.cib, &Question::Node(node.name.clone()))? else {
            anyhow::bail!("the answer is about something else")
        };
        story.here.iter().chain(&story.elsewhere).try_for_each(adds_up)?;
    }
    for resource in &outcome.view.resources {
        let Explanation::Resource(story) = ask(&golden.cib, &Question::Resource(resource.id.clone()))? else {
            anyhow::bail!("the answer is about something else")
        };
        story.services.iter().try_for_each(adds_up)?;
        let text = Explanation::Resource(story).to_string();
        ensure!(text.contains(&resource.id), "{} is not named in: {text}", resource.id);
    }
    Ok(())
}

/// The last part of a score leads to it.
fn adds_up(service: &Service) -> anyhow::Result<()> {
    for candidate in &service.nodes {
        if let (Some(last), Some(score)) = (candidate.parts.last(), candidate.score) {
            ensure!(last.after == score, "{} on {}: {candidate:#?}", service.id, candidate.node);
        }
    }
    Ok(())
}
