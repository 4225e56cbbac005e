use std::fmt::Write as _;

use crate::domain::account::ProviderKind;
use crate::domain::calendar::Window;

use super::*;

const GOOD: &str = include_str!("../staffetta.toml");

fn read(text: &str) -> Result<Config, Trouble> {
    Source { path: Path::new("/etc/shop/staffetta.toml"), text }.read()
}

/// The configuration that `init` writes, with one line changed.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

fn line_of(text: &str, part: &str) -> usize {
    let at = text.find(part).unwrap_or_else(|| panic!("{part}"));
    1 + text[..at].matches('\n').count()
}

#[test]
fn what_init_writes_is_what_the_defaults_are() {
    let config = read(GOOD).expect("sound");
    assert_eq!(config.journal, Path::new("/etc/shop/journal"));
    let defaults = read("[[account]]\nname = \"x\"\nprovider = \"openapi\"\nbase_url = \"https://x\"\ntoken = \"t\"\nfiscal_ids = [\"1\"]\n").expect("sound");
    assert_eq!(config.dispatch, defaults.dispatch);
    assert_eq!(config.journal, defaults.journal);
    assert_eq!(config.dispatch.settle, std::time::Duration::from_secs(120));
    let accounts: Vec<_> = config.accounts.iter().map(|a| (a.account.name.as_str(), a.account.provider)).collect();
    assert_eq!(
        accounts,
        [
            ("shop-roma", ProviderKind::Openapi),
            ("shop-milano", ProviderKind::SmartReceipt),
            ("taxfree", ProviderKind::Stamp)
        ]
    );
    let windows: Vec<_> = config.accounts.iter().map(|a| a.account.blackout).collect();
    assert_eq!(windows, [Window::AUTHORITY, Window::SMART_RECEIPT, Window::AUTHORITY]);
}

#[test]
fn a_blackout_is_the_accounts_own_else_the_one_for_all() {
    let windows = |text: &str| -> Vec<Window> {
        read(text).expect("sound").accounts.iter().map(|a| a.account.blackout).collect()
    };
    let none = with("blackout = \"23:55-00:00\"", "blackout = \"none\"");
    assert_eq!(windows(&none), [Window::NONE; 3]);
    let noon: Window = "12:00-12:30:30".parse().expect("a window");
    let all_noon = with("blackout = \"23:55-00:00\"", "blackout = \"12:00-12:30:30\"");
    assert_eq!(windows(&all_noon), [noon; 3]);
    let own = with("# blackout = \"23:50-00:01\"", "blackout = \"none\" # ");
    assert_eq!(windows(&own), [Window::NONE, Window::SMART_RECEIPT, Window::AUTHORITY]);
}

#[test]
fn a_wrong_configuration_names_line_and_cure() {
    // What is typed, instead of what; where the error must point; a word of the cure.
    let table: &[(&str, &str, &str, &str)] = &[
        ("in_flight = 8", "in_fligth = 8", "in_fligth", "in_flight"),
        ("in_flight = 8", "in_flight = 0", "in_flight = 0", "1 to 1024"),
        ("in_flight = 8", "in_flight = \"8\"", "in_flight = ", "u32"),
        ("in_flight = 8", "in_flight = -1", "in_flight = ", "u32"),
        ("in_flight = 8", "in_flight = ", "in_flight = ", ""),
        ("\"5s\"", "\"5 seconds\"", "connect_timeout", "90s"),
        ("\"5s\"", "5", "connect_timeout", "string"),
        ("\"5s\"", "\"0s\"", "connect_timeout", "at least 1ms"),
        ("\"30s\"", "\"2h\"", "answer_timeout", "less than"),
        ("\"120s\"", "\"-120s\"", "settle", "90s"),
        ("\"90s\"", "\"5h\"", "blackout_spread", "less than 4h"),
        ("\"23:55-00:00\"", "\"23:55\"", "blackout = \"23:55\"", "none"),
        ("\"23:55-00:00\"", "\"25:00-00:00\"", "blackout = \"25:00", "none"),
        ("factor = 2.0", "factor = 0.5", "backoff =", "between 1 and 100"),
        ("factor = 2.0", "factor = nan", "backoff =", "between 1 and 100"),
        ("jitter = 0.5", "jitter = 1.5", "backoff =", "between 0 and 1"),
        ("max = \"15m\"", "max = \"1s\"", "backoff =", "shorter than initial"),
        ("max = \"1h\"", "max = \"1s\"", "track =", "shorter than initial"),
        ("max = \"1h\"", "most = \"1h\"", "track =", "known here"),
        ("path = \"journal\"", "path = \"\"", "path =", "name a folder"),
        ("[journal]", "[jurnal]", "[jurnal]", "known here"),
        ("[journal]", "[journal", "[journal", ""),
        ("# listen = \"127.0.0.1:7071\"", "listen = \"0.0.0.0:7071\"", "listen =", "loopback"),
        ("name = \"shop-roma\"", "name = \"shop roma\"", "name = \"shop roma\"", "without spaces"),
        ("name = \"shop-milano\"", "name = \"shop-roma\" # second", "# second", "its own"),
        ("name = \"shop-roma\"\n", "", "[[account]]", "name"),
        ("provider = \"openapi\"", "provider = \"open-api\"", "provider = \"open-api\"", "smart-receipt"),
        ("provider = \"openapi\" ", "# provider", "[[account]]", "provider"),
        ("token = \"sandbox-token\"", "# none", "[[account]]", "token"),
        ("token = \"sandbox-token\"", "password = \"x\"", "password = \"x\"", "smart-receipt and stamp"),
        ("token = \"sandbox-token\"", "token = 12345", "token = 12345", "env"),
        ("token = \"sandbox-token\"", "token = \"\"", "token = \"\"", "empty"),
        ("token = \"sandbox-token\"", "token = { enw = \"X\" }", "token = { enw", "env"),
        ("token = \"sandbox-token\"", "token = { env = \"X\", file = \"y\" }", "token = { env = \"X\", ", "env"),
        ("token = \"sandbox-token\"", "token = { env = \"\" }", "token = { env = \"\" }", "variable"),
        ("token = \"sandbox-token\"", "token = \"a\"\ntoken = \"b\"", "token = \"b\"", ""),
        ("\"http://127.0.0.1:7070/openapi\"", "\"http://openapi.example\"", "base_url", "https://"),
        ("\"http://127.0.0.1:7070/openapi\"", "\"openapi.example\"", "base_url", "https://"),
        ("login_url = ", "loginurl = ", "loginurl = ", "login_url"),
        ("email = \"pos@example.com\"", "email = \" \"", "email = \" \"", "fill it in"),
        ("[\"12345678903\"]", "[\"12345678903\", \"1234 5678\"]", "fiscal_ids", "without spaces"),
        ("[\"12345678903\"]", "[\"12345678903\",\n\"12345678903\"] # twice", "] # twice", "remove one"),
        ("[\"12345678903\"]", "[]", "fiscal_ids", "VAT numbers"),
        ("[\"12345678903\"]", "[12345678903]", "fiscal_ids", "string"),
        ("requests_per_minute = 0", "requests_per_minute = -1", "requests_per_minute", "u32"),
        ("# created_on_format = \"slashes\"", "created_on_format = \"us\"", "created_on_format = \"us\"", "iso"),
        ("# created_on_format = \"slashes\"", "fiscal_ids = [\"1\"]#", "fiscal_ids = [\"1\"]#", "remove"),
        ("# created_on_format = \"slashes\"", "paths = { pdf = \"/x/pdf\" }#", "paths = ", "{id}"),
        ("# created_on_format = \"slashes\"", "paths = { sign = \"/x?y\" }#", "paths = ", "/api/"),
        ("# created_on_format = \"slashes\"", "proxy = \"squid\" #", "proxy = \"squid\"", "http://"),
        (
            "# credentials_changed = \"2026-10-01\"",
            "credentials_changed = \"1/10/2026\"",
            "credentials_changed = \"1/",
            "2026-10-01",
        ),
    ];
    let mut wrong = String::new();
    for (from, to, at, cure) in table {
        let text = with(from, to);
        match read(&text) {
            Ok(_) => writeln!(wrong, "{to}: taken"),
            Err(trouble) => {
                let place = format!("/etc/shop/staffetta.toml:{}: ", line_of(&text, at));
                let sound = trouble.message.starts_with(&place) && trouble.message.contains(cure);
                assert_eq!(trouble.code, "config");
                if sound { Ok(()) } else { writeln!(wrong, "{to}: {trouble} (expected {place}… {cure})") }
            }
        }
        .expect("a string takes all");
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_secret_is_never_repeated_in_an_error() {
    for to in [
        "token = 9876543210",
        "token = 98765.43210",
        "token = { \"9876543210\" = 1 }",
        "token = [9876543210]",
        "token = \"9876543210",
    ] {
        let trouble = read(&with("token = \"sandbox-token\"", to)).expect_err("wrong");
        assert!(!trouble.message.contains("98765"), "{trouble}");
    }
}

#[test]
fn what_is_optional_is_kept() {
    let text = with(
        "# credentials_changed = \"2026-10-01\"",
        "credentials_changed = 2026-10-01\nproxy = \"http://proxy:3128\"#",
    )
    .replacen(
        "# created_on_format",
        "paths = { pdf = \"/api/i/invoices/{id}/pdf\", sign = \"sign\" }\ncreated_on_format",
        1,
    )
    .replacen("# listen", "token = { file = \"agent.token\" }\nlisten", 1)
    .replacen("token = \"sandbox-token\"", "token = { file = \"roma.token\" }", 1);
    let config = read(&text).expect("sound");
    let [roma, _, taxfree] = config.accounts.as_slice() else { panic!("three accounts") };
    assert_eq!(roma.credentials_changed, "2026-10-01".parse().ok());
    assert!(roma.proxy.is_some());
    assert_eq!(format!("{:?}", roma.secret), "File(/etc/shop/roma.token)");
    assert_eq!(config.agent.listen.map(|listen| listen.port()), Some(7071));
    assert_eq!(format!("{:?}", config.agent.token), "File(/etc/shop/agent.token)");
    let Endpoint::Stamp(stamp) = &taxfree.endpoint else { panic!("stamp") };
    assert!(stamp.slashes);
    let paths = [("sign", "sign".to_owned()), ("pdf", "api/i/invoices/{id}/pdf".to_owned())];
    assert_eq!(stamp.paths, paths);
}

#[test]
fn files_that_are_no_configuration_are_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("staffetta.toml");
    let error = |bytes: &[u8]| {
        std::fs::write(&path, bytes).expect("a file");
        load(Some(&path)).expect_err("wrong").message
    };
    assert!(error(b"[journal]\n\xff").contains("staffetta.toml:2: this is no UTF-8"));
    assert!(error(&vec![b'#'; 1024 * 1024 + 1]).contains("larger than 1 MiB"));
    let missing = load(Some(&folder.path().join("none.toml"))).expect_err("missing").message;
    assert!(missing.contains("none.toml") && missing.contains("staffetta init"), "{missing}");
    assert!(load(Some(folder.path())).expect_err("a folder").message.contains("cannot be read"));
    std::fs::write(&path, format!("\u{feff}{GOOD}").replace('\n', "\r\n")).expect("a file");
    assert!(load(Some(&path)).is_ok());
}
