//! What is said when an answer is done: what became of revisions, what differs from the answer before, and what it took.
//!
//! Words only; who asks for them writes them.

use super::session_cost::SessionCost;
use crate::faces::cli::style::{Style, plural};
use crate::pure::reason::Reason;
use crate::pure::recipe::Models;
use crate::pure::text::printable;
use crate::pure::text::short_count;
use crate::pure::transcript::{Ended, RevisionFate, Transcript, Verdict};
use std::fmt::Write as _;

/// How an answer ended, in a sentence.
pub(in crate::faces::cli) fn outcome(transcript: &Transcript, style: Style) -> String {
    let kept = transcript.responses.len().saturating_sub(1);
    let revised = if kept == 0 { "the draft stands".to_owned() } else { plural(kept, "revision") };
    let left: Vec<&str> = transcript.objections(transcript.last).into_iter().collect();
    let why = crate::faces::cli::show_transcript::ended(&transcript.ended);
    match (left.as_slice(), &transcript.ended) {
        (_, Ended::NoDraft(_)) => style.bad(&why),
        ([], Ended::Conforms) => style.good(&format!("no principle objects; {revised}")),
        ([], _) => format!("no principle objects; {revised}; {why}"),
        (ids, _) => {
            let ids = ids.iter().map(|id| printable(id)).collect::<Vec<_>>().join(", ");
            style.warn(&format!("still violated: {ids}; {revised}; {why}"))
        }
    }
}

/// What became of the revisions that do not stand, a line each.
pub(super) fn fates(transcript: &Transcript) -> Vec<String> {
    let told = |(n, revision): (usize, &crate::pure::transcript::Revision)| {
        let n = n + 1;
        match &revision.fate {
            RevisionFate::Kept(_) => None,
            RevisionFate::RolledBack(ids) => {
                let ids = ids.iter().map(|id| printable(id)).collect::<Vec<_>>().join(", ");
                Some(format!("revision {n} was rolled back: it breaks {ids}"))
            }
            RevisionFate::Rejected(reason) => {
                Some(format!("revision {n} was rejected: {}", printable(reason.as_str())))
            }
            RevisionFate::Unchanged => Some(format!("revision {n} changed nothing")),
        }
    };
    let repaired = |(n, response): (usize, &crate::pure::transcript::Response)| {
        let name = if n == 0 { "the draft".to_owned() } else { format!("response {n}") };
        (!response.repairs.is_empty())
            .then(|| format!("{name} was repaired: {}", printable(&names(&response.repairs))))
    };
    let repairs = transcript.responses.iter().enumerate().filter_map(repaired);
    transcript.revisions.iter().enumerate().filter_map(told).chain(repairs).collect()
}

fn names(reasons: &[Reason]) -> String {
    reasons.iter().map(Reason::as_str).collect::<Vec<_>>().join(", ")
}

/// What differs from the answer to the same prompt before, a line each: an edit's effect at a glance.
pub(super) fn compared(old: &Transcript, new: &Transcript) -> Vec<String> {
    let mut lines = Vec::new();
    if old.draft().map(|draft| &draft.text) != new.draft().map(|draft| &draft.text) {
        lines.push("the draft is another one".to_owned());
    }
    let (before, after) = (old.standing_verdicts(0), new.standing_verdicts(0));
    let of = |verdicts: &[(&str, Verdict)], id: &str| {
        verdicts.iter().find(|(known, _)| *known == id).map(|(_, verdict)| *verdict)
    };
    for (id, now) in &after {
        let shown = printable(id);
        match of(&before, id) {
            Some(was) if was == *now => {}
            Some(was) => lines.push(format!("{shown}: {}, was {}", now.as_str(), was.as_str())),
            None => lines.push(format!("{shown}: {}, not asked before", now.as_str())),
        }
    }
    for (id, was) in before.iter().filter(|(id, _)| of(&after, id).is_none()) {
        lines.push(format!("{}: not asked now, was {}", printable(id), was.as_str()));
    }
    let last = |transcript: &Transcript| transcript.final_response().map(|response| response.text.clone());
    lines.push(
        if last(old) == last(new) {
            "the final response is the same"
        } else {
            "the final response is another one; /diff last shows what changed"
        }
        .to_owned(),
    );
    lines
}

/// What it took, in a line: "3 asked, 49 known; 1200 tokens in, 300 out; cost 0.0123".
pub(super) fn took(spent: &SessionCost, models: &Models) -> String {
    let usage = spent.usage();
    let asked = usize::try_from(spent.asked()).unwrap_or(usize::MAX);
    let mut line = format!("{} asked, {} known", plural(asked, "call"), spent.known);
    if spent.asked() > 0 {
        let _ =
            write!(line, "; {} tokens in, {} out", short_count(usage.prompt), short_count(usage.completion));
    }
    match spent.money(models) {
        Some(money) => line + &format!("; cost {}", sum(money)),
        None => line,
    }
}

/// A sum of money: two places, or more where it is small.
pub(super) fn sum(money: f64) -> String {
    if money == 0.0 || money >= 1.0 { format!("{money:.2}") } else { format!("{money:.5}") }
}

/// Tokens and money of a session by role.
pub(super) fn bill(spent: &SessionCost, models: &Models) -> String {
    let mut lines = vec![format!(
        "{:<10}{:>8}{:>12}{:>12}{:>12}{:>12}",
        "", "calls", "tokens in", "cached", "out", "cost"
    )];
    let row = |name: &str, calls: u64, spent: &SessionCost| {
        let usage = spent.usage();
        let cost = spent.money(models).map_or_else(|| "not known".into(), sum);
        let [calls, prompt, cached, out] =
            [calls, usage.prompt, usage.cached, usage.completion].map(short_count);
        format!("{name:<10}{calls:>8}{prompt:>12}{cached:>12}{out:>12}{cost:>12}")
    };
    for (role, own) in &spent.roles {
        let one = SessionCost { roles: [(*role, *own)].into(), known: 0 };
        lines.push(row(role.as_str(), own.0, &one));
    }
    lines.push(row("all", spent.asked(), spent));
    lines.push(format!("{} calls were known and cost nothing", short_count(spent.known)));
    if spent.money(models).is_none() {
        lines.push("for the cost, give price = { prompt = …, completion = … } in [models.default]".into());
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pure::answer::Usage;
    use crate::pure::call::Role;

    #[test]
    fn money_is_told_where_the_recipe_has_prices() {
        let usage = Usage { prompt: 1_000_000, cached: 0, completion: 500_000 };
        let spent = SessionCost { roles: [(Role::Critic, (3, usage))].into(), known: 2 };
        let mut models = Models::default();
        assert_eq!(took(&spent, &models), "3 calls asked, 2 known; 1.00M tokens in, 500.0k out");
        models.default.price =
            Some(crate::pure::recipe::Price { prompt: 1.0, cached: None, completion: 4.0 });
        assert_eq!(took(&spent, &models), "3 calls asked, 2 known; 1.00M tokens in, 500.0k out; cost 3.00");
        assert_eq!(took(&spent.since(&spent), &models), "0 calls asked, 0 known; cost 0.00");
    }
}
