//! Numbers that are measured again and again.

use std::time::Duration;

/// Repetitions of one measurement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    values: Vec<Duration>,
}

impl Series {
    /// Adds a repetition.
    pub fn add(&mut self, value: Duration) {
        self.values.push(value);
        self.values.sort_unstable();
    }

    /// The median (of an even number the upper of the two in the middle); none without values.
    pub fn median(&self) -> Option<Duration> {
        self.values.get(self.values.len() / 2).copied()
    }

    /// The largest value.
    pub fn worst(&self) -> Option<Duration> {
        self.values.last().copied()
    }

    /// `median  worst`, in seconds.
    pub fn columns(&self) -> String {
        let column = |value: Option<Duration>| {
            value.map_or_else(|| format!("{:>9}", "-"), |value| format!("{:>7.3} s", value.as_secs_f64()))
        };
        format!("{}  {}", column(self.median()), column(self.worst()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_and_worst_of_a_series() {
        let mut series = Series::default();
        assert_eq!((series.median(), series.worst()), (None, None));
        for millis in [30, 10, 20] {
            series.add(Duration::from_millis(millis));
        }
        assert_eq!(series.median(), Some(Duration::from_millis(20)));
        assert_eq!(series.worst(), Some(Duration::from_millis(30)));
        assert_eq!(series.columns(), "  0.020 s    0.030 s");
    }
}
