//! A run without the command line: open a project, run it over the simulated model, export its dataset.
//!
//! `cargo run --example library` writes into a temporary folder and prints what it made.

use amend::pure::recipe::Recipe;
use amend::runtime::engine::{Event, EventBus, shutdown};
use amend::runtime::journal::Reader;
use amend::runtime::project::{FrozenRun, InputFiles, Project, ProjectError, RunDir};

#[tokio::main]
#[expect(clippy::print_stdout, reason = "an example shows what it made")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut recipe = Recipe { constitution: "minimal".into(), ..Recipe::default() };
    recipe.prompts = vec!["prompts/seeds/harmless.jsonl".into()];
    recipe.input.limit = Some(10);
    recipe.models.default.model = Some("sim".into());
    let project = Project::open(recipe, &mut InputFiles::default())?;

    let dir = RunDir::new(std::env::temp_dir().join(format!("amend-library-{}", std::process::id())));
    let events = EventBus::default();
    let mut received = events.subscribe();
    // Whoever keeps the stopper can stop the run from anywhere; this example never does.
    let (_stopper, shutdown) = shutdown();
    let watch = async {
        while let Some(event) = received.recv().await {
            if let Event::Prompt { prompt_id, rounds, .. } = event {
                println!("{prompt_id}: {rounds} rounds of revision");
            }
        }
    };
    let (finished, ()) = tokio::join!(project.run(&dir, events, shutdown), watch);
    println!("{:?}", finished?.summary);

    let run = FrozenRun::open(&dir.path)?;
    let reader = Reader::open(&dir.path).map_err(ProjectError::from)?;
    let report = run.write_report(&reader)?;
    let dataset = run.export(&reader, &report, &dir.dataset(), None)?;
    println!("{:?} in {}", dataset.totals(), dir.dataset().display());
    std::fs::remove_dir_all(&dir.path)?;
    Ok(())
}
