//! The name of a dataset on the hub, read into its parts.

use super::failure::Failure;

const SCHEME: &str = "hf://";
const FORM: &str = "Write `hf://datasets/OWNER/NAME`, with `/CONFIG` or `/CONFIG/SPLIT` and `@REVISION` behind it where needed.";

/// Whether a source is a dataset of the hub and no path.
pub fn is_hub_name(source: &str) -> bool {
    source.starts_with(SCHEME)
}

/// `hf://datasets/OWNER/NAME[/config[/split]][@revision]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DatasetName {
    pub(super) owner: String,
    pub(super) name: String,
    pub(super) config: Option<String>,
    pub(super) split: Option<String>,
    pub(super) revision: Option<String>,
}

impl DatasetName {
    pub(super) fn parse(source: &str) -> Result<Self, Failure> {
        let wrong = |why: &str| Failure::new(why, FORM);
        let path = source.strip_prefix(SCHEME).unwrap_or(source);
        let path =
            path.strip_prefix("datasets/").ok_or_else(|| wrong("it does not begin with `hf://datasets/`"))?;
        let (path, revision) = match path.split_once('@') {
            Some((path, revision)) => (path, Some(revision)),
            None => (path, None),
        };
        let mut parts = path.trim_end_matches('/').split('/').map(str::to_owned);
        let (Some(owner), Some(name)) = (parts.next(), parts.next()) else {
            return Err(wrong("it names no `OWNER/NAME`"));
        };
        let (config, split) = (parts.next(), parts.next());
        if parts.next().is_some() {
            return Err(wrong("it has more parts than owner, name, configuration and split"));
        }
        let of_path = [Some(&owner), Some(&name), config.as_ref(), split.as_ref()];
        let of_revision = revision.into_iter().flat_map(|revision| revision.split('/'));
        if !of_path.into_iter().flatten().map(String::as_str).chain(of_revision).all(is_part) {
            return Err(wrong("a part of it is empty, or has characters that no name on the hub has"));
        }
        Ok(Self { owner, name, config, split, revision: revision.map(str::to_owned) })
    }

    /// What to call it in messages: the name without configuration and split.
    pub(super) fn shown(&self) -> String {
        let revision = self.revision.as_ref().map(|revision| format!("@{revision}")).unwrap_or_default();
        format!("{SCHEME}datasets/{}/{}{revision}", self.owner, self.name)
    }
}

fn is_part(part: &str) -> bool {
    let is_known = |c: char| c.is_alphanumeric() || "-_.+= ".contains(c);
    !part.is_empty() && part.chars().all(is_known) && part.chars().any(|c| c != '.')
}

/// `OWNER/NAME`: a dataset's repository on the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoName {
    pub(super) owner: String,
    pub(super) name: String,
}

impl std::fmt::Display for RepoName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl std::str::FromStr for RepoName {
    type Err = String;

    /// Reads `OWNER/NAME` or `hf://datasets/OWNER/NAME`, by the hub's own rule of names.
    fn from_str(text: &str) -> Result<Self, String> {
        let path = text.strip_prefix(SCHEME).and_then(|path| path.strip_prefix("datasets/")).unwrap_or(text);
        match path.split_once('/') {
            Some((owner, name)) if may_be_named(owner) && may_be_named(name) => {
                Ok(Self { owner: owner.to_owned(), name: name.to_owned() })
            }
            _ => Err("the hub's names are `OWNER/NAME`, each of at most 96 letters, digits, `-`, `_` and `.`; none \
                      begins or ends with `-` or `.`, ends with `.git`, or has `--` or `..`"
                .into()),
        }
    }
}

fn may_be_named(part: &str) -> bool {
    let is_known = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_edge = |c: char| c == '-' || c == '.';
    (1..=96).contains(&part.len())
        && part.chars().all(is_known)
        && !part.starts_with(is_edge)
        && !part.ends_with(is_edge)
        && !part.contains("--")
        && !part.contains("..")
        && part.rsplit_once('.').is_none_or(|(_, end)| end != "git")
}
