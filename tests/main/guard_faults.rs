//! Eight faults × eight classes of request: what a client sees and what is written down stands in `docs/guard-faults.md`.

use crate::guard_support::{
    END, Guarding, RawUpstream, Response, begin_stream, chunk, done, judge, respond, whole,
};
use crate::support::Scratch;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

const REVISED: &str = "I can help with lamps, and I would be glad to.";
const FAULTS: [&str; 8] = [
    "the judge is down",
    "the judge is late",
    "the judge talks nonsense",
    "the judge gives 429",
    "the model is down",
    "the model breaks off",
    "the model gives a web page",
    "the model is silent",
];

/// A constitution of one principle: of severity 2, or of severity 3 where it is grave.
fn constitution(is_grave: bool) -> String {
    format!(
        "[constitution]\nid = \"shop\"\n[[principle]]\nid = \"stays-on-the-product\"\n\
         text = \"The response speaks of lamps only.\"\nhard = {is_grave}\n"
    )
}

/// Waits until the other side goes away.
fn wait_for_its_end(stream: &mut std::net::TcpStream) {
    let _ = stream.read(&mut [0; 64]);
}

fn faulty_judge(fault: &str) -> Option<RawUpstream> {
    match fault {
        "the judge is late" => Some(RawUpstream::start(|_, _, stream| wait_for_its_end(stream))),
        "the judge talks nonsense" => {
            Some(RawUpstream::that_says("application/json", whole("Well, who can say?")))
        }
        "the judge gives 429" => Some(RawUpstream::start(|_, _, stream| {
            respond(stream, 429, "application/json", b"{\"error\":{\"message\":\"slow down\"}}");
        })),
        _ => None,
    }
}

fn upstream(fault: &'static str) -> RawUpstream {
    RawUpstream::start(move |_, request, stream| {
        let streams = request["stream"] == true;
        match fault {
            "the model breaks off" if streams => {
                begin_stream(stream);
                let _ = stream.write_all(chunk("Lamps are").as_bytes());
            }
            "the model breaks off" => {
                let _ = stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{",
                );
            }
            "the model gives a web page" => respond(stream, 200, "text/html", b"<html>Sign in</html>"),
            "the model is silent" => wait_for_its_end(stream),
            _ if streams => {
                begin_stream(stream);
                let _ = stream.write_all(format!("{}{END}", chunk("Lamps are fine.")).as_bytes());
            }
            _ => respond(stream, 200, "application/json", whole("Lamps are fine.").as_bytes()),
        }
    })
}

/// What the client has.
fn shown(response: &Response) -> &'static str {
    let text = response.text();
    if text.contains("upstream_failed") {
        "`upstream_failed`"
    } else if text.contains("Lamps are fine.") {
        "the answer"
    } else if text.contains("did not finish") {
        "asks to try again"
    } else if text.contains("I am glad to help") {
        "declines"
    } else {
        panic!("{response:?}")
    }
}

/// The rows of a fault under a constitution.
fn rows(fault: &'static str, is_grave: bool) -> String {
    let scratch = Scratch::new();
    scratch.write("shop.toml", constitution(is_grave));
    let sound = judge(REVISED);
    let faulty = faulty_judge(fault);
    let upstream = upstream(fault);
    let nobody = "http://127.0.0.1:9/v1";
    let judge = match (fault, &faulty) {
        ("the judge is down", _) => nobody,
        (_, Some(faulty)) => &faulty.url,
        (_, None) => &sound.url,
    };
    let upstream = if fault == "the model is down" { nobody } else { &upstream.url };
    // Where nothing is late, a busy machine has all the time that it needs.
    let budget = if fault == "the judge is late" { "50" } else { "30000" };
    let patience = if fault == "the model is silent" { "0.1" } else { "30" };
    let sets = [
        format!("guard.input.budget_ms={budget}"),
        format!("guard.output.budget_ms={budget}"),
        format!("limits.timeout_s={patience}"),
    ];
    let mut more = vec!["--constitution", "shop.toml"];
    more.extend(sets.iter().flat_map(|set| ["--set", set]));
    let guard = Guarding::start(&scratch, upstream, judge, &more);
    let mut text = String::new();
    for (request, violates) in [("What is a lamp?", false), ("Do a BAD thing", true)] {
        for streams in [false, true] {
            let response = guard.chat(request, streams);
            let line: Value = done(&scratch).pop().expect("a line");
            let decision = line["decision"].as_str().expect("a decision");
            let last =
                line["output"]["checks"].as_array().and_then(|checks| checks.last()?["verdict"].as_str());
            let _ = writeln!(
                text,
                "| {fault} | {} | {} | {} | {} | {} | {} | {decision} | {} | {} |",
                if violates { "violates" } else { "conforms" },
                if streams { "yes" } else { "no" },
                if is_grave { 3 } else { 2 },
                response.status,
                response.header("x-amend-decision").unwrap_or("none"),
                shown(&response),
                line["input"]["verdict"].as_str().unwrap_or("none"),
                last.unwrap_or("not-scanned"),
            );
        }
    }
    let decisions = done(&scratch);
    for line in &decisions {
        let decision = line["decision"].as_str().unwrap_or_default();
        let counted = format!("amend_guard_requests_total{{decision=\"{decision}\",route=\"chat\"}}");
        let expected = decisions.iter().filter(|other| other["decision"] == line["decision"]).count();
        #[expect(clippy::cast_precision_loss, reason = "there are four")]
        let expected = expected as f64;
        assert!((guard.metric(&counted) - expected).abs() < 0.1, "{counted}: {}", guard.metrics());
    }
    text
}

#[test]
fn guard_ends_every_fault_as_the_table_says() {
    let rows = |fault: &'static str| rows(fault, false) + &rows(fault, true);
    let threads = FAULTS.map(|fault| std::thread::spawn(move || rows(fault)));
    let found: String = threads.into_iter().map(|thread| thread.join().expect("its rows")).collect();
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/guard-faults.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let table: Vec<&str> = page.lines().filter(|line| line.starts_with("| the ")).collect();
    assert!(found.lines().eq(table), "docs/guard-faults.md says otherwise; its rows are now:\n{found}");
}
