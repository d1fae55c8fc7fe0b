//! Mail as one file each in a Maildir: written and synced in `tmp`, moved to `new` when all of it is there, so that no reader
//! ever sees half a message.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use client::folder;

use super::Destination;
use super::filed::Filed;
use crate::lines::ToLf;

type Message = Filed<ToLf<BufWriter<File>>>;

/// A Maildir. Dropped without [`Destination::commit`] it holds what it held before.
#[derive(Debug)]
pub(crate) struct Maildir {
    folder: PathBuf,
    message: Option<Message>,
    /// Names of the files in `tmp`.
    names: VecDeque<String>,
}

impl Maildir {
    /// Opens the folder, or makes it, for this user alone.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        for part in ["tmp", "new", "cur"] {
            folder::create(&path.join(part))?;
        }
        Ok(Self { folder: path.to_owned(), message: None, names: VecDeque::new() })
    }

    fn path(&self, part: &str, name: &str) -> PathBuf {
        self.folder.join(part).join(name)
    }
}

impl Destination for Maildir {
    fn begin(&mut self, from: &str, to: &str) -> io::Result<()> {
        let name = unique_name(self.names.len());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.path("tmp", &name))?;
        self.names.push_back(name);
        self.message = Some(Filed::begin(from, to, ToLf::new(BufWriter::new(file))));
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.message.as_mut().map_or(Ok(()), |message| message.write_all(octets))
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(message) = self.message.take() else { return Ok(()) };
        message.end()?.end()?.into_inner()?.sync_all()
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        // One by one: should a move fail, what was moved stays and only the rest is taken back.
        while let Some(name) = self.names.front() {
            std::fs::rename(self.path("tmp", name), self.path("new", name))?;
            self.names.pop_front();
        }
        folder::sync(&self.folder.join("new"))
    }
}

impl Drop for Maildir {
    fn drop(&mut self) {
        for name in &self.names {
            let path = self.path("tmp", name);
            if let Err(error) = std::fs::remove_file(&path) {
                crate::output::note(&format!("{}: can't remove it: {error}", path.display()));
            }
        }
    }
}

/// A name that no other delivery has: time, process, count and host, as the Maildir convention wants.
fn unique_name(count: usize) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy().replace('/', "\\057").replace(':', "\\072");
    format!("{}.M{}P{}Q{count}.{host}", now.as_secs(), now.subsec_micros(), std::process::id())
}

#[cfg(test)]
mod tests {
    use super::super::deliver;
    use super::*;

    fn files(folder: &Path, part: &str) -> Vec<String> {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder.join(part)).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| std::fs::read_to_string(path).unwrap()).collect()
    }

    #[test]
    fn messages_appear_whole_and_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Mail/inbox");
        let mut maildir = Box::new(Maildir::open(&path).unwrap());
        deliver(&mut *maildir, "a@x", "b@x", b"Subject: 1\r\n\r\none\r\n");
        deliver(&mut *maildir, "a@x", "b@x", b"Subject: 2\r\n\r\ntwo\r\n");
        assert_eq!(files(&path, "new"), [""; 0]);
        maildir.commit().unwrap();
        assert_eq!(
            files(&path, "new"),
            ["1\n\none", "2\n\ntwo"].map(|rest| format!("Return-Path: <a@x>\nDelivered-To: b@x\nSubject: {rest}\n"))
        );
        assert_eq!(files(&path, "tmp"), [""; 0]);
    }

    #[test]
    fn without_commit_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let mut maildir = Maildir::open(folder.path()).unwrap();
        deliver(&mut maildir, "a@x", "b@x", b"Subject: 1\r\n\r\none\r\n");
        maildir.begin("a@x", "b@x").unwrap();
        maildir.write(b"Subject: half").unwrap();
        drop(maildir);
        assert_eq!(files(folder.path(), "new"), [""; 0]);
        assert_eq!(files(folder.path(), "tmp"), [""; 0]);
    }
}
