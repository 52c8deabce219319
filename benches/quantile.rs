//! What is said of many figures.

/// The value that such a share of the figures lies below, which are in order: 0.5 is the one in the middle.
pub(crate) fn quantile(sorted: &[f64], share: f64) -> f64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a few thousand figures"
    )]
    let at = ((sorted.len() as f64 * share) as usize).min(sorted.len() - 1);
    sorted[at]
}
