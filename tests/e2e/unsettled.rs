//! What is unfinished, left out or gone while a run reads it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::cloud::skipped;
use crate::crash::{APPLY, DESTROY, Lab};
use crate::proxy::Verdict;

/// A new index of a large table takes longer than a run, and a run may be cut short meanwhile.
#[test]
fn an_index_that_is_being_made_is_a_change_and_waited_for() {
    const MAKING: Verdict = Verdict::Edited("\"IndexStatus\": \"ACTIVE\"", "\"IndexStatus\": \"CREATING\"");
    if skipped() {
        return;
    }
    let lab = Lab::shared("indexed");
    lab.passes(APPLY);
    lab.proxy.judge(|call| if call.operation == "DescribeTable" { MAKING } else { Verdict::Pass });
    let (status, said) = lab.proxy.run(&mut lab.command(&["plan"]));
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("indexes.OwnerIndex.status: CREATING → ACTIVE"), "{said}");

    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    lab.proxy.judge(move |call| {
        let describes = call.operation == "DescribeTable";
        if describes && count.fetch_add(1, Ordering::SeqCst) < 5 { MAKING } else { Verdict::Pass }
    });
    let (status, said) = lab.proxy.run(&mut lab.command(APPLY));
    assert!(status.success(), "{said}");
    assert!(said.contains("the index OwnerIndex is CREATING"), "what is waited for: {said}");
    assert!(asked.load(Ordering::SeqCst) > 5);
    let changed = lab.proxy.calls().into_iter().filter(|call| call.operation == "UpdateTable").count();
    assert_eq!(changed, 0, "what is being made was made again");
    lab.passes(DESTROY);
}

/// Somebody else deletes an alarm after it was listed.
#[test]
fn an_alarm_that_goes_between_two_reads_is_made_again() {
    if skipped() {
        return;
    }
    let (lab, folder) = (Lab::shared("alarmed"), tempfile::tempdir().unwrap());
    let settings = folder.path().join("cloudpix.toml");
    std::fs::write(&settings, "[defaults]\nauth = \"api-key\"\nalarms.enabled = true\n").unwrap();
    let apply = [APPLY, &["--config", settings.to_str().unwrap()]].concat();
    lab.passes(&apply);
    let (emulator, gone) = (lab.stack.emulator, Arc::new(AtomicUsize::new(0)));
    let count = gone.clone();
    lab.proxy.judge(move |call| {
        let lists = call.service == "monitoring" && call.operation == "ListTagsForResource";
        if lists && count.fetch_add(1, Ordering::SeqCst) == 0 {
            emulator.witness(&["drop_alarms", "cloudpix-alarmed"]);
        }
        Verdict::Pass
    });
    let (status, said) = lab.proxy.run(&mut lab.command(&apply));
    assert!(status.success(), "{said}");
    assert!(gone.load(Ordering::SeqCst) > 0, "no tags were asked for");
    let made = lab.proxy.calls().into_iter().filter(|call| call.operation == "PutMetricAlarm").count();
    assert!(made >= 8, "{made} alarms were made again: {said}");
    lab.passes(DESTROY);
}

/// A list of keys may come without their tags.
#[test]
fn an_api_key_whose_tags_are_not_listed_is_known_all_the_same() {
    if skipped() {
        return;
    }
    let lab = Lab::shared("keyed");
    lab.passes(APPLY);
    let id = lab.stack.emulator.witness(&["api_key", "cloudpix-keyed"]);
    let listed = json!({"item": [{"id": id, "name": "cloudpix-keyed", "enabled": true}]}).to_string();
    lab.proxy.judge(move |call| {
        let lists = call.operation.starts_with("GET /apikeys?");
        if lists { Verdict::Answer(200, vec![], listed.clone()) } else { Verdict::Pass }
    });
    let (status, said) = lab.proxy.run(&mut lab.command(&["plan"]));
    assert_eq!(status.code(), Some(0), "{said}");
    lab.passes(DESTROY);
}
