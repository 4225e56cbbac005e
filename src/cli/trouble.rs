//! Our own trouble: exit status 2 and one line that says what is wrong and what to do.

use std::fmt;

/// Why a command could not do its work. Not a finding about documents: those have exit statuses of their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// A short name for programs: `config`, `usage`, `input`, `output`, `journal_locked`, `journal_damaged`, `journal`, …
    pub code: &'static str,
    /// One line for a person: what is wrong, and what to do.
    pub message: String,
}

impl Trouble {
    /// A trouble of this kind; line breaks of the message become spaces.
    pub fn new(code: &'static str, message: impl Into<String>) -> Trouble {
        let message: String = message.into();
        let message = message.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
        Trouble { code, message }
    }

    /// Something that was typed on the command line makes no sense.
    pub fn usage(message: impl Into<String>) -> Trouble {
        Trouble::new("usage", message)
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}
