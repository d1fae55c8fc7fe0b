//! The disk itself: a cut takes what was not synced, and nothing else.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use testkit::power::{Disk, Loss};

use crate::settings::drive;

/// More than enough to have one file written back.
const WRITE_BACKS: u64 = 16;

#[test]
#[ignore = "it needs root and loop devices; CI runs it"]
fn a_cut_takes_what_was_not_synced() {
    let mut disk = Disk::new(&drive());
    let path = disk.folder().join("file");
    fs::write(&path, "synced").unwrap();
    File::open(&path).unwrap().sync_all().unwrap();
    let overwrite =
        |text: &str| File::options().write(true).open(&path).unwrap().write_all_at(text.as_bytes(), 0).unwrap();
    for (loss, is_written_back, left) in [
        (Loss::Memory, false, "synced"),
        (Loss::Cache, false, "synced"),
        (Loss::Cache, true, "synced"),
        (Loss::Memory, true, "lately"),
    ] {
        overwrite("lately");
        fs::write(disk.folder().join("new"), "not synced").unwrap();
        if is_written_back {
            (0..WRITE_BACKS).for_each(|number| disk.write_back(number));
        }
        disk.cut(loss);
        disk.power_on(loss);
        assert_eq!(fs::read_to_string(&path).unwrap(), left, "{loss:?}, written back: {is_written_back}");
        assert!(!disk.folder().join("new").exists(), "{loss:?}: a file whose name was not synced");
    }
}

#[test]
#[ignore = "it needs root and loop devices; CI runs it"]
fn an_image_is_the_disk_at_one_instant() {
    let disk = Disk::new(&drive());
    let path = disk.folder().join("file");
    fs::write(&path, "before").unwrap();
    File::open(&path).unwrap().sync_all().unwrap();
    let image = disk.image();
    fs::write(&path, "behind").unwrap();
    File::open(&path).unwrap().sync_all().unwrap();
    assert_eq!(fs::read_to_string(image.disk().folder().join("file")).unwrap(), "before");
    assert_eq!(fs::read_to_string(&path).unwrap(), "behind");
}
