//! A line over time, drawn as a path.
//!
//! A path is in units of its own, [`WIDTH`] by [`HEIGHT`], and stretched to its place by the page.
//! Time runs to the right and ends at the right edge. Where there is no value the line is broken,
//! and a value that stands alone is a dot.

use std::fmt::Write as _;

/// The width of a chart, in its own units.
pub(super) const WIDTH: f64 = 600.0;

/// The height of a chart, in its own units.
pub(super) const HEIGHT: f64 = 120.0;

/// One chart.
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// The newest value, as it is read.
    pub(super) newest: Option<String>,
    /// The value at the upper edge, as it is read.
    pub(super) top: String,
    pub(super) line: String,
}

/// The path through `values`, which run from 0 to `top`, in a chart that has room for `room`
/// values.
pub(super) fn line(values: &[Option<f64>], top: f64, room: usize) -> String {
    let step = WIDTH / (room.max(2) - 1) as f64;
    let first = room.saturating_sub(values.len());
    let mut path = String::new();
    let mut is_down = false;
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_down = false;
            continue;
        };
        let x = (first + at) as f64 * step;
        let share = if top > 0.0 { (value / top).clamp(0.0, 1.0) } else { 0.0 };
        let y = HEIGHT - share * HEIGHT;
        if !is_down {
            let _ = write!(path, "M{x:.1} {y:.1}");
        }
        // After a move this is a line of no length, which a round cap makes a dot.
        let _ = write!(path, "L{x:.1} {y:.1}");
        is_down = true;
    }
    path
}

/// The least of 1, 2 and 5 times a power of ten that isn't less than `value`.
pub(super) fn rounded_up(value: f64) -> f64 {
    if value <= 0.0 || !value.is_finite() {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0];
    // A whisker of tolerance: 0.3 is 3 times 0.1 only nearly.
    let step = steps.into_iter().find(|step| step * power >= value * 0.999_999);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Issue: charts over time: the newest value is at the right edge, and gaps stay gaps.
    #[test]
    fn a_line_ends_at_the_right_and_breaks_in_gaps() {
        assert_eq!(line(&[], 1.0, 4), "");
        let values = [Some(0.0), None, Some(0.5), Some(2.0)];
        let path = "M0.0 120.0L0.0 120.0M400.0 60.0L400.0 60.0L600.0 0.0";
        assert_eq!(line(&values, 1.0, 4), path);
        assert_eq!(line(&values[2..3], 1.0, 4), "M600.0 60.0L600.0 60.0");
    }

    /// Issue: the upper edge of a chart is a number that is easily read.
    #[test]
    fn the_top_is_a_round_number() {
        for (value, top) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (1.1, 2.0), (7.0, 10.0)] {
            assert!((rounded_up(value) - top).abs() < 1e-9, "{value}");
        }
    }
}
