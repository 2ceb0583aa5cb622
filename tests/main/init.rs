//! `amend init`: what it writes works as it is, without an edit and without a model.

use crate::support::Scratch;

#[test]
fn a_new_project_is_checked_tested_and_run_as_it_is() {
    let scratch = Scratch::new();
    scratch.run(&["init", "p"]).code(0);
    let checked = scratch.run(&["check", "--deny-warnings", "p/amend.toml"]).code(0);
    assert!(checked.err.contains("2 files checked: nothing to report"), "{}", checked.err);
    for (limit, prompts) in [("5", 5), ("100", 10)] {
        let run = scratch.run(&["run", "p/amend.toml", "--limit", limit, "--json"]).code(0).summary();
        assert_eq!((&run["prompts"], &run["rejects"]), (&prompts.into(), &0.into()), "{run}");
    }
}

/// The commands of the workflow that need nothing of a CI server, those that are commented out too.
#[test]
fn the_commands_of_the_ci_example_run() {
    let scratch = Scratch::new();
    scratch.run(&["init", "."]).code(0);
    let workflow = std::fs::read_to_string(scratch.path(".github/workflows/amend.yml")).expect("written");
    let commands: Vec<&str> = workflow
        .lines()
        .filter_map(|line| line.trim().trim_start_matches('#').strip_prefix("- run: amend "))
        .collect();
    assert_eq!(commands.len(), 4, "{workflow}");
    for command in commands {
        // Which of the simulated model's verdicts are right is chance: it knows nothing of a text.
        let code = scratch.run(&command.split(' ').collect::<Vec<_>>()).code;
        assert!(
            code == Some(0) || (command.contains("--threshold") && code == Some(1)),
            "{command}: {code:?}"
        );
    }
    assert!(scratch.path("amend-test.xml").exists());
}
