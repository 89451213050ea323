//! Has the linker lay what a node at idle goes through together (decision 55): the kernel maps 64 KiB around each page that is
//! touched, and what is seldom run lay between.

/// The names, one section of the text for each; made as its head says.
const OFTEN: &str = "often.ld";

fn main() {
    println!("cargo:rerun-if-changed={OFTEN}");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    // Elsewhere programs are linked in other ways, and what is tried while one works on it is as large as it is.
    if is("PROFILE", "release") && is("CARGO_CFG_TARGET_OS", "linux") && is("CARGO_CFG_TARGET_ENV", "gnu") {
        let folder = std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default();
        println!("cargo:rustc-link-arg-bins=-Wl,-T,{folder}/{OFTEN}");
    }
}
