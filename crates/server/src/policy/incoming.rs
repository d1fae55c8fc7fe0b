//! A message on its way in: its octets go to the store as they come, and what must be known of them is found on the way.

use bytes::BytesMut;
use proto::carriable::Carrier;
use proto::header::Scan;
use proto::smtp::Reply;
use proto::smtp::server::{BeginData, Body, Envelope};
use store::{Form, Store, StoreError};

use super::transaction::Accepted;
use super::{Client, store_refusal};

/// The most octets of a message that are kept for giving them back with a report.
const COPY_OCTETS_MAX: usize = 64 << 10;

/// The message that is coming in.
#[derive(Default)]
pub(super) enum Incoming<B> {
    #[default]
    None,
    Open(Box<Message<B>>),
    /// The store could not take all of it.
    Failed(Reply),
}

/// What has come of a message.
pub(super) struct Message<B> {
    pub(super) body: B,
    pub(super) header: Scan,
    /// Its form for readers by lines, of a binary one.
    carrier: Option<Counting>,
    /// Its first octets, if a report may be due.
    copy: Option<Vec<u8>>,
}

/// Counts what a binary message comes to where it is carried by lines.
struct Counting {
    carrier: Carrier,
    octets: u64,
    /// What is counted and thrown away.
    scratch: BytesMut,
}

impl Counting {
    fn count(&mut self) {
        self.octets += self.scratch.len() as u64;
        self.scratch.clear();
    }
}

impl<B: store::Body> Message<B> {
    fn new(body: B, envelope: &Envelope<Accepted>) -> Self {
        let is_binary = envelope.parameters.body == Body::Binary;
        let carrier = is_binary.then(|| Counting { carrier: Carrier::new(), octets: 0, scratch: BytesMut::new() });
        let may_be_reported = |to: &Accepted| to.notify().success || to.left_out().is_some();
        let copy = envelope.recipients.iter().any(may_be_reported).then(Vec::new);
        Self { body, header: Scan::default(), carrier, copy }
    }

    async fn take(&mut self, octets: &[u8]) -> Result<(), StoreError> {
        self.header.read(octets);
        if let Some(counting) = &mut self.carrier {
            counting.carrier.write(octets, &mut counting.scratch);
            counting.count();
        }
        if let Some(copy) = &mut self.copy {
            copy.extend_from_slice(&octets[..octets.len().min(COPY_OCTETS_MAX - copy.len())]);
        }
        self.body.write(octets).await
    }

    /// What readers by lines will get of it.
    pub(super) fn form(&mut self) -> Form {
        match self.carrier.take() {
            None => Form::Text,
            Some(Counting { carrier, octets, mut scratch }) => {
                carrier.finish(&mut scratch);
                Form::Binary { carried_octets: octets + scratch.len() as u64 }
            }
        }
    }

    /// All of it, if it is small enough to be given back with a report.
    pub(super) fn whole(&self) -> Option<&[u8]> {
        self.copy.as_deref().filter(|copy| copy.len() as u64 == self.body.octets())
    }

    /// Its header, or as much of it as is given back with a report.
    pub(super) fn header_copy(&self) -> &[u8] {
        let copy = self.copy.as_deref().unwrap_or_default();
        let octets = self.header.header_octets().and_then(|octets| usize::try_from(octets).ok());
        match octets {
            _ if self.header.is_text() => &[],
            Some(octets) => copy.get(..octets).unwrap_or(copy),
            None => copy,
        }
    }
}

impl<S: Store> Client<S> {
    /// A message's data may come; that of an earlier one is of no use any more.
    pub(crate) fn begin_data(&mut self, question: &BeginData<Accepted>) {
        self.incoming = Incoming::Open(Box::new(Message::new(self.shared.store.body(), &question.envelope)));
    }

    /// Takes octets of the message. What goes wrong is said when its end has come.
    pub(crate) async fn take(&mut self, octets: &[u8]) {
        let Incoming::Open(message) = &mut self.incoming else { return };
        let has_room = self.shared.take_room(octets.len(), self.settings.config.limits.reserve);
        let taken = if has_room { message.take(octets).await } else { Err(StoreError::Full) };
        if let Err(error) = taken {
            self.incoming = Incoming::Failed(store_refusal(&error));
        }
    }

    /// The message will be refused, or does not go on.
    pub(crate) fn abandon(&mut self) {
        self.incoming = Incoming::None;
    }
}
