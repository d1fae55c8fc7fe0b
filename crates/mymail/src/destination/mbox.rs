//! Mail appended to one file, in the `mboxrd` form: a line `From <sender> <date>` before each message, every line of it that
//! begins with `From `, quoted or not, quoted once more with `>`.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use mail_builder::headers::date::Date;

use super::Destination;
use super::filed::Filed;
use crate::lines::ToLf;

/// How long another program may hold the file's lock.
const LOCK_WAIT: Duration = Duration::from_secs(30);
/// How often the lock is asked for.
const LOCK_INTERVAL: Duration = Duration::from_millis(50);

type Message = Filed<ToLf<Quoted<BufWriter<File>>>>;

/// A locked mbox. Dropped without [`Destination::commit`] it is cut back to what it was.
#[derive(Debug)]
pub(crate) struct Mbox {
    path: PathBuf,
    file: File,
    octets_before: u64,
    message: Option<Message>,
    committed: bool,
}

impl Mbox {
    /// Opens the file, or makes it, for this user alone, and locks it (`flock`) until dropped.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        lock(&file)?;
        let octets_before = file.seek(SeekFrom::End(0))?;
        let mut mbox = Self { path: path.to_owned(), file, octets_before, message: None, committed: false };
        mbox.end_last_line()?;
        Ok(mbox)
    }

    /// Another program may have left the last line without its end; ours must not become part of it.
    fn end_last_line(&mut self) -> io::Result<()> {
        let mut last = [b'\n'];
        if self.octets_before > 0 {
            self.file.seek(SeekFrom::End(-1))?;
            self.file.read_exact(&mut last)?;
        }
        if last == [b'\n'] { Ok(()) } else { self.file.write_all(b"\n\n") }
    }
}

impl Destination for Mbox {
    fn begin(&mut self, from: &str, to: &str) -> io::Result<()> {
        let mut file = BufWriter::new(self.file.try_clone()?);
        writeln!(file, "From {} {}", sender(from), asctime(&Date::now()))?;
        self.message = Some(Filed::begin(from, to, ToLf::new(Quoted::new(file)))?);
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
        sync_folder_of(&self.path)?;
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

fn lock(file: &File) -> io::Result<()> {
    let deadline = Instant::now() + LOCK_WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::Error(error)) => return Err(error),
            Err(std::fs::TryLockError::WouldBlock) if Instant::now() < deadline => std::thread::sleep(LOCK_INTERVAL),
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(io::Error::new(io::ErrorKind::ResourceBusy, "another program holds its lock"));
            }
        }
    }
}

/// Makes the file's name durable, not only its content.
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
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

/// Adds a `>` to each line that is `From ` behind any number of `>`.
#[derive(Debug)]
struct Quoted<W> {
    inner: W,
    line: Line,
}

/// How far a line has come. The `>` can go in behind those that are there, so these needn't be held back.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// So many octets are like `From `, and are held back.
    Like(usize),
    Decided,
}

const FROM: &[u8] = b"From ";

impl<W: Write> Quoted<W> {
    fn new(inner: W) -> Self {
        Self { inner, line: Line::Like(0) }
    }

    fn end(mut self) -> io::Result<W> {
        self.decide(b"")?;
        Ok(self.inner)
    }

    fn decide(&mut self, quote: &[u8]) -> io::Result<()> {
        if let Line::Like(held) = std::mem::replace(&mut self.line, Line::Decided) {
            self.inner.write_all(quote)?;
            self.inner.write_all(&FROM[..held])?;
        }
        Ok(())
    }

    /// Takes from the front what may still be `>>From `, and returns the rest.
    fn compare<'a>(&mut self, mut line: &'a [u8]) -> io::Result<&'a [u8]> {
        while let (Line::Like(held), Some((&octet, rest))) = (self.line, line.split_first()) {
            match octet {
                b'>' if held == 0 => self.inner.write_all(b">")?,
                octet if octet == FROM[held] => self.line = Line::Like(held + 1),
                _ => {
                    self.decide(b"")?;
                    return Ok(line);
                }
            }
            if matches!(self.line, Line::Like(held) if held == FROM.len()) {
                self.decide(b">")?;
            }
            line = rest;
        }
        Ok(line)
    }
}

impl<W: Write> Write for Quoted<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        for line in octets.split_inclusive(|&b| b == b'\n') {
            let rest = self.compare(line)?;
            self.inner.write_all(rest)?;
            if line.ends_with(b"\n") {
                self.line = Line::Like(0);
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::deliver;
    use super::*;

    fn quoted(input: &str, step: usize) -> String {
        let mut quoted = Quoted::new(Vec::new());
        input.as_bytes().chunks(step).for_each(|piece| quoted.write_all(piece).unwrap());
        String::from_utf8(quoted.end().unwrap()).unwrap()
    }

    #[test]
    fn from_lines_are_quoted_once_more() {
        let input = "From me\n>From you\n>>From all\nFrom\nFro\n>Frodo\n From x\nno From y\n\n>";
        let expected = ">From me\n>>From you\n>>>From all\nFrom\nFro\n>Frodo\n From x\nno From y\n\n>";
        for step in 1..=input.len() {
            assert_eq!(quoted(input, step), expected, "in pieces of {step}");
        }
        assert_eq!(quoted("From", 1), "From");
    }

    #[test]
    fn dates_are_asctimes() {
        assert_eq!(asctime(&Date::new(1_552_469_400)), "Wed Mar 13 09:30:00 2019");
        assert_eq!(asctime(&Date::new(1_551_430_800)), "Fri Mar  1 09:00:00 2019");
    }

    #[test]
    fn messages_are_appended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        std::fs::write(&path, "From old\n\nno end").unwrap();
        let mut mbox = Box::new(Mbox::open(&path).unwrap());
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

    #[test]
    fn without_commit_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        std::fs::write(&path, "From old\n\ntext\n\n").unwrap();
        let mut mbox = Mbox::open(&path).unwrap();
        deliver(&mut mbox, "a@x", "b@x", b"Subject: hi\r\n\r\ntext\r\n");
        mbox.begin("a@x", "b@x").unwrap();
        mbox.write(b"Subject: half").unwrap();
        drop(mbox);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "From old\n\ntext\n\n");
    }

    #[test]
    fn the_file_is_locked_meanwhile() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mbox");
        let mbox = Mbox::open(&path).unwrap();
        assert!(File::open(&path).unwrap().try_lock().is_err());
        drop(mbox);
        File::open(&path).unwrap().try_lock().unwrap();
    }
}
