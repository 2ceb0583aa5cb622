use super::connection::Access;
use super::dataset_name::DatasetName;
use super::download::{Hub, LARGEST_FILE};
use super::failure::HubTrouble;
use super::fetch_from;
use super::listing::{choose, parquet_listing, tree_listing};
use std::io::{BufRead as _, BufReader, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

fn named(source: &str) -> DatasetName {
    DatasetName::parse(source).unwrap()
}

fn files(source: &str, body: &str) -> Result<Vec<String>, String> {
    let listing = parquet_listing(&named(source), body.as_bytes()).unwrap();
    let files = choose(&named(source), listing).map_err(|failure| failure.cause + " / " + &failure.remedy)?;
    Ok(files.into_iter().map(|file| file.name).collect())
}

#[test]
fn a_name_is_read_into_its_parts() {
    let all = named("hf://datasets/acme/asks/en/test@refs/convert/parquet");
    assert_eq!((all.owner.as_str(), all.name.as_str()), ("acme", "asks"));
    assert_eq!((all.config.as_deref(), all.split.as_deref()), (Some("en"), Some("test")));
    assert_eq!(all.revision.as_deref(), Some("refs/convert/parquet"));
    assert_eq!(named("hf://datasets/acme/asks/").config, None);
    for wrong in [
        "hf://acme/asks",
        "hf://datasets/acme",
        "hf://datasets/acme/",
        "hf://datasets/acme/..",
        "hf://datasets/acme/asks//train",
        "hf://datasets/acme/asks@",
        "hf://datasets/acme/asks?x=1",
        "hf://datasets/a/b/c/d/e",
    ] {
        assert!(DatasetName::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn one_configuration_and_one_split_are_chosen_or_asked_for() {
    let one = r#"{"x":{"test":["https://h/test/0.parquet"],"train":["https://h/0.parquet?a=1","https://h/1.parquet"]}}"#;
    assert_eq!(files("hf://datasets/a/b", one).unwrap(), ["x/train/0.parquet", "x/train/1.parquet"]);
    assert_eq!(files("hf://datasets/a/b/x/test", one).unwrap(), ["x/test/0.parquet"]);
    let two = r#"{"de":{"one":["https://h/0.parquet"]},"en":{"one":["https://h/0.parquet"]}}"#;
    let asked = files("hf://datasets/a/b", two).unwrap_err();
    assert!(asked.contains("more than one configuration") && asked.contains("`de`, `en`"), "{asked}");
    assert_eq!(files("hf://datasets/a/b/en", two).unwrap(), ["en/one/0.parquet"]);
    assert!(files("hf://datasets/a/b/fr", two).unwrap_err().contains("no configuration `fr`"));
    let usual = r#"{"default":{"dev":["https://h/0.parquet"],"test":["https://h/0.parquet"]},"x":{}}"#;
    assert!(files("hf://datasets/a/b", usual).unwrap_err().contains("`dev`, `test`"));
    assert!(files("hf://datasets/a/b", "{}").unwrap_err().contains("no Parquet files"));
}

#[test]
fn a_revision_lists_the_files_of_the_repository() {
    let dataset = named("hf://datasets/a/b@v1");
    let body = br#"[{"type":"file","path":"README.md"},
        {"type":"file","path":"data/train-00000-of-00001.parquet","lfs":{"oid":"ab","size":3}},
        {"type":"file","path":"en/test/0000.parquet"},{"type":"file","path":"top.parquet"}]"#;
    let listing = tree_listing(&dataset, "v1", body).unwrap();
    let places: Vec<_> = listing
        .iter()
        .flat_map(|(config, splits)| splits.keys().map(move |split| format!("{config}/{split}")))
        .collect();
    assert_eq!(places, ["default/top", "default/train", "en/test"]);
    let chosen = choose(&dataset, listing).unwrap();
    assert_eq!(chosen[0].steps.join("/"), "datasets/a/b/resolve/v1/data/train-00000-of-00001.parquet");
    assert_eq!(chosen[0].sha256.as_deref(), Some("ab"));
}

/// A server that answers each request by its number, and how many there were.
fn serve(script: impl Fn(usize, &str) -> String + Send + 'static) -> (String, Arc<AtomicUsize>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let Some(first) = head.first() else { continue };
            let answer = script(counted.fetch_add(1, Ordering::Relaxed), first);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (base, count)
}

fn answer(length: usize, body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}")
}

const LIST: &str = r#"{"default":{"train":["https://h/0.parquet"]}}"#;

fn hub(base: &str, cache: &tempfile::TempDir, token: Option<&str>) -> Hub {
    let token = token.map(|token| token.to_owned().into());
    let access = Access { base: base.to_owned(), token, tries: 3, first_wait: Duration::ZERO };
    Hub { access, cache: cache.path().join("hub"), largest_file: LARGEST_FILE }
}

#[test]
fn a_body_that_breaks_off_is_asked_for_again_and_not_for_ever() {
    let cache = tempfile::tempdir().unwrap();
    for (broken, is_read) in [(2, true), (3, false)] {
        let (base, count) = serve(move |n, first| match (first.contains("0.parquet"), n) {
            (false, _) => answer(LIST.len(), LIST),
            (true, n) if n <= broken => answer(9, "half"),
            (true, _) => answer(5, "whole"),
        });
        let read = fetch_from(&hub(&base, &cache, None), "hf://datasets/a/b");
        assert_eq!(read.is_ok(), is_read, "{read:?}");
        assert_eq!(count.load(Ordering::Relaxed), 1 + 3);
        match read {
            Ok(files) => assert_eq!(files[0].sha256, crate::pure::digest::sha256_hex(b"whole")),
            Err(failure) => assert_eq!(failure.trouble, HubTrouble::Hub),
        }
    }
}

#[test]
fn a_busy_hub_is_asked_again_and_a_refusal_is_not() {
    let cache = tempfile::tempdir().unwrap();
    for (status, requests) in
        [("503 Service Unavailable", 3), ("429 Too Many Requests", 3), ("404 Not Found", 1)]
    {
        let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        let (base, count) = serve(move |_, _| head.clone());
        let failure = fetch_from(&hub(&base, &cache, None), "hf://datasets/a/b").unwrap_err();
        assert!(failure.cause.contains(status), "{failure:?}");
        assert_eq!(count.load(Ordering::Relaxed), requests, "{status}");
    }
}

#[test]
fn nothing_larger_than_its_bound_is_read() {
    let cache = tempfile::tempdir().unwrap();
    let (base, _) = serve(|_, first| {
        if !first.contains("0.parquet") {
            return answer(LIST.len(), LIST);
        }
        // No length is said, so that the bytes themselves are counted.
        format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(2000))
    });
    let small = Hub { largest_file: 1999, ..hub(&base, &cache, None) };
    let failure = fetch_from(&small, "hf://datasets/a/b").unwrap_err();
    assert!(failure.cause.contains("larger than 1999 bytes"), "{failure:?}");
    let enough = Hub { largest_file: 2000, ..hub(&base, &cache, None) };
    assert!(fetch_from(&enough, "hf://datasets/a/b").is_ok());
    let (base, _) = serve(|_, _| answer(17 << 20, &" ".repeat(17 << 20)));
    let failure = fetch_from(&hub(&base, &cache, None), "hf://datasets/a/b").unwrap_err();
    assert!(failure.cause.contains("larger than 16 MiB"), "{failure:?}");
}

#[test]
fn the_token_goes_over_plain_http_to_this_machine_only() {
    let cache = tempfile::tempdir().unwrap();
    for base in ["http://hub.invalid", "http://127.0.0.1.hub.invalid", "http://10.0.0.1:1"] {
        let failure = fetch_from(&hub(base, &cache, Some("hf_x")), "hf://datasets/a/b").unwrap_err();
        assert!(failure.cause.contains("in the clear"), "{base}: {failure:?}");
    }
    let (base, count) = serve(|_, _| answer(2, "{}"));
    let failure = fetch_from(&hub(&base, &cache, Some("hf_x")), "hf://datasets/a/b").unwrap_err();
    assert!(failure.cause.contains("no Parquet files"), "{failure:?}");
    assert_eq!(count.load(Ordering::Relaxed), 1);
}
