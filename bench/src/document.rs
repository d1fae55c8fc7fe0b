//! The figures of a run as a text, and as a part of a page of the documentation, with pictures.

use std::fs;
use std::path::Path;

use anyhow::Context;

use crate::figures::{Group, Report};
use crate::{picture, table};

/// What is between these lines of the page is written anew.
const BEGIN: &str = "<!-- bench:begin -->\n";
const END: &str = "<!-- bench:end -->\n";

/// The quantities that become pictures: of which group, and the name of the file.
const PICTURES: [(&str, &str, &str); 7] = [
    ("delivery", "messages/s", "delivery"),
    ("delivery", "CPU µs/message", "delivery-cpu"),
    ("retrieval", "messages/s", "retrieval"),
    ("nodes", "messages/s", "nodes"),
    ("idle", "PSS, KiB/connection", "idle"),
    ("start", "ms", "start"),
    ("growth", "delivery, messages/s", "growth"),
];

/// All tables.
pub(crate) fn text(report: &Report) -> String {
    let groups: Vec<String> = report.groups.iter().map(table::markdown).collect();
    format!("{}\n{}", introduction(report), groups.join("\n"))
}

/// Puts tables and pictures into a page; what stands around them stays.
pub(crate) fn write(report: &Report, page: &Path) -> anyhow::Result<()> {
    let old = fs::read_to_string(page).with_context(|| page.display().to_string())?;
    let folder = page.with_extension("");
    fs::create_dir_all(&folder)?;
    let folder_name = folder.file_name().context("the page has no name")?.to_string_lossy().into_owned();
    let mut text = introduction(report);
    for group in &report.groups {
        text.push_str(&format!("\n{}", table::markdown(group)));
        for (quantity, name) in pictures_of(group) {
            let Some(svg) = picture::bars(group, quantity, is_pictured)? else { continue };
            fs::write(folder.join(format!("{name}.svg")), svg)?;
            text.push_str(&format!("\n![{}: {quantity}]({folder_name}/{name}.svg)\n", group.title));
        }
    }
    Ok(fs::write(page, with_part(&old, &text)?)?)
}

fn introduction(report: &Report) -> String {
    let how = if report.quick {
        "`bench/run --quick`, medians of three rounds"
    } else {
        "`bench/run`, medians of five rounds"
    };
    format!("Measured by {how} (the least and the greatest in brackets), on {}\n", report.machine.describe())
}

fn pictures_of(group: &Group) -> impl Iterator<Item = (&'static str, &'static str)> {
    PICTURES.iter().filter(|(of, ..)| *of == group.name).map(|(_, quantity, name)| (*quantity, *name))
}

/// Of the many cases of delivery, those with kept connections and one recipient are enough.
fn is_pictured(group: &Group, case: &[String]) -> bool {
    group.name != "delivery" || case[2..] == ["kept", "1"]
}

/// The page with another text between the marks.
fn with_part(page: &str, text: &str) -> anyhow::Result<String> {
    let (before, rest) = page.split_once(BEGIN).with_context(|| format!("the page has no line {}", BEGIN.trim()))?;
    let (_, after) = rest.split_once(END).with_context(|| format!("the page has no line {}", END.trim()))?;
    Ok(format!("{before}{BEGIN}\n{text}\n{END}{after}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_around_the_part_stays() {
        let page = format!("# Title\n\n{BEGIN}old\n{END}\n## Findings\n");
        let new = with_part(&page, "new\n").unwrap();
        assert_eq!(new, format!("# Title\n\n{BEGIN}\nnew\n\n{END}\n## Findings\n"));
        assert_eq!(with_part(&new, "new\n").unwrap(), new);
        assert!(with_part("# Title\n", "new").is_err());
    }
}
