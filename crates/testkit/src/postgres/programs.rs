//! PostgreSQL's programs: where they are, and as whom they run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rustix::process::getuid;

/// Where Debian has a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// Whom Debian's package makes.
const USER: &str = "postgres";

/// One of PostgreSQL's programs, by the newest version that is there.
pub(super) fn postgresql(program: &str) -> PathBuf {
    let versions = fs::read_dir(VERSIONS).into_iter().flatten();
    let numbered = |entry: fs::DirEntry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path()));
    let newest = versions.filter_map(|entry| numbered(entry.ok()?)).max();
    let program = newest.map(|(_, folder)| folder.join("bin").join(program)).filter(|path| path.exists());
    program.unwrap_or_else(|| panic!("PostgreSQL is not installed: install the package `postgresql`"))
}

/// Runs a program as ourselves or, as PostgreSQL refuses root, as its own user.
pub(super) fn unprivileged(program: &Path) -> Command {
    if !getuid().is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(program);
    // Where the tests were started, that user may have no business.
    command.current_dir("/");
    command
}

/// What a program says that must succeed.
pub(super) fn output_of(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let Output { status, stdout, stderr } = output;
    assert!(status.success(), "{command:?} says: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().trim_end().to_owned()
}
