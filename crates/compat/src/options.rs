//! Options as Pacemaker's programs take them: short ones may be bundled, values follow or are glued on, of several
//! commands the last counts.

use crate::{Ends, Said, exit};

/// Whether an option has a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// None.
    No,
    /// Always.
    Yes,
    /// If the next word does not begin with `-`, or glued on.
    Maybe,
}

/// An option: its short names, its long ones (the first is the one it is known by here), its value.
pub(crate) struct Spec(pub(crate) &'static str, pub(crate) &'static [&'static str], pub(crate) Value);

/// What was given, in order.
#[derive(Debug, Default)]
pub(crate) struct Given {
    options: Vec<(&'static str, Option<String>)>,
    /// Words that are no options.
    pub(crate) words: Vec<String>,
}

/// Options of every program.
pub(crate) const COMMON: &[Spec] = &[
    Spec("V", &["verbose"], Value::No),
    Spec("", &["output-as"], Value::Yes),
    Spec("", &["output-to"], Value::Yes),
    Spec("?", &["help", "help-all"], Value::No),
];

impl Given {
    /// Reads the words of `program`.
    pub(crate) fn read(program: &str, specs: &[&'static [Spec]], words: &[String]) -> Ends<Self> {
        let mut given = Self::default();
        let mut words = words.iter().map(String::as_str).peekable();
        while let Some(word) = words.next() {
            if let Some(long) = word.strip_prefix("--").filter(|long| !long.is_empty()) {
                let (name, glued) = match long.split_once('=') {
                    Some((name, value)) => (name, Some(value.to_owned())),
                    None => (long, None),
                };
                let spec = all(specs).find(|spec| spec.1.contains(&name)).ok_or_else(|| unknown(program, word))?;
                given.take(program, spec, glued, word, &mut words)?;
            } else if let Some(bundle) = word.strip_prefix('-').filter(|bundle| !bundle.is_empty()) {
                given.bundle(program, specs, bundle, &mut words)?;
            } else {
                given.words.push(word.to_owned());
            }
        }
        Ok(given)
    }

    fn bundle<'a>(
        &mut self,
        program: &str,
        specs: &[&'static [Spec]],
        bundle: &str,
        words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Ends<()> {
        let mut rest = bundle;
        while let Some(letter) = rest.chars().next() {
            rest = &rest[letter.len_utf8()..];
            let word = format!("-{letter}");
            let spec = all(specs).find(|spec| spec.0.contains(letter)).ok_or_else(|| unknown(program, &word))?;
            let glued = (spec.2 != Value::No && !rest.is_empty()).then(|| rest.to_owned());
            let ends = glued.is_some();
            self.take(program, spec, glued, &word, words)?;
            if ends {
                break;
            }
        }
        Ok(())
    }

    fn take<'a>(
        &mut self,
        program: &str,
        spec: &Spec,
        glued: Option<String>,
        word: &str,
        words: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Ends<()> {
        let value = match spec.2 {
            Value::No => None,
            _ if glued.is_some() => glued,
            Value::Yes => match words.next() {
                Some(next) => Some(next.to_owned()),
                None => return Err(Said::failed(exit::USAGE, format!("{program}: Missing argument for {word}"))),
            },
            Value::Maybe => words.next_if(|next| !next.starts_with('-')).map(str::to_owned),
        };
        self.options.push((spec.1[0], value));
        Ok(())
    }

    /// All options, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, Option<&str>)> {
        self.options.iter().map(|(name, value)| (*name, value.as_deref()))
    }

    /// Whether the option was given.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|(given, _)| *given == name)
    }

    /// The value that was given last.
    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.options.iter().rev().find(|(given, _)| *given == name).and_then(|(_, value)| value.as_deref())
    }

    /// Which of these options was given last.
    pub(crate) fn last(&self, of: &[&'static str]) -> Option<&'static str> {
        self.options.iter().rev().map(|(given, _)| *given).find(|given| of.contains(given))
    }

    /// Whether XML is wanted.
    pub(crate) fn xml(&self) -> Ends<bool> {
        match self.value("output-as") {
            None | Some("text" | "none") => Ok(false),
            Some("xml") => Ok(true),
            Some(other) => {
                let err = format!("Error creating output format {other}: Unknown output format");
                Err(Said::failed(exit::ERROR, err))
            }
        }
    }

    /// Whether nothing is to be printed.
    pub(crate) fn silent(&self) -> bool {
        self.value("output-as") == Some("none")
    }
}

fn all<'s>(specs: &'s [&'static [Spec]]) -> impl Iterator<Item = &'static Spec> + 's {
    specs.iter().copied().flatten()
}

fn unknown(program: &str, word: &str) -> Said {
    Said::failed(exit::USAGE, format!("{program}: Unknown option {word}"))
}

/// The document that a program prints as XML: `inside`, and how it ended.
pub(crate) fn document(request: &str, inside: &str) -> Said {
    Said::printed(format!(
        "<pacemaker-result api-version=\"2.38\" request=\"{}\">\n{inside}  <status code=\"0\" message=\"OK\"/>\n</pacemaker-result>",
        escaped(request)
    ))
}

/// Text as the value of an attribute.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\n', "&#10;")
}
