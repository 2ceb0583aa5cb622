//! The styles that ship, read once.

use super::built_in::built_in;
use super::read::read;
use super::style::Styles;
use std::sync::OnceLock;

/// The styles that ship: what a run with the method `style` uses where its constitution has none.
pub fn built_in_styles() -> &'static Styles {
    static SHIPPED: OnceLock<Styles> = OnceLock::new();
    SHIPPED.get_or_init(|| {
        let file = built_in("styles").and_then(|file| {
            read(&file, &mut |path| built_in(path).ok_or_else(|| "it does not ship".into())).ok()
        });
        file.map(|(constitution, _)| constitution.styles).unwrap_or_default()
    })
}
