//! Reading a list to its end, page by page, so that "nothing matches" can be believed.

use std::collections::HashSet;

use serde_json::Value;

use super::classify::NoRead;
use crate::domain::limits::MAX_LIST_PAGES;

/// Rows asked for at once: the most that either receipt API gives.
pub(crate) const PAGE: usize = 100;

/// The pages of one list so far.
pub(crate) struct Pages {
    seen: HashSet<String>,
    pages: usize,
    most: usize,
}

impl Default for Pages {
    fn default() -> Pages {
        Pages { seen: HashSet::new(), pages: 0, most: MAX_LIST_PAGES }
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
pub(crate) fn rows(answer: Value) -> Result<Vec<Value>, NoRead> {
    const NAMES: [&str; 4] = ["data", "hydra:member", "member", "items"];
    let mut inner = answer;
    for _ in 0..3 {
        inner = match inner {
            Value::Array(rows) => return Ok(rows),
            Value::Object(mut members) => match NAMES.iter().find_map(|name| members.remove(*name)) {
                Some(next) => next,
                None => break,
            },
            _ => break,
        };
    }
    Err(NoRead::failed("the answer is not a list"))
}
