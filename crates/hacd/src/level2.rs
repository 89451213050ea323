//! The program `hacd` with the level that only tests have, under a name of its own beside the other one.

use std::process::ExitCode;

fn main() -> ExitCode {
    hacd::main()
}
