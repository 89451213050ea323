//! The text of `hacd.toml` as sections of checked values: unknown keys and wrong types are found here, with their lines.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

use hac_model::parse_bool;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::{Kind, PROPERTY_TABLES, SEED_TABLES, Table};
use super::mistake::{Mistake, nearest};

/// A value that is of its key's kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Number`] and [`Kind::Millis`].
    Number(u64),
    /// Of [`Kind::Address`].
    Address(IpAddr),
    /// Of [`Kind::Listen`].
    Listen(SocketAddr),
    /// Of [`Kind::Text`], [`Kind::Choice`], [`Kind::Path`] and [`Kind::Url`].
    Text(String),
    /// Of [`Kind::Names`].
    Names(Vec<String>),
}

/// One table of the file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Section {
    /// Line on which it begins; 0 if it is not in the file.
    pub(crate) line: usize,
    values: BTreeMap<&'static str, (usize, Value)>,
}

impl Section {
    /// The line of `key`, or of the section if the key is not given.
    pub(crate) fn line_of(&self, key: &str) -> usize {
        self.values.get(key).map_or(self.line, |(line, _)| *line)
    }

    /// Whether `key` is given.
    pub(crate) fn has(&self, key: &str) -> bool {
        self.values.contains_key(key)
    }

    /// The truth value of `key`, if it is given.
    pub(crate) fn bool(&self, key: &str) -> Option<bool> {
        match self.values.get(key)? {
            (_, Value::Bool(value)) => Some(*value),
            _ => None,
        }
    }

    /// The number of `key`, if it is given.
    pub(crate) fn number(&self, key: &str) -> Option<u64> {
        match self.values.get(key)? {
            (_, Value::Number(value)) => Some(*value),
            _ => None,
        }
    }

    /// The text of `key`, if it is given.
    pub(crate) fn text(&self, key: &str) -> Option<&str> {
        match self.values.get(key)? {
            (_, Value::Text(value)) => Some(value),
            _ => None,
        }
    }

    /// The address of `key`, if it is given.
    pub(crate) fn address(&self, key: &str) -> Option<IpAddr> {
        match self.values.get(key)? {
            (_, Value::Address(value)) => Some(*value),
            _ => None,
        }
    }

    /// Where `key` says to listen, if it is given.
    pub(crate) fn listen(&self, key: &str) -> Option<SocketAddr> {
        match self.values.get(key)? {
            (_, Value::Listen(value)) => Some(*value),
            _ => None,
        }
    }

    /// The list of `key`, empty if it is not given.
    pub(crate) fn names(&self, key: &str) -> &[String] {
        match self.values.get(key) {
            Some((_, Value::Names(value))) => value,
            _ => &[],
        }
    }
}

/// A free value in the tables that seed a cluster: kept as text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Free {
    /// A single value as it would be written in a CIB.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
    /// Names and texts, in the order of the file.
    Pairs(Vec<(String, String)>),
    /// Sub-tables (`[[primitive.op]]`), each in the order of the file.
    Tables(Vec<Vec<(String, String)>>),
}

/// One table that seeds a cluster.
#[derive(Clone, Debug)]
pub(crate) struct SeedSection {
    /// `primitive`, `group`, …, `properties`.
    pub(crate) table: &'static str,
    /// Line on which it begins.
    pub(crate) line: usize,
    /// Its entries with their lines.
    pub(crate) entries: BTreeMap<String, (usize, Free)>,
    /// Names of the entries in the order of the file.
    pub(crate) order: Vec<String>,
}

/// The whole file.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// Sections with fixed keys, in the order of the file.
    pub(crate) sections: BTreeMap<Table, Vec<Section>>,
    /// Tables that seed a cluster, in the order of the file.
    pub(crate) seed: Vec<SeedSection>,
}

impl Document {
    /// The only section of a table that does not repeat; an empty one if it is not in the file.
    pub(crate) fn section(&self, table: Table) -> Section {
        self.sections.get(&table).and_then(|sections| sections.first()).cloned().unwrap_or_default()
    }

    /// All sections of a table.
    pub(crate) fn sections(&self, table: Table) -> &[Section] {
        self.sections.get(&table).map_or(&[], Vec::as_slice)
    }
}

/// Reads the text of the file. Everything that is wrong is reported, in the order of the file.
pub(crate) fn read(file: &Path, text: &str) -> (Document, Vec<Mistake>) {
    let mut reader = Reader { file, text, mistakes: Vec::new(), document: Document::default() };
    match DeTable::parse(text) {
        Ok(root) => reader.root(root.get_ref()),
        Err(error) => {
            let start = error.span().map_or(0, |span| span.start);
            let message = error.message().trim_end_matches('\n').replace('\n', "; ");
            reader.report(start, "", message);
        }
    }
    reader.document.seed.sort_by_key(|section| section.line);
    for sections in reader.document.sections.values_mut() {
        sections.sort_by_key(|section| section.line);
    }
    reader.mistakes.sort_by_key(|mistake| mistake.line);
    (reader.document, reader.mistakes)
}

type Entry<'a> = Spanned<DeValue<'a>>;

struct Reader<'t> {
    file: &'t Path,
    text: &'t str,
    mistakes: Vec<Mistake>,
    document: Document,
}

impl Reader<'_> {
    fn line(&self, offset: usize) -> usize {
        self.text.as_bytes().iter().take(offset).filter(|b| **b == b'\n').count().saturating_add(1)
    }

    fn report(&mut self, offset: usize, key: &str, what: impl Into<String>) {
        let line = Some(self.line(offset));
        self.mistakes.push(Mistake {
            file: self.file.to_owned(),
            line,
            key: key.to_owned(),
            what: what.into(),
            may_pass: false,
        });
    }

    fn unknown<'a>(&mut self, offset: usize, path: &str, word: &str, known: impl IntoIterator<Item = &'a str>) {
        let what = match nearest(word, known) {
            Some(near) => format!("unknown key, did you mean \"{near}\"?"),
            None => "unknown key; hacd --print-keys lists the known ones".to_owned(),
        };
        self.report(offset, path, what);
    }

    fn root(&mut self, root: &DeTable<'_>) {
        for (name, value) in root {
            let at = name.span().start;
            match name.get_ref().as_ref() {
                "totem" => self.table(Table::Totem, at, value, Some(("interface", Table::Interface))),
                "nodelist" => self.nodelist(at, value),
                "quorum" => self.table(Table::Quorum, at, value, None),
                "logging" => self.table(Table::Logging, at, value, None),
                "system" => self.table(Table::System, at, value, None),
                "digitalocean" => self.table(Table::DigitalOcean, at, value, None),
                "agents" => self.table(Table::Agents, at, value, None),
                "metrics" => self.table(Table::Metrics, at, value, None),
                "web" => self.table(Table::Web, at, value, None),
                "arbiter" => self.table(Table::Arbiter, at, value, None),
                "watchdog" => self.table(Table::Watchdog, at, value, None),
                other => self.seed_table(other, at, value),
            }
        }
    }

    fn nodelist(&mut self, at: usize, value: &Entry<'_>) {
        let Some(table) = value.get_ref().as_table() else {
            return self.report(at, "nodelist", "must be a table: write [[nodelist.node]]");
        };
        for (name, value) in table {
            let at = name.span().start;
            match name.get_ref().as_ref() {
                "node" => self.repeated(Table::Node, at, value),
                other => self.unknown(at, &format!("nodelist.{other}"), other, ["node"]),
            }
        }
    }

    fn repeated(&mut self, table: Table, at: usize, value: &Entry<'_>) {
        let path = table.path();
        match value.get_ref() {
            DeValue::Array(items) => {
                for item in items {
                    self.table(table, item.span().start, item, None);
                }
            }
            DeValue::Table(_) => self.report(at, path, format!("comes as often as needed: write [[{path}]]")),
            _ => self.report(at, path, format!("must be a table: write [[{path}]]")),
        }
    }

    fn table(&mut self, table: Table, at: usize, value: &Entry<'_>, child: Option<(&str, Table)>) {
        let path = table.path();
        let Some(entries) = value.get_ref().as_table() else {
            return self.report(at, path, format!("must be a table: write [{path}]"));
        };
        let mut section = Section { line: self.line(at), values: BTreeMap::new() };
        for (name, value) in entries {
            let (at, word) = (name.span().start, name.get_ref().as_ref());
            if let Some((_, child)) = child.filter(|(name, _)| *name == word) {
                self.repeated(child, at, value);
                continue;
            }
            let full = format!("{path}.{word}");
            let Some(key) = table.keys().find(|key| key.name == word) else {
                self.unknown(at, &full, word, table.keys().map(|key| key.name));
                continue;
            };
            match convert(key.kind, value.get_ref()) {
                Ok(value) => {
                    section.values.insert(key.name, (self.line(at), value));
                }
                Err(found) => self.report(at, &full, format!("must be {}, not {found}", key.kind.words())),
            }
        }
        self.document.sections.entry(table).or_default().push(section);
    }

    fn seed_table(&mut self, name: &str, at: usize, value: &Entry<'_>) {
        if let Some(table) = PROPERTY_TABLES.iter().find(|table| **table == name) {
            match value.get_ref().as_table() {
                Some(entries) => self.seed_section(table, None, at, entries),
                None => self.report(at, name, format!("must be a table: write [{name}]")),
            }
        } else if let Some((table, known)) = SEED_TABLES.iter().find(|(table, _)| *table == name) {
            let Some(items) = value.get_ref().as_array() else {
                return self.report(at, name, format!("comes as often as needed: write [[{name}]]"));
            };
            for item in items {
                match item.get_ref().as_table() {
                    Some(entries) => self.seed_section(table, Some(known), item.span().start, entries),
                    None => self.report(item.span().start, name, format!("must be a table: write [[{name}]]")),
                }
            }
        } else {
            let fixed = [
                "totem",
                "nodelist",
                "quorum",
                "logging",
                "system",
                "digitalocean",
                "agents",
                "metrics",
                "web",
                "arbiter",
                "watchdog",
            ];
            let seeds = SEED_TABLES.iter().map(|(table, _)| *table).chain(PROPERTY_TABLES.iter().copied());
            self.unknown(at, name, name, fixed.into_iter().chain(seeds));
        }
    }

    fn seed_section(&mut self, table: &'static str, known: Option<&[&str]>, at: usize, entries: &DeTable<'_>) {
        let mut section = SeedSection { table, line: self.line(at), entries: BTreeMap::new(), order: Vec::new() };
        let mut order: Vec<(usize, String)> = Vec::new();
        for (name, value) in entries {
            let (at, word) = (name.span().start, name.get_ref().as_ref());
            let full = format!("{table}.{word}");
            if let Some(known) = known.filter(|known| !known.contains(&word)) {
                self.unknown(at, &full, word, known.iter().copied());
                continue;
            }
            match free(value.get_ref()) {
                Some(value) => {
                    section.entries.insert(word.to_owned(), (self.line(at), value));
                    order.push((at, word.to_owned()));
                }
                None => {
                    self.report(at, &full, "must be a text, a number, yes or no, a list of them or a table of them")
                }
            }
        }
        order.sort();
        section.order = order.into_iter().map(|(_, name)| name).collect();
        self.document.seed.push(section);
    }
}

/// A value of `kind`, or what was found instead.
fn convert(kind: Kind, value: &DeValue<'_>) -> Result<Value, String> {
    if let Kind::Names = kind {
        let list = match value {
            DeValue::Array(items) => items.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect(),
            DeValue::String(text) => Some(vec![text.to_string()]),
            _ => None,
        };
        return list.map(Value::Names).ok_or_else(|| found(value));
    }
    let text = scalar(value).ok_or_else(|| found(value))?;
    let converted = match kind {
        Kind::Bool => parse_bool(&text).map(Value::Bool),
        Kind::Number(min, max) | Kind::Millis(min, max) => {
            text.trim().parse().ok().filter(|n| (min..=max).contains(n)).map(Value::Number)
        }
        Kind::Address => text.trim().parse().ok().map(Value::Address),
        Kind::Choice(words) => choice(words, value, &text).map(Value::Text),
        Kind::Listen => text.trim().parse().ok().map(Value::Listen),
        Kind::Path => text.starts_with('/').then_some(Value::Text(text)),
        Kind::Url => url(&text).map(Value::Text),
        Kind::Text => (!text.trim().is_empty() && !text.contains(char::is_control)).then_some(Value::Text(text)),
        Kind::Names => None,
    };
    converted.ok_or_else(|| found(value))
}

fn choice(words: &[&str], value: &DeValue<'_>, text: &str) -> Option<String> {
    let text = match value {
        DeValue::Boolean(true) => "on",
        DeValue::Boolean(false) => "off",
        _ => text,
    };
    words.iter().find(|word| word.eq_ignore_ascii_case(text)).map(|word| (*word).to_owned())
}

fn url(text: &str) -> Option<String> {
    let text = text.trim().trim_end_matches('/');
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"))?;
    let fits =
        !rest.is_empty() && !rest.starts_with('/') && !text.contains(|c: char| c.is_whitespace() || c.is_control());
    fits.then(|| text.to_owned())
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().replace('_', "")),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(|number| number.to_string())
        }
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    }
}

fn found(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("\"{text}\""),
        DeValue::Table(_) => "a table".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Datetime(time) => time.to_string(),
        other => scalar(other).unwrap_or_default(),
    }
}

fn free(value: &DeValue<'_>) -> Option<Free> {
    match value {
        DeValue::Array(items) if items.iter().any(|item| item.get_ref().is_table()) => {
            items.iter().map(|item| pairs(item.get_ref().as_table()?)).collect::<Option<Vec<_>>>().map(Free::Tables)
        }
        DeValue::Array(items) => items.iter().map(|item| scalar(item.get_ref())).collect::<Option<_>>().map(Free::List),
        DeValue::Table(entries) => pairs(entries).map(Free::Pairs),
        other => scalar(other).map(Free::Text),
    }
}

fn pairs(entries: &DeTable<'_>) -> Option<Vec<(String, String)>> {
    let mut list = Vec::new();
    for (name, value) in entries {
        list.push((name.span().start, name.get_ref().to_string(), scalar(value.get_ref())?));
    }
    list.sort();
    Some(list.into_iter().map(|(_, name, value)| (name, value)).collect())
}
