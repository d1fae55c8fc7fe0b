//! What there is to read at once.

/// What has arrived of what a peer sends, asked without waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Arrived {
    /// So many octets, at least one.
    Octets(usize),
    /// Nothing, or the end of the connection, which the next read that waits finds.
    Nothing,
    /// Octets that can't be read yet: the rest of their TLS record is still under way.
    Part,
}
