//! What a guard counts, written in Prometheus's text form. No label ever comes from a user's text.

use super::finding::Finding;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Upper bounds of the buckets of seconds.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// A family of counters: its name and what it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// `amend_guard_requests_total{decision,route}`.
    Requests,
    /// `amend_guard_checks_total{stage,tier,verdict,mode}`.
    Checks,
    /// `amend_guard_violations_total{principle}`.
    Violations,
    /// `amend_guard_undecided_total{stage,acted}`.
    Undecided,
    /// `amend_guard_upstream_refusals_total{class}`.
    UpstreamRefusals,
    /// `amend_guard_would_total{decision}`.
    Would,
    /// `amend_guard_unguarded_total`.
    Unguarded,
    /// `amend_guard_turned_away_total{reason}`.
    TurnedAway,
    /// `amend_guard_reload_failed_total`.
    ReloadFailed,
    /// `amend_guard_audit_failed_total`.
    AuditFailed,
}

impl Counter {
    const ALL: [Self; 10] = [
        Self::Requests,
        Self::Checks,
        Self::Violations,
        Self::Undecided,
        Self::UpstreamRefusals,
        Self::Would,
        Self::Unguarded,
        Self::TurnedAway,
        Self::ReloadFailed,
        Self::AuditFailed,
    ];

    /// Its name, what it counts, and the names of its labels.
    fn about(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Requests => {
                ("requests_total", "Requests that are over, by how they ended.", &["decision", "route"])
            }
            Self::Checks => {
                ("checks_total", "Checks of requests and answers.", &["stage", "tier", "verdict", "mode"])
            }
            Self::Violations => ("violations_total", "Principles found violated.", &["principle"]),
            Self::Undecided => {
                ("undecided_total", "Checks without a verdict, and how they were taken.", &["stage", "acted"])
            }
            Self::UpstreamRefusals => (
                "upstream_refusals_total",
                "Answers of the model that decline, without the guard's doing.",
                &["class"],
            ),
            Self::Would => ("would_total", "What would have happened, in shadow.", &["decision"]),
            Self::Unguarded => ("unguarded_total", "Requests passed through by name.", &[]),
            Self::TurnedAway => ("turned_away_total", "Requests that were not taken on.", &["reason"]),
            Self::ReloadFailed => ("reload_failed_total", "Reloads that kept the old constitution.", &[]),
            Self::AuditFailed => ("audit_failed_total", "Lines of the audit that could not be written.", &[]),
        }
    }
}

/// A family of histograms of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seconds {
    /// `amend_guard_check_seconds{stage,tier}`.
    Check,
    /// `amend_guard_first_byte_added_seconds`.
    FirstByteAdded,
    /// `amend_guard_last_byte_added_seconds`.
    LastByteAdded,
}

impl Seconds {
    const ALL: [Self; 3] = [Self::Check, Self::FirstByteAdded, Self::LastByteAdded];

    fn about(self) -> (&'static str, &'static str, &'static [&'static str]) {
        match self {
            Self::Check => ("check_seconds", "How long a check took.", &["stage", "tier"]),
            Self::FirstByteAdded => (
                "first_byte_added_seconds",
                "From the first byte of the model's answer to the first that left.",
                &[],
            ),
            Self::LastByteAdded => (
                "last_byte_added_seconds",
                "From the end of the model's answer to the last byte that left.",
                &[],
            ),
        }
    }
}

#[derive(Debug, Clone, Default)]
struct Histogram {
    buckets: [u64; SECONDS.len()],
    count: u64,
    sum: f64,
}

/// What a check is counted under.
#[derive(Debug, Clone, Copy)]
pub struct CheckLabels<'a> {
    /// `input` or `output`.
    pub stage: &'a str,
    /// What decided.
    pub tier: &'a str,
    /// Whether the guard acts.
    pub mode: &'a str,
}

/// Everything that is counted.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    counters: BTreeMap<(Counter, Vec<String>), u64>,
    histograms: BTreeMap<(Seconds, Vec<String>), Histogram>,
}

impl Metrics {
    /// Counts one.
    pub fn count(&mut self, counter: Counter, labels: &[&str]) {
        let labels = labels.iter().map(ToString::to_string).collect();
        *self.counters.entry((counter, labels)).or_default() += 1;
    }

    /// Notes how long something took.
    pub fn took(&mut self, family: Seconds, labels: &[&str], seconds: f64) {
        let labels = labels.iter().map(ToString::to_string).collect();
        let histogram = self.histograms.entry((family, labels)).or_default();
        for (bucket, bound) in histogram.buckets.iter_mut().zip(SECONDS) {
            *bucket += u64::from(seconds <= bound);
        }
        histogram.count += 1;
        histogram.sum += seconds;
    }

    /// Counts a check.
    pub fn checked(&mut self, labels: &CheckLabels<'_>, finding: &Finding, seconds: f64) {
        let CheckLabels { stage, tier, mode } = labels;
        self.count(Counter::Checks, &[stage, tier, finding.as_str(), mode]);
        self.took(Seconds::Check, &[stage, tier], seconds);
        if let Finding::Violates(grounds) = finding {
            for principle in &grounds.principles {
                self.count(Counter::Violations, &[principle]);
            }
        }
    }

    /// How often something was counted, whatever its labels.
    pub fn total(&self, counter: Counter) -> u64 {
        self.counters.iter().filter(|((of, _), _)| *of == counter).map(|(_, n)| n).sum()
    }

    /// All of it in Prometheus's text form, with gauges of the moment.
    pub fn render(&self, constitution: &str, in_flight: u64, held_bytes: u64) -> String {
        let mut text = String::new();
        for counter in Counter::ALL {
            let (name, help, labels) = counter.about();
            head(&mut text, name, help, "counter");
            let mut found = false;
            for ((_, values), n) in self.counters.iter().filter(|((of, _), _)| *of == counter) {
                let _ = writeln!(text, "amend_guard_{name}{} {n}", set(labels, values, None));
                found = true;
            }
            if !found && labels.is_empty() {
                let _ = writeln!(text, "amend_guard_{name} 0");
            }
        }
        for family in Seconds::ALL {
            let (name, help, labels) = family.about();
            head(&mut text, name, help, "histogram");
            for ((_, values), histogram) in self.histograms.iter().filter(|((of, _), _)| *of == family) {
                for (bound, n) in SECONDS.iter().zip(histogram.buckets) {
                    let set = set(labels, values, Some(&bound.to_string()));
                    let _ = writeln!(text, "amend_guard_{name}_bucket{set} {n}");
                }
                let _ = writeln!(
                    text,
                    "amend_guard_{name}_bucket{} {}",
                    set(labels, values, Some("+Inf")),
                    histogram.count
                );
                let plain = set(labels, values, None);
                let _ = writeln!(text, "amend_guard_{name}_sum{plain} {}", histogram.sum);
                let _ = writeln!(text, "amend_guard_{name}_count{plain} {}", histogram.count);
            }
        }
        for (name, help, n) in [
            ("in_flight", "Requests that are not over.", in_flight),
            ("held_bytes", "Bytes of answers that are held back.", held_bytes),
        ] {
            head(&mut text, name, help, "gauge");
            let _ = writeln!(text, "amend_guard_{name} {n}");
        }
        head(&mut text, "build_info", "What guards.", "gauge");
        let values = [env!("CARGO_PKG_VERSION").to_owned(), constitution.to_owned()];
        let _ =
            writeln!(text, "amend_guard_build_info{} 1", set(&["version", "constitution"], &values, None));
        text
    }
}

fn head(text: &mut String, name: &str, help: &str, kind: &str) {
    let _ = writeln!(text, "# HELP amend_guard_{name} {help}\n# TYPE amend_guard_{name} {kind}");
}

/// The labels of one line.
fn set(names: &[&str], values: &[String], bound: Option<&str>) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut pairs: Vec<String> =
        names.iter().zip(values).map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    pairs.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_and_times_are_written_as_prometheus_reads_them() {
        let mut metrics = Metrics::default();
        metrics.count(Counter::Requests, &["answered", "chat"]);
        metrics.count(Counter::Requests, &["answered", "chat"]);
        let labels = CheckLabels { stage: "input", tier: "screen", mode: "enforce" };
        metrics.checked(&labels, &Finding::Conforms, 0.2);
        let text = metrics.render("a \"quoted\" name", 3, 9);
        for line in [
            "amend_guard_requests_total{decision=\"answered\",route=\"chat\"} 2",
            "amend_guard_checks_total{stage=\"input\",tier=\"screen\",verdict=\"conforms\",mode=\"enforce\"} 1",
            "amend_guard_check_seconds_bucket{stage=\"input\",tier=\"screen\",le=\"0.1\"} 0",
            "amend_guard_check_seconds_bucket{stage=\"input\",tier=\"screen\",le=\"0.25\"} 1",
            "amend_guard_check_seconds_bucket{stage=\"input\",tier=\"screen\",le=\"+Inf\"} 1",
            "amend_guard_check_seconds_sum{stage=\"input\",tier=\"screen\"} 0.2",
            "amend_guard_reload_failed_total 0",
            "amend_guard_in_flight 3",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(text.contains("constitution=\"a \\\"quoted\\\" name\""), "{text}");
        assert_eq!(metrics.total(Counter::Requests), 2);
    }
}
