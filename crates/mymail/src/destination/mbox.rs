//! Mail appended to one file, in the `mboxrd` form: a line `From <sender> <date>` before each message, every line of it that
//! begins with `From `, quoted or not, quoted once more with `>`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use client::folder;
use mail_builder::headers::date::Date;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Destination;
use super::filed::Filed;
use super::quoted::Quoted;
use crate::lines::ToLf;

/// How long another program may hold the file's lock.
const LOCK_WAIT_MAX: Duration = Duration::from_secs(30);

type Message = Filed<ToLf<Quoted<BufWriter<File>>>>;

/// A locked mbox. Dropped without [`Destination::commit`] it is cut back to what it was.
#[derive(Debug)]
pub(crate) struct Mbox {
    /// Where the file really is, behind all symbolic links.
    path: PathBuf,
    file: File,
    octets_before: u64,
    message: Option<Message>,
    committed: bool,
}

impl Mbox {
    /// Opens the file, or makes it, for this user alone, and locks it (`flock`) until dropped.
    pub(crate) async fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("it is no regular file"));
        }
        let path = path.canonicalize()?;
        let mut file = lock(file).await?;
        let octets_before = file.seek(SeekFrom::End(0))?;
        let mut mbox = Self { path, file, octets_before, message: None, committed: false };
        mbox.end_last_message()?;
        Ok(mbox)
    }

    /// Another program may have left its last line without an end, or its last message without the empty line behind it;
    /// ours must not become part of it.
    fn end_last_message(&mut self) -> io::Result<()> {
        let mut end = Vec::new();
        self.file.seek(SeekFrom::Start(self.octets_before.saturating_sub(2)))?;
        self.file.read_to_end(&mut end)?;
        self.file.write_all(match end[..] {
            [] | [b'\n'] | [b'\n', b'\n'] => b"",
            [.., b'\n'] => b"\n",
            _ => b"\n\n",
        })
    }
}

impl Destination for Mbox {
    fn begin(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut file = BufWriter::new(self.file.try_clone()?);
        writeln!(file, "From {} {}", sender(from), asctime(&Date::now()))?;
        self.message = Some(Filed::begin(from, to, ToLf::new(Quoted::new(file))));
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.message.as_mut().map_or(Ok(()), |message| message.write_all(octets))
    }

    fn end(&mut self) -> io::Result<()> {
        let Some(message) = self.message.take() else { return Ok(()) };
        let mut file = message.end()?.end()?.end()?;
        file.write_all(b"\n")?;
        file.flush()
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        self.file.sync_all()?;
        folder::sync(folder::parent(&self.path))?;
        self.committed = true;
        Ok(())
    }
}

impl Drop for Mbox {
    fn drop(&mut self) {
        self.message = None;
        if !self.committed
            && let Err(error) = self.file.set_len(self.octets_before)
        {
            crate::output::note(&format!("{}: can't take back a half-filed mail: {error}", self.path.display()));
        }
    }
}

/// Waits for the lock in a thread of its own, which is left behind, and the file with it, when that takes too long.
async fn lock(file: File) -> io::Result<File> {
    let (locked, lock) = oneshot::channel();
    thread::spawn(move || locked.send(file.lock().map(|()| file)));
    match timeout(LOCK_WAIT_MAX, lock).await {
        Ok(Ok(locked)) => locked,
        _ => Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program holds its lock")),
    }
}

/// The sender as the `From ` line takes it: one word.
fn sender(from: &str) -> String {
    match from {
        "" | "<>" => "MAILER-DAEMON".to_owned(),
        from => from.replace(|c: char| c.is_whitespace() || c.is_control(), "_"),
    }
}

/// `Wed Mar 13 09:30:00 2019`, in UTC: the date of `From ` lines is `asctime`'s.
fn asctime(date: &Date) -> String {
    let date = date.to_rfc822();
    match date.split([',', ' ']).filter(|part| !part.is_empty()).collect::<Vec<_>>()[..] {
        [weekday, day, month, year, time, ..] => format!("{weekday} {month} {day:>2} {time} {year}"),
        _ => date,
    }
}

#[cfg(test)]
mod tests {
    use super::super::deliver;
    use super::*;

    #[test]
    fn dates_are_asctimes() {
        assert_eq!(asctime(&Date::new(1_552_469_400)), "Wed Mar 13 09:30:00 2019");
        assert_eq!(asctime(&Date::new(1_551_430_800)), "Fri Mar  1 09:00:00 2019");
    }

    #[tokio::test]
    async fn messages_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        std::fs::write(&path, "From old\n\nno end").unwrap();
        let mut mbox = Box::new(Mbox::open(&path).await.unwrap());
        deliver(&mut *mbox, "9@mymailserver", "10@mymailserver", b"Subject: hi\r\n\r\nFrom here\r\n");
        deliver(&mut *mbox, "<>", "10@mymailserver", b"Subject: bounce\r\n\r\nno end");
        mbox.commit().unwrap();

        let content = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<&str> = content.split('\n').collect();
        assert!(lines[4].starts_with("From 9@mymailserver "), "{content}");
        assert!(lines[11].starts_with("From MAILER-DAEMON "), "{content}");
        (lines[4], lines[11]) = ("", "");
        assert_eq!(
            lines.join("\n"),
            "From old\n\nno end\n\n\n\
             Return-Path: <9@mymailserver>\nDelivered-To: 10@mymailserver\nSubject: hi\n\n>From here\n\n\n\
             Return-Path: <>\nDelivered-To: 10@mymailserver\nSubject: bounce\n\nno end\n\n"
        );
    }

    #[tokio::test]
    async fn an_empty_line_is_before_each_message() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        for (before, between) in [("", ""), ("\n", ""), ("x\n\n", ""), ("x\n", "\n"), ("x", "\n\n"), ("x\r\n", "\n")] {
            std::fs::write(&path, before).unwrap();
            let mut mbox = Box::new(Mbox::open(&path).await.unwrap());
            deliver(&mut *mbox, "a@x", "b@x", b"text\r\n");
            mbox.commit().unwrap();
            let content = std::fs::read_to_string(&path).unwrap();
            assert!(content.starts_with(&format!("{before}{between}From a@x ")), "{content:?}");
        }
    }

    #[tokio::test]
    async fn mail_goes_to_regular_files_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        assert!(Mbox::open(Path::new("/dev/full")).await.unwrap_err().to_string().contains("no regular file"));
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let mut mbox = Box::new(Mbox::open(&link).await.unwrap());
        assert_eq!(mbox.path, real.canonicalize().unwrap());
        deliver(&mut *mbox, "a@x", "b@x", b"text\r\n");
        mbox.commit().unwrap();
        assert!(std::fs::read_to_string(&real).unwrap().ends_with("\n\ntext\n\n"));
    }

    #[tokio::test]
    async fn without_commit_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        std::fs::write(&path, "From old\n\ntext\n").unwrap();
        let mut mbox = Mbox::open(&path).await.unwrap();
        deliver(&mut mbox, "a@x", "b@x", b"Subject: hi\r\n\r\ntext\r\n");
        mbox.begin("a@x", "b@x").unwrap();
        mbox.write(b"Subject: half").unwrap();
        drop(mbox);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "From old\n\ntext\n");
    }

    #[tokio::test]
    async fn the_file_is_locked_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        let mbox = Mbox::open(&path).await.unwrap();
        assert!(File::open(&path).unwrap().try_lock().is_err());
        drop(mbox);
        lock(File::open(&path).unwrap()).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_lock_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        let other = File::create(&path).unwrap();
        other.lock().unwrap();
        assert_eq!(Mbox::open(&path).await.unwrap_err().kind(), io::ErrorKind::ResourceBusy);
    }
}
