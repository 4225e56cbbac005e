//! The house keeps its shape: which room may know which, who alone knows sled, HTTP and the clock, no float near money,
//! no file that grew too long, nothing left for later. Read from the sources, so no rule rests on anyone's memory. An
//! exception is named here with its reason, or it is a mistake.

mod planted;
mod source;

use std::path::Path;

use source::{Source, code_only, occurrences, read, roots};

/// What a room may know besides itself and other crates. `domain` is pure and knows nobody.
const ARROWS: [(&str, &[&str]); 12] = [
    ("domain", &[]),
    ("clock", &[]),
    ("error", &["domain", "journal"]),
    ("view", &["domain"]),
    ("journal", &["domain", "clock"]),
    ("provider", &["domain", "clock"]),
    ("queue", &["domain", "clock", "journal", "error", "view"]),
    ("dispatcher", &["domain", "clock", "journal", "error", "view", "queue", "provider"]),
    ("agent", &["domain", "clock", "journal", "error", "view", "queue", "dispatcher"]),
    ("sandbox", &["domain", "clock"]),
    ("cli", &["domain", "clock", "journal", "error", "view", "queue", "provider", "dispatcher", "sandbox", "agent"]),
    ("testing", &["domain", "clock", "journal", "error", "view", "queue", "provider", "dispatcher", "sandbox"]),
];

/// What the unit tests of any room may know besides: what is made to test with, and asks nobody's adapter.
const KITS: [&str; 2] = ["sandbox", "testing"];

/// Names that only some places of `src` may use.
const ONLY: [(&str, &[&str], &str); 10] = [
    (
        "sled",
        &["src/journal/index.rs", "src/journal/index/tests.rs", "src/journal/index/tests/"],
        "the index's store can be exchanged in one file",
    ),
    ("zstd", &["src/journal/packed.rs"], "the compression can be exchanged in one file"),
    ("reqwest", &["src/provider/"], "one room speaks HTTP to providers"),
    ("axum", &["src/sandbox/", "src/agent/"], "two rooms serve HTTP"),
    ("hyper", &["src/sandbox/", "src/agent/", "src/provider/http.rs"], "two rooms serve HTTP, one file asks by it"),
    ("clap", &["src/cli/"], "the library has no command line"),
    ("comfy_table", &["src/cli/"], "the library prints nothing"),
    ("indicatif", &["src/cli/"], "the library prints nothing"),
    ("println", &["src/cli/"], "the library prints nothing"),
    ("eprintln", &["src/cli/"], "the library prints nothing"),
];

/// Rooms without I/O, and what I/O looks like. The journal does I/O, but never waits for a runtime.
const NEVER: [(&str, &[&str]); 3] = [
    ("src/domain/", &["std::fs", "std::net", "std::env", "std::process", "std::thread", "tokio", "async"]),
    ("src/journal/", &["tokio", "async", "std::net"]),
    ("src/queue/", &["std::fs", "std::net", "std::env"]),
];

/// Who may read a clock.
const CLOCKS: [(&str, &str); 2] =
    [("src/clock.rs", "the one place"), ("src/testing/clock.rs", "tokio's paused time, for tests")];

/// Where a float may be, and why none of it is money.
const FLOATS: [(&str, &str); 7] = [
    ("src/agent/metrics.rs", "seconds of a flush, as Prometheus counts them"),
    ("src/domain/retry.rs", "growth and jitter of delays"),
    ("src/dispatcher/office.rs", "an account's share of the spread after the blackout"),
    ("src/dispatcher/settings.rs", "factor and jitter of delays"),
    ("src/cli/config/typed.rs", "factor and jitter as they are written in the configuration"),
    ("src/cli/config/meaning.rs", "factor and jitter, checked"),
    ("src/cli/config/secret.rs", "says that a number is no secret"),
];

/// Lines a file may have before somebody must ask whether it is two.
const LONGEST: usize = 450;

/// Longer ones: how long they may be, and why.
const LONG: [(&str, usize, &str); 0] = [];

fn arrows(source: &Source) -> Vec<String> {
    if source.path == "src/lib.rs" || source.path == "src/main.rs" {
        return Vec::new(); // they name the rooms, and use one
    }
    let room = source.room();
    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == room) else {
        return vec![source.finding(0, format!("the room {room} is new: say in tests/tidy.rs whom it may know"))];
    };
    let mut findings = Vec::new();
    for (at, _) in source.code.match_indices("crate::").filter(|(at, _)| !source.code[..*at].ends_with('$')) {
        for root in roots(&source.code, at + "crate::".len()) {
            let is_kit = at >= source.without_tests().len() && KITS.contains(&root);
            if root != room && !allowed.contains(&root) && !is_kit {
                findings.push(source.finding(at, format!("{room} must not know crate::{root}")));
            }
        }
    }
    // The tests at the end are a module of their own.
    let (program, tests) = source.code.split_at(source.code.find("#[cfg(test)]").unwrap_or(source.code.len()));
    let climb = |more| "super::".repeat(source.depth() + more);
    if let Some(at) = program.find(&climb(0)).or_else(|| Some(program.len() + tests.find(&climb(1))?)) {
        findings.push(source.finding(at, "leaves its room by `super`: say `crate::…`"));
    }
    findings
}

fn names(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, places, why) in ONLY.iter().filter(|(_, places, _)| !source.is_below(places)) {
        findings.extend(source.has(name).map(|at| source.finding(at, format!("{name} belongs in {places:?}: {why}"))));
    }
    for (_, never) in NEVER.iter().filter(|(place, _)| source.path.starts_with(place)) {
        findings
            .extend(never.iter().filter_map(|name| Some(source.finding(source.has(name)?, format!("no {name} here")))));
    }
    findings
}

fn clocks(source: &Source) -> Vec<String> {
    const READS: [&str; 7] = ["Utc::now", "Local::now", "chrono::Local", "SystemTime", "Instant", "now_v7", "now_v6"];
    if CLOCKS.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    READS.iter().filter_map(|name| Some(source.finding(source.has(name)?, format!("{name}: take a Clock")))).collect()
}

fn floats(source: &Source) -> Vec<String> {
    if FLOATS.iter().any(|(path, _)| *path == source.path) {
        return Vec::new();
    }
    // Tests outside of the domain may print numbers as other programs do.
    let code = if source.room() == "domain" { &source.code } else { source.without_tests() };
    let named = |name: &&str| Some(source.finding(occurrences(code, name).next()?, name));
    let mut findings: Vec<_> = ["f32", "f64"].iter().filter_map(named).collect();
    let bytes = code.as_bytes();
    for at in code.match_indices('.').map(|(at, _)| at) {
        let digits = bytes[..at].iter().rev().take_while(|byte| byte.is_ascii_digit() || **byte == b'_').count();
        let before = (at - digits).checked_sub(1).and_then(|before| bytes.get(before)).copied().unwrap_or(b' ');
        let literal = digits > 0 && !before.is_ascii_alphanumeric() && before != b'.' && before != b'_';
        if literal && bytes.get(at + 1).is_some_and(u8::is_ascii_digit) {
            findings.push(source.finding(at, "a float literal"));
        }
    }
    findings
}

fn lengths(source: &Source) -> Vec<String> {
    let most = LONG.iter().find(|(path, ..)| *path == source.path).map_or(LONGEST, |(_, most, _)| *most);
    let lines = source.text.lines().count();
    if lines > most {
        vec![format!("{}: {lines} lines, at most {most}: what are its parts?", source.path)]
    } else {
        Vec::new()
    }
}

/// Nothing is left for later, nothing is switched off, nothing waits in real time.
fn unfinished(source: &Source) -> Vec<String> {
    let later = [concat!("FIX", "ME"), concat!("TO", "DO"), concat!("XX", "X"), concat!("HA", "CK")];
    let mut findings: Vec<_> = later
        .iter()
        .filter_map(|word| {
            Some(source.finding(occurrences(&source.text, word).next()?, format!("{word}: do it or drop it")))
        })
        .collect();
    let code =
        ["todo!", "unimplemented!", "dbg!", "#[ignore", "#![ignore", "thread::sleep", "sleep_ms", "allow(dead_code"];
    findings.extend(code.iter().filter_map(|word| Some(source.finding(source.code.find(word)?, word))));
    findings
}

/// What comes from disk, network, command line or environment must not end the program by a panic.
fn panics(source: &Source) -> Vec<String> {
    if source.path.starts_with("src/testing/") {
        return Vec::new();
    }
    let code = source.without_tests();
    [".unwrap()", ".expect(", "panic!", "unreachable!", ".unwrap_err()", "process::exit", "process::abort"]
        .iter()
        .filter_map(|word| Some(source.finding(code.find(word)?, format!("{word} in the program"))))
        .collect()
}

/// In tests only tokio's paused time passes.
fn naps(source: &Source) -> Vec<String> {
    let Some(at) = source.has("sleep") else { return Vec::new() };
    let count = |what: &str| source.code.matches(what).count();
    let tests = count("#[tokio::test") + count("runtime::Builder");
    let paused = count("#[tokio::test(start_paused = true)]") + count("start_paused(true)");
    if source.path == "tests/support/mod.rs" {
        return Vec::new(); // `patiently`, which is only used in paused time
    }
    if tests > 0 && tests == paused { Vec::new() } else { vec![source.finding(at, "sleeps, and not in paused time")] }
}

fn hold(folders: &[&str], rules: &[fn(&Source) -> Vec<String>]) {
    let sources: Vec<_> = folders.iter().flat_map(|folder| read(folder)).collect();
    assert!(sources.len() > 30, "only {} files found", sources.len());
    let findings: Vec<_> = rules.iter().flat_map(|rule| sources.iter().flat_map(rule)).collect();
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}

#[test]
fn rooms_know_only_the_rooms_below_them() {
    hold(&["src"], &[arrows]);
}

#[test]
fn sled_http_and_the_terminal_are_each_in_one_place() {
    hold(&["src"], &[names]);
}

#[test]
fn one_file_reads_the_clock() {
    hold(&["src"], &[clocks]);
}

#[test]
fn no_float_is_near_money() {
    hold(&["src"], &[floats]);
}

#[test]
fn no_file_has_grown_too_long() {
    hold(&["src"], &[lengths]);
    let gone: Vec<_> = LONG
        .iter()
        .filter(|(path, ..)| !read("src").iter().any(|s| s.path == *path && s.text.lines().count() > LONGEST))
        .collect();
    assert!(gone.is_empty(), "no longer too long: {gone:?}");
}

#[test]
fn nothing_is_left_for_later() {
    hold(&["src", "tests", "benches", "examples"], &[unfinished]);
}

#[test]
fn the_program_has_no_way_to_panic_by_word() {
    hold(&["src"], &[panics]);
}

#[test]
fn tests_do_not_sleep() {
    hold(&["tests"], &[naps]);
}

/// `autotests = false`: a file that the suite does not name would never run.
#[test]
fn every_file_of_tests_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let suite = std::fs::read_to_string(root.join("suite.rs")).expect("the suite");
    let named: Vec<&str> = suite.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    assert!(named.is_sorted(), "{named:?}");
    let tests = read("tests");
    for source in tests.iter().filter(|source| source.path != "tests/suite.rs") {
        let path = source.path.trim_start_matches("tests/").trim_end_matches(".rs").trim_end_matches("/mod");
        let (above, name) = path.rsplit_once('/').unwrap_or(("suite", path));
        let parents = [format!("{above}.rs"), format!("{above}/mod.rs")];
        let named = parents.iter().filter_map(|parent| std::fs::read_to_string(root.join(parent)).ok());
        let declared =
            named.map(|text| code_only(&text)).any(|text| occurrences(&text, &format!("mod {name}")).next().is_some());
        let by_path = format!("#[path = \"{path}.rs\"]");
        let declared = declared || tests.iter().any(|other| other.text.contains(&by_path));
        assert!(declared, "{} is in no module: it never runs", source.path);
    }
}
