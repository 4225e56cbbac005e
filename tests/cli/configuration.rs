//! Finding and reading the configuration; `init`.

use super::Shop;

#[test]
fn init_writes_a_private_configuration_and_never_overwrites() {
    let shop = Shop::bare();
    let ran = shop.run(&["init"]).status(0);
    assert!(ran.out().contains("staffetta.toml"), "{}", ran.out());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(shop.path("staffetta.toml")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::write(shop.path("staffetta.toml"), "# mine").expect("a file");
    let again = shop.run(&["init"]).status(1);
    assert!(again.err().contains("stays as it is"), "{}", again.err());
    assert_eq!(std::fs::read_to_string(shop.path("staffetta.toml")).expect("there"), "# mine");
    let again = shop.run(&["--json", "init"]).status(1);
    assert_eq!(again.one()["created"], false);

    let made = shop.run(&["init", "a/b", "--json"]).status(0).one();
    assert_eq!(made["created"], true);
    assert!(shop.path("a/b/staffetta.toml").is_file());
    shop.run(&["--config", "other.toml", "init"]).status(0);
    assert!(shop.path("other.toml").is_file());
    shop.run(&["--config", "other.toml", "status"]).status(0);
    let blocked = shop.run(&["init", "other.toml"]).trouble();
    assert!(blocked.contains("other.toml"), "{blocked}");
}

#[test]
fn the_configuration_is_found_where_it_is_said_to_be() {
    let shop = Shop::new();
    let missing = Shop::bare();
    let line = missing.run(&["status"]).trouble();
    assert!(line.contains("staffetta.toml") && line.contains("staffetta init"), "{line}");
    let line = missing.run(&["list", "--config", "none.toml"]).trouble();
    assert!(line.contains("none.toml"), "{line}");

    let path = shop.path("staffetta.toml");
    let mut by_variable = missing.command(&["status"]);
    by_variable.env("STAFFETTA_CONFIG", &path);
    assert_eq!(by_variable.output().expect("it runs").status.code(), Some(0));
    // The option comes before the variable.
    by_variable.args(["--config", "none.toml"]);
    assert_eq!(by_variable.output().expect("it runs").status.code(), Some(2));
    // The journal lies beside its configuration, not where the program was started.
    assert!(shop.path("journal").is_dir() && !missing.path("journal").exists());
}

#[test]
fn a_wrong_configuration_is_one_line_with_file_line_and_cure() {
    for (from, to, line, cure) in [
        ("in_flight = 8", "in_fligth = 8", 8, "in_flight"),
        ("settle = \"120s\"", "settle = \"two minutes\"", 14, "90s"),
        ("[[account]]\nname = \"taxfree\"", "[[account]]\nname = \"shop-roma\"", 47, "its own"),
        ("http://127.0.0.1:7070/openapi", "http://openapi.example", 29, "https://"),
    ] {
        let shop = Shop::with(&[(from, to)]);
        for command in [&["status"][..], &["enqueue"], &["drain"], &["run"], &["company", "list"]] {
            let said = shop.run(command).trouble();
            assert!(said.starts_with(&format!("staffetta: staffetta.toml:{line}: ")), "{to}: {said}");
            assert!(said.contains(cure), "{to}: {said}");
        }
        let ran = shop.run(&["--json", "status"]).status(2);
        let error = &ran.one()["error"];
        assert_eq!(error["code"], "config");
        assert!(error["message"].as_str().is_some_and(|message| message.contains(cure)), "{error}");
        assert!(!shop.path("journal").exists(), "nothing is made with a wrong configuration");
    }
}

#[test]
fn no_secret_is_needed_to_take_and_to_look() {
    let shop = Shop::with(&[
        ("token = \"sandbox-token\"", "token = { env = \"OPENAPI_TOKEN\" }"),
        ("password = \"sandbox-password\"", "password = { file = \"no-such-file\" }"),
    ]);
    shop.take(&super::sale("k1"));
    for command in [&["list"][..], &["show", "k1"], &["status"], &["verify"], &["export"]] {
        shop.run(command).status(0);
    }
    let said = shop.run(&["fetch", "k1", "pdf"]).status(1).err();
    assert!(said.contains("k1"), "{said}");
    let said = shop.run(&["receipts", "shop-roma"]).trouble();
    assert!(said.contains("OPENAPI_TOKEN"), "{said}");
}
