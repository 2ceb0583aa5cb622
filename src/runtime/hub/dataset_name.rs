//! The name of a dataset on the hub, read into its parts.

use super::Failure;

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
