//! The command line as a user meets it: the real binary, its files, its output, its exit statuses (CONTRACT.md 4, 5).

mod ask;
mod configuration;
mod damage;
mod decisions;
pub mod dispatch;
mod enqueue;
mod output;
mod status;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

/// A shop's folder with a configuration; gone at the end.
pub struct Shop {
    folder: tempfile::TempDir,
}

impl Shop {
    /// An empty folder.
    pub fn bare() -> Shop {
        Shop { folder: tempfile::tempdir().expect("a folder") }
    }

    /// With the configuration that `init` writes.
    pub fn new() -> Shop {
        let shop = Shop::bare();
        shop.run(&["init"]).status(0);
        shop
    }

    /// With the configuration that `init` writes, after these changes.
    pub fn with(changes: &[(&str, &str)]) -> Shop {
        let shop = Shop::new();
        shop.change(changes);
        shop
    }

    /// Changes the configuration.
    pub fn change(&self, changes: &[(&str, &str)]) {
        let path = self.path("staffetta.toml");
        let mut text = std::fs::read_to_string(&path).expect("a configuration");
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        std::fs::write(&path, text).expect("a configuration");
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file and gives its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::write(&path, content).expect("a file");
        path.to_string_lossy().into_owned()
    }

    /// The program with these arguments, in this folder, in a clean environment.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_staffetta"));
        command.args(args).current_dir(self.folder()).stdin(Stdio::null());
        for variable in ["STAFFETTA_CONFIG", "OPENAPI_TOKEN", "SMART_RECEIPT_PASSWORD", "STAMP_PASSWORD", "SUDO_USER"] {
            command.env_remove(variable);
        }
        command.env("USER", "maria").env("COLUMNS", "200");
        command
    }

    pub fn run(&self, args: &[&str]) -> Ran {
        Ran { args: args.join(" "), output: self.command(args).output().expect("the program runs") }
    }

    /// Runs with this standard input.
    pub fn feed(&self, args: &[&str], input: impl Into<Vec<u8>>) -> Ran {
        let output = assert_cmd::Command::from_std(self.command(args)).write_stdin(input).output().expect("it runs");
        Ran { args: args.join(" "), output }
    }

    /// Takes a document with its key, and expects it to be taken.
    pub fn take(&self, line: &str) {
        self.feed(&["enqueue"], line).status(0);
    }
}

/// A program that ended.
pub struct Ran {
    args: String,
    output: Output,
}

impl Ran {
    /// Expects this exit status.
    #[track_caller]
    pub fn status(self, expected: i32) -> Ran {
        let found = self.output.status.code();
        assert_eq!(found, Some(expected), "{}\n{}\n{}", self.args, self.out(), self.err());
        self
    }

    pub fn out(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    pub fn err(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Standard output as JSON lines.
    #[track_caller]
    pub fn lines(&self) -> Vec<Value> {
        let text = self.out();
        text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect()
    }

    /// Standard output as one JSON object.
    #[track_caller]
    pub fn one(&self) -> Value {
        let mut lines = self.lines();
        assert_eq!(lines.len(), 1, "{}\n{}\n{}", self.args, self.out(), self.err());
        lines.remove(0)
    }

    /// Expects our trouble: exit status 2 and one line on standard error; gives the line.
    #[track_caller]
    pub fn trouble(self) -> String {
        let ran = self.status(2);
        let err = ran.err();
        assert_eq!(err.lines().count(), 1, "one line: {err}");
        assert!(err.starts_with("staffetta: "), "{err}");
        err.trim_end().to_owned()
    }
}

/// A sale of one thing for one euro, in cash.
pub fn sale(key: &str) -> String {
    format!(
        r#"{{"key":"{key}","kind":"receipt","account":"shop-roma","body":{{"fiscal_id":"12345678903","items":[{{"quantity":1,"description":"Caffè","unit_price":"1.00","vat_rate_code":"10"}}],"cash_payment_amount":1}}}}"#
    )
}

/// `count` sales with the keys `k1`, `k2`, ….
pub fn sales(count: usize) -> String {
    (1..=count).map(|n| sale(&format!("k{n}")) + "\n").collect()
}
