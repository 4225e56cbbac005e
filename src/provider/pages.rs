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

/// The rows of a list's answer: an array, bare or under `data`, as documented; or under the names that API Platform uses. An
/// empty one under those is only believed beside its count: it could be a stub, and "nothing there" is what sending
/// again rests on.
pub(crate) fn rows(answer: Value) -> Result<Vec<Value>, NoRead> {
    const OTHERS: [&str; 3] = ["hydra:member", "member", "items"];
    const COUNTS: [&str; 2] = ["hydra:totalItems", "totalItems"];
    let mut inner = answer;
    let mut believed = true;
    for _ in 0..3 {
        inner = match inner {
            Value::Array(rows) if believed || !rows.is_empty() => return Ok(rows),
            Value::Object(mut members) => match members.remove("data") {
                Some(next) => next,
                None => {
                    believed = COUNTS.iter().any(|name| members.get(*name).is_some_and(Value::is_number));
                    match OTHERS.iter().find_map(|name| members.remove(*name)) {
                        Some(next) => next,
                        None => break,
                    }
                }
            },
            _ => break,
        };
    }
    Err(NoRead::failed("the answer is not a list"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::rows;

    #[test]
    fn an_empty_list_is_believed_where_it_is_surely_one() {
        for empty in [json!([]), json!({"data": []}), json!({"hydra:member": [], "hydra:totalItems": 0})] {
            assert_eq!(rows(empty).unwrap(), Vec::<serde_json::Value>::new());
        }
        for full in [json!([1]), json!({"data": {"data": [1]}}), json!({"hydra:member": [1]}), json!({"items": [1]})] {
            assert_eq!(rows(full).unwrap(), [json!(1)]);
        }
        for stub in
            [json!({"hydra:member": []}), json!({"items": []}), json!({"data": {"member": []}}), json!({}), json!(null)]
        {
            assert!(rows(stub.clone()).is_err(), "{stub}");
        }
    }
}
