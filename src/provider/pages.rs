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
    /// The ids of the first page, in its order.
    first: Vec<String>,
    pages: usize,
    most: usize,
}

impl Default for Pages {
    fn default() -> Pages {
        Pages { seen: HashSet::new(), first: Vec::new(), pages: 0, most: MAX_LIST_PAGES }
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
            return Err(NoRead::Endless(format!("the list goes on after {} pages", self.most)));
        }
        let mut new = Vec::with_capacity(rows.len());
        for row in rows {
            // A row that cannot be named might be the one that is looked for.
            let id = id_of(&row).ok_or_else(|| NoRead::failed("the list has a row without an id"))?;
            if self.pages == 1 {
                self.first.push(id.clone());
            }
            if self.seen.insert(id.clone()) {
                new.push((id, row));
            }
        }
        if new.is_empty() {
            return Err(NoRead::failed("the list repeats a page instead of going on"));
        }
        Ok(new)
    }

    /// What was read, of which `kept` is wanted.
    pub(crate) fn listed(self, kept: Vec<(String, Value)>) -> Listed {
        // A full page alone could have had a second one, whose rows have come forward before that was read.
        let several = self.seen.len() > self.first.len() || self.first.len() >= PAGE;
        Listed { kept, ids: self.seen, first: several.then_some(self.first) }
    }
}

/// A list that was read to its end, or as far as it matters.
pub(crate) struct Listed {
    /// The rows that are wanted, with their ids.
    pub(crate) kept: Vec<(String, Value)>,
    /// Of all rows.
    pub(crate) ids: HashSet<String>,
    /// The ids of its first page, if the list may have had more than that one: rows that leave such a list while it is
    /// read move others past the reader.
    pub(crate) first: Option<Vec<String>>,
}

/// Whether a list stood still while it was read, by its first page as it was and as it is now. Rows that came in front
/// only moved others towards the reader; one of them that is wanted says that it is not known yet what is there.
pub(crate) fn stood_still(
    first: &[String],
    again: &[Value],
    id_of: impl Fn(&Value) -> Option<String>,
    keep: impl Fn(&str, &Value) -> bool,
) -> Result<(), NoRead> {
    let moved = || NoRead::failed("the list moved while it was read: what is not in it may have been overlooked");
    let ids: Vec<String> = again.iter().map(id_of).collect::<Option<_>>().ok_or_else(moved)?;
    let came = ids.iter().take_while(|id| !first.contains(id)).count();
    let (news, stayed) = ids.split_at(came);
    let in_place =
        !stayed.is_empty() && ids.len() >= first.len() && stayed.iter().zip(first).all(|(now, then)| now == then);
    if !in_place || news.iter().zip(again).any(|(id, row)| keep(id, row)) {
        return Err(moved());
    }
    Ok(())
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
