//! Every code a finding can have, with what it means and what to do: the text of `amend check --explain`.

/// One code.
#[derive(Debug, Clone, Copy)]
pub struct Code {
    /// The code, such as `unknown-key`.
    pub code: &'static str,
    /// What it means, why it matters, and what to do.
    pub text: &'static str,
}

/// The code of this name.
pub fn explain(code: &str) -> Option<&'static Code> {
    CODES.iter().find(|known| known.code == code)
}

/// Whether there is such a code.
pub fn is_known(code: &str) -> bool {
    explain(code).is_some()
}

/// The code that an unknown one is most likely a slip of.
pub fn nearest_code(code: &str) -> Option<&'static str> {
    super::nearest(code, CODES.iter().map(|known| known.code))
}

/// All codes, in the order of the alphabet.
#[rustfmt::skip]
pub const CODES: &[Code] = &[
    Code { code: "ambiguous-style", text: "Two styles fit the same request equally well, so nothing says which answer is right. A style that names a hazard is more specific than one that names its domain, and that one is more specific than a style without hazards. Give one of the two `hazards` of its own, or drop it." },
    Code { code: "bad-id", text: "Ids are lower-case words joined by hyphens, such as `no-false-cures`, 64 characters at most. They name principles in datasets, reports, file names and on the command line, and should need no quoting anywhere." },
    Code { code: "bad-language", text: "A language tag is one such as `en`, `pt-BR` or `zh-Hant`. A principle limited to a language that no prompt is in would never apply." },
    Code { code: "bad-value", text: "The value is of the right kind, but not one that the key takes." },
    Code { code: "cannot-extend", text: "A file named under `extends` cannot be read. Names with a dot or a slash are paths relative to the file that names them; a bare name is a constitution built into amend." },
    Code { code: "contradiction", text: "One principle seems to ask for what another forbids. A response cannot satisfy both, so revisions go back and forth until the rounds are used up. Say in the exceptions of one where the other wins, or give them different `priority` and mark the winner `hard`." },
    Code { code: "duplicate-id", text: "Two principles have the same id. In one file that is a mistake. In a file that extends another, `replace = true` says that the principle is meant to take the place of the inherited one." },
    Code { code: "duplicate-key", text: "A key is set twice in one table. TOML has no last-one-wins, so that nobody has to guess which one holds. In a list of tables each element starts with its own `[[…]]` line; a forgotten one makes its keys land in the element before it." },
    Code { code: "empty-text", text: "A text that goes into a request is empty. Leave the key out if you mean to have none." },
    Code { code: "extends-cycle", text: "A constitution extends itself, directly or through others. The message shows the way round." },
    Code { code: "leading-critique", text: "The critique request presumes that the response is bad (\"identify all the ways in which …\", \"what is the strongest argument that …\"). Models comply: they find a fault in every response, and good drafts are made worse. Ask whether, not how: \"Does the response …? If it does, say where.\"" },
    Code { code: "missing-file", text: "A file or directory that a recipe names cannot be read." },
    Code { code: "missing-goal", text: "The words around a goal have to name it once, as `{{goal}}`. Twice would send it twice, and never would send no goal." },
    Code { code: "missing-key", text: "Something that must be there is not." },
    Code { code: "missing-revision", text: "The principle has a `critique` request of its own, but no `revision` request, so the critique looks at one thing and the revision is asked for another, derived from `text`. Say in `revision` what the reviser should do about what the critique finds." },
    Code { code: "near-duplicate", text: "Two principles say almost the same. Each costs a critique for every response, a violation is counted twice, and in `sampled` the rule is drawn twice as often as you may think. Keep one, or give one a `when` that sets them apart." },
    Code { code: "negative-wording", text: "The principle only says what the response must not do. Models follow, and people prefer, wording that says what a good response does. Add what it does instead, in `text` or in `revision`." },
    Code { code: "never-drawn", text: "The principle has weight 0: it is never drawn in `sampled`, and counts for nothing in preference labels. With `panel` and `each` it is still criticised. Remove it, or `drop` it, if it is not meant to hold." },
    Code { code: "no-effect", text: "A setting has no effect beside the others, as `revise_always` has none unless the schedule is `sampled`." },
    Code { code: "no-endpoint", text: "A model other than `sim` needs the `base_url` of an OpenAI-compatible endpoint." },
    Code { code: "no-model", text: "The recipe names no model. Say `model` under `[models.default]`, or on the command line; `sim` is the built-in simulated model and needs no endpoint." },
    Code { code: "no-principles", text: "There is nothing to criticise a response against. Add a `[[principle]]`, or extend a constitution that has some." },
    Code { code: "no-prompts", text: "The recipe names no prompts; they must be given on the command line with `--prompts`." },
    Code { code: "no-test", text: "The principle has no `[[principle.test]]`. Without a response that violates it and one that conforms, nobody can tell whether a critic understands it. Two short tests are enough to start with." },
    Code { code: "one-sided-tests", text: "The tests of the principle all expect the same verdict. A critic that always says so passes them. Add one for the other side." },
    Code { code: "permits-forbidden", text: "This text permits what a `hard` principle forbids. The hard principle wins every time, so the permission never takes effect, and critics see two rules that disagree. Narrow the permission, or write it as an exception of the hard principle, where it is meant." },
    Code { code: "stale-resource", text: "A number or an address that answers may name was last checked more than a year ago. Call it, or look it up, and set `checked` to the day on which you did." },
    Code { code: "template-missing-variable", text: "A template never names a variable without which the request makes no sense, such as a critique request that does not state the principle." },
    Code { code: "template-misuse", text: "A template uses a variable as what it is not: prints a list, a group or a true-or-false value, or goes through a text with `#each`." },
    Code { code: "template-not-offered", text: "A template uses a part of Handlebars that is not offered. A template is a text with holes: variables, `#if`, `#unless` and `#each`, and `eq`, `ne`, `and`, `or`, `not` in their brackets. Partials, decorators and other helpers would make it a program." },
    Code { code: "template-syntax", text: "The file is not a Handlebars template. Most often a block is not closed, or closed in the wrong order." },
    Code { code: "template-unknown", text: "The directory of templates holds a file that overrides no template. Its name must be that of a built-in one, with `.hbs`." },
    Code { code: "template-unknown-variable", text: "A template names a variable that its request does not have. Handlebars would read it as empty, or false, and send a request with a hole in it. Inside `#each` only the item's own fields are there; `../` goes one level out." },
    Code { code: "toml-syntax", text: "The file is not valid TOML at this place. The rest of the file is read as far as possible, so that other problems show too; some of them may go away with this one." },
    Code { code: "too-long", text: "A text is longer than a request can carry well. A principle is one rule, said in a few sentences; split a document into several principles." },
    Code { code: "unknown-code", text: "An `allow` list names a code that no warning has, so it has no effect." },
    Code { code: "unknown-config", text: "The recipe asks for an export config that amend does not write." },
    Code { code: "unknown-domain", text: "A hazard of a taxonomy has an id that does not start with the id of one of its domains." },
    Code { code: "unknown-family", text: "An attack belongs to one of thirteen families, by how it puts the goal. Reports, held-out families and the taxonomy's axis `technique` go by them." },
    Code { code: "unknown-file", text: "The file is neither a constitution (a `[constitution]` table, `[[principle]]` tables), nor a recipe, nor a taxonomy, nor a file of attacks, nor a simulated world (`[[weak]]`, `[[over]]`), nor a directory of templates." },
    Code { code: "unknown-gate", text: "The recipe turns off a gate that amend does not have, so every gate still runs." },
    Code { code: "unknown-hazard", text: "An id under `hazards` is neither a domain (`phys`) nor a hazard (`phys.assault`) of the taxonomy. A principle for a hazard that does not exist would apply to nothing, and nobody would notice." },
    Code { code: "unknown-key", text: "The file sets a key that amend does not know, at this place. A mistyped key would otherwise be ignored in silence, and the default used. Correct the key, move it to the table that it belongs to, or remove it." },
    Code { code: "unknown-principle", text: "A principle is to be dropped or replaced that no extended constitution has." },
    Code { code: "unknown-proposition", text: "A style or a proposition names a proposition that is nowhere. Grades follow from propositions, so one that nobody can answer would leave every answer ungraded. The built-in ones are there with `extends = [\"styles\"]`." },
    Code { code: "unknown-style", text: "A style is to be replaced that no extended constitution has." },
    Code { code: "unknown-variable", text: "A text names a variable (`{{product}}`) that has no value. Values stand under `[constitution.variables]`, in the file itself or in one that extends it; the nearest one counts. Where no file sets a variable, braces are only braces." },
    Code { code: "unreachable-priority", text: "The principle has a higher `priority` than a `hard` one. A hard principle is never traded against another, so the higher number cannot take effect between the two. Give the hard principle the higher priority, or make this one hard too." },
    Code { code: "weakens-hard", text: "A `hard` principle of an extended constitution is dropped here, or replaced by one that is not hard. That may be right for your application; say so with `allow = [\"weakens-hard\"]` under `[constitution]`." },
    Code { code: "wrong-type", text: "The value is of another kind than the key takes, such as a number in quotes where a number is due." },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_in_order() {
        assert!(CODES.is_sorted_by(|a, b| a.code < b.code));
    }
}
