//! An answer of the hub that is no success: what it means at each step, and what to do.

use super::connection::{Connection, TRY_AGAIN};
use super::failure::Failure;
use super::patience::{asked_for, may_pass};
use reqwest::{Response, StatusCode};
use serde_json::Value as Json;

/// The most that is read of an answer that says why not, in bytes.
const MOST_READ: usize = 64 * 1024;
/// The most that is shown of it, in characters.
const MOST_SHOWN: usize = 300;

/// What the hub was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Read,
    Create,
    Look,
    Branch,
    Compare,
    Upload,
    Store,
    Commit,
}

impl Step {
    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "reading it",
            Self::Create => "creating the repository",
            Self::Look => "looking at the repository",
            Self::Branch => "creating the branch",
            Self::Compare => "comparing the files",
            Self::Upload => "asking where to upload",
            Self::Store => "uploading a file",
            Self::Commit => "committing",
        }
    }
}

/// The failure that an answer stands for.
pub(super) async fn refused(connection: &Connection, step: Step, response: Response) -> Failure {
    let (status, asked) = (response.status(), asked_for(response.headers()));
    let said = connection.without_token(&message_of(response).await);
    let cause = match said.as_str() {
        "" => format!("the hub answers {status} to {}", step.as_str()),
        said => format!("the hub answers {status} to {}: {said}", step.as_str()),
    };
    let failure = Failure::of_hub(cause, remedy(step, status.as_u16(), connection.has_token()));
    // A signed address runs out; the hub names a new one.
    let has_run_out = step == Step::Store && status == StatusCode::FORBIDDEN;
    let may_pass = may_pass(status) || has_run_out || is_passing_conflict(status.as_u16(), &said);
    Failure { may_pass, asked, ..failure }
}

/// The hub makes one repository of an account at a time, and lets one commit through at a time.
fn is_passing_conflict(status: u16, said: &str) -> bool {
    status == 412 || (status == 409 && said.to_lowercase().contains("in progress"))
}

fn remedy(step: Step, status: u16, has_token: bool) -> &'static str {
    match (step, status) {
        (Step::Read, 401 | 403 | 404) => {
            "Check the name. For a private or gated dataset accept its terms on the hub, and set `HF_TOKEN`."
        }
        (_, 401) if !has_token => "Set `HF_TOKEN` to a token with the right to write.",
        (Step::Store, 401 | 403) => {
            "The address to upload to has run out or is not for you. Push again: what is there is not uploaded again."
        }
        (_, 401) => {
            "`HF_TOKEN` is not valid, or not any more. Make one with the right to write in the settings of your account."
        }
        (Step::Create, 403) => {
            "`HF_TOKEN` may not create datasets of that owner. Check OWNER, and give the token the right to write."
        }
        (_, 403) => {
            "`HF_TOKEN` may not write to that dataset. Give it the right to write, or name another OWNER."
        }
        (Step::Create, 404) => "There is no such OWNER, or `HF_ENDPOINT` is no hub.",
        (_, 404) => "Check OWNER/NAME and `--revision`: the token may also not see the dataset.",
        (_, 402 | 413) => {
            "The files are larger than the hub takes from this account. Export fewer configs, or ask the hub for room."
        }
        (_, 409 | 412) => "Somebody else changes the dataset at this moment. Push again.",
        (Step::Branch, 400) => "Name a branch with `--revision`, such as `main` or `v2`.",
        (_, 400 | 422) => {
            "The hub does not take what was sent: its message says what. Correct that, export again and push again."
        }
        (_, 300..=399) => {
            "The hub sends elsewhere. Check `HF_ENDPOINT` and OWNER/NAME: the dataset may have another name now."
        }
        (_, 429) => {
            "The hub counts too many requests. Wait some minutes and push again: what is there is not uploaded again."
        }
        _ => TRY_AGAIN,
    }
}

/// What the hub says, in one line: the `error` of a JSON body, or its header for messages.
async fn message_of(mut response: Response) -> String {
    let header = response.headers().get("x-error-message").and_then(|value| value.to_str().ok());
    let header = header.map(str::to_owned);
    let mut body = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        body.extend_from_slice(&piece);
        if body.len() > MOST_READ {
            break;
        }
    }
    let json: Json = serde_json::from_slice(&body).unwrap_or_default();
    let field = |name: &str| json.get(name).and_then(Json::as_str).map(str::to_owned);
    let said = field("error").or_else(|| field("message")).or(header).unwrap_or_default();
    one_line(&said)
}

/// One line of bounded length.
pub(super) fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    words.join(" ").chars().filter(|c| !c.is_control()).take(MOST_SHOWN).collect()
}
