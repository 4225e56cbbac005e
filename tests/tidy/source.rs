//! A source file of the project, as it is and as the compiler sees it.

use std::path::Path;

/// A file.
pub struct Source {
    /// From the project's folder, with slashes.
    pub path: String,
    /// As it is.
    pub text: String,
    /// Without comments and literals.
    pub code: String,
}

impl Source {
    pub fn new(path: &str, text: &str) -> Source {
        Source { path: path.to_owned(), text: text.to_owned(), code: code_only(text) }
    }

    /// The room it belongs to: the first name below `src`.
    pub fn room(&self) -> &str {
        let inside = self.path.strip_prefix("src/").unwrap_or(&self.path);
        inside.split(['/', '.']).next().unwrap_or_default()
    }

    /// How many modules it is below the crate.
    pub fn depth(&self) -> usize {
        let inside = self.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        inside.split('/').count()
    }

    pub fn is_below(&self, places: &[&str]) -> bool {
        places.iter().any(|place| self.path == *place || (place.ends_with('/') && self.path.starts_with(place)))
    }

    /// What the program does: without the tests at its end.
    pub fn without_tests(&self) -> &str {
        if self.path.ends_with("/tests.rs") || self.path.contains("/tests/") {
            return "";
        }
        self.code.split("#[cfg(test)]").next().unwrap_or_default()
    }

    pub fn finding(&self, offset: usize, what: impl std::fmt::Display) -> String {
        let line = 1 + self.text.as_bytes().iter().take(offset).filter(|byte| **byte == b'\n').count();
        format!("{}:{line}: {what}", self.path)
    }

    pub fn has(&self, word: &str) -> Option<usize> {
        occurrences(&self.code, word).next()
    }
}

/// Where `words` (one, or several with `::` between) stands as a whole.
pub fn occurrences<'a>(code: &'a str, words: &'a str) -> impl Iterator<Item = usize> + 'a {
    let part_of_name = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    code.match_indices(words).map(|(at, _)| at).filter(move |at| {
        let bytes = code.as_bytes();
        !part_of_name(at.checked_sub(1).and_then(|before| bytes.get(before)))
            && !part_of_name(bytes.get(at + words.len()))
    })
}

/// The text with comments and the content of literals blanked out; every other byte stays where it was.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut blank = |from: usize, to: usize| {
        code.iter_mut().take(to).skip(from).filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    };
    let find = |from: usize, what: &str| text.get(from..).and_then(|rest| rest.find(what)).map(|at| from + at);
    let mut at = 0;
    while let Some(byte) = bytes.get(at).copied() {
        let rest = bytes.get(at..).unwrap_or_default();
        let named = at > 0 && bytes.get(at - 1).is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
        let hashes = rest.iter().skip(1).take_while(|byte| **byte == b'#').count();
        let end = if rest.starts_with(b"//") {
            find(at, "\n").unwrap_or(bytes.len())
        } else if rest.starts_with(b"/*") {
            find(at + 2, "*/").map_or(bytes.len(), |end| end + 2)
        } else if byte == b'r' && (!named || bytes.get(at - 1) == Some(&b'b')) && rest.get(1 + hashes) == Some(&b'"') {
            let close = format!("\"{}", "#".repeat(hashes));
            find(at + hashes + 2, &close).map_or(bytes.len(), |end| end + close.len())
        } else if byte == b'"' || (byte == b'\'' && is_character(rest)) {
            let mut end = at + 1;
            while let Some(inner) = bytes.get(end).filter(|inner| **inner != byte) {
                end += if *inner == b'\\' { 2 } else { 1 };
            }
            end + 1
        } else {
            at += 1;
            continue;
        };
        blank(at, end);
        at = end;
    }
    String::from_utf8(code).unwrap_or_default()
}

/// Whether a quote begins a character and not a lifetime.
fn is_character(rest: &[u8]) -> bool {
    let text = std::str::from_utf8(rest).unwrap_or_default();
    let mut after = text.chars().skip(1);
    matches!((after.next(), after.next()), (Some('\\'), _) | (Some(_), Some('\'')))
}

/// The first names of what follows `crate::`, alone or in braces.
pub fn roots(code: &str, at: usize) -> Vec<&str> {
    let rest = code.get(at..).unwrap_or_default();
    let ident = |text: &str| text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    let Some(group) = rest.strip_prefix('{') else { return vec![&rest[..ident(rest)]] };
    let (mut depth, mut begins, mut found) = (1, true, Vec::new());
    for (offset, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 1 => begins = true,
            _ if begins && depth == 1 && !c.is_whitespace() => {
                let rest = &group[offset..];
                found.push(&rest[..ident(rest)]);
                begins = false;
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

/// Every Rust file below a folder of the project, by path; none if there is no such folder.
pub fn read(folder: &str) -> Vec<Source> {
    fn walk(root: &Path, folder: &Path, found: &mut Vec<Source>) {
        for entry in
            std::fs::read_dir(folder).expect("a folder of the project").map(|entry| entry.expect("an entry").path())
        {
            if entry.is_dir() {
                walk(root, &entry, found);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                let path = entry.strip_prefix(root).expect("inside").to_string_lossy().replace('\\', "/");
                found.push(Source::new(&path, &std::fs::read_to_string(&entry).expect("text")));
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    if root.join(folder).is_dir() {
        walk(root, &root.join(folder), &mut found);
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}
