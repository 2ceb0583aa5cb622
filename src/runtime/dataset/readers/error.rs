//! Why a file cannot be read at all, and what to do about it.

use crate::runtime::hub::HubError;

/// A file, or a column of it, that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No file is named.
    #[error("no prompt file is named")]
    NoSources,
    /// There is no such file.
    #[error("`{file}` does not exist")]
    Missing {
        /// The file, as the user named it.
        file: String,
    },
    /// The file is there and cannot be read, or its compression is damaged.
    #[error("`{file}` cannot be read: {cause}")]
    Unreadable {
        /// The file, as the user named it.
        file: String,
        /// What the system or the decoder said.
        cause: String,
    },
    /// The hub does not give the dataset.
    #[error(transparent)]
    Hub(#[from] HubError),
    /// The file holds no row.
    #[error("`{file}` is empty: it holds no row")]
    Empty {
        /// The file, as the user named it.
        file: String,
    },
    /// The file is not what its name, or the recipe, says.
    #[error("`{file}` {found}")]
    WrongKind {
        /// The file, as the user named it.
        file: String,
        /// What it is instead.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// The directory holds nothing that can be read.
    #[error("the directory `{dir}` holds no data file")]
    NothingInDirectory {
        /// The directory, as the user named it.
        dir: String,
    },
    /// The column that the user named is missing.
    #[error("`{file}` has no column `{wanted}`; it has {}", listed(.columns))]
    NoColumn {
        /// The file, as the user named it.
        file: String,
        /// The column asked for.
        wanted: String,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// No column is one that holds prompts by its name.
    #[error("no column of `{file}` is known to hold prompts; it has {}", listed(.columns))]
    NoPromptColumn {
        /// The file, as the user named it.
        file: String,
        /// The columns there are.
        columns: Vec<String>,
    },
    /// No columns are ones that hold responses by their names.
    #[error("no columns of `{file}` are known to hold responses to compare; it has {}", listed(.columns))]
    NoResponseColumns {
        /// The file, as the user named it.
        file: String,
        /// The columns there are.
        columns: Vec<String>,
    },
}

impl OpenError {
    /// What the user can do about it, as one sentence.
    pub fn hint(&self) -> String {
        match self {
            Self::NoSources => {
                "Name a file or a directory with `--prompts`, or `-` for standard input.".into()
            }
            Self::Missing { .. } => {
                "Check the path; a relative one starts at the directory you are in.".into()
            }
            Self::Unreadable { .. } => {
                "Check that the file is complete and that you may read it; download it again if it is damaged."
                    .into()
            }
            Self::Empty { .. } => "Put at least one prompt in it, or leave it out.".into(),
            Self::Hub(error) => error.remedy.clone(),
            Self::WrongKind { remedy, .. } => remedy.clone(),
            Self::NothingInDirectory { .. } => {
                "A directory is read one level deep, for .jsonl, .ndjson, .csv, .tsv, .parquet and .txt files \
                 (also .gz and .zst); name other files themselves."
                    .into()
            }
            Self::NoColumn { wanted, columns, .. } => match closest(wanted, columns) {
                Some(name) => format!("Did you mean `{name}`?"),
                None => "Name one of the columns that it has.".into(),
            },
            Self::NoResponseColumns { .. } => {
                "Name them with `--responses A,B`, or name the one column that holds a list of them.".into()
            }
            Self::NoPromptColumn { .. } => "Name the column that holds the prompts with `--column`.".into(),
        }
    }
}

fn closest<'a>(wanted: &str, columns: &'a [String]) -> Option<&'a str> {
    let wanted = wanted.to_lowercase();
    columns
        .iter()
        .map(|name| (strsim::jaro_winkler(&wanted, &name.to_lowercase()), name))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name.as_str())
}

/// Names in backticks; of very many, the first dozen.
fn listed(columns: &[String]) -> String {
    const SHOWN: usize = 12;
    if columns.is_empty() {
        return "none".into();
    }
    let mut text = columns.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if columns.len() > SHOWN {
        text.push_str(" and ");
        text.push_str(&(columns.len() - SHOWN).to_string());
        text.push_str(" more");
    }
    text
}
