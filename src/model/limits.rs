//! How hard an endpoint is pressed.

/// The right to have one call in flight.
#[derive(Debug, Default)]
pub struct Permit(());
