//! Keys and tokens in texts, by their published forms.
//!
//! The forms are those that the services document, and that the public rules of gitleaks and trufflehog look for. Only forms
//! with a prefix of their own are here: a bare string of hexadecimal digits is no secret.

use regex::RegexSet;
use std::sync::LazyLock;

/// A key that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// What it is a key of.
    pub kind: &'static str,
    /// Its last four characters: enough to find it, too few to use it.
    pub tail: String,
}

/// Each kind with its form.
const FORMS: [(&str, &str); 21] = [
    ("private key", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY(?: BLOCK)?-----"),
    ("AWS access key", r"\b(?:AKIA|ASIA)[A-Z2-7]{16}\b"),
    ("GitHub token", r"\b(?:ghp|gho|ghu|ghs|ghr)_[A-Za-z0-9]{36}\b"),
    ("GitHub token", r"\bgithub_pat_[A-Za-z0-9_]{60,}\b"),
    ("GitLab token", r"\bglpat-[A-Za-z0-9_-]{20,}"),
    ("Anthropic key", r"\bsk-ant-[A-Za-z0-9_-]{32,}"),
    ("OpenAI key", r"\bsk-(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20}T3BlbkFJ[A-Za-z0-9_-]{20}"),
    ("OpenAI key", r"\bsk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}"),
    ("OpenAI key", r"\bsk-[A-Za-z0-9]{48}\b"),
    ("Hugging Face token", r"\bhf_[A-Za-z]{34}\b"),
    ("Google API key", r"\bAIza[A-Za-z0-9_-]{35}"),
    ("Slack token", r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}"),
    ("Slack webhook", r"https://hooks\.slack\.com/services/T[A-Z0-9]{6,}/B[A-Z0-9]{6,}/[A-Za-z0-9]{20,}"),
    ("Stripe key", r"\b(?:sk|rk)_live_[A-Za-z0-9]{20,}\b"),
    ("SendGrid key", r"\bSG\.[A-Za-z0-9_-]{20,24}\.[A-Za-z0-9_-]{39,50}"),
    ("Twilio key", r"\bSK[0-9a-f]{32}\b"),
    ("npm token", r"\bnpm_[A-Za-z0-9]{36}\b"),
    ("PyPI token", r"\bpypi-AgEIcHlwaS5vcmc[A-Za-z0-9_-]{50,}"),
    ("DigitalOcean token", r"\bdo[opr]_v1_[0-9a-f]{64}\b"),
    ("Telegram bot token", r"\b[0-9]{8,10}:AA[A-Za-z0-9_-]{33}\b"),
    ("JSON web token", r"\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{20,}"),
];

/// What every form begins with: a text without one of these is not looked at further.
const PREFIXES: [&str; 22] = [
    "-----BEGIN ",
    "AKIA",
    "ASIA",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
    "glpat-",
    "sk-",
    "hf_",
    "AIza",
    "xox",
    "hooks.slack.com",
    "_live_",
    "SG.",
    "SK",
    "npm_",
    "pypi-AgEI",
    "_v1_",
    ":AA",
];

static ANY: LazyLock<Option<RegexSet>> = LazyLock::new(|| RegexSet::new(FORMS.map(|(_, form)| form)).ok());

/// The keys in a text, one of each kind.
pub fn secrets_in(text: &str) -> Vec<Secret> {
    let may_hold = text.contains("eyJ") || PREFIXES.iter().any(|prefix| text.contains(prefix));
    let Some(any) = ANY.as_ref().filter(|_| may_hold) else { return Vec::new() };
    let of = |n: usize| {
        let (kind, form) = FORMS.get(n)?;
        let found = regex::Regex::new(form).ok()?.find(text)?.as_str();
        let tail: String = found.chars().rev().take(4).collect::<Vec<_>>().into_iter().rev().collect();
        Some(Secret { kind, tail })
    };
    let mut found: Vec<Secret> = any.matches(text).into_iter().filter_map(of).collect();
    found.dedup_by(|a, b| a.kind == b.kind);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_and_words_are_not() {
        // Put together here, so that no scanner takes this file for a leak.
        let fill = |n: usize| "aB3".chars().cycle().take(n).collect::<String>();
        for (kind, text) in [
            ("AWS access key", format!("id AKIA{} here", "ABCDEFGH23456777")),
            ("GitHub token", format!("ghp_{}", fill(36))),
            ("OpenAI key", format!("sk-{}T3BlbkFJ{}", fill(20), fill(20))),
            ("Anthropic key", format!("sk-ant-api03-{}", fill(60))),
            ("Hugging Face token", format!("hf_{}", "abcdefghijklmnopqrstuvwxyzABCDEFGH")),
            ("Google API key", format!("AIza{}", fill(35))),
            ("Slack token", format!("xoxb-{}", fill(20))),
            ("private key", format!("-----BEGIN RSA {} KEY-----\nMII", "PRIVATE")),
            ("JSON web token", format!("eyJ{}.eyJ{}.{}", fill(20), fill(30), fill(43))),
            ("npm token", format!("npm_{}", fill(36))),
        ] {
            let found = secrets_in(&text);
            assert_eq!(found.first().map(|secret| secret.kind), Some(kind), "{text}");
            assert!(found.iter().all(|secret| secret.tail.chars().count() == 4));
        }
        for text in [
            "The SKU is SK-12.",
            "ASIAN food",
            "Ask-me",
            "hf_hub_download(repo)",
            "npm_config_cache",
            "sk-learn is a package",
            "SG. Smith",
            "a very long word: Donaudampfschifffahrtsgesellschaftskapitaen",
            "-----BEGIN CERTIFICATE-----",
        ] {
            assert_eq!(secrets_in(text), [], "{text}");
        }
    }
}
