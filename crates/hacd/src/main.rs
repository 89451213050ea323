//! The program `hacd`.

use std::process::ExitCode;

fn main() -> ExitCode {
    hacd::main()
}
