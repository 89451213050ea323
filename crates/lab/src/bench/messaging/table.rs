//! The tables of `bench messaging`.

use super::contender::Measured;

/// A figure: its name, where it is in a measurement, and whether more of it is better.
type Figure = (&'static str, fn(&Measured) -> f64, bool);

const FIGURES: [Figure; 5] = [
    ("messages/s, one sender", |measured| measured.one, true),
    ("messages/s, all senders", |measured| measured.all, true),
    ("round trip p50, us", |measured| measured.p50, false),
    ("round trip p99, us", |measured| measured.p99, false),
    ("CPU us a message", |measured| measured.cpu, false),
];

/// The head of a table: the first contender is compared with each of the others.
pub(super) fn head(hosts: usize, protection: &str, names: &[&str]) -> String {
    let mut text = format!("\n{hosts} hosts, {protection}\n{:>6}  {:<28}", "bytes", "");
    for (index, name) in names.iter().enumerate() {
        text.push_str(&format!("{name:>11}"));
        if index > 0 {
            text.push_str(&format!("{:>8}", "ratio"));
        }
    }
    text.push('\n');
    text
}

/// The rows of one size.
pub(super) fn rows(size: usize, measured: &[Measured]) -> String {
    let mut text = String::new();
    for (row, (name, figure, more)) in FIGURES.iter().enumerate() {
        let bytes = if row == 0 { size.to_string() } else { String::new() };
        let sign = if *more { "+" } else { "-" };
        text.push_str(&format!("{bytes:>6}  {sign} {name:<26}"));
        let mut figures = measured.iter().map(figure);
        let first = figures.next().unwrap_or(0.0);
        text.push_str(&number(first));
        for other in figures {
            text.push_str(&number(other));
            let ratio = if other > 0.0 { format!("{:.2}", first / other) } else { "?".to_owned() };
            text.push_str(&format!("{ratio:>8}"));
        }
        text.push('\n');
    }
    text
}

fn number(value: f64) -> String {
    if value < 1000.0 { format!("{value:>11.1}") } else { format!("{value:>11.0}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_compared_with_each_of_the_others() {
        let ours = Measured { one: 200_000.0, all: 1.0, p50: 50.0, p99: 90.0, cpu: 2.0 };
        let theirs = Measured { one: 100_000.0, all: 0.0, p50: 100.0, p99: 90.0, cpu: 8.0 };
        let text = head(2, "plain", &["hacd", "knet"]) + &rows(64, &[ours, theirs]);
        let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
        assert_eq!(
            lines,
            [
                "",
                "2 hosts, plain",
                " bytes                                     hacd       knet   ratio",
                "    64  + messages/s, one sender         200000     100000    2.00",
                "        + messages/s, all senders           1.0        0.0       ?",
                "        - round trip p50, us               50.0      100.0    0.50",
                "        - round trip p99, us               90.0       90.0    1.00",
                "        - CPU us a message                  2.0        8.0    0.25",
            ]
        );
    }
}
