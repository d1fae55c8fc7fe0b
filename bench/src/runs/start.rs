//! Start: how long it takes until the first client is greeted.

use std::path::Path;
use std::time::Instant;

use super::{Setting, size};
use crate::figures::Group;
use crate::load::Dialogue;
use crate::peers::{MailServer, Ours};

const MILLISECONDS: &str = "ms";
const OURS: &str = "mymail";

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Group>> {
    let mut group = Group::new(
        "start",
        "Start",
        "From the start of the program to the greeting of the first client, who connects as soon as the program says \
         that it listens. At the very first start it makes a store, and a certificate. The big store has messages of \
         100 KiB in one mailbox; it was closed in order, and the system has much of it in its memory.",
        &["store"],
    );
    let workshop = &setting.workshop;
    let big = setting.big_store()?;
    let big_case = size(setting.big_octets());
    let empty = Ours::make_folder(workshop)?;
    drop(Ours::open(&setting.program, &empty)?);
    for round in 1..=setting.rounds() {
        setting.progress(&format!("start: round {round}"))?;
        let new = Ours::make_folder(workshop)?;
        for (case, folder) in [("none yet", new.as_path()), ("empty", &empty), (&big_case, big)] {
            group.add(&[case.to_owned()], OURS, MILLISECONDS, milliseconds_to_greeting(&setting.program, folder)?);
        }
    }
    Ok(vec![group])
}

fn milliseconds_to_greeting(program: &Path, folder: &Path) -> anyhow::Result<f64> {
    let since = Instant::now();
    let ours = Ours::open(program, folder)?;
    let _greeted = Dialogue::new(ours.smtp())?;
    Ok(since.elapsed().as_secs_f64() * 1e3)
}
