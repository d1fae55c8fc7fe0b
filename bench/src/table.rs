//! Figures as tables in Markdown.

use crate::figures::{Figure, Goal, Group, Wanted};

/// A group with its title, its table and its goals.
pub(crate) fn markdown(group: &Group) -> String {
    let mut text = format!("### {}\n\n{}\n\n", group.title, group.explanation);
    text.push_str(&figures(group));
    if !group.goals.is_empty() {
        text.push_str("\n| goal | is | wanted | |\n| --- | --- | --- | --- |\n");
        group.goals.iter().for_each(|goal| text.push_str(&goal_row(goal)));
    }
    text
}

/// A row for each case, a column for each quantity of each peer.
fn figures(group: &Group) -> String {
    let cases = distinct(group.figures.iter().map(|figure| &figure.case));
    let quantities = distinct(group.figures.iter().map(|figure| &figure.quantity));
    let peers = distinct(group.figures.iter().map(|figure| &figure.of));
    let columns: Vec<_> = quantities
        .iter()
        .flat_map(|quantity| peers.iter().map(move |peer| (*peer, *quantity)))
        .filter(|(peer, quantity)| cases.iter().any(|case| group.figure(case, peer, quantity).is_some()))
        .collect();
    let names = columns.iter().map(|(peer, quantity)| format!("{peer}, {quantity}"));
    let header: Vec<String> = group.dimensions.iter().cloned().chain(names).collect();
    let mut text = row(&header);
    text.push_str(&row(&vec!["---".to_owned(); header.len()]));
    for case in cases {
        let cells =
            columns.iter().map(|(peer, quantity)| group.figure(case, peer, quantity).map_or_else(String::new, cell));
        text.push_str(&row(&case.iter().cloned().chain(cells).collect::<Vec<_>>()));
    }
    text
}

/// In the order in which they come first.
pub(crate) fn distinct<T: PartialEq>(items: impl Iterator<Item = T>) -> Vec<T> {
    items.fold(Vec::new(), |mut distinct, item| {
        if !distinct.contains(&item) {
            distinct.push(item);
        }
        distinct
    })
}

fn row(cells: &[String]) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// The median, and between which figures it lies.
fn cell(figure: &Figure) -> String {
    let [median, min, max] = [figure.median(), figure.min(), figure.max()].map(number);
    if figure.samples.len() == 1 { median } else { format!("**{median}** ({min}–{max})") }
}

fn goal_row(goal: &Goal) -> String {
    let wanted = match goal.wanted {
        Wanted::AtLeast(least) => format!("at least {}", number(least)),
        Wanted::AtMost(most) => format!("at most {}", number(most)),
    };
    let reached = if goal.is_reached() { "reached" } else { "**missed**" };
    row(&[goal.what.clone(), number(goal.is), wanted, reached.to_owned()])
}

/// Three digits at least, and no more behind the point than these; of a count, all of them.
pub(crate) fn number(value: f64) -> String {
    if value.abs() < 99.95 && value.fract() != 0.0 {
        let digits = if value.abs() < 0.0995 {
            3
        } else if value.abs() < 9.995 {
            2
        } else {
            1
        };
        return format!("{value:.digits$}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_column_for_each_quantity_of_each_peer() {
        let mut group = Group::new("g", "Speed", "How fast it is.", &["size"]);
        let [small, big] = ["1 KiB", "10 KiB"].map(|size| [size.to_owned()]);
        for sample in [1000.0, 1200.5, 990.0] {
            group.add(&small, "a", "messages/s", sample);
        }
        group.add(&small, "b", "messages/s", 7.0);
        group.add(&small, "a", "µs", 0.5);
        group.add(&big, "b", "messages/s", 5.0);
        group.set_goal("as fast", Some(0.5), Wanted::AtLeast(0.6));
        let text = markdown(&group);
        assert_eq!(
            text,
            "### Speed\n\nHow fast it is.\n\n\
             | size | a, messages/s | b, messages/s | a, µs |\n\
             | --- | --- | --- | --- |\n\
             | 1 KiB | **1,000** (990–1,200) | 7 | 0.50 |\n\
             | 10 KiB |  | 5 |  |\n\n\
             | goal | is | wanted | |\n| --- | --- | --- | --- |\n\
             | as fast | 0.50 | at least 0.60 | **missed** |\n"
        );
    }

    #[test]
    fn numbers_have_three_digits_or_more() {
        let texts = [0.012, 0.5, 9.999, 42.42, 99.96, 1234567.8, 10.0].map(number);
        assert_eq!(texts, ["0.012", "0.50", "10.0", "42.4", "100", "1,234,568", "10"]);
    }
}
