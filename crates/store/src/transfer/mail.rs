//! The mail of an export, one file after the other.

use std::slice;

use bytes::Bytes;

use super::file::Reader;
use super::folder::{Folder, FolderError, MailFile, Manifest};
use super::record::{Message, Record};

/// Gives the messages in the order of their ids.
pub(super) struct Mail<'a> {
    folder: &'a Folder,
    files: slice::Iter<'a, MailFile>,
    file: Option<Reader>,
    last: i64,
}

impl<'a> Mail<'a> {
    /// All of it but the files that have nothing behind this message.
    pub(super) fn new(folder: &'a Folder, manifest: &'a Manifest, after: Option<i64>) -> Self {
        let first = manifest.mail.partition_point(|file| after.is_some_and(|after| file.last <= after));
        Self { folder, files: manifest.mail[first..].iter(), file: None, last: i64::MIN }
    }

    /// The next message, and how many octets it has: [`Mail::chunk`] gives them.
    pub(super) fn next(&mut self) -> Result<Option<(Message, u64)>, FolderError> {
        loop {
            let Some(file) = &mut self.file else {
                let Some(next) = self.files.next() else { return Ok(None) };
                self.file = Some(self.folder.read(&next.file)?);
                continue;
            };
            match file.next()? {
                Some((Record::Message(message), octets)) if message.id > self.last => {
                    self.last = message.id;
                    return Ok(Some((message, octets)));
                }
                Some(_) => return Err(file.damaged()),
                None => self.file = None,
            }
        }
    }

    /// The next octets of the message.
    pub(super) fn chunk(&mut self) -> Result<Option<Bytes>, FolderError> {
        self.file.as_mut().map_or(Ok(None), Reader::chunk)
    }
}
