//! XRETRIEVE WAIT: a client that waits for its mail, while its connection and the server go on.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use proto::INPUT_OCTETS_MAX;
use proto::smtp::Reply;
use store::Store;
use tokio::time::sleep_until;

use super::{Surroundings, Transport};
use crate::policy::Client;

/// Takes stock of the mailbox, and waits while it is empty. The second value is what the client sent meanwhile.
pub(super) async fn retrieve<S: Store>(
    client: &mut Client<S>,
    transport: &mut Transport,
    around: &mut Surroundings<'_>,
    wait: Duration,
) -> io::Result<(Result<usize, Reply>, BytesMut)> {
    let mut early = BytesMut::new();
    let mut waiting = match client.open_maildrop(wait).await {
        Ok((_, Some(waiting))) => waiting,
        Ok((count, None)) => return Ok((Ok(count), early)),
        Err(reply) => return Ok((Err(reply), early)),
    };
    loop {
        // A client that has closed its end, and a server that stops, are told at once what there is.
        let over = tokio::select! {
            () = waiting.arrivals.wait() => false,
            received = transport.receive(&mut early), if early.len() < INPUT_OCTETS_MAX => match received? {
                0 => true,
                _ => continue,
            },
            () = sleep_until(waiting.until) => true,
            () = around.stops() => true,
        };
        match client.look_again().await {
            Ok(0) if !over => {}
            verdict => return Ok((verdict, early)),
        }
    }
}
