//! `amend push`: a finished dataset becomes a dataset's repository on the Hugging Face hub.

use super::Failure;
use super::failure::Kind;
use crate::faces::cli::stdout::stdout;
use crate::pure::text::printable;
use crate::runtime::dataset::publish::{Publishable, Unpublishable, publishable};
use crate::runtime::hub::{self, HubError, HubTrouble, Push, Pushed, RepoName};
use crate::runtime::journal;
use indicatif::HumanBytes;
use serde_json::json;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

/// Publish a finished dataset on the Hugging Face hub: rows, splits, card and manifest, in one commit.
///
/// Every byte is compared with `manifest.json` first, and nothing is sent of a dataset that is damaged, not finished, or simulated.
/// What the hub has already is not uploaded again; files of an older dataset of amend's that the new one does not have are removed.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  amend push runs/night/dataset acme/night --dry-run\n  amend push runs/night/dataset acme/night\n  \
                        amend push dataset acme/night --public --revision v2 --message \"Second night\"\n\n\
                        HF_TOKEN holds a token with the right to write, HF_ENDPOINT the base URL of another hub. AMEND_HUB_TRIES is how \
                        often a request is made while the hub is busy or away (5).\n\n\
                        Exit codes: 0 it is there; 1 the dataset is damaged; 2 a name, a flag, or a dataset that may not be published; \
                        3 the hub refuses or is away; 4 the disk."
)]
pub(super) struct Args {
    /// The dataset's folder, the one that holds `manifest.json`
    dataset: String,
    /// The dataset's name on the hub, `OWNER/NAME`; it is made unless it is there
    #[arg(value_name = "OWNER/NAME")]
    to: String,
    /// Anybody may see it; else it is private, and a public one is left alone
    #[arg(long)]
    public: bool,
    /// The branch, which is made from `main` unless it is there
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    revision: String,
    /// The first line of the commit
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// Push a simulated dataset too
    #[arg(long)]
    simulated: bool,
    /// List the files and their bytes, and call nobody
    #[arg(long)]
    dry_run: bool,
    /// JSON: one object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> Result<ExitCode, Failure> {
    let to: RepoName = args.to.parse().map_err(|rule: String| {
        Failure::usage(format!("`{}` is no name of a dataset on the hub", printable(&args.to))).hint(rule)
    })?;
    if args.revision.trim().is_empty() || args.message.as_ref().is_some_and(|text| text.trim().is_empty()) {
        return Err(Failure::usage("`--revision` and `--message` may not be empty"));
    }
    let dir = Path::new(&args.dataset);
    let dataset = publishable(dir, args.simulated).map_err(|why| may_not_be_published(dir, &why))?;
    let text = if args.dry_run { listed(&dataset, args.json) } else { pushed(args, &to, &dataset)? };
    // What cannot be written goes to a closed pipe: that is the reader's choice, not a failure.
    let _ = writeln!(stdout(), "{text}");
    Ok(ExitCode::SUCCESS)
}

/// Pushes, and says what was done.
fn pushed(args: &Args, to: &RepoName, dataset: &Publishable) -> Result<String, Failure> {
    let usual = format!("Dataset written by amend {}", dataset.written_by);
    let description = format!("manifest_sha256: {}", dataset.seal);
    let push = Push {
        to,
        branch: &args.revision,
        files: &dataset.files,
        message: args.message.as_deref().unwrap_or(&usual),
        description: &description,
        is_public: args.public,
    };
    let done = hub::push(&push).map_err(|error| hub_failure(&error))?;
    if args.public && !done.is_public {
        let line = "the dataset is private on the hub and stays so: its settings there change that";
        let _ = writeln!(std::io::stderr().lock(), "{line}");
    }
    Ok(if args.json { done_as_json(&done) } else { done_as_text(&done) })
}

fn done_as_json(done: &Pushed) -> String {
    json!({
        "page": done.page,
        "commit": done.commit,
        "new": done.new,
        "uploaded_bytes": done.uploaded_bytes,
        "unchanged": done.unchanged,
        "removed": done.removed,
        "created": done.is_created,
        "public": done.is_public,
    })
    .to_string()
}

fn done_as_text(done: &Pushed) -> String {
    let page = printable(&done.page);
    let Some(commit) = &done.commit else {
        return format!("{page}: all {} files are there already, nothing was uploaded", done.unchanged);
    };
    let seen_by = if done.is_public { "public" } else { "private" };
    let mut text = format!(
        "{page} ({seen_by}): commit {}: {} files, {} uploaded",
        printable(commit),
        done.new,
        HumanBytes(done.uploaded_bytes)
    );
    if done.unchanged > 0 {
        let _ = write!(text, "; {} were there already", done.unchanged);
    }
    if !done.removed.is_empty() {
        let _ = write!(text, "; {} of an older dataset removed", done.removed.len());
    }
    text
}

/// The files and their bytes.
fn listed(dataset: &Publishable, as_json: bool) -> String {
    let total: u64 = dataset.files.iter().map(|file| file.bytes).sum();
    if as_json {
        let file =
            |file: &hub::FileToPush| json!({ "path": file.name, "bytes": file.bytes, "sha256": file.sha256 });
        let files: Vec<_> = dataset.files.iter().map(file).collect();
        return json!({ "files": files, "bytes": total }).to_string();
    }
    let line = |file: &hub::FileToPush| format!("{:>14} {}", file.bytes, printable(&file.name));
    let mut lines: Vec<String> = dataset.files.iter().map(line).collect();
    lines.push(format!("{total:>14} bytes in {} files; nothing was sent", dataset.files.len()));
    lines.join("\n")
}

fn may_not_be_published(dir: &Path, why: &Unpublishable) -> Failure {
    let shown = dir.display();
    let message = format!("`{shown}` is not pushed: {why}");
    match why {
        Unpublishable::NoManifest if dir.join(journal::FILE).is_file() => Failure::usage(message)
            .hint(format!("that is a run; name its dataset, such as `{}`", dir.join("dataset").display())),
        Unpublishable::NoManifest | Unpublishable::NoDataset => Failure::usage(message)
            .hint("name the folder that `amend run` or `amend export` wrote, such as `runs/night/dataset`"),
        Unpublishable::Damaged(findings) => {
            let lines: Vec<String> = findings.iter().map(|finding| printable(&finding.to_string())).collect();
            Failure::new(Kind::Findings, message)
                .details(lines.join("\n"))
                .hint("`amend export RUN --out DIR` writes the dataset again without a call")
        }
        Unpublishable::Unfinished => Failure::usage(message).hint(
            "finish the run with the same `amend run` command, and push the dataset that it then writes",
        ),
        Unpublishable::Simulated => Failure::usage(message).hint(
            "run the recipe with a model; `--simulated` pushes it all the same, with the tag `simulated`",
        ),
    }
}

fn hub_failure(error: &HubError) -> Failure {
    let kind = match error.trouble {
        HubTrouble::Words => Kind::Usage,
        HubTrouble::Hub => Kind::Provider,
        HubTrouble::Disk => Kind::Disk,
    };
    Failure::new(kind, error.to_string()).hint(error.remedy.clone())
}
