//! The real command, so that what is measured through it needs no second build.

fn main() -> std::process::ExitCode {
    staffetta::cli::main()
}
