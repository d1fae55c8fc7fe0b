//! What was measured: figures in groups, as JSON too.

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// Everything that one run of the program has measured.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// Whether there were fewer cases and rounds.
    pub(crate) quick: bool,
    pub(crate) groups: Vec<Group>,
}

/// Figures of one kind, which become one table.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) name: String,
    pub(crate) title: String,
    /// What is measured, in sentences.
    pub(crate) explanation: String,
    /// What tells the cases apart.
    pub(crate) dimensions: Vec<String>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) goals: Vec<Goal>,
}

/// A quantity in one case: a sample for each round.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// A word for each dimension.
    pub(crate) case: Vec<String>,
    /// Whose it is.
    pub(crate) of: String,
    /// With its unit.
    pub(crate) quantity: String,
    pub(crate) samples: Vec<f64>,
}

/// A figure that there should be.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Goal {
    pub(crate) what: String,
    pub(crate) is: f64,
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Wanted {
    AtLeast(f64),
    AtMost(f64),
}

impl Group {
    pub(crate) fn new(name: &str, title: &str, explanation: &str, dimensions: &[&str]) -> Self {
        Self {
            name: name.to_owned(),
            title: title.to_owned(),
            explanation: explanation.to_owned(),
            dimensions: dimensions.iter().map(|&dimension| dimension.to_owned()).collect(),
            figures: Vec::new(),
            goals: Vec::new(),
        }
    }

    /// Adds what one round has measured.
    pub(crate) fn add(&mut self, case: &[String], of: &str, quantity: &str, sample: f64) {
        match self.figures.iter_mut().find(|figure| figure.is(case, of, quantity)) {
            Some(figure) => figure.samples.push(sample),
            None => {
                let (case, of, quantity) = (case.to_owned(), of.to_owned(), quantity.to_owned());
                self.figures.push(Figure { case, of, quantity, samples: vec![sample] });
            }
        }
    }

    pub(crate) fn figure(&self, case: &[String], of: &str, quantity: &str) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.is(case, of, quantity))
    }

    pub(crate) fn median(&self, case: &[String], of: &str, quantity: &str) -> Option<f64> {
        self.figure(case, of, quantity).map(Figure::median)
    }

    /// Adds a goal, if what it is about was measured.
    pub(crate) fn set_goal(&mut self, what: &str, is: Option<f64>, wanted: Wanted) {
        self.goals.extend(is.map(|is| Goal { what: what.to_owned(), is, wanted }));
    }
}

impl Figure {
    fn is(&self, case: &[String], of: &str, quantity: &str) -> bool {
        self.case == case && self.of == of && self.quantity == quantity
    }

    pub(crate) fn median(&self) -> f64 {
        let mut samples = self.samples.clone();
        samples.sort_by(f64::total_cmp);
        let middle = samples.len() / 2;
        match samples.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => samples[middle],
            _ => f64::midpoint(samples[middle - 1], samples[middle]),
        }
    }

    pub(crate) fn min(&self) -> f64 {
        self.samples.iter().copied().fold(f64::INFINITY, f64::min)
    }

    pub(crate) fn max(&self) -> f64 {
        self.samples.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }
}

impl Goal {
    pub(crate) fn is_reached(&self) -> bool {
        match self.wanted {
            Wanted::AtLeast(least) => self.is >= least,
            Wanted::AtMost(most) => self.is <= most,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_the_median_of_its_rounds() {
        let mut group = Group::new("g", "G", "", &["size"]);
        let case = ["1 KiB".to_owned()];
        for sample in [5.0, 1.0, 9.0] {
            group.add(&case, "a", "messages/s", sample);
        }
        group.add(&case, "b", "messages/s", 2.0);
        let figure = group.figure(&case, "a", "messages/s").unwrap();
        assert_eq!((figure.median(), figure.min(), figure.max()), (5.0, 1.0, 9.0));
        group.add(&case, "a", "messages/s", 6.0);
        assert_eq!(group.figure(&case, "a", "messages/s").unwrap().median(), 5.5);

        let median = group.median(&case, "a", "messages/s");
        for (is, wanted, reached) in [
            (median, Wanted::AtLeast(5.5), true),
            (median, Wanted::AtMost(5.4), false),
            (None, Wanted::AtLeast(0.0), true),
        ] {
            group.set_goal("fast", is, wanted);
            assert!(group.goals.pop().is_none_or(|goal| goal.is_reached() == reached));
        }
        assert!(group.median(&case, "c", "messages/s").is_none());
    }
}
