//! The few options of the commands: flags and `--name value` pairs, anything else is an error.

use anyhow::{Context as _, bail};

/// The arguments of a command, split by what the command accepts.
#[derive(Debug, Default)]
pub(crate) struct Options {
    flags: Vec<String>,
    values: Vec<(String, String)>,
    /// Arguments that do not begin with a dash, in order.
    pub(crate) words: Vec<String>,
}

impl Options {
    /// Splits `arguments`; `flags` stand alone, `values` take the next argument (or follow a `=`).
    ///
    /// # Errors
    /// An option that is in neither list, or a value that is missing.
    pub(crate) fn parse(arguments: &[String], flags: &[&str], values: &[&str]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let (name, given) = match argument.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (argument.as_str(), None),
            };
            if flags.contains(&name) && given.is_none() {
                options.flags.push(name.to_owned());
            } else if values.contains(&name) {
                let value = given.or_else(|| arguments.next().cloned());
                let value = value.with_context(|| format!("{name} needs a value"))?;
                options.values.push((name.to_owned(), value));
            } else if name.starts_with('-') {
                bail!("unknown option {argument} (cargo xtask help lists them)");
            } else {
                options.words.push(argument.clone());
            }
        }
        Ok(options)
    }

    /// Whether a flag was given.
    pub(crate) fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|given| given == flag)
    }

    /// The last value given for an option.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.values.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// The value of an option as a number.
    ///
    /// # Errors
    /// The value is no number.
    pub(crate) fn number(&self, name: &str) -> anyhow::Result<Option<u64>> {
        let parse = |text: &str| text.parse().with_context(|| format!("{name} takes a number and was given {text}"));
        self.value(name).map(parse).transpose()
    }

    /// Refuses arguments that are not options.
    ///
    /// # Errors
    /// There is one.
    pub(crate) fn no_words(&self) -> anyhow::Result<()> {
        match self.words.first() {
            Some(word) => bail!("unexpected argument {word} (cargo xtask help)"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    fn parse(line: &str) -> anyhow::Result<Options> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Options::parse(&arguments, &["--keep"], &["--seeds"])
    }

    #[test]
    fn flags_values_and_words_are_told_apart() {
        let options = parse("failover --keep --seeds 12").unwrap();
        assert!(options.has("--keep"));
        assert_eq!(options.number("--seeds").unwrap(), Some(12));
        assert_eq!(options.words, ["failover"]);
        assert_eq!(parse("--seeds=7").unwrap().value("--seeds"), Some("7"));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        assert!(parse("--keep=yes").is_err());
        assert!(parse("--other").is_err());
        assert!(parse("--seeds").is_err());
        assert!(parse("--seeds many").unwrap().number("--seeds").is_err());
        assert!(parse("word").unwrap().no_words().is_err());
    }
}
