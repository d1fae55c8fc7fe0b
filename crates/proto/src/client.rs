//! What the clients' machines have in common: whoever carries their octets needs to know no protocol.

use bytes::BytesMut;

/// The octets on their way between a client and its server.
pub trait Octets {
    /// Takes octets from the server.
    fn receive(&mut self, octets: &[u8]);

    /// What is to be sent. Who sends takes it off the front.
    fn output(&mut self) -> &mut BytesMut;

    /// How many replies have been read so far: while this grows, the server is alive.
    fn replies_read(&self) -> u64;
}

/// A part of a dialogue that is under way: commands are sent, and replies are awaited.
pub trait Exchange: Sized {
    /// What comes of it.
    type Outcome;
    /// What carries it.
    type Wire: Octets;
    /// Why it can't go on.
    type Failure;

    /// The octets to carry to and from the server.
    fn wire(&mut self) -> &mut Self::Wire;

    /// Goes on as far as what was received allows.
    fn advance(self) -> Result<Advance<Self>, Self::Failure>;
}

/// How far an [`Exchange`] has come.
#[derive(Debug)]
pub enum Advance<E: Exchange> {
    /// Its wire has octets to send, or it awaits some.
    Waiting(E),
    /// It is over.
    Done(E::Outcome),
}
