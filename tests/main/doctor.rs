//! `amend doctor`: what an endpoint can do, found out by asking it.

use crate::support::{Scratch, Sim};

#[test]
fn an_able_endpoint_is_described_and_its_recipe_works() {
    let scratch = Scratch::new();
    let sim = Sim::start(&scratch, &["--model", "able"]);
    let done = scratch.run(&["doctor", "--base-url", &sim.url]).code(0);
    assert_eq!(done.err, "");
    insta::assert_snapshot!(done.out.replace(&sim.url, "http://127.0.0.1:8000/v1"), @r#"
    http://127.0.0.1:8000/v1 (--base-url)
      models             able
      asked              able
      log-probabilities  yes, the top 5
      structured output  yes
      seed               yes
      token counts       yes
      prefix cache       yes
      reasoning          none seen
      for the recipe, after 7 calls:
        [models.default]
        model = "able"
        base_url = "http://127.0.0.1:8000/v1"
        structured = true
    "#);

    let done = scratch.run(&["doctor", "--base-url", &sim.url, "--json"]).code(0);
    let endpoint = &done.summary()["endpoints"][0];
    assert_eq!(endpoint["models"], serde_json::json!(["able"]));
    let recipe = endpoint["recipe"].as_str().expect("a recipe");
    scratch.write("amend.toml", recipe);
    let again = scratch.run(&["doctor", "amend.toml", "--no-calls"]).code(0);
    assert!(again.out.contains("(generator, critic, reviser, judge)"), "{}", again.out);
}

#[test]
fn what_a_poor_endpoint_lacks_is_said() {
    let scratch = Scratch::new();
    let sim = Sim::start(&scratch, &["--no-logprobs", "--cache-blocks", "0", "--model", "poor"]);
    let done = scratch.run(&["doctor", "--base-url", &sim.url]).code(0);
    assert!(done.out.contains("no: labels come from votes"), "{}", done.out);
    assert!(done.out.contains("no cached tokens reported"), "{}", done.out);
}

#[test]
fn an_endpoint_that_cannot_be_used_is_an_error() {
    let scratch = Scratch::new();
    let check = |args: &[&str], part: &str| {
        let done = scratch.run(&[&["doctor"], args].concat()).code(3);
        assert!(done.err.contains(part), "{}", done.err);
    };
    check(&["--base-url", "http://127.0.0.1:1/v1"], "cannot connect to `http://127.0.0.1:1/v1`");
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/v1", silent.local_addr().expect("its address"));
    // It takes connections and says nothing: that is known after seconds, and no question waits for a minute.
    check(&["--base-url", &url, "--model", "m"], &format!("`{url}`: no answer in time"));
    check(&["--base-url", "localhost:1"], "begins with neither `http://` nor `https://`");
    let sim = Sim::start(&scratch, &["--model", "there"]);
    check(&["--base-url", &sim.url, "--model", "elsewhere"], "does it serve `elsewhere`");
    let locked = Sim::start(&scratch, &["--key", "secret"]);
    check(&["--base-url", &locked.url, "--model", "m"], "the key is read from `OPENAI_API_KEY`");

    scratch.write("sim.toml", "[models.default]\nmodel = \"sim\"\n");
    let done = scratch.run(&["doctor", "sim.toml"]).code(2);
    assert!(done.err.contains("only the simulated model"), "{}", done.err);
}
