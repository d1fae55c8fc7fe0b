//! Mail that goes on all the time, from sessions at every node to readers whom any node knows.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use testkit::client::Client;
use testkit::noise::noise;
use testkit::until::until;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::ledger::Ledger;
use crate::node::Node;
use crate::owners::Owners;
use crate::pop3::Pop3;
use crate::writer::{Failure, Writer};

/// Those of one node.
const WRITERS: u64 = 4;
/// Whose mail is read all the time.
const EAGER: usize = 3;
/// All; the mail of the others is read in the end.
const READERS: usize = 6;
/// How many messages have to be taken at a node to say that mail flows there.
const FLOW: u64 = 20;
/// Before a writer tries again, and between two of its messages.
const PAUSE: Duration = Duration::from_millis(20);

/// Who gets mail: an account with a password.
pub(crate) struct Reader {
    pub(crate) address: String,
    password: String,
}

/// Writers and readers at work.
pub(crate) struct Load {
    shared: Arc<Shared>,
    workers: JoinSet<()>,
}

struct Shared {
    places: Vec<Place>,
    readers: Vec<Reader>,
    ledger: Ledger,
    owners: Owners,
    is_over: AtomicBool,
    /// Sessions of writers that were lost after they had an account, or whose account was.
    sessions_lost: AtomicU64,
    /// How often a writer was told to come later.
    postponed: AtomicU64,
}

/// A node as its clients see it.
struct Place {
    smtp: String,
    pop3: String,
    accepted: AtomicU64,
    /// Nobody tries it any more.
    is_closed: AtomicBool,
}

impl Place {
    fn is_open(&self) -> bool {
        !self.is_closed.load(Ordering::Relaxed)
    }

    /// Whether passwords can be said there in clear.
    fn takes_logins(&self) -> bool {
        self.is_open() && self.smtp.starts_with("127.0.0.1:")
    }
}

/// The first node of its kind from this number on.
fn place_of(places: &[Place], number: usize, is_fit: impl Fn(&Place) -> bool) -> &Place {
    let mut from = places.iter().cycle().skip(number % places.len()).take(places.len());
    from.find(|place| is_fit(place)).unwrap()
}

impl Load {
    /// Readers register, at one node each, and all begin.
    pub(crate) async fn start(nodes: &[Node]) -> io::Result<Self> {
        let mut load = Self::start_unread(nodes).await?;
        for number in 0..EAGER {
            load.workers.spawn(load.shared.clone().read(number));
        }
        Ok(load)
    }

    /// The same, and nobody reads before the end.
    pub(crate) async fn start_unread(nodes: &[Node]) -> io::Result<Self> {
        let place = |node: &Node| Place {
            smtp: node.smtp.clone(),
            pop3: node.pop3.clone(),
            accepted: AtomicU64::new(0),
            is_closed: AtomicBool::new(false),
        };
        let places: Vec<_> = nodes.iter().map(place).collect();
        let mut readers = Vec::new();
        for number in 0..READERS {
            let at = place_of(&places, number, Place::takes_logins);
            let mut client = Client::registered(&at.smtp, &format!("reader{number}")).await?;
            readers.push(Reader { password: client.password().await?, address: client.address.clone() });
            client.quit().await?;
        }
        let shared = Arc::new(Shared {
            places,
            readers,
            ledger: Ledger::default(),
            owners: Owners::default(),
            is_over: AtomicBool::new(false),
            sessions_lost: AtomicU64::new(0),
            postponed: AtomicU64::new(0),
        });
        let mut workers = JoinSet::new();
        for number in 0..nodes.len() as u64 * WRITERS {
            workers.spawn(shared.clone().write(number));
        }
        Ok(Self { shared, workers })
    }

    /// Waits until mail has been taken from now on, at every node that is not closed.
    pub(crate) async fn flows(&self) -> io::Result<()> {
        let open = || self.shared.places.iter().filter(|place| place.is_open());
        let goals: Vec<_> = open().map(|place| place.accepted.load(Ordering::Relaxed) + FLOW).collect();
        until("mail is taken at every node", async || {
            let mut reached = open().map(|place| place.accepted.load(Ordering::Relaxed)).zip(&goals);
            Ok(reached.all(|(accepted, goal)| accepted >= *goal))
        })
        .await
    }

    /// Waits until some writer is told to come later.
    pub(crate) async fn is_postponed(&self) -> io::Result<()> {
        let before = self.shared.postponed.load(Ordering::Relaxed);
        until("mail is postponed", async || Ok(self.shared.postponed.load(Ordering::Relaxed) > before)).await
    }

    /// Lets everybody go elsewhere.
    pub(crate) fn close(&self, node: usize) {
        self.shared.places[node].is_closed.store(true, Ordering::Relaxed);
    }

    /// How many sessions of writers have ended otherwise than by QUIT, or lost their account.
    pub(crate) fn sessions_lost(&self) -> u64 {
        self.shared.sessions_lost.load(Ordering::Relaxed)
    }

    /// Ends it, and looks whether everything is where it should be.
    pub(crate) async fn end(mut self) -> io::Result<()> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.workers.join_next().await {
            ended.unwrap();
        }
        for number in 0..READERS {
            self.shared.read_rest(number).await?;
        }
        self.shared.ledger.expect_all_seen();
        Ok(())
    }
}

impl Shared {
    async fn write(self: Arc<Self>, number: u64) {
        let mut writer = None;
        let mut chance = number;
        while !self.is_over.load(Ordering::Relaxed) {
            sleep(PAUSE).await;
            chance = noise(chance);
            let place = place_of(&self.places, number as usize, Place::is_open);
            let session = match writer.take() {
                Some(session) => Ok(session),
                None => Writer::register(&place.smtp, &self.owners).await.map_err(Failure::from),
            };
            let Ok(mut session) = session else { continue };
            match session.send(&self.recipients(chance), &self.owners, &self.ledger).await {
                Ok(()) => {
                    place.accepted.fetch_add(1, Ordering::Relaxed);
                    writer = Some(session);
                }
                Err(Failure::Later) => {
                    self.postponed.fetch_add(1, Ordering::Relaxed);
                    writer = Some(session);
                }
                Err(Failure::NoAccount | Failure::Lost) => {
                    self.sessions_lost.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        if let Some(session) = writer {
            session.quit().await.unwrap();
        }
    }

    /// One reader, or two.
    fn recipients(&self, chance: u64) -> Vec<(usize, &Reader)> {
        let first = chance as usize % READERS;
        let second = (chance >> 32) as usize % READERS;
        let numbers = if first == second { vec![first] } else { vec![first, second] };
        numbers.into_iter().map(|number| (number, &self.readers[number])).collect()
    }

    async fn read(self: Arc<Self>, number: usize) {
        for place in number.. {
            if self.is_over.load(Ordering::Relaxed) {
                return;
            }
            let place = place_of(&self.places, place, Place::takes_logins);
            let failure = self.read_at(place, number).await.map_err(Failure::from);
            assert_ne!(failure, Err(Failure::NoAccount), "an account with a password is gone");
            sleep(PAUSE).await;
        }
    }

    async fn read_at(&self, place: &Place, number: usize) -> io::Result<()> {
        let Reader { address, password } = &self.readers[number];
        let mut client = Client::logged_in(&place.smtp, address, password).await?;
        while !self.is_over.load(Ordering::Relaxed) {
            client.write("XRETRIEVE WAIT=1").await?;
            self.ledger.listed(number, &client.maildrop().await?);
        }
        client.quit().await
    }

    /// What is left, at another node than before: by XRETRIEVE, or by POP3.
    async fn read_rest(&self, number: usize) -> io::Result<()> {
        let place = place_of(&self.places, number + 1, Place::takes_logins);
        let Reader { address, password } = &self.readers[number];
        if number.is_multiple_of(2) {
            let mut client = Client::logged_in(&place.smtp, address, password).await?;
            self.ledger.listed(number, &client.retrieve().await?);
            return client.quit().await;
        }
        let mut session = Pop3::logged_in(&place.pop3, address, password).await?.unwrap();
        let texts = session.retrieve().await?;
        self.ledger.listed_texts(number, texts.iter().map(|text| without_trace(text)));
        session.delete(1..=texts.len()).await?;
        session.quit().await
    }
}

/// What the sender of a message read by POP3 has sent: the trace lines end with an empty one, as the message has no header.
pub(crate) fn without_trace(text: &[u8]) -> &[u8] {
    let end = text.windows(4).position(|octets| octets == b"\r\n\r\n").unwrap();
    &text[end + 4..]
}
