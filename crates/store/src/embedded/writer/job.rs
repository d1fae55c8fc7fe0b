//! What waits for the writer.

use tokio::sync::oneshot;

use super::group::Group;
use crate::embedded::messages::Delivery;
use crate::{Delivered, StoreError};

/// Some caller's work and where its answer goes. A job that is dropped without one lets its caller know that.
pub(super) enum Job {
    /// Goes to the journal.
    Deliver(Box<Delivering>),
    /// Changes the tables.
    Change(Box<dyn Work>),
    /// Looks at the tables.
    Look(Box<dyn Work>),
}

/// A message, and those that are kept with it or not at all: the reports about it, or what is put back together.
pub(super) struct Delivering {
    pub(super) message: Delivery,
    pub(super) others: Vec<Delivery>,
    pub(super) reply: oneshot::Sender<Result<Delivered, StoreError>>,
}

impl Delivering {
    /// All of them.
    pub(super) fn parts(&self) -> impl Iterator<Item = &Delivery> {
        std::iter::once(&self.message).chain(&self.others)
    }
}

/// Tells the caller. It may have gone away; its work is done all the same.
pub(super) fn answer<T>(reply: oneshot::Sender<Result<T, StoreError>>, answer: Result<T, StoreError>) {
    drop(reply.send(answer));
}

/// What is done with the tables.
pub(super) trait Work: Send {
    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

/// Work that has a value for its caller.
pub(super) struct Call<T, W> {
    work: Option<W>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Call<T, W> {
    pub(super) fn new(work: W, reply: oneshot::Sender<Result<T, StoreError>>) -> Self {
        Self { work: Some(work), value: None, reply }
    }
}

impl<T, W> Work for Call<T, W>
where
    T: Send,
    W: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send,
{
    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.value = Some(work(group)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        let answer = match (outcome, value) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => return, // never: a group is not committed before all its jobs have run
        };
        self::answer(reply, answer);
    }
}
