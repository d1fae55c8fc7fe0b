//! Stands between a server and its database, and cuts the line when a transaction is to be committed.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Where the line is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The database does not hear of the COMMIT.
    BeforeCommit,
    /// The server does not hear how it went.
    BeforeAnswer,
}

/// A relay, and how often it cuts the line from now on.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    cuts: Arc<AtomicUsize>,
}

impl Relay {
    /// To the database at this address.
    pub(crate) async fn to(database: String, cut: Cut) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, cuts) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counter = cuts.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&database).await.unwrap();
                tokio::spawn(carry(client, server, cut, counter.clone()));
            }
        });
        Self { address, cuts }
    }

    /// Cuts the line at the next commits.
    pub(crate) fn cut(&self, times: usize) {
        self.cuts.store(times, Ordering::SeqCst);
    }

    /// Whether there are cuts to come.
    pub(crate) fn is_to_cut(&self) -> bool {
        self.cuts.load(Ordering::SeqCst) > 0
    }
}

/// Carries both ways until the line is cut.
async fn carry(mut client: TcpStream, mut server: TcpStream, cut: Cut, cuts: Arc<AtomicUsize>) {
    let (mut asked, mut answered) = (vec![0; 64 << 10], vec![0; 64 << 10]);
    loop {
        tokio::select! {
            read = client.read(&mut asked) => {
                let Ok(1..) = read else { return };
                let asked = &asked[..read.unwrap()];
                // A transaction that counts: those that need not be synced begin and end in one write.
                let commits = contains(asked, b"COMMIT\0") && !contains(asked, b"synchronous_commit");
                if !commits || !take(&cuts) {
                    if server.write_all(asked).await.is_err() {
                        return;
                    }
                    continue;
                }
                if cut == Cut::BeforeAnswer {
                    server.write_all(asked).await.unwrap();
                    // It has been done once the answer is there.
                    drop(server.read(&mut answered).await);
                }
                return;
            }
            read = server.read(&mut answered) => {
                let Ok(1..) = read else { return };
                if client.write_all(&answered[..read.unwrap()]).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn take(cuts: &AtomicUsize) -> bool {
    cuts.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok()
}
