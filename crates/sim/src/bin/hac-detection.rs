//! `hac-detection`: the curve of detection in simulated time, and the month without a false change.

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use hac_netsim::Weather;
use hac_sim::detection::{self, Circumstance, Curve, Setting};

const USAGE: &str = "usage: hac-detection [--reps N] [--hours N] [--days N]
  --reps N   deaths for each setting and circumstance (default 30)
  --hours N  hours without deaths for each (default 4)
  --days N   days of the long run: the default setting, each host paused once a minute for up to 300 ms (default 1)";

/// One of the long run's pauses is so long at most, and one comes so often.
const LONG_RUN: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(60));
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct Arguments {
    deaths: u64,
    hours: u32,
    days: u64,
}

fn main() -> ExitCode {
    let arguments = match arguments() {
        Ok(arguments) => arguments,
        Err(why) => {
            let _ = writeln!(io::stderr(), "hac-detection: {why}\n{USAGE}");
            return ExitCode::from(64);
        }
    };
    let mut out = io::stdout().lock();
    match curves(&arguments, &mut out).and_then(|()| long_run(arguments.days, &mut out)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            let _ = writeln!(io::stderr(), "hac-detection: {why}");
            ExitCode::FAILURE
        }
    }
}

fn curves(arguments: &Arguments, out: &mut impl Write) -> Result<(), String> {
    let (deaths, hours) = (arguments.deaths, arguments.hours);
    say(out, &format!("simulated: two hosts, {deaths} deaths and {hours} hours without any for each line"))?;
    for circumstance in detection::circumstances() {
        let name = circumstance.name;
        say(
            out,
            &format!("\n{name:<32} {:>17} {:>17} {:>11} {:>9}", "noticed, ms", "settled, ms", "suspicions", "changes"),
        )?;
        say(
            out,
            &format!("{:<32} {:>17} {:>17} {:>11} {:>9}", "", "median   worst", "median   worst", "a day", "a day"),
        )?;
        for setting in detection::settings() {
            let curve = detection::measure(&setting, &circumstance, deaths, HOUR * hours);
            let curve = curve.map_err(|violation| format!("{}: {violation}", setting.name))?;
            say(out, &line(setting.name, &curve, hours))?;
        }
    }
    Ok(())
}

fn line(name: &str, curve: &Curve, hours: u32) -> String {
    let pair = |times: &[Duration]| {
        let millis = |time: Option<&Duration>| time.map_or(0, Duration::as_millis);
        format!("{:>6} {:>7}", millis(times.get(times.len() / 2)), millis(times.last()))
    };
    let a_day = |count: u64| {
        let count = u32::try_from(count).map_or(f64::INFINITY, f64::from);
        format!("{:.1}", count * 24.0 / f64::from(hours.max(1)))
    };
    let (noticed, settled) = (pair(&curve.noticed), pair(&curve.settled));
    let (suspicions, changes) = (a_day(curve.suspicions), a_day(curve.changes));
    format!("{name:<32} {noticed:>17} {settled:>17} {suspicions:>11} {changes:>9}")
}

/// Many days of the default setting; whether the membership stayed as it was.
fn long_run(days: u64, out: &mut impl Write) -> Result<bool, String> {
    let setting = detection::settings().into_iter().find(|setting| setting.name == "default");
    let setting: Setting = setting.ok_or("there is no default setting")?;
    let circumstance = Circumstance { name: "a month", weather: Weather::calm(), pauses: Some(LONG_RUN) };
    let begin = Instant::now();
    let (mut suspicions, mut changes) = (0, 0);
    for day in 1..=days {
        // Each day has a seed of its own, so that a day that fails can be repeated alone.
        let watched = detection::watch(&setting, &circumstance, DAY, day);
        let (suspected, changed) = watched.map_err(|violation| format!("day {day}: {violation}"))?;
        if changed > 0 {
            say(out, &format!("day {day}: {suspected} suspicions, {changed} changes of membership"))?;
        }
        suspicions += suspected;
        changes += changed;
    }
    let seconds = begin.elapsed().as_secs_f64();
    say(
        out,
        &format!(
            "\nsimulated: {days} days of the default, each host paused once a minute for up to 300 ms: \
             {suspicions} suspicions, {changes} changes of membership ({seconds:.0} s)"
        ),
    )?;
    Ok(changes == 0)
}

fn say(out: &mut impl Write, text: &str) -> Result<(), String> {
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| error.to_string())
}

fn arguments() -> Result<Arguments, String> {
    let mut arguments = Arguments { deaths: 30, hours: 4, days: 1 };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || -> Result<u32, String> {
            let value = words.next().ok_or_else(|| format!("{word} needs a number"))?;
            value.parse().map_err(|_| format!("{word} needs a number, not {value}"))
        };
        match word.as_str() {
            "--reps" => arguments.deaths = u64::from(number()?.max(1)),
            "--hours" => arguments.hours = number()?,
            "--days" => arguments.days = u64::from(number()?),
            _ => return Err(format!("what is {word}?")),
        }
    }
    Ok(arguments)
}
