//! Datasets of the hub as prompts, with the real binary against a scripted hub.

use super::scripted_hub::{TOKEN, answer, serve};
use super::support::{Done, Scratch};
use parquet::data_type::{ByteArray, ByteArrayType};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use std::sync::Arc;

/// A Parquet file with a column `prompt`.
fn parquet_file(prompts: &[&str]) -> Vec<u8> {
    let schema =
        parse_message_type("message schema { REQUIRED BYTE_ARRAY prompt (UTF8); }").expect("a schema");
    let mut bytes = Vec::new();
    let mut writer =
        SerializedFileWriter::new(&mut bytes, Arc::new(schema), Arc::default()).expect("a writer");
    let mut group = writer.next_row_group().expect("a group");
    let mut column = group.next_column().expect("a column").expect("the only column");
    let values: Vec<ByteArray> = prompts.iter().map(|prompt| ByteArray::from(*prompt)).collect();
    column.typed::<ByteArrayType>().write_batch(&values, None, None).expect("values");
    column.close().expect("a column");
    group.close().expect("a group");
    writer.close().expect("a file");
    bytes
}

fn run(scratch: &Scratch, hub: &str, args: &[&str]) -> Done {
    let output = scratch
        .command(args)
        .env("HF_ENDPOINT", hub)
        .env("HF_TOKEN", TOKEN)
        .env("AMEND_HUB_TRIES", "1")
        .output();
    Done::of(&output.expect("the binary runs"))
}

/// Every file below a folder.
fn files_below(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

#[test]
fn a_dataset_of_the_hub_gives_prompts_and_is_downloaded_once() {
    let file = parquet_file(&["What is salt?", "How do bees find home?", "Why is the sky blue?"]);
    let sha256 = amend::pure::digest::sha256_hex(&file);
    let (store, at_store) = serve(move |seen| {
        let is_known = seen.head.contains("if-none-match: \"one\"");
        if is_known {
            answer("304 Not Modified", "", b"")
        } else {
            answer("200 OK", "etag: \"one\"\r\n", &file)
        }
    });
    // Another host: the token must not go there.
    let store = store.replace("127.0.0.1", "localhost");
    let (hub, at_hub) = serve(move |seen| match seen.path.as_str() {
        "/mirror/api/datasets/acme/asks/parquet" => {
            let list = br#"{"default": {"train": ["https://hub.invalid/api/datasets/acme/asks/parquet/default/train/0.parquet"]}}"#;
            answer("200 OK", "", list)
        }
        "/mirror/api/datasets/acme/asks/parquet/default/train/0.parquet" => {
            answer("302 Found", &format!("location: {store}/signed\r\n"), b"")
        }
        _ => answer("404 Not Found", "", b""),
    });
    let hub = format!("{hub}/mirror/");
    let scratch = Scratch::new();
    scratch.write(
        "work/recipe.toml",
        "constitution = \"minimal\"\nprompts = [\"hf://datasets/acme/asks\"]\nout = \"run\"\n",
    );
    let args = ["run", "work/recipe.toml", "--model", "sim", "--json"];
    let done = run(&scratch, &hub, &args).code(0);
    assert_eq!(done.summary()["prompts"], 3, "{}", done.out);
    let again = run(&scratch, &hub, &args).code(0);
    assert_eq!(again.summary()["prompts"], 3, "{}", again.out);
    let manifest =
        std::fs::read_to_string(scratch.path("work/run/dataset/manifest.json")).expect("a manifest");
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    let read =
        serde_json::json!([{ "name": "hf://datasets/acme/asks/default/train/0.parquet", "sha256": sha256 }]);
    assert_eq!(manifest["prompts_from_hub"], read);
    let at_store = at_store.lock().expect("the log").clone();
    assert!(!at_store[0].head.contains("if-none-match"), "{at_store:?}");
    assert!(
        at_store.len() > 1 && at_store[1..].iter().all(|seen| seen.head.contains("if-none-match: \"one\""))
    );
    assert!(at_store.iter().all(|seen| !seen.head.contains("authorization")), "{at_store:?}");
    let bearer = format!("authorization: bearer {TOKEN}");
    assert!(at_hub.lock().expect("the log").iter().all(|seen| seen.head.contains(&bearer)));
    let files = files_below(&scratch.path("."));
    let holds = |path: &std::path::PathBuf| {
        let bytes = std::fs::read(path).expect("a file");
        bytes.windows(TOKEN.len()).any(|window| window == TOKEN.as_bytes())
    };
    assert_eq!(files.into_iter().find(holds), None, "the token was written down");
}

#[test]
fn what_the_hub_does_not_give_is_told_and_not_kept() {
    let file = parquet_file(&["What is salt?"]);
    let tree = r#"[{"type":"file","path":"data/train-0.parquet","lfs":{"oid":"00","size":1}}]"#;
    let (hub, _) = serve(move |seen| match seen.path.as_str() {
        "/api/datasets/acme/cut/parquet" => {
            answer("200 OK", "", br#"{"default":{"train":["https://h/0.parquet"]}}"#)
        }
        "/api/datasets/acme/cut/parquet/default/train/0.parquet" => {
            let mut whole = answer("200 OK", "", &file);
            whole.truncate(whole.len() - 9);
            whole
        }
        "/api/datasets/acme/two/parquet" => answer("200 OK", "", br#"{"de":{},"en":{}}"#),
        "/api/datasets/acme/odd/parquet" => answer("200 OK", "", b"<html>"),
        "/api/datasets/acme/false/tree/refs%2Fpr%2F1?recursive=true" => answer("200 OK", "", tree.as_bytes()),
        "/datasets/acme/false/resolve/refs%2Fpr%2F1/data/train-0.parquet" => answer("200 OK", "", &file),
        "/api/datasets/acme/locked/parquet" => answer("401 Unauthorized", "", b""),
        _ => answer("404 Not Found", "", b""),
    });
    let scratch = Scratch::new();
    for (name, said) in [
        ("hf://acme/asks", "hf://datasets/OWNER/NAME"),
        ("hf://datasets/acme/absent", "404"),
        ("hf://datasets/acme/locked", "HF_TOKEN"),
        ("hf://datasets/acme/two", "`de`, `en`"),
        ("hf://datasets/acme/odd", "documented form"),
        ("hf://datasets/acme/cut", "cannot be reached"),
        ("hf://datasets/acme/false@refs/pr/1", "SHA-256"),
    ] {
        let done = run(&scratch, &hub, &["coverage", name]).code(2);
        assert!(done.err.contains(said), "{name}: {}", done.err);
        assert!(!done.err.contains(TOKEN), "{}", done.err);
    }
    assert_eq!(files_below(&scratch.path(".cache")), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_dataset_that_changed_on_the_hub_is_told() {
    let mut reads = 0;
    let (hub, _) = serve(move |seen| {
        if seen.path == "/api/datasets/acme/asks/parquet" {
            return answer("200 OK", "", br#"{"default":{"train":["https://h/0.parquet"]}}"#);
        }
        reads += 1;
        let prompts = if reads == 1 { ["What is salt?"] } else { ["What is pepper?"] };
        answer("200 OK", "", &parquet_file(&prompts))
    });
    let scratch = Scratch::new();
    let args = [
        "run",
        "--constitution",
        "minimal",
        "--prompts",
        "hf://datasets/acme/asks",
        "--model",
        "sim",
        "--out",
        "run",
    ];
    let first = run(&scratch, &hub, &args).code(0);
    assert!(!first.err.contains("has changed on the hub"), "{}", first.err);
    let second = run(&scratch, &hub, &args).code(0);
    assert!(
        second.err.contains("`hf://datasets/acme/asks/default/train/0.parquet` has changed"),
        "{}",
        second.err
    );
    let kept = std::fs::read_to_string(scratch.path("run/dataset/manifest.json")).expect("a manifest");
    assert_eq!(kept.matches("default/train/0.parquet").count(), 2, "{kept}");
}
