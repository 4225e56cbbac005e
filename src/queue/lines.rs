//! Lines of any input with bounded memory: a line over the limit is passed over without being kept.

use std::io::{self, Read};

use crate::domain::document::NewDocument;
use crate::domain::limits::MAX_LINE;
use crate::domain::line;
use crate::error::Rejection;

/// Bytes asked for at once.
const CHUNK: usize = 256 * 1024;
/// What a line may have besides its content: a byte-order mark and a carriage return.
const FRAME: usize = 4;
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One physical line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content<'a> {
    /// What it says, without its line end and without a byte-order mark.
    Text(&'a [u8]),
    /// Nothing but white space.
    Blank,
    /// More than [`MAX_LINE`] bytes.
    TooLong,
}

impl Content<'_> {
    /// The document that it is, or its key, as far as it can be made out, and why it is none; nothing for a blank line.
    pub fn document(&self) -> Option<Result<NewDocument, (Option<String>, Rejection)>> {
        Some(match self {
            Content::Blank => return None,
            Content::TooLong => {
                let why = "the line is longer than 1 MiB: a document of that size is refused";
                Err((None, Rejection::new("too_large", why)))
            }
            Content::Text(text) => line::read(text).map_err(|error| {
                let line::LineError { key, code, message, violations } = error;
                (key, Rejection { code, message, violations })
            }),
        })
    }
}

/// Cuts an input into lines. Memory is bounded by one line and one chunk.
pub struct Lines<R> {
    from: R,
    buffer: Vec<u8>,
    /// What of the buffer was not handed out yet.
    start: usize,
    /// Up to here there is no line end: not searched again.
    searched: usize,
    /// The number of the line handed out last, from 1.
    number: u64,
    /// Within a line that is too long.
    skipping: bool,
    ended: bool,
}

impl<R: Read> Lines<R> {
    /// The lines of this input.
    pub fn new(from: R) -> Lines<R> {
        Lines { from, buffer: Vec::new(), start: 0, searched: 0, number: 0, skipping: false, ended: false }
    }

    /// Whether the next line is here already: if not, [`next`](Lines::next) may wait for it.
    pub fn is_ready(&mut self) -> bool {
        self.ended || self.line_end().is_some()
    }

    /// The next line with its number, counted from 1 over all lines; `None` at the end.
    ///
    /// # Errors
    /// What reading the input gives.
    pub fn next(&mut self) -> io::Result<Option<(u64, Content<'_>)>> {
        let (from, to, after) = loop {
            if let Some(end) = self.line_end() {
                break (self.start, end, end + 1);
            }
            if self.ended {
                if self.start == self.buffer.len() && !self.skipping {
                    return Ok(None);
                }
                break (self.start, self.buffer.len(), self.buffer.len());
            }
            if self.buffer.len() - self.start > MAX_LINE + FRAME {
                self.skipping = true;
                self.start = self.buffer.len();
            }
            self.fill()?;
        };
        self.start = after;
        self.searched = after;
        self.number += 1;
        let too_long = std::mem::take(&mut self.skipping);
        let line = self.buffer.get(from..to).unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = if self.number == 1 { line.strip_prefix(BYTE_ORDER_MARK).unwrap_or(line) } else { line };
        let content = if too_long || line.len() > MAX_LINE {
            Content::TooLong
        } else if line.iter().all(u8::is_ascii_whitespace) {
            Content::Blank
        } else {
            Content::Text(line)
        };
        Ok(Some((self.number, content)))
    }

    /// Where the line that begins at `start` ends, if its end is in the buffer.
    fn line_end(&mut self) -> Option<usize> {
        let from = self.searched.max(self.start);
        match self.buffer.get(from..)?.iter().position(|b| *b == b'\n') {
            Some(length) => {
                self.searched = from + length;
                Some(from + length)
            }
            None => {
                self.searched = self.buffer.len();
                None
            }
        }
    }

    /// Reads once more; drops what was handed out.
    fn fill(&mut self) -> io::Result<()> {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        let kept = self.buffer.len();
        self.buffer.resize(kept + CHUNK, 0);
        let read = loop {
            match self.from.read(self.buffer.get_mut(kept..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other,
            }
        };
        self.buffer.truncate(kept + *read.as_ref().unwrap_or(&0));
        self.ended = matches!(read, Ok(0));
        read.map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives `step` bytes at a time.
    struct Slow<'a>(&'a [u8], usize);
    impl Read for Slow<'_> {
        fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
            let n = self.1.min(self.0.len()).min(to.len());
            let (now, later) = self.0.split_at(n);
            to[..n].copy_from_slice(now);
            self.0 = later;
            Ok(n)
        }
    }

    fn all(bytes: &[u8], step: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::new(Slow(bytes, step));
        let mut all = Vec::new();
        while let Some((number, content)) = lines.next().expect("no error") {
            let text = match content {
                Content::Text(text) => String::from_utf8_lossy(text).into_owned(),
                Content::Blank => "(blank)".to_owned(),
                Content::TooLong => "(too long)".to_owned(),
            };
            all.push((number, text));
        }
        all
    }

    #[test]
    fn lines_are_the_same_whatever_the_chunks() {
        let input = "\u{feff}{\"a\":1}\r\n\r\n  \t\n{\"b\":\"\u{feff}è\"}\n\nlast".as_bytes();
        let expected = [
            (1, "{\"a\":1}"),
            (2, "(blank)"),
            (3, "(blank)"),
            (4, "{\"b\":\"\u{feff}è\"}"),
            (5, "(blank)"),
            (6, "last"),
        ]
        .map(|(n, text)| (n, text.to_owned()));
        for step in [1, 2, 3, 5, 7, 1000] {
            assert_eq!(all(input, step), expected, "{step}");
        }
        assert!(all(b"", 1).is_empty());
        assert_eq!(all(b"\n", 1), [(1, "(blank)".to_owned())]);
        assert_eq!(all("\u{feff}".as_bytes(), 1), [(1, "(blank)".to_owned())]);
        assert_eq!(all(b"a\n", 1), [(1, "a".to_owned())]);
    }

    #[test]
    fn the_limit_is_exact_and_the_next_line_is_whole() {
        for (length, fits) in [(MAX_LINE - 1, true), (MAX_LINE, true), (MAX_LINE + 1, false), (5 * MAX_LINE, false)] {
            for end in ["\n", "\r\n", ""] {
                let mut input = "\u{feff}".as_bytes().to_vec();
                input.extend(vec![b'x'; length]);
                input.extend(end.as_bytes());
                if !end.is_empty() {
                    input.extend(b"next\n");
                }
                for step in [100_000, usize::MAX] {
                    let lines = all(&input, step);
                    assert_eq!(lines[0].1 != "(too long)", fits, "{length} {end:?} {step}");
                    assert_eq!(
                        lines.get(1).map(|(n, text)| (*n, text.as_str())),
                        (!end.is_empty()).then_some((2, "next"))
                    );
                }
            }
        }
    }

    #[test]
    fn memory_is_bounded_by_a_line_and_a_chunk() {
        let mut lines = Lines::new(io::repeat(b'x').take(64 * 1024 * 1024));
        assert_eq!(lines.next().expect("no error"), Some((1, Content::TooLong)));
        assert!(lines.buffer.capacity() <= 3 * (MAX_LINE + CHUNK), "{}", lines.buffer.capacity());
    }

    #[test]
    fn ready_says_whether_a_whole_line_is_here() {
        let mut lines = Lines::new(Slow(b"one\ntwo\nthr", 9));
        assert!(!lines.is_ready());
        assert!(lines.next().is_ok());
        assert!(lines.is_ready());
        assert!(lines.next().is_ok());
        assert!(!lines.is_ready());
        assert_eq!(lines.next().expect("no error"), Some((3, Content::Text(b"thr"))));
    }
}
