//! Datasets to the hub, with the real binary against a small hub that keeps what it is given.

use super::scripted_hub::{Seen, TOKEN, answer, serve};
use super::support::{Done, Scratch};
use amend::pure::digest::{hex, sha256_hex};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

type Log = Arc<Mutex<Vec<Seen>>>;

/// What the hub has, and how it behaves.
#[derive(Debug, Default)]
struct Hub {
    is_there: bool,
    is_private: bool,
    branches: BTreeSet<String>,
    /// Bytes of the files of the branch, and whether they lie in the store.
    files: BTreeMap<String, (Vec<u8>, bool)>,
    /// What was uploaded, by SHA-256; parts by SHA-256 and number.
    store: BTreeMap<String, Vec<u8>>,
    parts: BTreeMap<(String, u64), Vec<u8>>,
    commits: Vec<Vec<Json>>,
    store_url: String,
    /// The size of parts, where files go up in parts.
    part: Option<usize>,
    /// Answers that come first, each once: a word of the path, the status, a header and a body.
    first: Vec<(&'static str, &'static str, &'static str, String)>,
    /// Such answers, but what was asked for is done all the same.
    after: Vec<(&'static str, &'static str, &'static str)>,
}

fn git_id(bytes: &[u8]) -> String {
    let mut hash = ring::digest::Context::new(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY);
    hash.update(format!("blob {}\0", bytes.len()).as_bytes());
    hash.update(bytes);
    hex(hash.finish().as_ref())
}

fn ok(body: &Json) -> Vec<u8> {
    answer("200 OK", "content-type: application/json\r\n", body.to_string().as_bytes())
}

impl Hub {
    fn answer(&mut self, seen: &Seen) -> Vec<u8> {
        if let Some(at) = self.first.iter().position(|first| seen.path.contains(first.0)) {
            let (_, status, headers, body) = self.first.remove(at);
            return answer(status, headers, body.as_bytes());
        }
        let done = self.usual(seen);
        match self.after.iter().position(|after| seen.path.contains(after.0)) {
            Some(at) => {
                let (_, status, headers) = self.after.remove(at);
                answer(status, headers, b"")
            }
            None => done,
        }
    }

    fn usual(&mut self, seen: &Seen) -> Vec<u8> {
        let of_dataset = seen.path.strip_prefix("/api/datasets/acme/night").unwrap_or("-");
        let step = of_dataset.split('/').nth(1).unwrap_or("");
        match (seen.path.as_str(), of_dataset, step) {
            ("/api/repos/create", ..) if self.is_there => {
                answer("409 Conflict", "", b"{\"error\":\"there\"}")
            }
            ("/api/repos/create", ..) => {
                self.is_private = seen.json()["private"] == true;
                self.is_there = true;
                ok(&json!({ "url": "https://hub.invalid/datasets/acme/night" }))
            }
            (_, "", _) if self.is_there => ok(&json!({ "private": self.is_private, "sha": "0" })),
            (_, _, "branch") => {
                let is_new = self.branches.insert(of_dataset.to_owned());
                if is_new { ok(&json!({})) } else { answer("409 Conflict", "", b"") }
            }
            (_, _, "preupload") => ok(&self.preupload(&seen.json())),
            (_, _, "paths-info") => {
                let is_there = |path: &&Json| self.files.contains_key(path.as_str().expect("a path"));
                let body = seen.json();
                let there = body["paths"].as_array().expect("paths").iter().filter(is_there);
                ok(&there.map(|path| json!({ "type": "file", "path": path })).collect())
            }
            (_, _, "commit") => self.commit(&seen.body),
            ("/datasets/acme/night.git/info/lfs/objects/batch", ..) => ok(&self.batch(&seen.json())),
            ("/datasets/acme/night/resolve/main/manifest.json", ..) => {
                match self.files.get("manifest.json") {
                    Some((bytes, _)) => answer("200 OK", "", bytes),
                    None => answer("404 Not Found", "", b""),
                }
            }
            (path, ..) if path.starts_with("/verify/") => ok(&json!({})),
            (path, ..) if path.starts_with("/complete/") => self.complete(&seen.json()),
            _ => answer("404 Not Found", "", b"{\"error\":\"Repository not found\"}"),
        }
    }

    fn preupload(&self, asked: &Json) -> Json {
        let file = |file: &Json| {
            let path = file["path"].as_str().expect("a path");
            let sample = STANDARD.decode(file["sample"].as_str().expect("a sample")).expect("Base64");
            let is_large = sample.starts_with(b"PAR1");
            let id = self
                .files
                .get(path)
                .map(|(bytes, large)| if *large { sha256_hex(bytes) } else { git_id(bytes) });
            let mode = if is_large { "lfs" } else { "regular" };
            json!({ "path": path, "uploadMode": mode, "shouldIgnore": false, "oid": id })
        };
        json!({ "files": asked["files"].as_array().expect("files").iter().map(file).collect::<Vec<_>>() })
    }

    fn batch(&self, asked: &Json) -> Json {
        let object = |object: &Json| {
            let (id, size) =
                (object["oid"].as_str().expect("an id"), object["size"].as_u64().expect("a size"));
            if self.store.contains_key(id) {
                return json!({ "oid": id, "size": size });
            }
            let verify = json!({ "href": format!("https://huggingface.co/verify/{id}") });
            let whole =
                json!({ "href": format!("{}/whole/{id}", self.store_url), "header": { "x-kind": "whole" } });
            let upload = self.part.map_or(whole, |part| {
                let count = size.div_ceil(part as u64);
                let url = |n: u64| (format!("{n:05}"), json!(format!("{}/part/{id}/{n}", self.store_url)));
                let mut header: serde_json::Map<String, Json> = (1..=count).map(url).collect();
                header.insert("chunk_size".into(), json!(part.to_string()));
                json!({ "href": format!("https://huggingface.co/complete/{id}"), "header": header })
            });
            json!({ "oid": id, "size": size, "actions": { "upload": upload, "verify": verify } })
        };
        let objects: Vec<Json> = asked["objects"].as_array().expect("objects").iter().map(object).collect();
        json!({ "transfer": if self.part.is_some() { "multipart" } else { "basic" }, "objects": objects })
    }

    fn complete(&mut self, done: &Json) -> Vec<u8> {
        let id = done["oid"].as_str().expect("an id").to_owned();
        let mut whole = Vec::new();
        for part in done["parts"].as_array().expect("parts") {
            let number = part["partNumber"].as_u64().expect("a number");
            assert_eq!(part["etag"], format!("\"tag-{number}\""));
            whole.extend_from_slice(&self.parts[&(id.clone(), number)]);
        }
        assert_eq!(sha256_hex(&whole), id);
        self.store.insert(id, whole);
        ok(&json!({}))
    }

    fn commit(&mut self, body: &[u8]) -> Vec<u8> {
        let text = std::str::from_utf8(body).expect("UTF-8");
        let lines: Vec<Json> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        for line in &lines {
            let value = &line["value"];
            let path = value["path"].as_str().unwrap_or_default().to_owned();
            match line["key"].as_str().expect("a key") {
                "header" => assert!(!value["summary"].as_str().expect("a summary").is_empty()),
                "file" => {
                    let bytes = STANDARD.decode(value["content"].as_str().expect("content")).expect("Base64");
                    self.files.insert(path, (bytes, false));
                }
                "lfsFile" => {
                    let bytes = self.store[value["oid"].as_str().expect("an id")].clone();
                    assert_eq!(value["size"], bytes.len());
                    self.files.insert(path, (bytes, true));
                }
                "deletedFile" => assert!(self.files.remove(&path).is_some(), "{path} is not there"),
                other => panic!("an unknown line `{other}`"),
            }
        }
        self.commits.push(lines);
        ok(&json!({ "success": true, "commitOid": "c0ffee", "commitUrl": "https://hub.invalid/c0ffee" }))
    }
}

/// A hub, the store beside it, which is another origin, and what both saw.
struct World {
    hub: Arc<Mutex<Hub>>,
    url: String,
    at_hub: Log,
    at_store: Log,
}

impl World {
    fn new(hub: Hub) -> Self {
        let hub = Arc::new(Mutex::new(hub));
        let kept = Arc::clone(&hub);
        let (store_url, at_store) = serve(move |seen| {
            let mut hub = kept.lock().expect("the hub");
            if let Some(at) = hub.first.iter().position(|first| seen.path.contains(first.0)) {
                let (_, status, headers, body) = hub.first.remove(at);
                return answer(status, headers, body.as_bytes());
            }
            let steps: Vec<&str> = seen.path.split('/').collect();
            assert_eq!(seen.method, "PUT");
            match steps.as_slice() {
                [_, "whole", id] => {
                    assert!(seen.head.contains("x-kind: whole") && sha256_hex(&seen.body) == *id);
                    hub.store.insert((*id).to_owned(), seen.body.clone());
                    answer("200 OK", "", b"")
                }
                [_, "part", id, number] => {
                    let key = ((*id).to_owned(), number.parse().expect("a number"));
                    hub.parts.insert(key, seen.body.clone());
                    answer("200 OK", &format!("etag: \"tag-{number}\"\r\n"), b"")
                }
                _ => answer("404 Not Found", "", b""),
            }
        });
        hub.lock().expect("the hub").store_url = store_url;
        let kept = Arc::clone(&hub);
        let (url, at_hub) = serve(move |seen| kept.lock().expect("the hub").answer(seen));
        Self { hub, url, at_hub, at_store }
    }

    fn push(&self, scratch: &Scratch, more: &[&str]) -> Done {
        push_to(&self.url, scratch, more)
    }

    /// What was asked at the hub since the last time.
    fn asked(&self) -> Vec<String> {
        let seen = std::mem::take(&mut *self.at_hub.lock().expect("the log"));
        assert!(seen.iter().all(|seen| seen.has_token() || seen.path.starts_with("/complete/")), "{seen:?}");
        seen.into_iter().map(|seen| format!("{} {}", seen.method, seen.path)).collect()
    }

    fn stored(&self) -> usize {
        let seen = std::mem::take(&mut *self.at_store.lock().expect("the log"));
        assert!(seen.iter().all(|seen| !seen.head.contains("authorization")), "{seen:?}");
        seen.len()
    }

    /// The dataset on the hub is the folder, byte for byte.
    fn holds(&self, scratch: &Scratch) {
        let hub = self.hub.lock().expect("the hub");
        let there: BTreeMap<&str, &[u8]> =
            hub.files.iter().map(|(name, (bytes, _))| (name.as_str(), bytes.as_slice())).collect();
        let here = tree(&scratch.path("data"), "");
        assert_eq!(there.keys().copied().collect::<Vec<_>>(), here.keys().collect::<Vec<_>>());
        assert!(here.iter().all(|(name, bytes)| there[name.as_str()] == bytes.as_slice()));
    }
}

fn push_to(url: &str, scratch: &Scratch, more: &[&str]) -> Done {
    let args = [&["push", "data", "acme/night"], more].concat();
    let output = scratch.command(&args).env("HF_ENDPOINT", url).env("HF_TOKEN", TOKEN).output();
    let done = Done::of(&output.expect("the binary runs"));
    assert!(!done.err.contains(TOKEN) && !done.out.contains(TOKEN), "{}{}", done.out, done.err);
    done
}

fn tree(root: &std::path::Path, prefix: &str) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(root.join(prefix)).expect("a folder").flatten();
    let names = entries.map(|entry| format!("{prefix}{}", entry.file_name().to_string_lossy()));
    let below = |name: String| {
        if root.join(&name).is_dir() {
            return tree(root, &format!("{name}/"));
        }
        let bytes = std::fs::read(root.join(&name)).expect("a file");
        BTreeMap::from([(name, bytes)])
    };
    names.flat_map(below).collect()
}

/// A scratch with a simulated run, and its dataset in `data`.
fn dataset() -> Scratch {
    let scratch = Scratch::new();
    let recipe = "constitution = \"minimal\"\nprompts = [\"p.txt\"]\nout = \"run\"\n";
    scratch.write("p.txt", "What is salt?\nHow do bees find home?\nWhy is the sky blue?\nWho was Ada?\n");
    scratch.write("recipe.toml", recipe);
    scratch.run(&["run", "recipe.toml", "--model", "sim"]).code(0);
    std::fs::rename(scratch.path("run/dataset"), scratch.path("data")).expect("a dataset");
    scratch
}

#[test]
fn a_dataset_is_pushed_once_and_an_older_one_gives_way() {
    let scratch = dataset();
    let world = World::new(Hub::default());
    let done = world.push(&scratch, &["--simulated", "--json"]).code(0).summary();
    world.holds(&scratch);
    let (asked, stored) = (world.asked(), world.stored());
    let large = asked.iter().filter(|asked| asked.contains("/verify/")).count();
    assert_eq!(asked[0], "POST /api/repos/create");
    assert_eq!(asked[1], "GET /api/datasets/acme/night");
    assert_eq!(asked[2], "POST /api/datasets/acme/night/preupload/main");
    assert_eq!(asked.last().expect("a request"), "POST /api/datasets/acme/night/commit/main");
    assert!(stored > 0 && stored == large, "{asked:?}");
    let files = tree(&scratch.path("data"), "");
    let bytes: usize = files.values().map(Vec::len).sum();
    let expected = json!({
        "page": format!("{}/datasets/acme/night", world.url), "commit": "c0ffee", "new": files.len(), "uploaded_bytes": bytes,
        "unchanged": 0, "removed": [], "created": true, "public": false,
    });
    assert_eq!(done, expected);
    assert!(world.hub.lock().expect("the hub").is_private);

    let again = world.push(&scratch, &["--simulated"]).code(0);
    assert!(again.out.contains("there already, nothing was uploaded"), "{}", again.out);
    assert!(again.out.contains(&format!("all {} files", files.len())), "{}", again.out);
    assert_eq!(world.stored(), 0);
    let asked = world.asked();
    assert_eq!(asked.len(), 3, "{asked:?}");

    scratch.run(&["export", "run", "--out", "data", "--configs", "sft"]).code(0);
    let older =
        world.push(&scratch, &["--simulated", "--message", "Second night", "--json"]).code(0).summary();
    world.holds(&scratch);
    assert!(!older["removed"].as_array().expect("files").is_empty(), "{older}");
    assert!(older["unchanged"].as_u64() > Some(0) && older["created"] == false, "{older}");

    // A manifest that the hub keeps in a store elsewhere, where the token does not go.
    let manifest = std::fs::read_to_string(scratch.path("data/manifest.json")).expect("the manifest");
    scratch.run(&["export", "run", "--out", "data", "--configs", "transcripts"]).code(0);
    {
        let mut hub = world.hub.lock().expect("the hub");
        let place: &'static str =
            Box::leak(format!("location: {}/older\r\n", hub.store_url).into_boxed_str());
        hub.first = vec![
            ("/resolve/main/manifest.json", "302 Found", place, String::new()),
            ("/older", "200 OK", "", manifest),
        ];
    }
    world.stored();
    world.push(&scratch, &["--simulated"]).code(0);
    world.holds(&scratch);
    assert!(world.stored() > 0);
    let hub = world.hub.lock().expect("the hub");
    assert_eq!(hub.commits.len(), 3);
    assert_eq!(hub.commits[1][0]["value"]["summary"], "Second night");
}

#[test]
fn large_files_go_in_parts_and_to_a_branch() {
    let scratch = dataset();
    let world = World::new(Hub { part: Some(1000), ..Hub::default() });
    for _ in 0..2 {
        world.push(&scratch, &["--simulated", "--public", "--revision", "v2"]).code(0);
    }
    world.holds(&scratch);
    let asked = world.asked();
    assert!(asked.contains(&"POST /api/datasets/acme/night/branch/v2".to_owned()), "{asked:?}");
    assert!(asked.contains(&"POST /api/datasets/acme/night/commit/v2".to_owned()), "{asked:?}");
    let parts = world.stored();
    assert!(parts > asked.iter().filter(|asked| asked.contains("/complete/")).count(), "{asked:?}");
    let hub = world.hub.lock().expect("the hub");
    assert!(!hub.is_private && hub.commits.len() == 1);
}

#[test]
fn what_passes_is_waited_for_and_a_lost_answer_is_no_second_commit() {
    let scratch = dataset();
    let soon = "retry-after: 0\r\n";
    let busy = |word, status| (word, status, soon, String::new());
    let first = vec![
        busy("/create", "429 Too Many Requests"),
        ("/create", "409 Conflict", soon, "{\"error\":\"another operation is in progress\"}".to_owned()),
        busy("/preupload", "503 Service Unavailable"),
        busy("/whole/", "500 Internal Server Error"),
        // A signed address that has run out: a new one is asked for.
        busy("/whole/", "403 Forbidden"),
    ];
    let after = vec![("/commit", "504 Gateway Timeout", soon)];
    let world = World::new(Hub { first, after, ..Hub::default() });
    let done = world.push(&scratch, &["--simulated"]).code(0);
    world.holds(&scratch);
    let hub = world.hub.lock().expect("the hub");
    assert!(hub.first.is_empty() && hub.after.is_empty() && hub.commits.len() == 1);
    assert!(done.err.contains("429 Too Many Requests; asking again in"), "{}", done.err);
}

#[test]
fn a_refusal_says_what_to_do() {
    let scratch = dataset();
    for (word, status, body, said) in [
        ("/create", "401 Unauthorized", "", "HF_TOKEN"),
        ("/create", "403 Forbidden", "You may not", "You may not"),
        ("/create", "404 Not Found", "", "no such OWNER"),
        ("/preupload", "404 Not Found", "Revision not found", "`--revision`"),
        ("/objects/batch", "403 Forbidden", "", "may not write"),
        ("/commit", "403 Forbidden", "", "right to write"),
        ("/commit", "409 Conflict", "", "Push again"),
        ("/commit", "413 Payload Too Large", "", "larger than the hub takes"),
        ("/commit", "422 Unprocessable Entity", "bad YAML in README.md, hf_not_for_anybody_else", "bad YAML"),
        ("/commit", "429 Too Many Requests", "", "Wait some minutes"),
        ("/commit", "302 Found", "", "sends elsewhere"),
    ] {
        let body = json!({ "error": body }).to_string();
        let world = World::new(Hub { first: vec![(word, status, "", body)], ..Hub::default() });
        let args = ["push", "data", "acme/night", "--simulated"];
        let mut command = scratch.command(&args);
        command.env("HF_ENDPOINT", &world.url).env("HF_TOKEN", TOKEN).env("AMEND_HUB_TRIES", "1");
        let done = Done::of(&command.output().expect("the binary runs")).code(3);
        assert!(done.err.contains(said) && done.err.contains(status), "{word} {status}: {}", done.err);
        assert!(!done.err.contains(TOKEN), "{}", done.err);
        assert!(world.hub.lock().expect("the hub").commits.is_empty());
    }

    // A token that may make nothing may still write.
    let first = vec![("/create", "403 Forbidden", "", String::new())];
    let world = World::new(Hub { first, is_there: true, is_private: true, ..Hub::default() });
    let done = world.push(&scratch, &["--simulated", "--public"]).code(0);
    assert!(done.err.contains("stays so"), "{}", done.err);
    world.holds(&scratch);
    // A public dataset is left alone unless that is meant.
    let world = World::new(Hub { is_there: true, ..Hub::default() });
    let done = world.push(&scratch, &["--simulated"]).code(2);
    assert!(done.err.contains("is public"), "{}", done.err);
    assert_eq!(world.asked().len(), 2);
    world.push(&scratch, &["--simulated", "--public"]).code(0);
    world.holds(&scratch);
}

#[test]
fn nothing_is_sent_of_what_may_not_be_published() {
    let scratch = dataset();
    let (url, seen) = serve(|_| answer("500 Internal Server Error", "", b""));
    let refused = |args: &[&str], code: i32, said: &str| {
        let done = push_to(&url, &scratch, args).code(code);
        assert!(done.err.contains(said) || done.out.contains(said), "{said}: {}{}", done.out, done.err);
    };
    refused(&[], 2, "it is simulated");
    refused(&["--simulated", "--message", " "], 2, "may not be empty");
    let listed = scratch.run(&["push", "data", "acme/night", "--simulated", "--dry-run"]).code(0);
    assert!(listed.out.contains("README.md") && listed.out.contains("nothing was sent"), "{}", listed.out);
    let done = scratch.run(&["push", "data", "acme/night", "--simulated"]).code(2);
    assert!(done.err.contains("`HF_TOKEN` is not set"), "{}", done.err);
    for (folder, said) in [("run", "that is a run"), (".", "no dataset of amend"), ("absent", "no dataset")] {
        let done = scratch.run(&["push", folder, "acme/night"]).code(2);
        assert!(done.err.contains(said), "{}", done.err);
    }
    scratch
        .run(&["run", "recipe.toml", "--model", "sim", "--out", "part", "--set", "budget.calls=6"])
        .code(1);
    let done = scratch.run(&["push", "part/dataset", "acme/night", "--simulated"]).code(2);
    assert!(done.err.contains("not finished"), "{}", done.err);
    for name in ["night", "acme/..", "acme/night.git", "a/b/c", "acme/-night", "acme/nächtlich"] {
        let done = scratch.run(&["push", "data", name]).code(2);
        assert!(done.err.contains("OWNER/NAME"), "{name}: {}", done.err);
    }
    // In the clear to another machine: refused before a look at the name's address.
    let done = push_to("http://hub.invalid", &scratch, &["--simulated"]).code(2);
    assert!(done.err.contains("in the clear"), "{}", done.err);
    let manifest = scratch.path("data/manifest.json");
    let text = std::fs::read_to_string(&manifest).expect("the manifest");
    scratch.write("data/README.md", "other");
    refused(&["--simulated"], 1, "`README.md` has changed");
    std::fs::write(&manifest, text.replacen("\"simulated\"", "\"Simulated\"", 1)).expect("a file");
    refused(&["--simulated"], 1, "manifest.json");
    assert!(seen.lock().expect("the log").is_empty());
}

#[test]
fn neither_token_nor_files_go_where_they_must_not() {
    let scratch = dataset();
    let (elsewhere, seen) = serve(|_| answer("200 OK", "", b"{}"));
    // A redirect to another origin.
    for word in ["/create", "/objects/batch", "/commit"] {
        let to: &'static str = Box::leak(format!("location: {elsewhere}/x\r\n").into_boxed_str());
        let first = vec![(word, "307 Temporary Redirect", to, String::new())];
        let world = World::new(Hub { first, ..Hub::default() });
        let done = world.push(&scratch, &["--simulated"]).code(3);
        assert!(done.err.contains("sends elsewhere"), "{}", done.err);
    }
    // A store without TLS on another machine.
    let world = World::new(Hub::default());
    world.hub.lock().expect("the hub").store_url = "http://store.invalid".into();
    let done = world.push(&scratch, &["--simulated"]).code(3);
    assert!(done.err.contains("in the clear"), "{}", done.err);
    // A redirect inside the hub, as that of a dataset with a new name.
    let inside = "location: /api/datasets/acme/night/commit/main\r\n";
    let first = vec![("/commit", "307 Temporary Redirect", inside, String::new())];
    let world = World::new(Hub { first, ..Hub::default() });
    world.push(&scratch, &["--simulated"]).code(0);
    world.holds(&scratch);
    assert!(seen.lock().expect("the log").is_empty());
}
