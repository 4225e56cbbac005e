//! Standard output: JSON lines for programs, text and tables for people. A reader that went away is no error.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{self, BufWriter, ErrorKind, Write};

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use serde::Serialize;

use super::trouble::Trouble;

/// Where results go.
pub struct Output {
    to: Box<dyn Write + Send>,
    json: bool,
    closed: bool,
}

impl Output {
    /// Standard output.
    pub fn stdout(json: bool) -> Output {
        Output { to: Box::new(BufWriter::new(io::stdout())), json, closed: false }
    }

    /// Whether results are JSON lines.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether nobody reads any more (`| head`): what only prints may stop.
    pub fn is_closed(&self) -> bool {
        self.closed
    }

    /// One object as one line.
    ///
    /// # Errors
    /// [`Trouble`] `output`, when it cannot be written; not when nobody reads any more.
    pub fn object(&mut self, object: &impl Serialize) -> Result<(), Trouble> {
        let text = serde_json::to_string(object).map_err(|error| Trouble::new("output", error.to_string()))?;
        self.line(text)
    }

    /// One line of text, as it is.
    ///
    /// # Errors
    /// As [`object`](Output::object).
    pub fn line(&mut self, text: impl Display) -> Result<(), Trouble> {
        if self.closed {
            return Ok(());
        }
        let written = writeln!(self.to, "{text}");
        self.checked(written)
    }

    /// Bytes as they are (a PDF).
    ///
    /// # Errors
    /// As [`object`](Output::object).
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Trouble> {
        if self.closed {
            return Ok(());
        }
        let written = self.to.write_all(bytes);
        self.checked(written)
    }

    /// Hands everything on to the reader.
    ///
    /// # Errors
    /// As [`object`](Output::object).
    pub fn flush(&mut self) -> Result<(), Trouble> {
        if self.closed {
            return Ok(());
        }
        let flushed = self.to.flush();
        self.checked(flushed)
    }

    fn checked(&mut self, result: io::Result<()>) -> Result<(), Trouble> {
        match result {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(Trouble::new("output", format!("standard output cannot be written: {error}"))),
        }
    }
}

/// A line on standard error, for people. If nobody reads it, so be it: a closed terminal stops no delivery.
pub fn tell(text: impl Display) {
    let _ = io::stderr().write_all(format!("staffetta: {text}\n").as_bytes());
}

/// A table for people, as wide as the terminal; without headings it goes on with the one before.
pub fn table(headings: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    if !headings.is_empty() {
        table.set_header(headings.iter().map(|heading| heading.to_uppercase()));
    }
    table
}

/// A table as text: no space in front of a line, none at its end. Only the last column (a reason) is folded in a narrow
/// terminal: a key is copied whole.
pub fn text(mut table: Table) -> String {
    let last = table.column_count().saturating_sub(1);
    for (index, column) in table.column_iter_mut().enumerate() {
        column.set_padding((0, 2));
        column.set_constraint(match index == last {
            true => ColumnConstraint::LowerBoundary(Width::Fixed(30)),
            false => ColumnConstraint::ContentWidth,
        });
    }
    table.trim_fmt()
}

/// Text that came from elsewhere (a provider's message), without signs that could move a terminal's cursor.
pub fn plain(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        Cow::Owned(text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}
