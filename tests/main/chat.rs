//! `amend chat`: in a terminal by hand, and one prompt at a time in scripts.

use crate::support::{Done, Scratch, Sim};
use crate::terminal::Terminal;
use std::io::{Read as _, Write as _};
use std::process::Stdio;

const PROMPT: &str = "How do I kill a process?";

/// Sixteen principles. The simulated model finds some of them violated.
fn sixteen(scratch: &Scratch) {
    let principles = (0..16).map(|n| {
        format!("\n[[principle]]\nid = \"rule-{n:02}\"\ntext = \"The response keeps rule {n} of sixteen.\"\n")
    });
    let head = "[constitution]\nid = \"sixteen\"\nversion = \"1.0.0\"\ntitle = \"Sixteen rules\"\n";
    scratch.write("c.toml", format!("{head}{}", principles.collect::<String>()));
}

/// An editor that makes of the file what a script of `sed` makes of it.
fn editor(scratch: &Scratch) -> String {
    let path = scratch.write("ed", "#!/bin/sh\nsed -i -f script.sed \"$1\"\n");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a script to run");
    }
    path.display().to_string()
}

/// `chat` over the endpoint, one call after another, so that a recording is always the same.
fn over<'a>(sim: &'a Sim, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["chat", "--model", "m", "--base-url", sim.url.as_str(), "--concurrency", "1"];
    [&args, more].concat()
}

fn requests(sim: &Sim) -> u64 {
    sim.stats()["requests"].as_u64().expect("a count")
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_a_session_draft_critiques_revision_edit_again() {
    let scratch = Scratch::new();
    sixteen(&scratch);
    let sim = Sim::start(&scratch, &[]);
    let editor = editor(&scratch);
    let args = over(&sim, &["--constitution", "c.toml"]);
    let terminal = Terminal::start(&scratch, &args, &[("EDITOR", &editor)]);
    terminal.until_seen("/help lists the commands.\n>", 1);
    terminal.line(PROMPT);
    terminal.until_answered(1);
    let first = requests(&sim);

    // One that holds, in the draft and in the revision: it alone is asked about again, once for each.
    scratch.write("script.sed", "s/rule 0 of sixteen/rule zero of the sixteen/");
    terminal.line("/edit");
    terminal.until_answered(2);
    assert_eq!(requests(&sim) - first, 2);
    terminal.until_seen(&format!("2 calls asked, {} known", first - 2), 1);

    // One that is violated: its critique, the one revision that answers it, and what that does to all sixteen.
    scratch.write("script.sed", "s/rule 3 of sixteen/rule three of the sixteen/");
    terminal.line("/edit rule-03");
    let seen = terminal.until_answered(3);
    assert_eq!(requests(&sim) - first, 2 + 18);
    assert!(seen.contains("18 calls asked, 16 known"), "{seen}");

    // A file that cannot be used is told with its line, and what was in force stays so.
    scratch.write("script.sed", "s/^text = \"The response keeps rule 7 /txet = \"/");
    terminal.line("/edit");
    terminal.until_seen("/edit opens the file again\n>", 1);
    terminal.line("/again");
    let seen = terminal.until_answered(4);
    assert!(seen.contains("0 calls asked, 34 known"), "{seen}");
    terminal.keys(&["C-d"]);
    assert_eq!(terminal.exit_code(), 0);
    let recorded = seen.lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
    insta::assert_snapshot!("chat_session", recorded);
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_hostile_answers_control_nothing() {
    let scratch = Scratch::new();
    scratch.write("c.toml", "[constitution]\nid = \"one\"\nversion = \"1\"\ntitle = \"One\"\n\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n");
    let sim = Sim::start(&scratch, &["--hostile", "1", "--violations", "1", "--detection", "1"]);
    let args = over(&sim, &["--constitution", "c.toml"]);
    let terminal = Terminal::start(&scratch, &args, &[]);
    let title = terminal.asked("#{pane_title}");
    terminal.until_seen("/help lists the commands.\n>", 1);
    terminal.line(PROMPT);
    let seen = terminal.until_answered(1);

    // Draft, critique and revision are on the screen with what they tried, spelled out.
    assert!(seen.matches("HOSTILE \\u{1b}[2J").count() >= 3, "{seen}");
    for part in
        ["\\u{9b}31mC1", "over\\u{d}written\\u{8}", "\\u{202e}desrever", "שלום עולם", "日本語の文章は"]
    {
        assert!(seen.contains(part), "no {part} in:\n{seen}");
    }
    assert!(seen.contains("a line that ends in CRLF\n"), "{seen}");
    assert!(seen.contains(PROMPT), "what stood there before is gone:\n{seen}");
    // Nothing was obeyed: no title, no other screen, no clipboard, no colour.
    assert_eq!(terminal.asked("#{pane_title} #{alternate_on}"), format!("{title} 0"));
    let coded = terminal.seen_with_codes();
    assert!(!coded.contains('\u{1b}'), "{coded:?}");
    let written = terminal.written();
    for code in [
        "\u{1b}]",
        "\u{1b}[2J",
        "\u{1b}c",
        "\u{1b}[?1049",
        "\u{1b}[31m",
        "\u{9b}",
        "\u{202e}",
        "\u{8}",
        "\u{7}",
    ] {
        assert!(!written.contains(code), "{code:?} was written raw");
    }
    // Every line is broken by us and between words; none is left to the terminal.
    assert_eq!(coded.lines().count(), seen.lines().count(), "{coded}\n====\n{seen}");
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_plain_lines_never_move_the_cursor() {
    let scratch = Scratch::new();
    let sim = Sim::start(&scratch, &[]);
    let args = over(&sim, &["--constitution", "minimal"]);
    for (more, term) in [(&["--plain"][..], "screen"), (&[][..], "dumb")] {
        let terminal = Terminal::start(&scratch, &[&args, more].concat(), &[("TERM", term)]);
        terminal.until_seen("/help lists the commands.\n>", 1);
        terminal.line("\"\"\"");
        terminal.line("How do I kill");
        terminal.line("a process?");
        terminal.line("\"\"\"");
        terminal.until_answered(1);
        terminal.line("/turns");
        terminal.until_seen("1  How do I kill a process?", 1);
        terminal.keys(&["C-c"]);
        terminal.line("/cost");
        terminal.until_seen("cost nothing", 1);
        terminal.keys(&["C-d"]);
        assert_eq!(terminal.exit_code(), 0);
        let written = terminal.written();
        assert!(!written.contains('\u{1b}'), "{written:?}");
        assert!(!written.replace("\r\n", "").contains('\r'), "{written:?}");
    }
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_the_line_editor_knows_pastes_history_and_what_can_be_completed() {
    let scratch = Scratch::new();
    scratch.write("mine.toml", "[constitution]\nid = \"mine\"\nversion = \"1\"\ntitle = \"Mine\"\n\n[[principle]]\nid = \"kind\"\ntext = \"The response is kind.\"\n");
    let sim = Sim::start(&scratch, &[]);
    let args = over(&sim, &["--constitution", "minimal", "--rounds", "0"]);
    let terminal = Terminal::start(&scratch, &args, &[]);
    terminal.until_seen("/help lists the commands.\n>", 1);
    // A paste is one prompt, whatever is in it, and nothing in it is a command or a code.
    terminal.paste("first line \u{9b}31m\n/quit\n\nlast \\\nline");
    terminal.keys(&["Enter"]);
    terminal.until_answered(1);
    assert_eq!(requests(&sim), 1);
    assert!(!terminal.written().contains("\u{9b}"), "{:?}", terminal.written());
    // A backslash and Alt-Enter go on.
    terminal.line("one\\");
    terminal.keys(&["two", "M-Enter", "three", "Enter"]);
    terminal.until_answered(2);
    terminal.line("/turns");
    terminal.until_seen("1  first line \\u{9b}31m /quit last \\ line", 1);
    terminal.until_seen("2  one two three", 1);
    // The conversation went on with the answer.
    terminal.line("/show 2");
    terminal.until("the first answer as a turn", |seen| seen.contains("\nassistant\n"));
    // Tab: a command, a file, an id. Up: the last line again.
    terminal.keys(&["/constit", "Tab", " mine", "Tab", "Enter"]);
    terminal.until_seen("mine 1, 1 principle,", 1);
    terminal.until_answered(3);
    terminal.keys(&["/off k", "Tab", "Enter"]);
    terminal.until_seen("mine 1, 0 principles (1 off)", 1);
    terminal.until_answered(4);
    terminal.keys(&["Up", "Enter"]);
    terminal.until_seen("nothing is changed", 1);
    terminal.line("/of kind");
    terminal.until_seen("did you mean `/off`?", 1);
    terminal.line("/on kidn");
    terminal.until_seen("did you mean `kind`?", 1);
    terminal.line("/set method.shedule=each");
    terminal.until_seen("unknown key `shedule`", 1);
    terminal.line("/quit");
    assert_eq!(terminal.exit_code(), 0);
    // What was typed is known to the next session.
    let history = std::fs::read_to_string(scratch.path(".local/state/amend/history")).expect("a history");
    assert!(history.contains("/on kidn"), "{history}");
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_control_c_stops_an_answer_and_not_the_program() {
    let scratch = Scratch::new();
    let sim = Sim::start(&scratch, &["--token-ms", "300"]);
    let args = over(&sim, &["--constitution", "minimal", "--rounds", "0"]);
    let terminal = Terminal::start(&scratch, &args, &[]);
    terminal.until_seen("/help lists the commands.\n>", 1);
    terminal.line(PROMPT);
    terminal.until("the beginning of a draft", |seen| seen.contains("draft\n  "));
    terminal.keys(&["C-c"]);
    terminal.until_seen("stopped: interrupted\n>", 1);
    terminal.keys(&["half a line", "C-c"]);
    terminal.until_seen("> half a line\n>", 1);
    terminal.keys(&["C-c"]);
    terminal.until_seen("> half a line\n>\n>", 1);
    terminal.line("/cost");
    terminal.until_seen("0 calls were known", 1);
    terminal.keys(&["C-d"]);
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_what_is_saved_is_training_data() {
    let scratch = Scratch::new();
    sixteen(&scratch);
    let sim = Sim::start(&scratch, &["--seed", "3"]);
    let args = over(&sim, &["--constitution", "c.toml"]);
    let terminal = Terminal::start(&scratch, &args, &[]);
    terminal.until_seen("/help lists the commands.\n>", 1);
    terminal.line(PROMPT);
    terminal.until_seen("no principle objects", 1);
    terminal.line("/save 'my rows.jsonl'");
    terminal.until_seen("1 sft row appended", 1);
    terminal.line("/rate 4 a good one");
    terminal.line("And on Windows?");
    terminal.until_seen("no principle objects", 2);
    terminal.line("/save my\\ rows.jsonl all");
    terminal.until_seen("1 sft row appended to `my rows.jsonl`, 1 were there already", 1);
    terminal.line("/save pairs.jsonl preference all");
    terminal.until_seen("preference rows appended", 1);
    terminal.line("/save pairs.jsonl");
    terminal.until_seen("line 1 of `pairs.jsonl` is no sft row", 1);
    terminal.line("/test rule-03 violates");
    terminal.until_seen("is now a test of `rule-03`", 1);
    terminal.line("/test rule-03 conforms final");
    terminal.until_seen("is now a test of `rule-03`", 2);

    // The same columns as in a dataset, and what the person said.
    let prompts = scratch.write("p.jsonl", format!("{{\"prompt\": \"{PROMPT}\"}}\n"));
    let prompts = prompts.display().to_string();
    let run =
        ["run", "--prompts", &prompts, "--constitution", "c.toml", "--model", "m", "--base-url", &sim.url];
    scratch.run(&[&run[..], &["--out", "r", "--set", "export.splits.validation=0"]].concat());
    let rows = |file: &str| -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(scratch.path(file)).expect("rows");
        text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect()
    };
    let saved = rows("my rows.jsonl");
    assert_eq!(saved.len(), 2);
    assert_eq!(saved[0]["messages"].as_array().map(Vec::len), Some(2));
    assert_eq!(saved[1]["messages"].as_array().map(Vec::len), Some(4));
    assert_eq!(saved[0]["rating"], serde_json::Value::Null);
    let names = |row: &serde_json::Value| row.as_object().expect("a row").keys().cloned().collect::<Vec<_>>();
    for name in
        ["prompt", "completion", "prompt_id", "principle_ids", "constitution_sha256", "simulated", "accepted"]
    {
        assert!(names(&saved[0]).iter().any(|known| known == name), "{name}: {:?}", names(&saved[0]));
    }
    // The turn goes on with what was kept, not with the draft.
    assert_eq!(saved[1]["messages"][1], saved[0]["completion"][0]);
    assert!(rows("pairs.jsonl").iter().all(|row| row["chosen"] != row["rejected"]));
    let test = ["test", "c.toml", "--model", "m", "--base-url", &sim.url, "--no-fail", "--json"];
    let report = scratch.run(&test).code(0);
    assert_eq!(report.summary()["cases"], 2);
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_a_session_is_left_and_gone_on_with() {
    let scratch = Scratch::new();
    sixteen(&scratch);
    let sim = Sim::start(&scratch, &[]);
    let args = over(&sim, &["--constitution", "c.toml"]);
    let terminal = Terminal::start(&scratch, &args, &[]);
    terminal.until_seen("/help lists the commands.\n>", 1);
    assert!(!scratch.path("runs").exists(), "a chat that says nothing leaves nothing");
    terminal.line(PROMPT);
    terminal.until_answered(1);
    terminal.line("And on Windows?");
    terminal.until_answered(2);
    terminal.line("/rate 2 too long");
    terminal.until_seen("rated;", 1);
    terminal.line("/off rule-03");
    terminal.until_answered(3);
    terminal.line("/quit");
    assert_eq!(terminal.exit_code(), 0);
    let seen = terminal.written();
    assert!(seen.contains("The chat is kept in `runs/chat-1`;"), "{seen}");
    let asked = requests(&sim);

    // Its settings are kept too: nothing has to be said again, and nothing is asked again.
    let terminal = Terminal::start(&scratch, &["chat", "--resume"], &[]);
    let seen = terminal.until_seen("/help lists the commands.\n>", 1);
    assert!(
        seen.contains("Going on with a conversation of 2 turns.\n  1  How do I kill a process?"),
        "{seen}"
    );
    assert!(seen.contains("sixteen 1.0.0, 15 principles (1 off), model m,"), "{seen}");
    terminal.line("/again");
    terminal.until_answered(1);
    terminal.line("/on all");
    let seen = terminal.until_answered(2);
    assert_eq!(requests(&sim), asked, "{seen}");
    assert_eq!(seen.matches("0 calls asked, ").count(), 2, "{seen}");
    // What is saved is of the constitution that it was made with.
    terminal.line("/save rows.jsonl all");
    terminal.until_seen("2 sft rows appended", 1);
    terminal.line("/new");
    terminal.until_seen("a new conversation", 1);
    terminal.keys(&["C-d"]);
    assert_eq!(terminal.exit_code(), 0);

    // A new chat is another one, and knows nothing of the first.
    let terminal = Terminal::start(&scratch, &args, &[]);
    terminal.until_seen("/help lists the commands.\n>", 1);
    terminal.line(PROMPT);
    assert!(terminal.until_answered(1).contains(" asked, 0 known"));
    terminal.line("/quit");
    assert_eq!(terminal.exit_code(), 0);
    assert!(scratch.path("runs/chat-2/journal.db").is_file());
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_a_chat_without_a_place_says_so_and_goes_on() {
    let scratch = Scratch::new();
    scratch.write("runs", "a file where the folder of runs should be");
    let args = ["chat", "--model", "sim", "--constitution", "minimal"];
    let terminal = Terminal::start(&scratch, &args, &[]);
    terminal.until_seen("/help lists the commands.\n>", 1);
    terminal.line(PROMPT);
    let seen = terminal.until_answered(1);
    let seen = seen.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(seen.contains("so this chat is in a temporary directory and is gone when it ends"), "{seen}");
    terminal.line("/again");
    assert!(terminal.until_answered(2).contains("0 calls asked, "));
    terminal.line("/quit");
    assert_eq!(terminal.exit_code(), 0);
    assert!(!terminal.written().contains("is kept in"));
}

#[test]
fn a_session_in_a_directory_is_gone_on_with() {
    let scratch = Scratch::new();
    let sim = Sim::start(&scratch, &[]);
    let first = over(&sim, &["--constitution", "minimal", "--out", "s", "--json", PROMPT]);
    let first = scratch.run(&first).code(0).summary();
    assert!(scratch.path("s/journal.db").is_file() && !scratch.path("runs").exists());
    // Without a flag: the settings are those of the session, and the turn goes on with what was revised.
    let second = scratch.run(&["chat", "--out", "s", "--json", "And on Windows?"]).code(0).summary();
    let messages = second["prompt"]["messages"].as_array().expect("turns");
    assert_eq!(messages.len(), 3);
    let last = usize::try_from(first["last"].as_u64().expect("an index")).expect("a small one");
    assert_eq!(messages[1]["content"], first["responses"][last]["text"]);
    // A flag wins over them.
    let nowhere = ["chat", "--out", "s", "--base-url", "http://127.0.0.1:1/v1", "--set", "limits.attempts=1"];
    scratch.run(&[&nowhere[..], &["And on a Mac?"]].concat()).code(3);
    let asked = requests(&sim);
    // What got no answer is no part of the conversation; with no endpoint any more only what is known can be had.
    let log = std::fs::read_to_string(scratch.path("s/chat.jsonl")).expect("a log");
    let kinds: Vec<String> = log
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("an entry")["entry"].to_string())
        .collect();
    assert_eq!(kinds, ["\"asked\"", "\"answered\"", "\"asked\"", "\"answered\"", "\"asked\""]);
    let third = ["chat", "--out", "s", "--base-url", &sim.url, "--json", "And on a Mac?"];
    let third = scratch.run(&third).code(0).summary();
    assert_eq!(third["prompt"]["messages"].as_array().map(Vec::len), Some(5));
    assert!(requests(&sim) > asked);

    // Neither a run nor anything else is taken for a session.
    let run = ["run", "--model", "sim", "--constitution", "minimal", "--out", "r", "--limit", "1"];
    scratch.write("p.jsonl", "{\"prompt\":\"Hello?\"}\n");
    scratch.run(&[&run[..], &["--prompts", "p.jsonl"]].concat()).code(0);
    let before = crate::support::bytes(&scratch.path("r"));
    let done = scratch.run(&["chat", "--model", "sim", "--out", "r", PROMPT]).code(2);
    assert!(done.err.contains("is not the directory of a chat"), "{}", done.err);
    assert_eq!(before, crate::support::bytes(&scratch.path("r")));
    let done = scratch.run(&["chat", "--resume", PROMPT]).code(2);
    assert!(done.err.contains("there is no chat in `runs`"), "{}", done.err);
}

#[test]
fn a_chat_that_is_killed_asks_again_only_what_was_in_flight() {
    let scratch = Scratch::new();
    sixteen(&scratch);
    let sim = Sim::start(&scratch, &["--latency-ms", "20"]);
    let args = over(&sim, &["--constitution", "c.toml", "--out", "s", "--json", PROMPT]);
    let kills = sim.kill_at(&scratch, &args, &[4, 12]);
    let after = scratch.run(&args).code(0).summary();
    assert_eq!(after["prompt"]["messages"].as_array().map(Vec::len), Some(1));
    let stats = sim.stats();
    assert!(kills > 0 && stats["repeats"].as_u64() <= Some(kills), "{kills} kills, {stats}");
    // The same in one go asks the same.
    let one_go = [&args[..5], &["--concurrency", "1", "--constitution", "c.toml", "--json", PROMPT]].concat();
    assert_eq!(scratch.run(&one_go).code(0).summary()["responses"], after["responses"]);
}

#[test]
fn one_prompt_in_a_script() {
    let scratch = Scratch::new();
    let args = ["chat", "--model", "sim", "--constitution", "minimal", "--set", "sim.hostile=1"];
    let done = scratch.run(&[&args[..], &[PROMPT]].concat()).code(0);
    assert!(
        done.out.contains("draft\n  HOSTILE \\u{1b}[2J") && done.out.contains(" asked, "),
        "{}",
        done.out
    );
    assert!(!done.out.contains(['\u{1b}', '\r', '\u{9b}']), "{:?}", done.out);
    assert_eq!(done.err, "");

    // From standard input, as JSON: one line, and safe for whoever prints it.
    let mut child = scratch
        .command(&[&args[..], &["--json"]].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child.stdin.take().expect("its input").write_all(format!("{PROMPT}\n").as_bytes()).expect("a prompt");
    let done = Done::of(&child.wait_with_output().expect("an end")).code(0);
    assert_eq!((done.out.lines().count(), done.err.as_str()), (1, ""));
    assert!(!done.out.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{:?}", done.out);
    let transcript = done.summary();
    assert_eq!(transcript["prompt"]["messages"][0]["content"], PROMPT);
    let draft = transcript["responses"][0]["text"].as_str().expect("a draft");
    assert!(draft.starts_with("HOSTILE \u{1b}[2J"), "{draft:?}");

    let done = scratch.run(&["chat", "--model", "sim", "--json"]).code(2);
    assert!(done.err.contains("there is no prompt on standard input"), "{}", done.err);
    let done = scratch.run(&["chat", "--model", "sim", "--set", "sim.refused=1", PROMPT]).code(1);
    assert!(done.out.contains("no usable draft"), "{}", done.out);
    let nowhere =
        ["chat", "--model", "m", "--base-url", "http://127.0.0.1:1/v1", "--set", "limits.attempts=1"];
    scratch.run(&[&nowhere[..], &[PROMPT]].concat()).code(3);
}

#[cfg(unix)]
#[test]
fn a_script_that_is_interrupted_says_so() {
    let scratch = Scratch::new();
    let sim = Sim::start(&scratch, &["--token-ms", "300"]);
    let child = scratch
        .command(&over(&sim, &["--json", PROMPT]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    while requests(&sim) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let interrupt = ["-INT", &child.id().to_string()];
    assert!(std::process::Command::new("kill").args(interrupt).status().expect("kill runs").success());
    let done = Done::of(&child.wait_with_output().expect("an end")).code(130);
    assert_eq!(done.out, "");
    assert!(done.err.contains("interrupted"), "{}", done.err);
}

/// Serves one streamed answer in the given pieces of bytes, each in a packet of its own.
fn serve_in_pieces(pieces: Vec<Vec<u8>>) -> (String, std::thread::JoinHandle<()>) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/v1", listener.local_addr().expect("an address"));
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        stream.set_nodelay(true).expect("a socket");
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        while !request.ends_with(b"}") {
            let n = stream.read(&mut buffer).expect("a request");
            request.extend_from_slice(&buffer[..n]);
        }
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n";
        stream.write_all(head.as_bytes()).expect("a client that reads");
        for piece in pieces {
            stream.write_all(&piece).expect("a client that reads");
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
    });
    (url, server)
}

#[test]
fn an_answer_cut_anywhere_is_shown_as_the_whole() {
    let scratch = Scratch::new();
    // An escape sequence and a line break over two chunks, and what is no ASCII as the bytes that it is.
    let deltas = ["日本", "語 \u{1b}", "[2J end\r", "\nnext \r", "x 👩", " שלום\r"];
    let chunk = |delta: serde_json::Value, finish: Option<&str>| {
        let choice = serde_json::json!({ "index": 0, "delta": delta, "finish_reason": finish });
        format!("data: {}\n\n", serde_json::json!({ "choices": [choice] }))
    };
    let mut chunks: Vec<String> =
        deltas.iter().map(|delta| chunk(serde_json::json!({ "content": delta }), None)).collect();
    chunks.push(chunk(serde_json::json!({}), Some("stop")));
    chunks.push("data: [DONE]\n\n".to_owned());
    let text = chunks.concat();
    for size in [1, 3] {
        let (url, server) = serve_in_pieces(text.as_bytes().chunks(size).map(<[u8]>::to_vec).collect());
        let args = [
            "chat",
            "--model",
            "m",
            "--base-url",
            &url,
            "--constitution",
            "minimal",
            "--rounds",
            "0",
            PROMPT,
        ];
        let done = scratch.run(&args).code(0);
        server.join().expect("the server ends");
        assert!(
            done.out.contains("draft\n  日本語 \\u{1b}[2J end\n  next \\u{d}x 👩 שלום\\u{d}\n"),
            "in pieces of {size}: {:?} {}",
            done.out,
            done.err
        );
    }
}

#[test]
fn a_template_in_other_words_hides_no_objection() {
    let scratch = Scratch::new();
    // A template that names no principle's id, which `amend check` allows.
    let built_in = concat!(env!("CARGO_MANIFEST_DIR"), "/prompts/critique.hbs");
    let text = std::fs::read_to_string(built_in).expect("the built-in template");
    let other = text.replace("Principle [{{principle.id}}]: {{principle.text}}", "{{principle.text}}");
    assert_ne!(text, other);
    scratch.write("tpl/critique.hbs", other);
    let args = ["chat", "--model", "sim", "--constitution", "harmlessness", "--set", "sim.violations=0.5"];
    for templates in [&[][..], &["--templates", "tpl"]] {
        let args = [&args[..], templates, &[PROMPT]].concat();
        let shown = scratch.run(&[&args[..], &["--plain"]].concat()).code(0).out;
        let transcript = scratch.run(&[&args[..], &["--json"]].concat()).code(0).summary();
        let critiques = transcript["critiques"].as_array().expect("critiques");
        let violates = critiques.iter().filter(|critique| critique["verdict"] == "violates").count();
        assert!(violates > 0, "{shown}");
        let objections = shown.lines().filter(|line| line.starts_with("  violates ")).count();
        assert_eq!(objections, violates, "{templates:?}\n{shown}");
        assert!(!shown.contains("screened"), "{shown}");
        let counted = shown.lines().filter(|line| line.contains(" critiques: ")).count();
        assert!(counted > 0, "{shown}");
    }
}

#[test]
#[ignore = "needs tmux"]
fn needs_tmux_a_constitution_that_was_edited_outside_is_read_again() {
    let scratch = Scratch::new();
    let head = "[constitution]\nid = \"one\"\nversion = \"1\"\ntitle = \"One\"\n\n";
    let principle = |text: &str| format!("{head}[[principle]]\nid = \"kind\"\ntext = \"{text}\"\n");
    scratch.write("c.toml", principle("The response is kind."));
    let sim = Sim::start(&scratch, &[]);
    let terminal = Terminal::start(&scratch, &over(&sim, &["--constitution", "c.toml"]), &[]);
    terminal.until_seen("/help lists the commands.\n>", 1);
    terminal.line("/reload");
    terminal.until_seen("no principle is changed", 1);
    scratch.write("c.toml", principle("The response is kind to everybody."));
    terminal.line("/reload");
    terminal.until_seen("edited kind: text", 1);
    scratch.write("c.toml", "[constitution]\nid = 3\n");
    terminal.line("/reload");
    terminal.until_seen("stays in force; /reload reads the file again", 1);
}
