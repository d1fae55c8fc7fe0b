//! What is in the folder beside the store, and what others than its owner may use.

use std::fs::{self, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::CheckError;
use super::report::Report;
use crate::embedded::folder::{BODIES, DATABASE, JOURNAL, LOCK, LOG, LOST, TLS};

/// What is in a store's folder, or may be: docs/durability.md says what each is.
const KNOWN: [&str; 11] =
    [LOCK, DATABASE, LOG, "mail.db-shm", "mail.db-journal", BODIES, JOURNAL, LOST, TLS, "admin", "admin.new"];
/// Files that others may see.
const PUBLIC: [&str; 1] = ["tls/certificate.pem"];
/// What only the owner has a right to, the group and all others not.
const OTHERS: u32 = 0o077;

pub(super) fn look(dir: &Path, report: &mut Report) -> Result<(), CheckError> {
    let failed = |error| CheckError::io(dir, error);
    look_at(".", &fs::metadata(dir).map_err(failed)?, report);
    for name in names(dir).map_err(failed)? {
        if KNOWN.contains(&name.as_str()) {
            look_into(dir, &name, report).map_err(failed)?;
        } else {
            report.unknown.add(|| name);
        }
    }
    Ok(())
}

/// Looks at a file, or at a folder and what is in it.
fn look_into(dir: &Path, name: &str, report: &mut Report) -> io::Result<()> {
    let metadata = match fs::metadata(dir.join(name)) {
        // Gone since, or a socket's name that leads nowhere.
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        metadata => metadata?,
    };
    look_at(name, &metadata, report);
    if metadata.is_dir() {
        for file in fs::read_dir(dir.join(name))? {
            let file = file?;
            let inner = format!("{name}/{}", file.file_name().to_string_lossy());
            let is_numbered = file.file_name().to_str().is_some_and(|name| name.parse::<i64>().is_ok());
            if [BODIES, JOURNAL].contains(&name) && !is_numbered {
                report.unknown.add(|| inner);
            } else {
                look_at(&inner, &file.metadata()?, report);
            }
        }
    }
    Ok(())
}

fn look_at(name: &str, metadata: &Metadata, report: &mut Report) {
    let mode = metadata.permissions().mode() & 0o777;
    if mode & OTHERS != 0 && !PUBLIC.contains(&name) {
        report.exposed.add(|| format!("{name} (mode {mode:o})"));
    }
}

fn names(dir: &Path) -> io::Result<Vec<String>> {
    fs::read_dir(dir)?.map(|file| Ok(file?.file_name().to_string_lossy().into_owned())).collect()
}
