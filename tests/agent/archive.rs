//! `archive` of a journal that an agent holds: done by the agent, with the same words.

use std::fs;

use serde_json::json;

use super::{Agent, schema};
use crate::archive::command::{damage_first_frame, over};

#[test]
fn it_goes_through_the_agent_and_everything_is_read_beside_it() {
    let (shop, alone) = (over(), over());
    let agent = Agent::start(&shop);
    let told = || {
        let looks =
            [&["--json", "list"][..], &["--json", "show", "k7"], &["export"], &["list", "--state", "cancelled"]];
        looks.map(|args| shop.run(args).status(0).out())
    };
    let before = told();
    let young = shop.run(&["archive", "--older-than", "30d"]).status(0).out();
    assert_eq!(young, alone.run(&["archive", "--older-than", "30d"]).status(0).out());
    let done = shop.run(&["--json", "archive", "--older-than", "0s"]).status(0).one();
    schema::matches("Archived", &done);
    assert_eq!((&done["segments"], &done["kept"], &done["damage"]), (&json!(1), &json!(0), &json!([])), "{done}");
    assert_eq!(
        fs::read_dir(shop.path("journal/archives")).unwrap().count(),
        2,
        "the archive, and the table of its documents"
    );
    assert_eq!(told(), before);
    let verified = || {
        let verified = shop.run(&["--json", "verify"]).status(0).one();
        assert_eq!((&verified["sound"], &verified["index_left_out"]), (&json!(true), &json!(null)), "{verified}");
        verified["documents"].clone()
    };
    assert_eq!(verified(), 20);
    shop.take(&crate::cli::sale("after"));
    assert_eq!(verified(), 21);
    agent.stop();
    assert_eq!(shop.run(&["--json", "verify"]).status(0).one()["sound"], true);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let shop = over();
    let agent = Agent::start(&shop);
    for body in
        ["", "{}", "[]", "{\"older_than_ms\":-1}", "{\"older_than_ms\":\"30d\"}", "{\"older_than_ms\":0,\"x\":1}"]
    {
        let answer = agent.post("/v1/archive", body);
        assert_eq!(answer.status, 400, "{body}: {}", answer.text());
    }
    assert_eq!(agent.call("POST", "/v1/archive", &[], "{\"older_than_ms\":0}").status, 415);
    assert!(!shop.path("journal/archives").exists());
    let most = agent.post("/v1/archive", &format!("{{\"older_than_ms\":{}}}", u64::MAX));
    assert_eq!((most.status, &most.json()["segments"]), (200, &json!(0)));
    assert_eq!(agent.post("/v1/archive", "{\"older_than_ms\":0}").json()["segments"], 1);
}

/// What is damaged is told as without an agent.
#[test]
fn a_damaged_archive_is_named_beside_the_agent() {
    let shop = over();
    shop.run(&["archive", "--older-than", "0s"]).status(0);
    damage_first_frame(&shop);
    let alone = shop.run(&["--json", "verify"]).status(2).one();
    let agent = Agent::start(&shop);
    let beside = shop.run(&["--json", "verify"]).status(2).one();
    assert_eq!(beside["damage"], alone["damage"]);
    agent.stop();
}
