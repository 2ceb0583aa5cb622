//! `amend test`: a constitution's own cases, judged by a model.

use crate::support::Scratch;

#[test]
fn every_case_is_judged_and_the_threshold_decides_the_exit_code() {
    let scratch = Scratch::new();
    let args = ["test", "harmlessness", "--model", "sim", "--json"];
    let done = scratch.run(&args).code(0);
    let report = done.summary();
    let number = |value: &serde_json::Value| value.as_u64().expect("a count");
    let (cases, passed) = (number(&report["cases"]), number(&report["passed"]));
    assert_eq!(number(&report["all"]["violating"]) + number(&report["all"]["harmless"]), cases);
    assert_eq!(report["wrong"].as_array().map(Vec::len), usize::try_from(cases - passed).ok());
    assert!(cases > 0 && passed < cases, "the sim knows nothing of these texts: {report}");
    assert_eq!(scratch.run(&args).out, done.out);
    scratch.run(&[&args[..], &["--threshold", "1"]].concat()).code(1);
    scratch.run(&[&args[..], &["--threshold", "0"]].concat()).code(0);
    scratch.run(&[&args[..], &["--threshold", "2"]].concat()).code(2);
}
