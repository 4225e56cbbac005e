//! `cargo bench --bench compare [-- PARTS]`: builds and runs the comparison, a crate of its own in `benches/compare`, so
//! that nobody builds the databases that it compares with before asking for it.

use std::path::Path;
use std::process::{Command, exit};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` runs this too, without the word.
    if !args.iter().any(|arg| arg == "--bench") {
        return;
    }
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/compare/Cargo.toml");
    if !manifest.is_file() {
        eprintln!("{} is not there: the comparison is in the repository, not in the package", manifest.display());
        exit(2);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut run = Command::new(cargo);
    run.args(["build", "--release", "--bins", "--locked", "--manifest-path"]).arg(&manifest);
    done(&mut run);
    let mut run = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    run.args(["run", "--release", "--locked", "--bin", "staffetta-compare", "--manifest-path"])
        .arg(&manifest)
        .arg("--");
    done(run.args(args.iter().filter(|arg| *arg != "--bench")));
}

fn done(command: &mut Command) {
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => exit(status.code().unwrap_or(2)),
        Err(error) => {
            eprintln!("cargo cannot be started: {error}");
            exit(2);
        }
    }
}
