//! The command `staffetta`.
#![forbid(unsafe_code)]

fn main() -> std::process::ExitCode {
    staffetta::cli::main()
}
