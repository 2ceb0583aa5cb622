//! Every command's help, as people see it at 80 columns: a change to it is a change to the interface.

use crate::support::Scratch;

/// The commands that a help lists; none where it is of a command without any below it.
fn commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.map_while(|line| line.strip_prefix("  "));
    names
        .filter(|line| !line.starts_with(' '))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_has_help_at_80_columns() {
    let scratch = Scratch::new();
    let all = scratch.run(&["--help"]).code(0).out;
    let mut left = commands(&all);
    assert!(left.len() >= 8, "{left:?}");
    insta::assert_snapshot!("help", all);
    while let Some(name) = left.pop() {
        let words: Vec<&str> = name.split(' ').chain(["--help"]).collect();
        let help = scratch.run(&words).code(0).out;
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "amend {name} --help is too wide: {line}");
        }
        left.extend(commands(&help).iter().map(|below| format!("{name} {below}")));
        insta::assert_snapshot!(format!("help_{}", name.replace(' ', "_")), help);
    }
}

#[test]
fn completions_and_manual_pages_are_made() {
    let scratch = Scratch::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = scratch.run(&["completions", shell]).code(0).out;
        assert!(script.contains("constitution"), "{shell}");
    }
    scratch.run(&["man", "man1"]).code(0);
    for name in commands(&scratch.run(&["--help"]).code(0).out) {
        assert!(scratch.path(&format!("man1/amend-{name}.1")).exists(), "{name}");
    }
}
