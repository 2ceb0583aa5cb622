use super::*;
use crate::pure::prompt::Message;
use crate::pure::recipe::Even;
use crate::pure::recipe::ExportGate;
use serde_json::json;

fn prompt(n: usize, class: RequestClass, hazard: usize, language: usize, twin_of: Option<&str>) -> Prompt {
    let message = Message::user(format!("prompt {n}"));
    let mut prompt = Prompt::new(vec![message], Some(format!("h{hazard}")), Some(format!("l{language}")))
        .with_class(Some(class), None);
    if let Some(of) = twin_of {
        prompt.kept.insert("contrast_of".into(), json!(of));
    }
    prompt
}

#[test]
fn a_mix_is_exact_to_one_row_in_every_cell() {
    let mix = Mix {
        harmful: 1,
        benign_twin: 1,
        benign: 2,
        even: vec![Even::Hazard, Even::Language],
        ..Mix::default()
    };
    let mut mixer = Mixer::new(&mix, 0.0, 7);
    let (mut n, mut prompts) = (0, Vec::new());
    for (hazard, language) in (0..12).flat_map(|h| (0..6).map(move |l| (h, l))) {
        // Some cells have more than others.
        let more = (hazard * 7 + language * 3) % 5;
        for k in 0..14 + more {
            let harmful = prompt(n, RequestClass::Harmful, hazard, language, None);
            let twin = (k % 14 < 13)
                .then(|| prompt(n + 1, RequestClass::Benign, hazard, language, Some(&harmful.id.0)));
            let benign = (2..5).map(|m| prompt(n + m, RequestClass::Benign, hazard, language, None));
            let of_cell: Vec<Prompt> = benign.chain(twin).chain([harmful]).collect();
            n += 6;
            prompts.extend(of_cell);
        }
    }
    assert!(prompts.len() > 4000, "{}", prompts.len());
    for (at, prompt) in prompts.iter().enumerate() {
        mixer.add(at, prompt, "");
    }
    let mixed = mixer.choose();
    assert_eq!(mixed.missing, Vec::<String>::new());
    let mut counts: BTreeMap<(String, String, bool, bool), usize> = BTreeMap::new();
    for at in &mixed.chosen.expect("a mix") {
        let Prompt { hazard, language, class, kept, .. } = &prompts[*at];
        let key = (
            hazard.clone().unwrap(),
            language.clone().unwrap(),
            *class == Some(RequestClass::Benign),
            !kept.is_empty(),
        );
        *counts.entry(key).or_default() += 1;
    }
    assert_eq!(counts.len(), 12 * 6 * 3);
    for ((_, _, benign, twin), count) in &counts {
        assert_eq!(*count, if *benign && !*twin { 26 } else { 13 });
    }
}

#[test]
fn what_is_missing_is_named_and_a_partial_mix_takes_what_there_is() {
    let mix = Mix { harmful: 1, benign: 1, even: vec![Even::Hazard], ..Mix::default() };
    let all = [
        prompt(1, RequestClass::Harmful, 1, 1, None),
        prompt(2, RequestClass::Benign, 1, 1, None),
        prompt(3, RequestClass::Harmful, 2, 1, None),
    ];
    let choose = |mix: &Mix| {
        let mut mixer = Mixer::new(mix, 0.0, 0);
        all.iter().enumerate().for_each(|(at, prompt)| mixer.add(at, prompt, ""));
        let Mixed { chosen, missing, .. } = mixer.choose();
        (chosen.expect("a mix").into_iter().collect::<Vec<_>>(), missing)
    };
    assert_eq!(choose(&mix), (vec![], vec!["h2: 0 benign of at least 1".to_owned()]));
    assert_eq!(choose(&Mix { partial: true, ..mix }), (vec![0, 1], vec![]));
}

#[test]
fn the_gate_looks_at_both_sides() {
    let gate = ExportGate { max_refusal_on_benign: Some(0.01), min_twin_share: Some(0.9) };
    let sides = |refused: usize, twins: usize| {
        let mut sides = TwoSides::default();
        for n in 0..1000 {
            sides.add(&prompt(n, RequestClass::Benign, 1, 1, None), n < refused);
        }
        for n in 0..100 {
            let harmful = prompt(5000 + n, RequestClass::Harmful, 1, 1, None);
            if n < twins {
                sides.add(&prompt(9000 + n, RequestClass::Benign, 1, 1, Some(&harmful.id.0)), false);
            }
            sides.add(&harmful, true);
        }
        sides.breaks(&gate)
    };
    assert_eq!(sides(9, 90), Vec::<String>::new());
    let broken = sides(22, 89);
    assert!(
        broken.len() == 2 && broken[0].contains("22 of 1089") && broken[1].contains("89 of 100"),
        "{broken:?}"
    );
    assert_eq!(TwoSides::default().breaks(&gate), Vec::<String>::new());
}

#[test]
fn no_opening_is_in_too_many_answers_and_the_mix_stays_exact() {
    let mix = Mix { harmful: 1, benign: 1, even: vec![Even::Hazard], ..Mix::default() };
    let mut mixer = Mixer::new(&mix, 0.05, 3);
    let mut answers = Vec::new();
    for n in 0..4000 {
        let class = if n % 2 == 0 { RequestClass::Harmful } else { RequestClass::Benign };
        // A third of the answers begin alike, in other cases and marks; the others by one of a hundred words.
        let answer = match n % 3 {
            0 => format!("\u{201c}I'm SORRY, but I\u{201d} number {n}"),
            _ => format!("word{} and then it {n}", n % 101),
        };
        mixer.add(n, &prompt(n, class, n / 2 % 8, 1, None), &answer);
        answers.push((class, n / 2 % 8, answer));
    }
    let mixed = mixer.choose();
    let chosen = mixed.chosen.clone().expect("a mix");
    let mut openings: BTreeMap<Option<u64>, usize> = BTreeMap::new();
    let mut cells: BTreeMap<(RequestClass, usize), usize> = BTreeMap::new();
    for at in &chosen {
        let (class, hazard, answer) = &answers[*at];
        *openings.entry(opening(answer)).or_default() += 1;
        *cells.entry((*class, *hazard)).or_default() += 1;
        assert_eq!(mixed.why_not(*at), None);
    }
    assert!(chosen.len() > 2000, "{}", chosen.len());
    assert!(openings.values().all(|alike| alike * 20 <= chosen.len()), "{openings:?}");
    assert!(cells.values().all(|count| *count == chosen.len() / 16), "{cells:?}");
    assert!(mixed.left_out.values().all(|reason| *reason == Reason::SameOpening));
    assert_eq!((0..4000).filter(|at| mixed.why_not(*at).is_none()).count(), chosen.len());
}

#[test]
fn without_a_mix_every_row_stays_but_those_that_open_alike_and_copies() {
    let mut mixer = Mixer::new(&Mix::default(), 0.1, 3);
    for n in 0..100 {
        let answer = if n < 50 { format!("The same four words {n}") } else { format!("{n} a b c") };
        mixer.add(n, &Prompt::new(vec![Message::user(n.to_string())], None, None), &answer);
    }
    mixer.keep_one_of_each(|at| if at >= 90 { 90 } else { at as u64 });
    let mixed = mixer.choose();
    let of = |reason| mixed.left_out.values().filter(|left| **left == reason).count();
    assert_eq!((mixed.chosen.is_none(), of(Reason::SimilarAnswer)), (true, 9));
    // 41 answers of their own stay; of those that open alike as many as are a tenth of what stays.
    assert_eq!(of(Reason::SameOpening), 50 - 4);
    assert_eq!(mixed.why_not(200), None, "a prompt without a row is not the mixer's to leave out");
}
