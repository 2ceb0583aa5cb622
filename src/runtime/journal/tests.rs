//! Laws of the journal.

use super::*;
use crate::pure::call::{CallKey, Role};
use crate::pure::prompt::{Prompt, PromptId};
use crate::pure::reason::Reason;
use crate::pure::reject::Reject;
use crate::pure::transcript::{Ended, MethodName, Response, Tally, Transcript};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

fn options() -> Options {
    Options { writing: Writing::Inline, durability: Durability::Process, hook: None }
}

fn open(dir: &Path) -> Journal {
    Journal::open(dir, options()).unwrap()
}

fn stored(n: u64, body: &str) -> (CallKey, StoredAnswer) {
    let key = CallKey(std::array::from_fn(|i| n.to_le_bytes()[i % 8]));
    let answer = StoredAnswer {
        prompt_id: PromptId(format!("{n:016x}")),
        role: Role::Critic,
        model: "m".into(),
        status: 200,
        body: Some(body.into()),
        failure: None,
        attempts: 2,
        latency_ms: 7,
    };
    (key, answer)
}

fn transcript(text: &str, response: &str) -> Transcript {
    Transcript {
        prompt: Prompt::single(text),
        method: MethodName::Panel,
        responses: vec![Response {
            text: response.into(),
            round: 0,
            model: "m".into(),
            fallback: false,
            tokens: 3,
            repairs: Vec::new(),
        }],
        critiques: Vec::new(),
        revisions: Vec::new(),
        comparisons: Vec::new(),
        styled: None,
        last: 0,
        ended: Ended::Conforms,
        tally: Tally { calls: 3, ..Tally::default() },
        models: Vec::new(),
        failures: Vec::new(),
        substitutes: Vec::new(),
        cut_prompts: Vec::new(),
    }
}

async fn meet(journal: &Journal, text: &str, at: &str) -> Admission {
    let arrival = Arrival::Prompt { id: Prompt::single(text).id, at: at.into() };
    journal.admit(vec![arrival]).await.unwrap().remove(0)
}

async fn finish(journal: &Journal, text: &str, row: Row, provisional: bool) -> Outline {
    let transcript = transcript(text, "fine");
    let outline = Outline::of(&transcript, row);
    journal.finish(&transcript, outline.clone(), provisional).await.unwrap();
    outline
}

fn texts(dir: &Path) -> Vec<String> {
    let reader = Reader::open(dir).unwrap();
    let mut texts: Vec<_> =
        reader.transcripts().map(|t| t.unwrap().prompt.messages[0].content.clone()).collect();
    texts.sort();
    texts
}

fn reasons(dir: &Path) -> Vec<String> {
    Reader::open(dir).unwrap().rejects().map(|reject| reject.unwrap().reason.to_string()).collect()
}

#[tokio::test]
async fn an_answer_comes_back_as_it_was_recorded_and_the_first_one_stays() {
    let dir = tempfile::tempdir().unwrap();
    for body in ["", "short", &"long ".repeat(1000), "\u{0}\u{1b}[31m"] {
        let journal = open(dir.path());
        let (key, answer) = stored(body.len() as u64, body);
        assert_eq!(journal.answer(key).await.unwrap(), None);
        journal.record(key, answer.clone()).await.unwrap();
        journal.record(key, StoredAnswer { status: 500, ..answer.clone() }).await.unwrap();
        drop(journal);
        assert_eq!(open(dir.path()).answer(key).await.unwrap(), Some(answer));
    }
}

#[tokio::test]
async fn a_failure_gives_way_to_an_answer() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let (key, answer) = stored(1, "<html>");
    let failed = StoredAnswer { failure: Some("{}".into()), ..answer.clone() };
    journal.record(key, failed.clone()).await.unwrap();
    assert_eq!(journal.answer(key).await.unwrap(), Some(failed.clone()));
    journal.record(key, answer.clone()).await.unwrap();
    journal.record(key, failed).await.unwrap();
    assert_eq!(journal.answer(key).await.unwrap(), Some(answer));
}

#[tokio::test]
async fn a_prompt_is_new_once_then_duplicate_in_its_pass_and_done_in_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.begin_pass("plan").await.unwrap();
    assert_eq!(meet(&journal, "a", "f:1").await, Admission::New);
    assert_eq!(meet(&journal, "a", "f:2").await, Admission::Duplicate { of: "f:1".into() });
    assert_eq!(meet(&journal, "b", "f:3").await, Admission::New);
    assert_eq!(meet(&journal, "c", "f:4").await, Admission::New);
    let outline = finish(&journal, "a", Row::Kept, false).await;
    finish(&journal, "c", Row::Kept, true).await;
    assert_eq!(reasons(dir.path()), ["duplicate"]);

    let info = journal.begin_pass("plan").await.unwrap();
    assert_eq!((info.pass, info.transcripts), (2, 2));
    assert_eq!(meet(&journal, "a", "f:1").await, Admission::Done(outline));
    assert_eq!(meet(&journal, "b", "f:3").await, Admission::New, "it was not finished");
    assert_eq!(meet(&journal, "c", "f:4").await, Admission::New, "it was provisional");

    journal.begin_pass("another plan").await.unwrap();
    assert_eq!(meet(&journal, "a", "f:1").await, Admission::New);
}

#[tokio::test]
async fn rows_are_those_of_the_pass_and_of_any_pass_until_the_input_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.begin_pass("plan").await.unwrap();
    for text in ["a", "b", "c"] {
        meet(&journal, text, text).await;
        finish(&journal, text, Row::Kept, false).await;
    }
    journal.end_input().await.unwrap();
    assert_eq!(texts(dir.path()), ["a", "b", "c"]);

    journal.begin_pass("plan").await.unwrap();
    meet(&journal, "b", "b").await;
    assert_eq!(texts(dir.path()), ["a", "b", "c"], "an interrupted resume gives no less than before");
    journal.end_input().await.unwrap();
    assert_eq!(texts(dir.path()), ["b"], "the input has one prompt now");

    journal.begin_pass("another plan").await.unwrap();
    meet(&journal, "b", "b").await;
    assert_eq!(texts(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_prompt_is_a_reject_exactly_while_its_outline_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let refused = Row::Rejected { reason: Reason::Refused, detail: "no draft".into() };
    journal.begin_pass("plan").await.unwrap();
    meet(&journal, "a", "f:1").await;
    let outline = finish(&journal, "a", refused, false).await;
    let bug = Reject {
        prompt_id: Some(Prompt::single("b").id),
        at: Some("f:2".into()),
        reason: Reason::Bug,
        detail: String::new(),
    };
    journal.reject_prompt(bug).await.unwrap();
    let row =
        Reject { prompt_id: None, at: Some("f:3".into()), reason: Reason::BadJson, detail: String::new() };
    journal.admit(vec![Arrival::Reject(row)]).await.unwrap();
    let mut found = reasons(dir.path());
    found.sort();
    assert_eq!(found, ["bad-json", "bug", "refused"]);

    journal.begin_pass("plan").await.unwrap();
    assert_eq!(meet(&journal, "a", "f:1").await, Admission::Done(outline.clone()));
    meet(&journal, "b", "f:2").await;
    finish(&journal, "b", Row::Kept, false).await;
    journal.end_input().await.unwrap();
    assert_eq!(reasons(dir.path()), ["refused"], "the bad row is gone, and `b` went well this time");

    finish(&journal, "a", Row::Kept, false).await;
    assert_eq!(reasons(dir.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_name_of_another_version_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.begin_pass("plan").await.unwrap();
    meet(&journal, "a", "f:1").await;
    let mut json = serde_json::json!(transcript("a", "fine"));
    json["method"] = "red-team".into();
    json["ended"] = serde_json::json!({ "revision-failed": "moon-phase" });
    json["responses"][0]["repairs"] = serde_json::json!(["preamble", "moon-phase"]);
    let strange: Transcript = serde_json::from_value(json.clone()).unwrap();
    let reason = Reason::stored("moon-phase");
    let outline = Outline::of(&strange, Row::Rejected { reason: reason.clone(), detail: String::new() });
    journal.finish(&strange, outline.clone(), false).await.unwrap();
    journal.end_input().await.unwrap();

    let reader = Reader::open(dir.path()).unwrap();
    let read = reader.transcripts().next().unwrap().unwrap();
    assert_eq!((serde_json::json!(read), &read.ended), (json, &Ended::RevisionFailed(reason.clone())));
    assert_eq!(reader.outlines("", 9).unwrap().remove(0).outline, outline);
    assert_eq!(reader.rejects().next().unwrap().unwrap().reason, reason);
}

#[tokio::test]
async fn transcripts_and_rejects_stream_past_a_page_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.begin_pass("plan").await.unwrap();
    for n in 0..150 {
        let text = format!("prompt {n}");
        meet(&journal, &text, &format!("f:{n}")).await;
        meet(&journal, &text, &format!("g:{n}")).await;
        finish(&journal, &text, Row::Kept, false).await;
    }
    let reader = Reader::open(dir.path()).unwrap();
    let ids: Vec<_> = reader.transcripts().map(|t| t.unwrap().prompt.id).collect();
    assert_eq!(ids.len(), 150);
    assert!(ids.is_sorted());
    assert_eq!(reader.rejects().count(), 150);
    let counts = reader.counts().unwrap();
    assert_eq!(
        (counts.prompts, counts.transcripts, counts.rejects, counts.input_read),
        (150, 150, 150, false)
    );
    assert_eq!(reader.outlines(&ids[99].0, 100).unwrap().len(), 50);

    // Whatever happens after it was opened, a reader tells of one moment.
    meet(&journal, "late", "f:200").await;
    finish(&journal, "late", Row::Kept, false).await;
    assert_eq!(reader.transcripts().count(), 150);
}

#[tokio::test]
async fn an_id_is_found_by_any_unique_beginning() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.begin_pass("plan").await.unwrap();
    for n in 0..40 {
        finish(&journal, &n.to_string(), Row::Kept, false).await;
    }
    let reader = Reader::open(dir.path()).unwrap();
    let whole = transcript("7", "fine");
    let id = &whole.prompt.id.0;
    assert_eq!(reader.transcript(id).unwrap(), Found::One(Box::new(whole.clone())));
    assert_eq!(reader.transcript(id.get(..8).unwrap()).unwrap(), Found::One(Box::new(whole.clone())));
    assert!(matches!(reader.transcript("").unwrap(), Found::Several(ids) if ids.len() == 6));
    for nothing in ["zz", "%", "'"] {
        assert_eq!(reader.transcript(nothing).unwrap(), Found::None, "{nothing}");
    }
}

#[tokio::test]
async fn one_process_writes_and_others_read() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    let Err(JournalError::Held { holder, .. }) = Journal::open(dir.path(), options()) else {
        panic!("two writers")
    };
    assert!(holder.contains(&std::process::id().to_string()), "{holder}");
    assert_eq!(Reader::open(dir.path()).unwrap().counts().unwrap(), Counts::default());
    drop(journal);
    drop(open(dir.path()));
}

/// What opening a run directory says of a journal file with these bytes.
fn check_opening(bytes: &[u8], expected: impl Fn(&JournalError) -> bool) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(FILE), bytes).unwrap();
    let error = Journal::open(dir.path(), options()).unwrap_err();
    assert!(expected(&error), "to write: {error:?}");
    let error = Reader::open(dir.path()).unwrap_err();
    assert!(expected(&error), "to read: {error:?}");
    assert_eq!(std::fs::read(dir.path().join(FILE)).unwrap(), bytes, "the file was touched");
}

fn sqlite_file(sql: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x");
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    std::fs::read(path).unwrap()
}

#[test]
fn a_file_that_is_not_ours_is_named_and_left_alone() {
    check_opening(b"hello, this is not a database at all", |e| matches!(e, JournalError::NotAJournal(_)));
    check_opening(&sqlite_file("CREATE TABLE t (x)"), |e| matches!(e, JournalError::NotAJournal(_)));
    let newer =
        sqlite_file("CREATE TABLE t (x); PRAGMA application_id = 1634561636; PRAGMA user_version = 9");
    check_opening(&newer, |e| matches!(e, JournalError::Newer { found: 9, known: 2, .. }));
    let missing = tempfile::tempdir().unwrap();
    assert!(matches!(Reader::open(missing.path()), Err(JournalError::Missing(_))));
}

#[tokio::test]
async fn damage_is_told_and_never_read_as_data() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path());
    journal.begin_pass("plan").await.unwrap();
    let (key, answer) = stored(1, &"long ".repeat(1000));
    journal.record(key, answer).await.unwrap();
    meet(&journal, "a", "f:1").await;
    finish(&journal, "a", Row::Kept, false).await;
    drop(journal);
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    db.execute_batch(
        "UPDATE answers SET body = x'00ff'; UPDATE transcripts SET body = x'00ff', outline = '{'",
    )
    .unwrap();
    drop(db);
    let journal = open(dir.path());
    assert!(matches!(journal.answer(key).await, Err(JournalError::Corrupt { .. })));
    assert!(matches!(journal.death(), Some(JournalError::Corrupt { .. })), "it fails for good");
    drop(journal);
    let journal = open(dir.path());
    journal.begin_pass("plan").await.unwrap();
    let arrival = Arrival::Prompt { id: Prompt::single("a").id, at: "f:1".into() };
    assert!(matches!(journal.admit(vec![arrival]).await, Err(JournalError::Corrupt { .. })));
    assert!(matches!(journal.death(), Some(JournalError::Corrupt { .. })), "it fails for good");
    assert!(matches!(journal.answer(key).await, Err(JournalError::Corrupt { .. })));
    let read = Reader::open(dir.path()).unwrap().transcripts().next();
    assert!(matches!(read, Some(Err(JournalError::Corrupt { .. }))), "{read:?}");
}

/// Everything that an export or a listing reads of a journal, or why it cannot.
fn everything(dir: &Path) -> Result<String, JournalError> {
    let reader = Reader::open(dir)?;
    let mut seen = format!("{:?} {} {}", reader.counts()?, reader.plan(), reader.is_complete()?);
    for transcript in reader.transcripts() {
        seen.push_str(&serde_json::to_string(&transcript?).unwrap());
    }
    for reject in reader.rejects() {
        let _ = write!(seen, "{:?}", reject?);
    }
    for row in reader.outlines("", 1000)? {
        let _ = write!(seen, "{row:?}");
    }
    Ok(seen)
}

/// A journal with all kinds of records, closed.
async fn filled(dir: &Path) {
    let journal = open(dir);
    journal.begin_pass("plan").await.unwrap();
    for n in 0..12 {
        let (key, answer) = stored(n, &format!("answer {n} ").repeat(20));
        journal.record(key, answer).await.unwrap();
        let text = format!("prompt {n}");
        meet(&journal, &text, &format!("f:{n}")).await;
        meet(&journal, &text, &format!("g:{n}")).await;
        finish(&journal, &text, Row::Kept, false).await;
    }
    journal.end_input().await.unwrap();
}

/// Flips one bit at a time, spread over the whole file: what is read is what was there, or it is told.
async fn flips_are_told(flips: u64) {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    let expected = everything(dir.path()).unwrap();
    let whole = std::fs::read(dir.path().join(FILE)).unwrap();
    let mut told = 0;
    for n in 0..flips {
        let at = crate::pure::digest::Parts::new("flip").with_u64(n).uniform() % (whole.len() as u64 * 8);
        let mut bytes = whole.clone();
        bytes[usize::try_from(at / 8).unwrap()] ^= 1 << (at % 8);
        let scratch = tempfile::tempdir().unwrap();
        std::fs::write(scratch.path().join(FILE), bytes).unwrap();
        match everything(scratch.path()) {
            Ok(seen) => assert!(seen == expected, "bit {at}: other data, and nobody was told"),
            Err(_) => told += 1,
        }
    }
    assert!(told > flips / 10, "only {told} of {flips} were met");
}

#[tokio::test]
async fn no_flipped_bit_is_read_as_data() {
    flips_are_told(250).await;
}

#[tokio::test]
#[ignore = "slow: ten thousand flipped bits"]
async fn none_of_ten_thousand_flipped_bits_is_read_as_data() {
    flips_are_told(10_000).await;
}

#[tokio::test]
async fn a_damaged_log_is_told_and_kept_and_an_unfinished_one_is_not_damage() {
    // A copy of a live run is what a crash leaves: the log is full, and nobody has closed the journal.
    let live = tempfile::tempdir().unwrap();
    let journal = open(live.path());
    for n in 0..12 {
        let (key, answer) = stored(n, &format!("answer {n} ").repeat(200));
        journal.record(key, answer).await.unwrap();
    }
    let db = std::fs::read(live.path().join(FILE)).unwrap();
    let log = std::fs::read(live.path().join("journal.db-wal")).unwrap();
    let crashed = |log: &[u8]| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(FILE), &db).unwrap();
        std::fs::write(dir.path().join("journal.db-wal"), log).unwrap();
        dir
    };
    let answers =
        |dir: &Path| Reader::open(dir).and_then(|reader| reader.counts()).map(|counts| counts.answers);
    assert_eq!(answers(crashed(&log).path()), Ok(12));
    // Cut anywhere behind the tables, it only ends early.
    for cut in (log.len() / 2..log.len()).step_by(997) {
        assert!(answers(crashed(&log[..cut]).path()).is_ok(), "cut at {cut}");
    }
    for n in 0..40_u64 {
        let at = crate::pure::digest::Parts::new("log").with_u64(n).uniform() % (log.len() as u64 * 8);
        let mut flipped = log.clone();
        flipped[usize::try_from(at / 8).unwrap()] ^= 1 << (at % 8);
        let dir = crashed(&flipped);
        let told = matches!(answers(dir.path()), Err(JournalError::Corrupt { .. }));
        let is_last = at / 8 > log.len() as u64 - 4096 * 8;
        assert!(
            told || is_last || answers(dir.path()) == Ok(12),
            "bit {at}: answers are gone, and nobody was told"
        );
        if told {
            let kept = dir.path().join("journal.db-wal.damaged-1");
            drop(open(dir.path()));
            assert_eq!(std::fs::read(kept).unwrap(), flipped);
        }
    }
}

#[tokio::test]
async fn a_repair_keeps_what_is_whole_and_the_damaged_file() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path()).await;
    assert_eq!(check(dir.path()).unwrap().faults, [""; 0]);
    let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
    db.execute_batch(
        "UPDATE transcripts SET outline = 'x' WHERE rowid = 3; UPDATE answers SET status = 7 WHERE rowid = 5",
    )
    .unwrap();
    drop(db);
    assert_eq!(check(dir.path()).unwrap().faults.len(), 2);
    assert!(matches!(everything(dir.path()), Err(JournalError::Corrupt { .. })));

    let repaired = repair(dir.path()).unwrap();
    let of = |name: &str| repaired.tables.iter().find(|table| table.table == name).unwrap();
    assert_eq!((of("transcripts").whole, of("transcripts").damaged), (11, 1));
    assert_eq!((of("answers").whole, of("answers").damaged), (11, 1));
    assert_eq!((of("prompts").whole, of("rejects").whole), (12, 12));
    assert!(repaired.aside.is_file());
    assert_eq!(check(dir.path()).unwrap().faults, [""; 0]);
    assert!(everything(dir.path()).is_ok());
    // The next pass makes what was lost.
    let journal = open(dir.path());
    assert_eq!(journal.begin_pass("plan").await.unwrap().transcripts, 11);
}

#[tokio::test]
async fn a_record_that_vanished_is_told() {
    for table in ["prompts", "transcripts", "rejects", "answers", "meta"] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path()).await;
        let db = rusqlite::Connection::open(dir.path().join(FILE)).unwrap();
        // As a fault would: behind the back of what counts.
        db.execute_batch(&format!(
            "DROP TRIGGER {table}_removed; DELETE FROM {table} WHERE rowid IN \
            (SELECT rowid FROM {table} LIMIT 1)"
        ))
        .or_else(|_| {
            let key = if table == "prompts" { "id" } else { "key" };
            db.execute_batch(&format!("DELETE FROM {table} WHERE {key} = (SELECT min({key}) FROM {table})"))
        })
        .unwrap();
        drop(db);
        let error = Reader::open(dir.path()).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains(&format!("table `{table}` has")), "{table}: {error}");
    }
}

#[tokio::test]
async fn a_full_disk_ends_the_journal_and_keeps_what_was_committed() {
    for writing in [Writing::Inline, Writing::Thread] {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(dir.path(), Options { writing, ..options() }).unwrap();
        let (kept, answer) = stored(1, "kept");
        journal.record(kept, answer).await.unwrap();
        journal.limit_pages(40).await;
        let mut full = None;
        for n in 2..200 {
            // Noise, so that it does not compress.
            let noise: String = (0..300)
                .map(|i| crate::pure::digest::Parts::new("n").with_u64(n * 1000 + i).short())
                .collect();
            let (key, answer) = stored(n, &noise);
            if let Err(error) = journal.record(key, answer).await {
                full = Some((n, error));
                break;
            }
        }
        let (n, error) = full.expect("40 pages are full at some time");
        assert!(matches!(error, JournalError::DiskFull(_)), "{error:?}");
        assert_eq!(journal.answer(kept).await, Err(error));
        drop(journal);
        let again = open(dir.path());
        assert!(again.answer(kept).await.unwrap().is_some());
        assert!(again.answer(stored(n - 1, "").0).await.unwrap().is_some());
        assert!(again.answer(stored(n, "").0).await.unwrap().is_none());
    }
}

#[test]
fn an_archived_run_is_read_without_writing_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    drop(open(dir.path()));
    let odd = dir.path().join("50% off?#1");
    std::fs::create_dir(&odd).unwrap();
    std::fs::copy(dir.path().join(FILE), odd.join(FILE)).unwrap();
    let uri = schema::immutable_uri(&odd.join(FILE)).unwrap();
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_URI;
    let db = rusqlite::Connection::open_with_flags(uri, flags).unwrap();
    let tables: i64 = db.query_row("SELECT count(*) FROM answers", [], |row| row.get(0)).unwrap();
    assert_eq!((tables, std::fs::read_dir(&odd).unwrap().count()), (0, 1));
}

/// Records answers until the hook kills the journal at commit `n`; gives which were acknowledged.
async fn crash_at(dir: &Path, n: u64, how: AtCommit, writing: Writing) -> Vec<u64> {
    let hook = CommitHook(Arc::new(move |commit| if commit == n { how } else { AtCommit::Commit }));
    let journal = Journal::open(dir, Options { writing, hook: Some(hook), ..options() }).unwrap();
    let record = |n| {
        let journal = journal.clone();
        async move {
            let (key, answer) = stored(n, "x");
            journal.record(key, answer).await.ok().map(|()| n)
        }
    };
    let mut acknowledged: Vec<u64> = Vec::new();
    for chunk in (0..20).collect::<Vec<_>>().chunks(4) {
        let acks = futures::future::join_all(chunk.iter().copied().map(record)).await;
        acknowledged.extend(acks.into_iter().flatten());
    }
    assert_eq!(journal.answer(stored(0, "").0).await.is_err(), acknowledged.len() < 20);
    acknowledged
}

#[tokio::test]
async fn what_was_acknowledged_survives_a_crash_at_any_commit() {
    for writing in [Writing::Inline, Writing::Thread] {
        for how in [AtCommit::DieBefore, AtCommit::DieAfter] {
            for n in 0..21 {
                let dir = tempfile::tempdir().unwrap();
                let acknowledged = crash_at(dir.path(), n, how, writing).await;
                let journal = open(dir.path());
                for key in 0..20 {
                    let there = journal.answer(stored(key, "").0).await.unwrap().is_some();
                    let known = acknowledged.contains(&key);
                    assert!(there || !known, "{writing:?} {how:?} {n}: answer {key} is lost");
                    if writing == Writing::Inline && how == AtCommit::DieBefore {
                        assert_eq!(there, known, "answer {key}");
                    }
                }
            }
        }
    }
}

/// What is in a journal, but for what says when it was written.
fn contents(dir: &Path) -> String {
    let reader = Reader::open(dir).unwrap();
    let rejects: Vec<Reject> = reader.rejects().map(Result::unwrap).collect();
    let prompts: Vec<_> =
        reader.outlines("", 1000).unwrap().into_iter().map(|row| (row.id, row.at, row.outline)).collect();
    format!("{:?} {:?} {rejects:?} {prompts:?} {:?}", reader.counts().unwrap(), reader.plan(), texts(dir))
}

/// The changes since a copy was last brought up to date, in pieces.
async fn changes(journal: &Journal, most: u32) -> Vec<Change> {
    let mut all = Vec::new();
    loop {
        let some = journal.take_changes(most).await.unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

#[tokio::test]
async fn the_changes_of_a_journal_make_the_same_journal() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open(one.path());
    let copy = open(two.path());
    assert!(copy.wants_copy().await.unwrap());
    copy.set_restoring(true).await.unwrap();
    journal.track(Known::default()).await.unwrap();
    for most in [1, 2, 100] {
        journal.begin_pass("p").await.unwrap();
        for n in 0..5 {
            let (key, answer) = stored(n + u64::from(most) * 10, "an answer");
            journal.record(key, answer).await.unwrap();
        }
        meet(&journal, "a", "f:1").await;
        meet(&journal, "b", "f:2").await;
        meet(&journal, "a", "f:3").await;
        let why = Row::Rejected { reason: Reason::Empty, detail: "it is".into() };
        finish(&journal, "a", why, true).await;
        copy.put(changes(&journal, most).await, false).await.unwrap();
        // The reject of `a` is gone.
        finish(&journal, "a", Row::Kept, true).await;
        finish(&journal, "b", Row::Kept, false).await;
        journal.end_input().await.unwrap();
        copy.put(changes(&journal, most).await, false).await.unwrap();
        assert!(journal.take_changes(most).await.unwrap().is_empty(), "nothing changed");
        assert_eq!(contents(one.path()), contents(two.path()));
    }
    // A copy that is being put in is no journal to go on with yet; then it is.
    assert!(copy.wants_copy().await.unwrap());
    copy.set_restoring(false).await.unwrap();
    assert!(!copy.wants_copy().await.unwrap());
    assert_eq!(copy.begin_pass("p").await.unwrap().pass, 4);
    drop((journal, copy));
    let check = check(two.path()).unwrap();
    assert!(check.faults.is_empty(), "{check:?}");
}

#[tokio::test]
async fn a_copy_gets_what_it_lacks_and_a_journal_keeps_what_it_has() {
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let journal = open(one.path());
    journal.begin_pass("p").await.unwrap();
    let (known_key, answer) = stored(1, "an answer");
    journal.record(known_key, answer.clone()).await.unwrap();
    journal.track(Known::default()).await.unwrap();
    let mut known = Known::default();
    for change in changes(&journal, 9).await {
        known.add(&change);
    }
    assert!(known.records() > 2);
    journal.record(stored(2, "").0, answer.clone()).await.unwrap();
    drop(journal);
    // The process broke off before the second answer was copied: the next one tells it, and nothing else.
    let journal = open(one.path());
    journal.track(known).await.unwrap();
    let lacking = changes(&journal, 9).await;
    assert!(matches!(&lacking[..], [Change::Put { table: 1, .. }]), "{lacking:?}");
    // Another journal takes the answer in beside its own, and keeps its own answer to the same call.
    let other = open(two.path());
    other.begin_pass("another plan").await.unwrap();
    let mine = StoredAnswer { body: Some("mine".into()), ..answer };
    other.record(known_key, mine.clone()).await.unwrap();
    other.put(lacking, true).await.unwrap();
    assert!(other.answer(stored(2, "").0).await.unwrap().is_some());
    assert_eq!(other.answer(known_key).await.unwrap(), Some(mine));
}
