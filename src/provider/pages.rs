//! Reading a list to its end, page by page, so that "nothing matches" can be believed.

use std::collections::HashSet;

use serde_json::Value;

use super::classify::NoRead;

/// Rows asked for at once: the most that either receipt API gives.
pub(crate) const PAGE: usize = 100;
/// Pages of one list that a look-up reads: 20,000 receipts of one day and VAT number. More is no answer.
pub(crate) const MAX_PAGES: usize = 200;
/// Documents that a look-up fetches one by one to compare their lines.
pub(crate) const MAX_CANDIDATES: usize = 50;
/// Days that a look-up lists. The window is minutes, unless the process was stopped for long.
pub(crate) const MAX_DAYS: usize = 40;

/// The pages of one list so far.
pub(crate) struct Pages {
    seen: HashSet<String>,
    pages: usize,
    most: usize,
}

impl Default for Pages {
    fn default() -> Pages {
        Pages { seen: HashSet::new(), pages: 0, most: MAX_PAGES }
    }
}

impl Pages {
    /// For a person who wants the whole list, however long.
    pub(crate) fn endless() -> Pages {
        Pages { most: usize::MAX, ..Pages::default() }
    }

    /// Takes a page; its new rows with their ids. An empty result is the end of the list: a short page is not, since a
    /// provider may give fewer rows at once than it was asked for.
    pub(crate) fn take(
        &mut self,
        rows: Vec<Value>,
        id_of: impl Fn(&Value) -> Option<String>,
    ) -> Result<Vec<(String, Value)>, NoRead> {
        self.pages += 1;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if self.pages > self.most {
            return Err(NoRead::failed(format!("the list goes on after {} pages", self.most)));
        }
        let mut new = Vec::with_capacity(rows.len());
        for row in rows {
            // A row that cannot be named might be the one that is looked for.
            let id = id_of(&row).ok_or_else(|| NoRead::failed("the list has a row without an id"))?;
            if self.seen.insert(id.clone()) {
                new.push((id, row));
            }
        }
        if new.is_empty() {
            return Err(NoRead::failed("the list repeats a page instead of going on"));
        }
        Ok(new)
    }
}

/// The rows of a list's answer: an array, bare or under one of the names in use.
pub(crate) fn rows(answer: &Value) -> Result<Vec<Value>, NoRead> {
    const NAMES: [&str; 4] = ["data", "hydra:member", "member", "items"];
    let mut inner = answer;
    for _ in 0..3 {
        if let Value::Array(rows) = inner {
            return Ok(rows.clone());
        }
        match NAMES.iter().find_map(|name| inner.get(name)) {
            Some(next) => inner = next,
            None => break,
        }
    }
    Err(NoRead::failed("the answer is not a list"))
}
