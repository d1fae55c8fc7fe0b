//! Running another program: a command that may be missing, fail or hang, in a folder of its own.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// Where the operating system has its programs; nothing of the user's own.
pub(crate) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How long a program may take, as timeout(1) has it.
const SECONDS_MAX: &str = "60";
/// How much of what a program says is shown when it fails.
const SHOWN_LINES: usize = 30;

/// A script in a new folder, with what it is told.
pub(crate) struct Script {
    command: Command,
    folder: TempDir,
}

impl Script {
    /// The script with this file name, run by the program for such files.
    pub(crate) fn new(file: &str, arguments: &str) -> anyhow::Result<Self> {
        let interpreter = match file.rsplit('.').next() {
            Some("bash") => "bash",
            Some("expect") => "expect",
            Some("js") => "node",
            Some("pl") => "perl",
            Some("py") => "python3",
            _ => "sh",
        };
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("inbox"))?;
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interop/programs").join(file);
        let mut command = bounded(interpreter);
        command.arg(path).args(arguments.split_whitespace()).current_dir(&folder);
        command.env("HOME", folder.path()).env("INBOX", folder.path().join("inbox"));
        Ok(Self { command, folder })
    }

    /// Tells it something.
    pub(crate) fn tell(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.command.env(name, value);
    }

    /// Gives it a file, and tells it where that is.
    pub(crate) fn give(&mut self, name: &str, octets: &str) -> anyhow::Result<()> {
        let path = self.folder.path().join(name.to_lowercase());
        fs::write(&path, octets)?;
        self.tell(name, path);
        Ok(())
    }

    pub(crate) fn run(&mut self) -> anyhow::Result<()> {
        output_of(&mut self.command).map(drop)
    }

    /// What it has put into its inbox, in whatever file.
    pub(crate) fn inbox(&self) -> anyhow::Result<Vec<String>> {
        let mut files = Vec::new();
        files_below(&self.folder.path().join("inbox"), &mut files)?;
        files.iter().map(|path| Ok(fs::read_to_string(path)?)).collect()
    }
}

/// Everything that a command says, which must succeed.
pub(crate) fn output_of(command: &mut Command) -> anyhow::Result<String> {
    let name = command.get_args().nth(1).unwrap_or_default().to_owned();
    let output = command.output().with_context(|| format!("{} cannot be run", name.display()))?;
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    if !output.status.success() {
        let lines: Vec<_> = text.lines().collect();
        println!("{}", lines[lines.len().saturating_sub(SHOWN_LINES)..].join("\n"));
    }
    ensure!(output.status.code() != Some(127), "{} is not installed", name.display());
    ensure!(output.status.success(), "{} ends with {}", name.display(), output.status);
    Ok(text)
}

/// A command that ends in time, without a terminal and in no language.
pub(crate) fn bounded(program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("/usr/bin/timeout");
    command.arg(SECONDS_MAX).arg(program).env_clear().env("PATH", PATH).env("TERM", "xterm").stdin(Stdio::null());
    if let Some(modules) = std::env::var_os("NODE_PATH") {
        command.env("NODE_PATH", modules);
    }
    command
}

/// Every file in a folder and in the folders in it.
pub(crate) fn files_below(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files_below(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
