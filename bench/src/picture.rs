//! Figures as bars, in SVG that can be read on any background.

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::figures::{Figure, Group};
use crate::table::{distinct, number};

const WIDTH: i32 = 820;
/// Where bars begin, behind the names of the cases.
const LEFT: i32 = 260;
/// Room for the number behind the longest bar.
const RIGHT: i32 = 90;
/// Lines of text above the bars.
const TITLE: i32 = 16;
const LEGEND: i32 = 40;
const TOP: i32 = 64;
const BAR: i32 = 16;
/// Between two cases.
const GAP: i32 = 12;
/// From one name of the legend to the next.
const NAME: i32 = 180;
/// Of the em square; the text is smaller by a quarter.
const FONT: i32 = 16;
/// Of whoever's name begins so, the first that fits. They can be told apart without seeing red or green (Okabe and Ito).
const COLOURS: [(&str, RGBColor); 5] = [
    ("smtp-sink", RGBColor(0x99, 0x99, 0x99)),
    ("Postfix", RGBColor(0xE6, 0x9F, 0x00)),
    ("Dovecot", RGBColor(0xD5, 0x5E, 0x00)),
    ("mymail, POP3", RGBColor(0x56, 0xB4, 0xE9)),
    ("mymail", RGBColor(0x00, 0x72, 0xB2)),
];

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// A bar for each peer in each case, with a line from the least to the greatest figure. `None`: there are no such figures.
pub(crate) fn bars(
    group: &Group,
    quantity: &str,
    is_pictured: impl Fn(&Group, &[String]) -> bool,
) -> anyhow::Result<Option<String>> {
    let is_wanted = |figure: &&Figure| figure.quantity == quantity && is_pictured(group, &figure.case);
    let figures: Vec<&Figure> = group.figures.iter().filter(is_wanted).collect();
    if figures.is_empty() {
        return Ok(None);
    }
    let chart = Chart::new(group, quantity, figures);
    let mut svg = String::new();
    chart.draw(SVGBackend::with_string(&mut svg, chart.size()).into_drawing_area())?;
    Ok(Some(svg))
}

struct Chart<'a> {
    title: String,
    figures: Vec<&'a Figure>,
    cases: Vec<&'a [String]>,
    peers: Vec<&'a str>,
    /// Names and places of the dimensions in which the cases differ.
    dimensions: Vec<(&'a str, usize)>,
    greatest: f64,
}

impl<'a> Chart<'a> {
    fn new(group: &'a Group, quantity: &str, figures: Vec<&'a Figure>) -> Self {
        let cases = distinct(figures.iter().map(|figure| figure.case.as_slice()));
        let all = group.dimensions.iter().enumerate().map(|(place, name)| (name.as_str(), place));
        let (dimensions, same): (Vec<_>, Vec<_>) =
            all.partition(|(_, place)| cases.iter().any(|case| case[*place] != cases[0][*place]));
        let same: String = same.iter().map(|(name, place)| format!("; {name}: {}", cases[0][*place])).collect();
        Self {
            title: format!("{}: {quantity}{same}", group.title),
            cases,
            peers: distinct(figures.iter().map(|figure| figure.of.as_str())),
            dimensions,
            greatest: figures.iter().map(|figure| figure.max()).fold(f64::MIN_POSITIVE, f64::max),
            figures,
        }
    }

    fn size(&self) -> (u32, u32) {
        let height = TOP + self.figures.len() as i32 * BAR + self.cases.len() as i32 * GAP;
        (WIDTH.unsigned_abs(), height.unsigned_abs())
    }

    fn draw(&self, area: Area<'_>) -> anyhow::Result<()> {
        area.fill(&WHITE)?;
        write(&area, &self.title, (GAP, TITLE), HPos::Left)?;
        let dimensions: Vec<&str> = self.dimensions.iter().map(|(name, _)| *name).collect();
        write(&area, &dimensions.join(", "), (LEFT - GAP, LEGEND), HPos::Right)?;
        for (place, peer) in self.peers.iter().enumerate() {
            let x = LEFT + place as i32 * NAME;
            area.draw(&Rectangle::new([(x, LEGEND - 6), (x + 12, LEGEND + 6)], colour_of(peer).filled()))?;
            write(&area, peer, (x + 18, LEGEND), HPos::Left)?;
        }
        let mut y = TOP;
        for case in &self.cases {
            let figures: Vec<_> = self.figures.iter().filter(|figure| figure.case == *case).collect();
            let words: Vec<&str> = self.dimensions.iter().map(|(_, place)| case[*place].as_str()).collect();
            write(&area, &words.join(", "), (LEFT - GAP, y + figures.len() as i32 * BAR / 2), HPos::Right)?;
            for figure in figures {
                self.draw_bar(&area, figure, y)?;
                y += BAR;
            }
            y += GAP;
        }
        Ok(area.present()?)
    }

    fn draw_bar(&self, area: &Area<'_>, figure: &Figure, y: i32) -> anyhow::Result<()> {
        let x_of = |value: f64| LEFT + (value / self.greatest * f64::from(WIDTH - LEFT - RIGHT)) as i32;
        let (least, median, greatest) = (x_of(figure.min()), x_of(figure.median()), x_of(figure.max()));
        let middle = y + BAR / 2;
        area.draw(&Rectangle::new([(LEFT, y + 1), (median, y + BAR - 1)], colour_of(&figure.of).filled()))?;
        area.draw(&PathElement::new([(least, middle), (greatest, middle)], BLACK))?;
        write(area, &number(figure.median()), (greatest + 6, middle), HPos::Left)
    }
}

fn colour_of(peer: &str) -> RGBColor {
    COLOURS.iter().find(|(name, _)| peer.starts_with(name)).map_or(BLACK, |(_, colour)| *colour)
}

/// Writes words to the right or to the left of a place.
fn write(area: &Area<'_>, words: &str, place: (i32, i32), side: HPos) -> anyhow::Result<()> {
    let style = ("sans-serif", FONT).into_font().color(&BLACK).pos(Pos::new(side, VPos::Center));
    Ok(area.draw(&Text::new(words.to_owned(), place, style))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_bar_for_each_figure_and_only_what_differs_is_a_label() {
        let mut group = Group::new("g", "Speed", "", &["size", "sessions"]);
        for (size, of, sample) in [("1 KiB", "a", 10.5), ("1 KiB", "b", 20.5), ("9 KiB", "a", 5.5)] {
            group.add(&[size.to_owned(), "20".to_owned()], of, "messages/s", sample);
        }
        let svg = bars(&group, "messages/s", |_, _| true).unwrap().unwrap();
        for words in ["Speed: messages/s; sessions: 20", "1 KiB", "9 KiB", "10.5", "20.5", "5.50"] {
            assert!(svg.lines().any(|line| line == words), "{words} is not in {svg}");
        }
        // Three bars, two names of peers and the background.
        assert_eq!(svg.matches("<rect").count(), 6);
        assert!(bars(&group, "messages/s", |_, _| false).unwrap().is_none());
    }
}
