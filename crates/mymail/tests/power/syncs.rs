//! Cuts at each sync of everything that a server does, before it is done and behind it, and at some of its writes.

use std::collections::HashMap;
use std::io::{self, ErrorKind};
use std::rc::Rc;

use testkit::client::is_wrong_reply;
use testkit::noise::noise;
use testkit::power::{Call, Disk, Drive, Image, Point, Tracing};
use testkit::until::until;

use crate::compare::compare;
use crate::ledger::{Ledger, Notes};
use crate::machine::{Cut, Machine};
use crate::old_store::{self, STEPS};
use crate::phases::{Base, CONFIG, Phase, Scene, phases, populate};
use crate::settings::{cuts, drive, seed};

/// One cut in so many is at a write.
const WRITE_ONE_IN: usize = 5;

/// What is there before a phase: on the disk, and to the knowledge of clients.
struct Beginning {
    base: Base,
    image: Image,
    ledger: Ledger,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs root and loop devices; CI runs it"]
async fn what_clients_were_told_is_true_after_a_cut_at_a_sync() -> io::Result<()> {
    let (seed, drive) = (seed(), drive());
    let beginnings = beginnings(&drive).await?;
    let phases = phases();
    let limit = (cuts().at_syncs / phases.len() as u64).max(2) as usize;
    let (mut points, mut reached) = (0, 0);
    for phase in &phases {
        let beginning = beginnings.iter().find(|beginning| beginning.base == phase.base).unwrap();
        let steps = rehearse(phase, beginning).await?;
        println!("{}: {} syncs, {} writes of one thread", phase.name, steps.syncs.len(), steps.changes);
        for point in choose(&steps, limit, noise(seed.wrapping_add(points))) {
            let cut = Cut::random(noise(!seed.wrapping_add(points)), false);
            points += 1;
            reached += u64::from(play(phase, beginning, point, cut, &steps).await?);
        }
    }
    assert!(reached * 2 > points, "only {reached} of {points} points were reached");
    println!("{points} cuts, {reached} of them at their points");
    Ok(())
}

/// What a phase does to the disk.
struct Steps {
    /// The kind of each sync.
    syncs: Vec<String>,
    /// Writes and other changes of the thread that does the most.
    changes: u32,
}

/// Plays a phase without a cut, twice.
async fn rehearse(phase: &Phase, beginning: &Beginning) -> io::Result<Steps> {
    let mut logs = Vec::new();
    for point in [Point::NoSync, Point::NoChange] {
        let mut stage = Stage::new(phase, beginning);
        let tracing = stage.play(phase, point).await?;
        assert!(stage.machine.is_alive(), "{}: the server is dead", phase.name);
        stage.machine.kill();
        logs.push(tracing.end());
    }
    let syncs = logs[0].iter().map(kind).collect();
    let mut changes = HashMap::new();
    for call in &logs[1] {
        *changes.entry(&call.thread).or_default() += 1;
    }
    Ok(Steps { syncs, changes: changes.into_values().max().unwrap_or_default() })
}

/// Plays a phase up to a point, cuts the power there, and compares. Whether the point was reached.
async fn play(phase: &Phase, beginning: &Beginning, point: Point, cut: Cut, steps: &Steps) -> io::Result<bool> {
    let mut stage = Stage::new(phase, beginning);
    let tracing = stage.play(phase, point).await?;
    let is_reached = !stage.machine.is_alive();
    stage.machine.cut(cut);
    tracing.end();
    stage.machine.start();
    let mut ledger = stage.notes.told().clone();
    let counts = compare(&stage.machine, &mut ledger).await?;
    let what = match point {
        Point::BeforeSync(number) | Point::AfterSync(number) => steps.syncs[number as usize - 1].as_str(),
        _ => "",
    };
    let missed = if is_reached { "" } else { " (not reached)" };
    println!("{}, {point:?} {what}{missed}, {cut}: {counts}", phase.name);
    Ok(is_reached)
}

/// The computer of one play, and what clients are told in it.
struct Stage {
    machine: Machine,
    notes: Notes,
}

impl Stage {
    fn new(phase: &Phase, beginning: &Beginning) -> Self {
        let machine = Machine::new(beginning.image.disk(), phase.config);
        Self { machine, notes: beginning.ledger.clone().into() }
    }

    fn scene(&self) -> Scene<'_> {
        Scene { machine: &self.machine, notes: &self.notes }
    }

    /// Plays a phase to its end, or until the server is dead.
    async fn play(&mut self, phase: &Phase, point: Point) -> io::Result<Tracing> {
        let (tracing, is_ready) = if phase.starts {
            (phase.prepare)(self.scene()).await?;
            self.machine.start_traced(point)
        } else {
            self.machine.start();
            (phase.prepare)(self.scene()).await?;
            (self.machine.trace(point), true)
        };
        let acted = if is_ready { (phase.act)(self.scene()).await } else { Err(ErrorKind::ConnectionRefused.into()) };
        if let Err(error) = acted {
            assert!(!is_wrong_reply(&error), "{}: {error}", phase.name);
            until(&format!("the server is dead, but {error}"), async || Ok(!self.machine.is_alive())).await?;
        }
        Ok(tracing)
    }
}

/// What is there before each phase.
async fn beginnings(drive: &Rc<Drive>) -> io::Result<Vec<Beginning>> {
    let image = Disk::new(drive).turn_off();
    let mut beginnings = vec![Beginning { base: Base::Nothing, image, ledger: Ledger::default() }];
    for version in 1..=STEPS.len() {
        let mut disk = Disk::new(drive);
        let mut ledger = Ledger::default();
        old_store::make(&disk.folder().join("data"), version, &mut ledger)?;
        beginnings.push(Beginning { base: Base::Old(version), image: disk.turn_off(), ledger });
    }
    let mut machine = Machine::new(Disk::new(drive), CONFIG);
    machine.start();
    let notes = Notes::default();
    populate(Scene { machine: &machine, notes: &notes }).await?;
    let ledger = notes.told().clone();
    beginnings.push(Beginning { base: Base::Populated, image: machine.turned_off(), ledger });
    Ok(beginnings)
}

/// The call and the file of a sync, without what is different each time: `fdatasync bodies/#`.
fn kind(call: &Call) -> String {
    let path = call.path.rsplit_once("/data/").map_or("data", |(_, path)| path);
    let mut kind = format!("{} ", call.name);
    for c in path.chars() {
        match c {
            '0'..='9' if kind.ends_with('#') => {}
            '0'..='9' => kind.push('#'),
            c => kind.push(c),
        }
    }
    kind
}

/// So many points of a phase.
fn choose(steps: &Steps, limit: usize, chance: u64) -> Vec<Point> {
    let numbers = rarest_first(&steps.syncs);
    let side = |number: u32, other: bool| match (noise(chance ^ u64::from(number)) & 1 == 0) != other {
        true => Point::BeforeSync(number),
        false => Point::AfterSync(number),
    };
    let points = numbers.iter().map(|number| side(*number, false));
    let mut points: Vec<_> = points.chain(numbers.iter().map(|number| side(*number, true))).collect();
    points.truncate(limit - limit.div_ceil(WRITE_ONE_IN));
    let changes = u64::from(steps.changes.max(1));
    let writes = (1..=limit.div_ceil(WRITE_ONE_IN) as u64).map(|number| noise(chance.wrapping_add(number)) % changes);
    points.extend(writes.map(|write| Point::BeforeChange(write as u32 + 1)));
    points
}

/// The numbers of all syncs: first one of each kind, then another one, and so on. What comes before and behind it belongs to the
/// kind of a sync.
fn rarest_first(syncs: &[String]) -> Vec<u32> {
    let kind_of = |at: usize| (at.checked_sub(1).map(|at| &syncs[at]), &syncs[at], syncs.get(at + 1));
    let rank = |at: usize| (0..at).filter(|earlier| kind_of(*earlier) == kind_of(at)).count();
    let mut places: Vec<_> = (0..syncs.len()).collect();
    places.sort_by_key(|at| rank(*at));
    places.into_iter().map(|at| at as u32 + 1).collect()
}
