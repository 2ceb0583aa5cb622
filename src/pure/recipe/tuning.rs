//! Limits that are changed while a run works: what `amend tune` says, and what a run is told.

use super::Concurrency;
use std::fmt;

/// A limit per minute that is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerMinute {
    /// No more than this.
    AtMost(u32),
    /// As many as come.
    NoLimit,
}

impl PerMinute {
    /// The limit, where there is one.
    pub fn limit(self) -> Option<u32> {
        match self {
            Self::AtMost(n) => Some(n),
            Self::NoLimit => None,
        }
    }
}

/// Limits to change. What is absent stays.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tuning {
    /// Calls in flight.
    pub concurrency: Option<Concurrency>,
    /// Requests per minute.
    pub rpm: Option<PerMinute>,
    /// Tokens per minute.
    pub tpm: Option<PerMinute>,
}

impl Tuning {
    /// Reads settings such as `concurrency=64`, `rpm=none`; an error says which of them cannot be read.
    pub fn read<'a>(settings: impl IntoIterator<Item = &'a str>) -> Result<Self, String> {
        let mut tuning = Self::default();
        for setting in settings {
            let (name, value) = setting
                .split_once('=')
                .ok_or_else(|| format!("`{setting}` is not a setting such as `concurrency=64`"))?;
            let told = |why: String| format!("`{setting}`: {why}");
            match name.trim() {
                "concurrency" => tuning.concurrency = Some(value.trim().parse().map_err(told)?),
                "rpm" => tuning.rpm = Some(per_minute(value.trim()).map_err(told)?),
                "tpm" => tuning.tpm = Some(per_minute(value.trim()).map_err(told)?),
                name => {
                    return Err(format!("`{name}` cannot be changed; `concurrency`, `rpm` and `tpm` can"));
                }
            }
        }
        Ok(tuning)
    }

    /// The same, with what another changes.
    #[must_use]
    pub fn then(self, later: Self) -> Self {
        Self {
            concurrency: later.concurrency.or(self.concurrency),
            rpm: later.rpm.or(self.rpm),
            tpm: later.tpm.or(self.tpm),
        }
    }
}

fn per_minute(text: &str) -> Result<PerMinute, String> {
    match (text, text.parse::<u32>()) {
        ("none", _) => Ok(PerMinute::NoLimit),
        (_, Ok(n)) if n > 0 => Ok(PerMinute::AtMost(n)),
        (_, _) => Err(format!("`{text}` is neither `none` nor a number above 0")),
    }
}

impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per_minute =
            |limit: PerMinute| limit.limit().map_or_else(|| "none".to_owned(), |n| n.to_string());
        let concurrency = self.concurrency.map(|concurrency| match concurrency {
            Concurrency::Auto => "auto".to_owned(),
            Concurrency::Fixed(n) => n.to_string(),
        });
        let all = [
            ("concurrency", concurrency),
            ("rpm", self.rpm.map(per_minute)),
            ("tpm", self.tpm.map(per_minute)),
        ];
        let shown: Vec<String> =
            all.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?))).collect();
        f.write_str(&shown.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_they_are_shown() {
        for text in ["concurrency=64", "concurrency=auto rpm=600 tpm=none", "rpm=none", ""] {
            let tuning = Tuning::read(text.split_whitespace()).unwrap();
            assert_eq!(tuning.to_string(), text);
        }
        let later = Tuning::read(["rpm=9"]).unwrap();
        let both = Tuning::read(["rpm=1", "tpm=2"]).unwrap().then(later);
        assert_eq!(both.to_string(), "rpm=9 tpm=2");
    }

    #[test]
    fn a_setting_that_cannot_be_read_is_named() {
        for (setting, says) in [
            ("rounds=3", "`rounds` cannot be changed"),
            ("concurrency", "is not a setting"),
            ("concurrency=0", "neither `auto` nor a number"),
            ("rpm=-1", "neither `none` nor a number"),
        ] {
            let told = Tuning::read([setting]).unwrap_err();
            assert!(told.contains(says), "{told}");
        }
    }
}
