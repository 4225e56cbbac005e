//! The rules of a return.

use super::report::Report;
use super::{Checked, ParentLine, Violation, codes};
use crate::domain::document::{Return, ReturnItem};
use crate::domain::id::RemoteId;
use crate::domain::input::{ReturnInput, ReturnItemInput};
use crate::domain::limits::MAX_ITEMS;

/// What can be said of a return without its sale.
pub(super) fn return_alone(input: &ReturnInput) -> Checked<Return> {
    let mut report = Report::default();
    let items = items(&mut report, input);
    let whole = items.into_iter().collect::<Option<Vec<_>>>();
    report.finish(whole.map(|items| Return { items }))
}

/// The return and, for each item, the index of the parent's line; or every rule it breaks, those of [`super::body`] and
/// those of [`returns`] together.
pub fn return_of(input: &ReturnInput, parent: &[ParentLine]) -> Result<(Return, Vec<usize>), Vec<Violation>> {
    return_whole(input, parent, true)
}

/// The same; without `by_id`, as long as the sale has no ids yet, what is named by an id is not judged by its sale.
pub(crate) fn return_whole(
    input: &ReturnInput,
    parent: &[ParentLine],
    by_id: bool,
) -> Result<(Return, Vec<usize>), Vec<Violation>> {
    let judged = |line: Option<u32>| by_id || line.is_some();
    let mut report = Report::default();
    let items = items(&mut report, input);
    let sound = items.iter().enumerate().filter_map(|(index, item)| Some((index, item.as_ref()?)));
    let sound: Vec<_> = sound.filter(|(_, item)| judged(item.line)).collect();
    let lines = match_lines(&mut report, &sound, parent);
    // An item whose quantity is nonsense still says which line it means.
    for (index, (input, _)) in input.items.iter().zip(&items).enumerate().filter(|(_, (_, item))| item.is_none()) {
        if let (true, None) = (named_once(input) && judged(input.line), find(input.line, input.id.as_deref(), parent)) {
            report.add(format!("items[{index}].{}", member(input.line)), codes::RETURN_ID);
        }
    }
    let whole = items.into_iter().collect::<Option<Vec<_>>>();
    report.finish(whole.map(|items| (Return { items }, lines))).sound()
}

/// The rules of a return that need its parent's lines: known lines or ids, quantities within what is left.
/// Returns, for each item, the index of the parent's line. A parent whose ids are not known yet knows no id.
pub fn returns(items: &[ReturnItem], parent: &[ParentLine]) -> Result<Vec<usize>, Vec<Violation>> {
    fitting(items, parent, true)
}

/// The same; without `by_id` of those items alone that name a line, as in [`return_whole`].
pub(crate) fn fitting(items: &[ReturnItem], parent: &[ParentLine], by_id: bool) -> Result<Vec<usize>, Vec<Violation>> {
    let mut report = Report::default();
    let judged: Vec<_> = items.iter().enumerate().filter(|(_, item)| by_id || item.line.is_some()).collect();
    let lines = match_lines(&mut report, &judged, parent);
    report.finish(Some(lines)).sound()
}

fn items(report: &mut Report, input: &ReturnInput) -> Vec<Option<ReturnItem>> {
    if input.items.is_empty() {
        report.add("items", codes::ITEMS_EMPTY);
    }
    if input.items.len() > MAX_ITEMS {
        report.add("items", codes::ITEMS_MAX);
        return vec![None];
    }
    let mut items = Vec::with_capacity(input.items.len());
    for (index, item) in input.items.iter().enumerate() {
        let path = |member: &str| format!("items[{index}].{member}");
        let named = named_once(item);
        match (item.line, &item.id) {
            (None, None) => report.add(format!("items[{index}]"), codes::LINE_OR_ID),
            (Some(_), Some(_)) => report.add(format!("items[{index}]"), codes::LINE_AND_ID),
            (None, Some(id)) if id.parse::<RemoteId>().is_err() => report.add(path("id"), codes::RETURN_ID),
            (line, id) => {
                let same = |other: &ReturnItemInput| other.line == line && other.id == *id;
                if input.items.iter().take(index).any(same) {
                    report.add(path(member(line)), codes::ITEM_DUPLICATE);
                }
            }
        }
        let quantity = report.quantity(|| path("quantity"), &item.quantity);
        let sound = quantity.filter(|_| named);
        items.push(sound.map(|quantity| ReturnItem { line: item.line, id: item.id.clone(), quantity }));
    }
    items
}

/// Whether it names a line, or an id that could be one.
fn named_once(item: &ReturnItemInput) -> bool {
    match (item.line, &item.id) {
        (Some(_), None) => true,
        (None, Some(id)) => id.parse::<RemoteId>().is_ok(),
        _ => false,
    }
}

fn member(line: Option<u32>) -> &'static str {
    if line.is_some() { "line" } else { "id" }
}

fn find(line: Option<u32>, id: Option<&str>, parent: &[ParentLine]) -> Option<usize> {
    match (line, id) {
        (Some(line), _) => usize::try_from(line).ok().filter(|line| *line < parent.len()),
        (None, Some(id)) => parent.iter().position(|line| line.id.as_deref() == Some(id)),
        (None, None) => None,
    }
}

/// The parent's line of each of these items (given with their places in the return).
fn match_lines(report: &mut Report, items: &[(usize, &ReturnItem)], parent: &[ParentLine]) -> Vec<usize> {
    let mut lines: Vec<usize> = Vec::with_capacity(items.len());
    for (index, item) in items {
        let path = |member: &str| format!("items[{index}].{member}");
        let Some(found) = find(item.line, item.id.as_deref(), parent) else {
            report.add(path(member(item.line)), codes::RETURN_ID);
            continue;
        };
        // The same line by its number and by its id is one line too.
        let twice = Violation::new(path(member(item.line)), codes::ITEM_DUPLICATE);
        if lines.contains(&found) && !report.violations.contains(&twice) {
            report.violations.push(twice);
        }
        lines.push(found);
        let left = parent.get(found).and_then(|line| line.quantity.checked_sub(line.returned));
        if left.is_none_or(|left| item.quantity > left) {
            report.add(path("quantity"), codes::RETURN_QUANTITY);
        }
    }
    lines
}
