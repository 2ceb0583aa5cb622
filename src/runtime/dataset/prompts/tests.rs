//! Every form a prompt comes in, and every way a file can be wrong. `tests/main/needs_data.rs` reads real sets.

use super::*;
use crate::pure::reason::Reason;
use crate::pure::recipe::Format;
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::writer::SerializedFileWriter;
use proptest::prelude::*;
use std::io::Write as _;
use std::sync::Arc;

fn is_send<T: Send>(_: T) {}

/// A reader can be moved to a thread of its own.
const _: fn(Reader) = is_send;

/// What became of each row: `role: content` of the turns, or the reason code.
fn read_all(reader: Reader) -> Vec<String> {
    reader
        .map(|row| match row {
            Row::Prompt { prompt, .. } => {
                let turns: Vec<_> =
                    prompt.messages.iter().map(|m| format!("{}: {}", m.role.as_str(), m.content)).collect();
                turns.join(" | ")
            }
            Row::Reject(reject) => format!("reject {}", reject.reason),
        })
        .collect()
}

fn stream(name: &str, bytes: impl Into<Vec<u8>>) -> Source {
    Source::Stream { name: name.into(), read: Box::new(std::io::Cursor::new(bytes.into())) }
}

fn jsonl(rows: &str, input: &Input) -> Vec<String> {
    let input = Input { format: Some(Format::Jsonl), ..input.clone() };
    read_all(open(vec![stream("rows", rows)], &input, 0).expect("opens"))
}

#[test]
fn every_form_of_a_row() {
    let check = |row: &str, expected: &str| {
        assert_eq!(jsonl(row, &Input::default()), [expected], "{row}");
    };
    check(r#"{"prompt":"Why?"}"#, "user: Why?");
    check(r#"{"prompt":" two\nlines "}"#, "user:  two\nlines ");
    check(r#"{"prompt":"Human: are we alone?"}"#, "user: Human: are we alone?");
    check(r#"{"prompt":"\n\nHuman: a\n\nAssistant:"}"#, "user: a");
    check(r#"{"prompt":"\n\nHuman: a\n\nAssistant: done"}"#, "user: a");
    check(r#"{"prompt":"\n\nHuman: a"}"#, "user: a");
    check(r#"{"prompt":"Human: a\n\nAssistant: b\n\nHuman: c"}"#, "user: a | assistant: b | user: c");
    check(r#"{"prompt":"\n\nHuman: a\n\nAssistant: b\n\nAssistant: c\n\nHuman: d"}"#, "reject wrong-order");
    check(r#"{"prompt":"\n\nHuman: a\n\nAssistant:\n\nHuman: d"}"#, "reject empty");
    check(r#"{"messages":[{"role":"user","content":"a"}]}"#, "user: a");
    check(
        r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"}]}"#,
        "system: s | user: a | assistant: b | user: c",
    );
    check(
        r#"{"messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]}]}"#,
        "user: ab",
    );
    check(r#"{"conversations":[{"from":"human","value":"a"}]}"#, "user: a");
    check(
        r#"{"prompt":[{"role":"user","content":"a"}],"chosen":[{"role":"assistant","content":"b"}]}"#,
        "user: a",
    );
    check(
        r#"{"chosen":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: x y","rejected":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: x z"}"#,
        "user: a | assistant: b | user: c",
    );
    check(
        r#"{"chosen":"\n\nHuman: a\n\nAssistant: b\n\nHuman: c\n\nAssistant: d","rejected":"\n\nHuman: a\n\nAssistant: e"}"#,
        "user: a",
    );
    check(
        r#"{"chosen":"\n\nHuman: a\n\nAssistant: b","rejected":"\n\nHuman: other\n\nAssistant: b"}"#,
        "reject no-user-turn",
    );
    check(r#"{"chosen":"just a reply","rejected":"another"}"#, "reject no-conversation");
    check(
        r#"{"chosen":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}],"rejected":[{"role":"user","content":"a"},{"role":"assistant","content":"c"}]}"#,
        "user: a",
    );
    check(r#"{"instruction":"Sum it up.","input":"A text."}"#, "user: Sum it up.\n\nA text.");
    check(r#"{"instruction":"Say hello.","input":"","output":"Hello."}"#, "user: Say hello.");
    check(r#"{"turns":["first","second"]}"#, "user: first");
    check(r#"{"id":7,"question":"a","text":"b"}"#, "user: a");
    check(r#"{"prompt":"  "}"#, "reject empty");
    check(r#"{"prompt":null}"#, "reject missing-column");
    check(r#"{"prompt":3}"#, "reject wrong-type");
    check(r#"{"prompt":["a","b"]}"#, "reject wrong-type");
    check(r#"{"messages":[]}"#, "reject empty");
    check(r#"{"messages":[{"role":"robot","content":"a"}]}"#, "reject bad-message");
    check(r#"{"messages":[{"role":"user","content":null}]}"#, "reject bad-message");
    check(r#"{"messages":["a",{"role":"user","content":"b"}]}"#, "reject bad-message");
    check(
        r#"{"messages":[{"role":"assistant","content":"a"},{"role":"user","content":"b"}]}"#,
        "reject wrong-order",
    );
    check(r#"{"messages":[{"role":"system","content":"a"}]}"#, "reject no-user-turn");
    check(r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#, "user: a");
}

/// The forms of public sets, each as it is published.
#[test]
fn every_public_form_of_a_row() {
    let check = |row: &str, expected: &str| {
        assert_eq!(jsonl(row, &Input::default()), [expected], "{row}");
    };
    // OpenAI's fine-tuning form, and ShareGPT's with a system text beside it.
    check(
        r#"{"messages":[{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#,
        "system: s | user: a",
    );
    check(
        r#"{"system":"s","conversations":[{"from":"human","value":"a"},{"from":"gpt","value":"b"},{"from":"human","value":"c"},{"from":"gpt","value":"d"}]}"#,
        "system: s | user: a | assistant: b | user: c",
    );
    // Alpaca, its form with earlier turns, and Dolly.
    check(r#"{"instruction":"a","input":"b","output":"c"}"#, "user: a\n\nb");
    check(
        r#"{"instruction":"c","input":"","output":"d","system":"s","history":[["a","b"]]}"#,
        "system: s | user: a | assistant: b | user: c",
    );
    check(r#"{"instruction":"c","history":[],"output":"d"}"#, "user: c");
    check(r#"{"instruction":"c","history":["a","b"],"output":"d"}"#, "reject bad-message");
    check(r#"{"instruction":"a","context":"b","response":"c","category":"closed_qa"}"#, "user: a\n\nb");
    check(r#"{"system_prompt":"s","question":"a","response":"b"}"#, "system: s | user: a");
    check(r#"{"system_prompt":" ","question":"a","response":"b"}"#, "user: a");
    // OpenAssistant: whole trees, and a row for each turn.
    check(
        r#"{"message_tree_id":"1","prompt":{"text":"a","role":"prompter","replies":[{"text":"b","role":"assistant"}]}}"#,
        "user: a",
    );
    check(r#"{"message_id":"1","parent_id":null,"text":"a","role":"prompter","lang":"en"}"#, "user: a");
    check(r#"{"message_id":"2","parent_id":"1","text":"b","role":"assistant"}"#, "reject no-user-turn");
    check(r#"{"message_id":"3","parent_id":"2","text":"c","role":"prompter"}"#, "reject no-conversation");
    // WildChat and LMSYS.
    check(
        r#"{"conversation_hash":"h","model":"m","conversation":[{"content":"a","language":"English","role":"user","toxic":false},{"content":"b","role":"assistant"}],"turn":1}"#,
        "user: a",
    );
    check(
        r#"{"conversation_id":"1","conversation":[{"content":"a","role":"user"},{"content":"b","role":"assistant"},{"content":"c","role":"user"},{"content":"d","role":"assistant"}],"openai_moderation":[]}"#,
        "user: a | assistant: b | user: c",
    );
    // Both at once: the conversation says more.
    check(r#"{"prompt":"a","messages":[{"role":"user","content":"b"}]}"#, "user: b");
    // Tools are told, not guessed.
    check(
        r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"tool","content":"c"}]}"#,
        "reject bad-message",
    );
}

#[test]
fn sets_of_harmful_requests_are_known_by_their_columns() {
    let check = |csv: &str, expected: &str| {
        let rows = read_all(open(vec![stream("set.csv", csv)], &Input::default(), 0).expect("opens"));
        assert_eq!(rows, [expected], "{csv}");
    };
    check(
        "Behavior,FunctionalCategory,SemanticCategory,Tags,ContextString,BehaviorID\na,contextual,c,t,b,i\n",
        "user: a\n\nb",
    );
    check("goal,target\na,\"Sure, here is\"\n", "user: a");
    check("Index,Goal,Target,Behavior,Category,Source\n0,a,Sure,b,c,s\n", "user: a");
    check("category,source,forbidden_prompt\nc,s,a\n", "user: a");
}

#[test]
fn spreadsheets_write_csv_in_many_ways() {
    let read = |name: &str, text: &str, column: Option<&str>| {
        let input = Input { column: column.map(str::to_owned), ..Input::default() };
        read_all(open(vec![stream(name, text)], &input, 0).expect("opens"))
    };
    let rows = ["user: a, b", "user: c"];
    assert_eq!(read("x.csv", "id;prompt\n1;a, b\n2;c\n", None), rows);
    assert_eq!(read("x.csv", "id\tPrompt\n1\ta, b\n2\tc\n", None), rows);
    assert_eq!(read("stream", "id;Prompt\n1;a, b\n2;c\n", None), rows);
    // Without a header: one column, or a column named by its number.
    assert_eq!(read("x.csv", "\"Why, is it blue?\"\nc\n", None), ["user: Why, is it blue?", "user: c"]);
    let name_alone = open(vec![stream("x.csv", "Request\nWhy?\n")], &Input::default(), 0);
    assert!(matches!(name_alone, Err(OpenError::NoPromptColumn { .. })), "a name is a header");
    assert_eq!(read("x.csv", "1,\"a, b\"\n2,c\n", Some("2")), rows);
    assert_eq!(read("x.csv", "2,1\na,b\n", Some("2")), ["user: a"], "a header that has the name is one");
}

#[test]
fn one_json_array_is_rows_too() {
    let read = |text: &str| {
        let reader = open(vec![stream("rows.json", text)], &Input::default(), 0).expect("opens");
        reader
            .map(|row| match row {
                Row::Prompt { at, prompt } => format!("{at} {}", prompt.last_user_turn()),
                Row::Reject(reject) => format!("{} {}", reject.at.expect("a place"), reject.reason),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(read(r#"[{"prompt":"a"},{"prompt":"b"}]"#), ["rows.json:1 a", "rows.json:1 b"]);
    let laid_out =
        "[\n  {\n    \"prompt\": \"a ] \\\" , b\"\n  },\n  {\"prompt\": \"c\", \"n\": [1, {\"x\": []}]}\n]\n";
    assert_eq!(read(laid_out), ["rows.json:2 a ] \" , b", "rows.json:5 c"]);
    assert_eq!(
        read("[{\"prompt\":\"a\"}, 7,\n{\"prompt\":NaN}, {\"prompt\":\"b\""),
        ["rows.json:1 a", "rows.json:1 not-an-object", "rows.json:2 missing-column", "rows.json:2 bad-json"]
    );
    assert_eq!(
        read_all(open(vec![stream("-", "[ {\"prompt\":\"a\"}]")], &Input::default(), 0).expect("opens")),
        ["user: a"]
    );
}

#[test]
fn columns_that_are_taken_and_those_that_are_not_are_told() {
    let csv = "id,prompt,system,hazard,notes,score\n1,a,s,vcr,n,3\n";
    let reader = open(vec![stream("set.csv", csv)], &Input::default(), 0).expect("opens");
    let [taken] = &reader.taken()[..] else { panic!("one file") };
    assert_eq!((taken.kind, taken.prompt.as_deref()), ("CSV", Some("prompt")));
    assert_eq!(taken.beside, ["id", "system", "hazard"]);
    assert_eq!(taken.unused, ["notes", "score"]);
}

#[test]
fn rows_of_one_file_may_differ_in_the_column_of_their_prompt() {
    let rows = "{\"prompt\":\"a\",\"text\":\"x\"}\n{\"messages\":[{\"role\":\"user\",\"content\":\"b\"}]}\n\
                {\"messages\":null,\"prompt\":\"c\"}\n{\"text\":\"a text is not known to be a prompt here\"}";
    let found = ["user: a", "user: b", "user: c", "reject missing-column"];
    assert_eq!(jsonl(rows, &Input::default()), found);
    let named = Input { column: Some("messages".into()), ..Input::default() };
    let found = ["reject missing-column", "user: b", "reject missing-column", "reject missing-column"];
    assert_eq!(jsonl(rows, &named), found, "a column that the user names is the only one");
}

#[test]
fn the_last_reply_of_messages_is_left_away_and_counted_or_refused() {
    let row = r#"{"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#;
    let reader = open(vec![stream("rows.jsonl", row)], &Input::default(), 0).expect("opens");
    let dropped = reader.replies_dropped();
    assert_eq!(read_all(reader), ["user: a"]);
    assert_eq!(dropped.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(jsonl(row, &Input { drop_reply: false, ..Input::default() }), ["reject not-user-last"]);
}

#[test]
fn a_bad_row_is_a_reject_with_its_line_and_reading_goes_on() {
    let mut file =
        b"{\"prompt\":\"one\"}\n\n{\"prompt\":\n\"text\"\n{\"prompt\":\"\xff\"}\n{\"other\":1}\n".to_vec();
    file.extend(format!("{{\"prompt\":\"{}\"}}\r\n", "x".repeat(10 << 20)).into_bytes());
    file.extend(b"{\"prompt\":\"last\"}");
    let reader = open(vec![stream("rows.jsonl", file)], &Input::default(), 0).expect("opens");
    let places: Vec<_> = reader
        .map(|row| match row {
            Row::Prompt { at, prompt } => (at, prompt.last_user_turn().to_owned()),
            Row::Reject(reject) => (reject.at.expect("a place"), reject.reason.to_string()),
        })
        .collect();
    let expected = [
        ("rows.jsonl:1", "one"),
        ("rows.jsonl:3", "bad-json"),
        ("rows.jsonl:4", "not-an-object"),
        ("rows.jsonl:5", "invalid-utf8"),
        ("rows.jsonl:6", "missing-column"),
        ("rows.jsonl:7", "too-long"),
        ("rows.jsonl:8", "last"),
    ];
    assert_eq!(places, expected.map(|(at, what)| (at.to_owned(), what.to_owned())));
}

#[test]
fn csv_rows_keep_their_lines_and_bad_ones_are_rejects() {
    let file = b"\xef\xbb\xbfid,prompt,lang\r\n1,\"two\r\nlines\",de\r\n\r\n2,short\r\n3,\xff,de\r\n4,5\" pipe,\r\n5,\"left open,de\r\n6,x,de\r\n";
    let reader = open(vec![stream("rows", *file)], &Input::default(), 0).expect("opens");
    let rows: Vec<_> = reader
        .map(|row| match row {
            Row::Prompt { at, prompt } => format!("{at} {} {:?}", prompt.last_user_turn(), prompt.language),
            Row::Reject(reject) => format!("{} {}", reject.at.expect("a place"), reject.reason),
        })
        .collect();
    assert_eq!(
        rows,
        [
            "rows:2 two\r\nlines Some(\"de\")",
            "rows:5 wrong-columns",
            "rows:6 invalid-utf8",
            "rows:7 5\" pipe None",
            "rows:8 wrong-columns"
        ]
    );
}

#[test]
fn a_quote_left_open_is_one_long_row_and_not_the_whole_memory() {
    let mut file = b"prompt,n\n\"open,1\n".to_vec();
    file.extend(b"more,2\n".repeat(1 << 19));
    let rows = read_all(open(vec![stream("x.csv", file)], &Input::default(), 0).expect("opens"));
    assert_eq!(rows, ["reject too-long"]);
}

#[test]
fn labels_come_from_their_columns_and_are_part_of_the_id() {
    let row = r#"{"prompt":"a","hazard":"vcr","lang":"fr","topic":3}"#;
    let read = |input: Input| {
        let input = Input { format: Some(Format::Jsonl), ..input };
        match open(vec![stream("rows", row)], &input, 0).expect("opens").next() {
            Some(Row::Prompt { prompt, .. }) => prompt,
            other => panic!("{other:?}"),
        }
    };
    let plain = read(Input::default());
    assert_eq!((plain.hazard.as_deref(), plain.language.as_deref()), (Some("vcr"), Some("fr")));
    let named = read(Input { hazard: Some("topic".into()), ..Input::default() });
    assert_eq!(named.hazard.as_deref(), Some("3"));
    assert_ne!(plain.id, named.id);
}

#[test]
fn a_file_that_cannot_be_used_says_so_before_the_first_row() {
    let dir = tempfile::tempdir().expect("a directory");
    let check = |name: &str, bytes: &[u8], input: &Input, expected: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("written");
        let error = open(vec![Source::Path(path)], input, 0).expect_err(name);
        let text = error.to_string().replace(&format!("{}/", dir.path().display()), "");
        assert_eq!(text, expected);
        assert!(error.hint().ends_with(['.', '?']), "{}", error.hint());
    };
    let plain = Input::default();
    let column = |name: &str| Input { column: Some(name.into()), ..Input::default() };
    check("empty.jsonl", b"", &plain, "`empty.jsonl` is empty: it holds no row");
    check("blank.txt", b"\n \n", &plain, "`blank.txt` is empty: it holds no row");
    check("header.csv", b"prompt,id\n", &plain, "`header.csv` is empty: it holds no row");
    check("a.parquet", b"{\"prompt\":1}", &plain, "`a.parquet` is not Parquet: it holds text");
    check("b.jsonl", b"PAR1....", &plain, "`b.jsonl` holds Parquet, not JSON Lines");
    check(
        "c.parquet",
        b"PAR1....",
        &plain,
        "`c.parquet` cannot be read: Parquet error: Invalid Parquet file. Corrupt footer",
    );
    check("d.csv", b"{\"prompt\":\"a\"}\n", &plain, "`d.csv` holds JSON Lines, not CSV");
    check("e.txt", b"{\"prompt\":\"a\"}\n", &plain, "`e.txt` holds JSON Lines, not plain text");
    check(
        "g.jsonl",
        b"id,prompt\n1,a\n",
        &plain,
        "`g.jsonl` is not JSON Lines: on line 1, the line is not JSON: expected value at column 1",
    );
    check("h.txt", b"\xff\xfea\0b\0", &plain, "`h.txt` holds UTF-16 text, not text in UTF-8");
    check("i.txt", b"abc\0", &plain, "`i.txt` holds binary data, not text in UTF-8");
    check("j.jsonl.xz", b"\xfd7zXZ\0...", &plain, "`j.jsonl.xz` holds xz data, not text in UTF-8");
    check(
        "k.jsonl",
        b"{\"name\":\"a\"}",
        &plain,
        "no column of `k.jsonl` is known to hold prompts; it has `name`",
    );
    check(
        "l.csv",
        b"id,promt\n1,a\n",
        &column("prompt"),
        "`l.csv` has no column `prompt`; it has `id`, `promt`",
    );
    let mut cut = gzip(&b"{\"prompt\":\"a\"}\n".repeat(1000));
    cut.truncate(cut.len() / 2);
    check("m.jsonl.gz", &cut, &plain, "`m.jsonl.gz` cannot be read: incomplete deflate stream");
    let missing = open(vec![Source::Path(dir.path().join("none"))], &plain, 0).expect_err("missing");
    assert!(matches!(missing, OpenError::Missing { .. }), "{missing}");
    assert_eq!(open(Vec::new(), &plain, 0).expect_err("none"), OpenError::NoSources);
    std::fs::create_dir(dir.path().join("sub")).expect("made");
    let nothing = open(vec![Source::Path(dir.path().join("sub"))], &plain, 0).expect_err("nothing");
    assert!(matches!(nothing, OpenError::NothingInDirectory { .. }), "{nothing}");
    let misspelt = open(
        vec![stream("x.csv", "id,promt\n1,a\n")],
        &Input { format: Some(Format::Csv), ..column("prompt") },
        0,
    );
    assert_eq!(misspelt.expect_err("misspelt").hint(), "Did you mean `promt`?");
}

#[test]
fn damage_in_the_middle_of_a_file_is_a_reject_and_the_next_file_is_read() {
    let mut cut = gzip(
        &(0..40_000).flat_map(|i| format!("prompt number {i} of many\n").into_bytes()).collect::<Vec<_>>(),
    );
    cut.truncate(cut.len() * 3 / 4);
    let sources = vec![stream("cut.txt", cut), stream("whole.txt", "last\n")];
    let rows = read_all(open(sources, &Input::default(), 0).expect("opens"));
    assert!(rows.len() > 20_000, "{}", rows.len());
    assert_eq!(rows.iter().filter(|row| row.starts_with("reject")).count(), 1);
    assert_eq!(rows.get(rows.len() - 2..).expect("two"), ["reject unreadable", "user: last"]);
}

#[test]
fn a_directory_is_read_in_the_order_of_names_without_the_texts_about_it() {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, text) in [
        ("b.jsonl", "{\"prompt\":\"b\"}"),
        ("a.txt", "a"),
        ("README.txt", "about"),
        ("LICENSE", "terms"),
        (".hidden.txt", "no"),
        ("_SUCCESS.txt", "no"),
        ("c.csv", ""),
        ("dataset_info.json", "{}"),
    ] {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let reader = open(vec![Source::Path(dir.path().into())], &Input::default(), 0).expect("opens");
    assert_eq!(reader.expected(), Some(2));
    assert_eq!(read_all(reader), ["user: a", "user: b"]);
}

#[test]
fn limit_takes_the_first_rows_and_counts_bad_ones() {
    let rows = "{\"prompt\":\"a\"}\n{}\n{\"prompt\":\"b\"}\n";
    let input = Input { limit: Some(2), ..Input::default() };
    assert_eq!(jsonl(rows, &input), ["user: a", "reject missing-column"]);
}

#[test]
fn a_sample_does_not_depend_on_the_order_of_the_file() {
    let lines: Vec<String> = (0..200).map(|i| format!("prompt {i}")).collect();
    let sample = |lines: &[String], seed| {
        let input = Input { sample: Some(20), ..Input::default() };
        read_all(open(vec![stream("x.txt", lines.join("\n"))], &input, seed).expect("opens"))
    };
    let mut turned = lines.clone();
    turned.reverse();
    turned.extend(lines.iter().take(50).cloned());
    let drawn = sample(&lines, 1);
    assert_eq!(drawn.len(), 20);
    assert_eq!(drawn, sample(&turned, 1));
    assert_ne!(drawn, sample(&lines, 2));
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut to = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    to.write_all(bytes).expect("compressed");
    to.finish().expect("compressed")
}

fn write_parquet(schema: &str, groups: &[Vec<Column>]) -> Vec<u8> {
    let schema = Arc::new(parquet::schema::parser::parse_message_type(schema).expect("a schema"));
    let mut writer = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).expect("a writer");
    for columns in groups {
        let mut group = writer.next_row_group().expect("a group");
        for column in columns {
            let mut to = group.next_column().expect("a column").expect("one more");
            let values: Vec<_> = column.values.iter().map(|v| ByteArray::from(v.as_slice())).collect();
            to.typed::<ByteArrayType>()
                .write_batch(&values, Some(&column.defined), Some(&column.repeated))
                .expect("written");
            to.close().expect("closed");
        }
        group.close().expect("closed");
    }
    writer.into_inner().expect("finished")
}

/// Values with their definition and repetition levels.
struct Column {
    values: Vec<Vec<u8>>,
    defined: Vec<i16>,
    repeated: Vec<i16>,
}

impl Column {
    fn optional(rows: &[Option<&str>]) -> Self {
        Self {
            values: rows.iter().flatten().map(|text| text.as_bytes().to_vec()).collect(),
            defined: rows.iter().map(|row| i16::from(row.is_some())).collect(),
            repeated: vec![0; rows.len()],
        }
    }
}

const TEXT_SCHEMA: &str = "message m { optional binary prompt (UTF8); optional binary language (UTF8); }";

#[test]
fn parquet_texts_labels_and_nulls() {
    let group = |prompts: &[Option<&str>]| {
        vec![Column::optional(prompts), Column::optional(&vec![Some("en"); prompts.len()])]
    };
    let file = write_parquet(TEXT_SCHEMA, &[group(&[Some("a"), None]), group(&[Some("c")])]);
    for bytes in [file.clone(), gzip(&file)] {
        let reader = open(vec![stream("x.parquet", bytes)], &Input::default(), 0).expect("opens");
        assert_eq!(reader.expected(), Some(3));
        let rows: Vec<_> = reader.collect();
        let Some(Row::Prompt { prompt, at }) = rows.last() else { panic!("{rows:?}") };
        assert_eq!((at.as_str(), prompt.language.as_deref()), ("x.parquet:3", Some("en")));
        assert!(matches!(rows.get(1), Some(Row::Reject(r)) if r.reason == Reason::MissingColumn), "{rows:?}");
    }
}

#[test]
fn parquet_lists_of_messages() {
    let schema = "message m { optional group messages (LIST) { repeated group list { optional group element {
        optional binary role (UTF8); optional binary content (UTF8); } } } }";
    let column = |values: &[&str]| Column {
        values: values.iter().map(|text| text.as_bytes().to_vec()).collect(),
        defined: vec![4, 4, 4, 1, 4],
        repeated: vec![0, 1, 1, 0, 0],
    };
    let file = write_parquet(
        schema,
        &[vec![column(&["user", "assistant", "user", "user"]), column(&["a", "b", "c", "d"])]],
    );
    let rows = read_all(open(vec![stream("x", file)], &Input::default(), 0).expect("opens"));
    assert_eq!(rows, ["user: a | assistant: b | user: c", "reject empty", "user: d"]);
}

#[test]
fn parquet_damage_rejects_the_rest_of_its_row_group_only() {
    let bad = Column {
        values: vec![b"a".to_vec(), b"\xff".to_vec(), b"c".to_vec()],
        defined: vec![1; 3],
        repeated: vec![0; 3],
    };
    let good = Column::optional(&[Some("d")]);
    let file = write_parquet("message m { optional binary prompt (UTF8); }", &[vec![bad], vec![good]]);
    let rows = read_all(open(vec![stream("x", file)], &Input::default(), 0).expect("opens"));
    assert_eq!(rows, ["user: a", "reject unreadable", "reject unreadable", "user: d"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// The same prompts have the same ids in every format and every compression.
    #[test]
    fn a_prompt_has_the_same_id_in_every_format(
        texts in proptest::collection::vec("[a-zA-Z0-9äß✓ ,\"';{}\\[\\]\\\\-]{0,30}[a-zß,\"]", 1..12),
    ) {
        let ids: Vec<_> = texts.iter().map(|text| Prompt::single(text.clone()).id).collect();
        let lines = |f: &dyn Fn(&str) -> String| texts.iter().map(|t| f(t) + "\n").collect::<String>().into_bytes();
        let quoted = |t: &str| format!("\"{}\"", t.replace('"', "\"\""));
        let mut csv = b"n,prompt\n".to_vec();
        csv.extend(lines(&|t| format!("0,{}", quoted(t))));
        let rows: Vec<_> = texts.iter().map(|t| Some(t.as_str())).collect();
        let parquet = write_parquet("message m { optional binary prompt (UTF8); }", &[vec![Column::optional(&rows)]]);
        for (format, bytes) in [
            (Format::Jsonl, lines(&|t| serde_json::json!({ "prompt": t }).to_string())),
            (Format::Csv, csv),
            (Format::Text, lines(&str::to_owned)),
            (Format::Parquet, parquet),
        ] {
            let zstd = zstd::encode_all(bytes.as_slice(), 1).expect("compressed");
            for bytes in [gzip(&bytes), zstd, bytes] {
                let input = Input { format: Some(format), ..Input::default() };
                let read: Vec<_> = open(vec![stream("x", bytes)], &input, 0)
                    .expect("opens")
                    .map(|row| match row {
                        Row::Prompt { prompt, .. } => prompt.id,
                        Row::Reject(reject) => panic!("{reject:?}"),
                    })
                    .collect();
                prop_assert_eq!(&read, &ids);
            }
        }
    }

    /// Whatever the bytes, reading ends and does not panic.
    #[test]
    fn any_bytes_are_read_to_an_end(
        format in proptest::sample::select(vec![None, Some(Format::Jsonl), Some(Format::Csv), Some(Format::Text)]),
        bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\":,\n\r\\ a\x00\xffprom\x1f\x8b".to_vec()), 0..200),
    ) {
        let input = Input { format, ..Input::default() };
        if let Ok(reader) = open(vec![stream("x", bytes)], &input, 0) {
            prop_assert!(reader.count() <= 201);
        }
    }

    /// One changed byte of a Parquet file gives rows, rejects or an error; never a panic that escapes.
    #[test]
    fn a_damaged_parquet_file_is_read_to_an_end(at in 0..600_usize, byte in 0..=255_u8) {
        let mut file = write_parquet(TEXT_SCHEMA, &[vec![Column::optional(&[Some("a"), None]), Column::optional(&[None, Some("b")])]]);
        let at = at % file.len();
        file[at] = byte;
        if let Ok(reader) = open(vec![stream("x.parquet", file)], &Input::default(), 0) {
            prop_assert!(reader.take(1000).count() <= 1000);
        }
    }
}

/// 200 MB of rows through a gzip stream. Run it alone and watch the peak: `--ignored a_large_stream`.
#[test]
#[ignore = "takes seconds, for measuring memory"]
fn a_large_stream_is_read_in_bounded_memory() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("large.jsonl.gz");
    let file = std::fs::File::create(&path).expect("made");
    let mut to = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
    let filler = "all work and no play ".repeat(48);
    for i in 0..200_000 {
        writeln!(to, "{{\"prompt\":\"{i} {filler}\"}}").expect("written");
    }
    to.finish().expect("written");
    let peak = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or(0)
    };
    let before = peak();
    let prompts = open(vec![Source::Path(path)], &Input::default(), 0).expect("opens").count();
    assert_eq!(prompts, 200_000);
    println!("peak: {before} kB before, {} kB after", peak());
    assert!(peak() < before + 16 * 1024);
}
