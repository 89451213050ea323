//! `hacd --print-keys`: the table of keys for people and for the tests of the documentation.

use std::fmt::Write as _;

use super::keys::{PROPERTY_TABLES, SEED_TABLES, Table};

/// One line a key: table and name, what it accepts, unit, default, description, with tabs between.
pub(crate) fn print_keys() -> String {
    let mut text = String::from("#key\taccepts\tunit\tdefault\tdescription\n");
    for table in Table::ALL {
        for key in table.keys() {
            let name =
                if table.repeats() { format!("{}[].{}", table.path(), key.name) } else { dotted(table, key.name) };
            let line = [&name, &key.kind.words(), key.kind.unit(), key.default, key.doc].join("\t");
            let _ = writeln!(text, "{line}");
        }
    }
    for table in PROPERTY_TABLES {
        let _ = writeln!(text, "{table}.*\ta text, a number, yes or no\t\t\tSeeds an empty cluster.");
    }
    for (table, keys) in SEED_TABLES {
        for key in *keys {
            let _ = writeln!(text, "{table}[].{key}\ta text, a list or a table\t\t\tSeeds an empty cluster.");
        }
    }
    text
}

fn dotted(table: Table, name: &str) -> String {
    format!("{}.{name}", table.path())
}
