//! Counts in few characters.

/// A count for people: `950`, `12.3k`, `4.56M`.
///
/// ```
/// use amend::pure::text::short_count;
///
/// assert_eq!([9_999, 12_345].map(short_count), ["9999", "12.3k"]);
/// ```
pub fn short_count(n: u64) -> String {
    match n {
        0..10_000 => n.to_string(),
        10_000..1_000_000 => format!("{:.1}k", n as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.2}M", n as f64 / 1e6),
        _ => format!("{:.2}G", n as f64 / 1e9),
    }
}
