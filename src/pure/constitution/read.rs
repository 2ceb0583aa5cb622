//! Constitution files → [`Constitution`]: reading, extending, checking.
//!
//! Extended files come first, each once however often it is named; then `drop` takes principles of theirs away, and
//! a principle with `replace = true` takes the place of theirs with the same id. An id that is used twice by accident
//! is an error. Pure: `load` brings the text of the files that are named.

use super::built_in::{built_in, built_in_names, is_built_in_path};
use super::file::{ExampleEntry, File, PrincipleEntry, PrincipleRuleEntry, TestEntry};
use super::read_styles::PlacedStyles;
use super::style_checks;
use super::validate::check_values;
use super::variables::{Variables, fill, texts_of};
use super::{Constitution, Example, Principle, PrincipleRule, TestCase, When};
use crate::pure::diagnostic::{Diagnostic, Slip, SourceFile, nearest};
use crate::pure::toml_file::{self, Located, Node};
use crate::pure::transcript::Verdict;
use std::collections::BTreeMap;

/// Brings the text of a file that a constitution extends, or says why it cannot.
pub type Load<'a> = &'a mut dyn FnMut(&str) -> Result<SourceFile, String>;

/// Reads a constitution and everything that it extends.
///
/// Gives the constitution with the warnings about its reading, or every finding if one of them is an error.
pub fn read(main: &SourceFile, load: Load<'_>) -> Result<(Constitution, Vec<Diagnostic>), Vec<Diagnostic>> {
    let reading = Reading::of(main, load);
    if reading.findings.iter().any(Diagnostic::is_error) {
        return Err(reading.findings);
    }
    Ok((reading.constitution(), reading.findings))
}

/// Reads a constitution that ships, by name.
///
/// ```
/// use amend::pure::constitution::read_built_in;
///
/// let constitution = read_built_in("minimal").expect("it is built in");
/// assert!(!constitution.principles.is_empty());
/// ```
pub fn read_built_in(name: &str) -> Option<Constitution> {
    let file = built_in(name)?;
    read(&file, &mut |path| built_in(path).ok_or_else(|| "it does not ship".into())).ok().map(|read| read.0)
}

/// A principle, and where it stands.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) principle: Principle,
    /// Index into `Reading::files`.
    pub(super) file: usize,
    pub(super) node: Node,
}

/// One file that was read.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) name: String,
    pub(super) located: Located<File>,
}

/// Everything known after reading: what it means as far as it could be read, where it stands, what is wrong.
#[derive(Debug)]
pub(super) struct Reading {
    /// The files, extended ones first, the main one last.
    pub(super) files: Vec<Part>,
    /// The principles, in the order of the constitution.
    pub(super) placed: Vec<Placed>,
    /// Where each is among `placed`, by its id, while files are read.
    by_id: BTreeMap<String, usize>,
    /// Principles of extended files that were dropped or replaced, with the place that says so.
    pub(super) removed: Vec<(Principle, usize, Node)>,
    /// What is said about styles.
    pub(super) styles: PlacedStyles,
    pub(super) findings: Vec<Diagnostic>,
}

impl Reading {
    pub(super) fn of(main: &SourceFile, load: Load<'_>) -> Self {
        let mut reading = Self {
            files: vec![],
            placed: vec![],
            by_id: BTreeMap::new(),
            removed: vec![],
            styles: PlacedStyles::default(),
            findings: vec![],
        };
        reading.visit(main, load, &mut Vec::new());
        if reading.placed.is_empty()
            && reading.styles.is_empty()
            && !reading.findings.iter().any(Diagnostic::is_error)
        {
            let finding =
                Diagnostic::error("no-principles", &main.name, None, "the constitution has no principles");
            reading.findings.push(finding.help("add a `[[principle]]` with an `id` and a `text`"));
        }
        reading.fill_variables();
        let files = &reading.files;
        let file_name = |file: usize| files.get(file).map_or("", |part| part.name.as_str());
        style_checks::check(&reading.styles, &file_name, &mut reading.findings);
        reading.placed.sort_by_key(|placed| std::cmp::Reverse(placed.principle.priority));
        reading
    }

    /// What stands for each variable: a file's own word counts more than those of the files that it extends.
    fn variables(&self) -> Variables {
        let all = self.files.iter().flat_map(|part| part.located.value.constitution.variables.clone());
        all.collect()
    }

    fn fill_variables(&mut self) {
        let variables = self.variables();
        if variables.is_empty() {
            return;
        }
        let mut missing: Vec<(usize, std::ops::Range<usize>, String)> = Vec::new();
        for placed in &mut self.placed {
            for (key, text) in texts_of(&mut placed.principle) {
                let mut unknown = Vec::new();
                *text = fill(text, &variables, &mut unknown);
                let span = placed.node.key(key).span();
                missing.extend(unknown.into_iter().map(|name| (placed.file, span.clone(), name)));
            }
        }
        for (file, span, text) in self.styles.texts() {
            let mut unknown = Vec::new();
            *text = fill(text, &variables, &mut unknown);
            missing.extend(unknown.into_iter().map(|name| (file, span.clone(), name)));
        }
        for (file, part) in self.files.iter().enumerate() {
            let mut unknown = Vec::new();
            fill(part.located.value.constitution.system.as_deref().unwrap_or(""), &variables, &mut unknown);
            let span = part.located.root.key("constitution").key("system").span();
            missing.extend(unknown.into_iter().map(|name| (file, span.clone(), name)));
        }
        for (file, span, name) in missing {
            let file = self.files.get(file).map_or("", |part| part.name.as_str());
            let message = format!("`{{{{{name}}}}}` has no value");
            let finding = Diagnostic::error("unknown-variable", file, span, message);
            let help = match nearest(&name, variables.keys().map(String::as_str)) {
                Some(near) => format!("did you mean `{{{{{near}}}}}`?"),
                None => format!("write `{name} = \"…\"` under `[constitution.variables]`"),
            };
            self.findings.push(finding.help(help));
        }
    }

    fn constitution(&self) -> Constitution {
        let variables = self.variables();
        let filled = |text: String| {
            if variables.is_empty() { text } else { fill(&text, &variables, &mut Vec::new()) }
        };
        let head = self.files.last().map(|part| part.located.value.constitution.clone()).unwrap_or_default();
        let text = |text: Option<String>| text.map(|text| text.trim().to_owned()).unwrap_or_default();
        let system = self.files.iter().rev().find_map(|part| part.located.value.constitution.system.clone());
        Constitution {
            title: head.title.unwrap_or_else(|| head.id.clone()),
            id: head.id,
            version: head.version.unwrap_or_else(|| "0.0.0".into()),
            description: filled(text(head.description)),
            system: system.map(|system| filled(system.trim().to_owned())),
            principles: self.placed.iter().map(|placed| placed.principle.clone()).collect(),
            styles: self.styles.values(),
        }
    }

    /// Reads one file after the files that it extends. `chain` are the files that led here.
    fn visit(&mut self, file: &SourceFile, load: Load<'_>, chain: &mut Vec<String>) {
        let (located, findings) = toml_file::read::<File>(file);
        self.findings.extend(findings);
        chain.push(file.name.clone());
        let extends = located.root.key("constitution").key("extends");
        for (n, name) in located.value.constitution.extends.iter().enumerate() {
            self.extend(file, name, extends.nth(n), load, chain);
        }
        chain.pop();
        self.add(file, located);
    }

    fn extend(&mut self, file: &SourceFile, name: &str, at: &Node, load: Load<'_>, chain: &mut Vec<String>) {
        let path = beside(&file.name, name);
        let bare = !name.contains(['/', '.']);
        let found = match (bare, is_built_in_path(&path)) {
            (true, _) => {
                built_in(name).ok_or_else(|| "there is no built-in constitution of this name".into())
            }
            (false, true) => built_in(&path).ok_or_else(|| "it does not ship".into()),
            (false, false) => load(&path),
        };
        // Of a file that is something else nothing is shown: whoever wrote `extends` may not be who reads the findings.
        let not_one = || "it is not a constitution".to_owned();
        let found =
            found.and_then(|base| looks_like_a_constitution(&base.text).then_some(base).ok_or_else(not_one));
        let base = match found {
            Ok(base) => base,
            Err(why) => {
                let message = format!("cannot extend `{name}`: {why}");
                let finding = Diagnostic::error("cannot-extend", &file.name, at.span(), message);
                let near = bare.then(|| nearest(name, built_in_names())).flatten();
                let otherwise = "give a path relative to this file, such as `base.toml`";
                self.findings.push(finding.did_you_mean(&Slip::text(name, at.span()), near, otherwise));
                return;
            }
        };
        if let Some(first) = chain.iter().position(|name| *name == base.name) {
            let ring: Vec<_> =
                chain.iter().skip(first).chain([&base.name]).map(|name| format!("`{name}`")).collect();
            let message = format!("the constitution extends itself: {}", ring.join(" → "));
            self.findings.push(Diagnostic::error("extends-cycle", &file.name, at.span(), message));
        } else if !self.files.iter().any(|part| part.name == base.name) {
            self.visit(&base, load, chain);
        }
    }

    /// Folds one file in: what it drops, then what it replaces and adds.
    fn add(&mut self, file: &SourceFile, located: Located<File>) {
        let number = self.files.len();
        let inherited = self.placed.len();
        check_values(file, &located, &mut self.findings);
        let head = located.root.key("constitution");
        for (n, id) in located.value.constitution.drop.iter().enumerate() {
            self.drop_one(file, id, head.key("drop").nth(n), number);
        }
        let mut first: BTreeMap<String, usize> = BTreeMap::new();
        for (n, entry) in located.value.principle.iter().enumerate() {
            let node = located.root.key("principle").nth(n).clone();
            let id = entry.id.trim().to_owned();
            let again = first.insert(id.clone(), n).is_some() && !id.is_empty();
            let placed = Placed { principle: meaning(entry), file: number, node };
            self.place(file, entry, placed, again, inherited);
        }
        self.styles.add(file, number, &located, &mut self.findings);
        self.files.push(Part { name: file.name.clone(), located });
    }

    fn drop_one(&mut self, file: &SourceFile, id: &str, at: &Node, number: usize) {
        if let Some(index) = self.placed.iter().position(|placed| placed.principle.id == id) {
            let gone = self.placed.remove(index);
            self.by_id.remove(id);
            self.by_id.values_mut().filter(|place| **place > index).for_each(|place| *place -= 1);
            self.removed.push((gone.principle, number, at.clone()));
            return;
        }
        if self.styles.drop_one(id) {
            return;
        }
        let message = format!("there is no principle `{id}` to drop in what this file extends");
        let finding = Diagnostic::error("unknown-principle", &file.name, at.span(), message);
        let known = self.placed.iter().map(|placed| placed.principle.id.as_str());
        let otherwise = "name the id of an inherited principle, or remove this";
        self.findings.push(finding.did_you_mean(&Slip::text(id, at.span()), nearest(id, known), otherwise));
    }

    fn place(
        &mut self,
        file: &SourceFile,
        entry: &PrincipleEntry,
        placed: Placed,
        again: bool,
        inherited: usize,
    ) {
        let id = placed.principle.id.clone();
        let span = placed.node.key("id").span();
        let other = self.by_id.get(&id).copied().filter(|_| !id.is_empty());
        match (other, again, entry.replace) {
            (Some(_), true, _) => {
                let message = format!("the id `{id}` is used twice in this file");
                let finding = Diagnostic::error("duplicate-id", &file.name, span, message);
                self.findings.push(finding.help("give each principle an id of its own"));
            }
            (Some(index), false, true) => {
                let old = std::mem::replace(&mut self.placed[index], placed);
                let node = self.placed[index].node.clone();
                self.removed.push((old.principle, self.placed[index].file, node));
            }
            (Some(index), false, false) => {
                let from = self.files.get(self.placed[index].file).map_or("", |part| part.name.as_str());
                let message = format!("a principle `{id}` is already there, from `{from}`");
                let finding = Diagnostic::error("duplicate-id", &file.name, span, message);
                self.findings.push(
                    finding.help("say `replace = true` to put this one in its place, or choose another id"),
                );
            }
            (None, _, true) => {
                let message =
                    format!("`{id}` replaces nothing: no extended constitution has a principle of this id");
                let finding = Diagnostic::error("unknown-principle", &file.name, span.clone(), message);
                let known = self.placed.iter().take(inherited).map(|known| known.principle.id.as_str());
                let otherwise = "remove `replace`, or correct the id";
                self.findings.push(finding.did_you_mean(
                    &Slip::text(&id, span),
                    nearest(&id, known),
                    otherwise,
                ));
            }
            (None, _, false) => {
                self.by_id.insert(id, self.placed.len());
                self.placed.push(placed);
            }
        }
    }
}

fn looks_like_a_constitution(text: &str) -> bool {
    let starts = |line: &str| {
        ["[constitution]", "[[principle]]", "[[style]]", "[[proposition]]", "[[resource]]"]
            .iter()
            .any(|table| line.starts_with(table))
    };
    text.lines().any(|line| starts(line.trim_start()))
}

/// The path of a file that is named in another.
fn beside(from: &str, name: &str) -> String {
    let path = std::path::Path::new(from).parent().map_or_else(|| name.into(), |folder| folder.join(name));
    let mut plain = std::path::PathBuf::new();
    for part in path.components() {
        match (part, plain.components().next_back()) {
            (std::path::Component::CurDir, _) => {}
            (std::path::Component::ParentDir, Some(std::path::Component::Normal(_))) => {
                plain.pop();
            }
            (part, _) => plain.push(part),
        }
    }
    plain.to_string_lossy().into_owned()
}

/// What an entry means, as far as it could be read.
fn meaning(entry: &PrincipleEntry) -> Principle {
    let text = |text: &str| text.trim().to_owned();
    let option = |value: &Option<String>| value.as_deref().map(text);
    let example = |e: &ExampleEntry| Example {
        prompt: text(&e.prompt),
        response: text(&e.response),
        critique: text(&e.critique),
        verdict: e.verdict.map_or(Verdict::Undecided, Verdict::from),
        revision: option(&e.revision),
    };
    let test = |t: &TestEntry| {
        Some(TestCase { prompt: text(&t.prompt), response: text(&t.response), expect: t.expect? })
    };
    let rule = |rule: &PrincipleRuleEntry| PrincipleRule {
        words: rule.words.iter().map(|words| text(words)).collect(),
        pattern: rule.pattern.clone(),
        place: rule.place,
    };
    Principle {
        id: text(&entry.id),
        text: text(&entry.text),
        critique: option(&entry.critique),
        revision: option(&entry.revision),
        compare: option(&entry.compare),
        priority: entry.priority,
        hard: entry.hard,
        weight: entry.weight.unwrap_or(1.0),
        hazards: entry.hazards.clone(),
        when: When { languages: entry.when.languages.clone(), hazards: entry.when.hazards.clone() },
        exceptions: entry.exceptions.iter().map(|exception| text(exception)).collect(),
        examples: entry.example.iter().map(example).collect(),
        tests: entry.test.iter().filter_map(test).collect(),
        rules: entry.rule.iter().map(rule).collect(),
        allow: entry.allow.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::diagnostic::{Sources, Style, render, sort};

    /// Reads `main.toml` of the given files; the ids of the principles, or the findings as people see them.
    fn check(files: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let files: Vec<_> = files.iter().map(|(name, text)| SourceFile::new(*name, *text)).collect();
        let mut sources = Sources::default();
        for file in &files {
            sources.add(file.clone());
        }
        let mut load = |path: &str| {
            files.iter().find(|file| file.name == path).cloned().ok_or_else(|| "no such file".to_owned())
        };
        match read(&files[0], &mut load) {
            Ok((constitution, _)) => Ok(constitution.principles.into_iter().map(|p| p.id).collect()),
            Err(mut findings) => {
                sort(&mut findings, &sources);
                Err(render(&findings, &sources, Style::default()))
            }
        }
    }

    const BASE: &str = "[constitution]\nid = \"base\"\n
        [[principle]]\nid = \"a\"\ntext = \"A.\"\n[[principle]]\nid = \"b\"\ntext = \"B.\"\npriority = 5\n";

    #[test]
    fn five_mistakes_are_five_findings() {
        let text = r#"[constitution]
id = "harmlessness"
titel = "Harmless"

[[principle]]
id = "no-weapons"
text = "The response gives no instructions for weapons."
hazards = ["weap.improvised", "phys.asault"]
priority = "high"

[[principle]]
id = "no-weapons"
text = ""
"#;
        insta::assert_snapshot!(check(&[("main.toml", text)]).unwrap_err(), @r###"
            error[unknown-key]: unknown key `titel` in `[constitution]`
             --> main.toml:3:1
              |
            3 | titel = "Harmless"
              | ^^^^^
              |
            help: did you mean `title`?
              |
            3 - titel = "Harmless"
            3 + title = "Harmless"
              |

            error[unknown-hazard]: `weap.improvised` is not in the taxonomy
             --> main.toml:8:12
              |
            8 | hazards = ["weap.improvised", "phys.asault"]
              |            ^^^^^^^^^^^^^^^^^
              |
              = help: did you mean `weap`?

            error[unknown-hazard]: `phys.asault` is not in the taxonomy
             --> main.toml:8:31
              |
            8 | hazards = ["weap.improvised", "phys.asault"]
              |                               ^^^^^^^^^^^^^
              |
            help: did you mean `phys.assault`?
              |
            8 | hazards = ["weap.improvised", "phys.assault"]
              |                                       +

            error[wrong-type]: `priority` must be a whole number, not the text "high"
             --> main.toml:9:12
              |
            9 | priority = "high"
              |            ^^^^^^

            error[duplicate-id]: the id `no-weapons` is used twice in this file
              --> main.toml:12:6
               |
            12 | id = "no-weapons"
               |      ^^^^^^^^^^^^
               |
               = help: give each principle an id of its own

            error[empty-text]: `text` is empty
              --> main.toml:13:8
               |
            13 | text = ""
               |        ^^
            "###);
    }

    #[test]
    fn extended_files_come_first_and_can_be_changed() {
        let main = "[constitution]\nid = \"main\"\nextends = [\"lib/x.toml\", \"lib/../base.toml\"]\ndrop = [\"a\"]
            [[principle]]\nid = \"b\"\nreplace = true\ntext = \"B, otherwise.\"\n[[principle]]\nid = \"d\"\ntext = \"D.\"\n";
        let x = "[constitution]\nid = \"x\"\nextends = [\"../base.toml\"]\n[[principle]]\nid = \"c\"\ntext = \"C.\"\n";
        let all = [("main.toml", main), ("lib/x.toml", x), ("base.toml", BASE)];
        assert_eq!(check(&all).unwrap(), ["b", "c", "d"]);
        assert_eq!(
            check(&all[1..2]).unwrap_err().lines().next(),
            Some("error[cannot-extend]: cannot extend `../base.toml`: no such file")
        );
        assert_eq!(check(&all[2..]).unwrap(), ["b", "a"]);
    }

    #[test]
    fn what_goes_wrong_between_files_is_told() {
        let main = "[constitution]\nid = \"main\"\nextends = [\"base.toml\"]\ndrop = [\"aa\"]
[[principle]]\nid = \"b\"\ntext = \"Again.\"\n[[principle]]\nid = \"cc\"\nreplace = true\ntext = \"C.\"\n";
        let base = format!("{BASE}[[principle]]\nid = \"c\"\ntext = \"C.\"\n");
        insta::assert_snapshot!(check(&[("main.toml", main), ("base.toml", &base)]).unwrap_err(), @r###"
            error[unknown-principle]: there is no principle `aa` to drop in what this file extends
             --> main.toml:4:9
              |
            4 | drop = ["aa"]
              |         ^^^^
              |
              = help: did you mean `a`?

            error[duplicate-id]: a principle `b` is already there, from `base.toml`
             --> main.toml:6:6
              |
            6 | id = "b"
              |      ^^^
              |
              = help: say `replace = true` to put this one in its place, or choose another id

            error[unknown-principle]: `cc` replaces nothing: no extended constitution has a principle of this id
             --> main.toml:9:6
              |
            9 | id = "cc"
              |      ^^^^
              |
              = help: did you mean `c`?
            "###);
    }

    #[test]
    fn variables_are_filled_in_through_extended_files() {
        let base = "[constitution]\nid = \"base\"\nsystem = \"You help with {{product}}.\"\nvariables = { product = \"a product\", tone = \"kindly\" }\n\
                    [[principle]]\nid = \"scope\"\ntext = \"It helps with {{product}}, {{tone}}.\"\nexceptions = [\"Words about {{product}}.\"]\n\
                    [[principle.test]]\nprompt = \"{{product}}?\"\nresponse = \"r\"\nexpect = \"conforms\"\n";
        let main = "[constitution]\nid = \"main\"\nextends = [\"base.toml\"]\nvariables = { product = \"Acme\" }\n\
                    [[principle]]\nid = \"own\"\ntext = \"It names {{product}} and {{prodct}}.\"\n";
        let file = |name: &str, text: &str| SourceFile::new(name, text);
        let mut load = |_: &str| Ok(file("base.toml", base));
        let findings = read(&file("main.toml", main), &mut load).unwrap_err();
        let told: Vec<_> =
            findings.iter().map(|f| (f.code, f.message.as_str(), f.help[0].as_str())).collect();
        assert_eq!(told, [("unknown-variable", "`{{prodct}}` has no value", "did you mean `{{product}}`?")]);
        let mended = main.replace("prodct", "tone");
        let (constitution, _) = read(&file("main.toml", &mended), &mut load).unwrap();
        assert_eq!(constitution.system.as_deref(), Some("You help with Acme."));
        let [scope, own] = &constitution.principles[..] else { panic!("two principles") };
        assert_eq!(scope.text, "It helps with Acme, kindly.");
        assert_eq!(
            (scope.exceptions[0].as_str(), scope.tests[0].prompt.as_str()),
            ("Words about Acme.", "Acme?")
        );
        assert_eq!(own.text, "It names Acme and kindly.");
        // What is written has no variables any more, and reads as the same constitution.
        let written = super::super::write(&constitution).unwrap();
        let again = read(&file("again.toml", &written), &mut |_| Err("absent".into())).unwrap().0;
        assert_eq!(again, constitution);
        // Without variables, braces are braces.
        let braces = "[constitution]\nid = \"b\"\n[[principle]]\nid = \"p\"\ntext = \"It writes {{name}} as it is.\"\n";
        let (constitution, _) = read(&file("b.toml", braces), &mut load).unwrap();
        assert_eq!(constitution.principles[0].text, "It writes {{name}} as it is.");
    }

    #[test]
    fn a_constitution_that_extends_itself_is_told_so() {
        let one = "[constitution]\nid = \"one\"\nextends = [\"two.toml\"]\n";
        let two = "[constitution]\nid = \"two\"\nextends = [\"main.toml\"]\n";
        let told = check(&[("main.toml", one), ("two.toml", two)]).unwrap_err();
        assert!(told.contains("`main.toml` → `two.toml` → `main.toml`"), "{told}");
    }
}
