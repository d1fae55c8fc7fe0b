//! Growth: whether delivery and retrieval stay as fast as they are when there is more of everything.

use std::time::Instant;

use super::{LOAD_TO_FILL, Setting, count, fill, size};
use crate::figures::{Group, Wanted};
use crate::interrupt;
use crate::load::{Dialogue, register, send};
use crate::peers::{DOMAIN, MailServer, Ours, USER};

const ACCOUNTS: [u32; 3] = [10, 1_000, 100_000];
const MAILBOX_MESSAGES: [u32; 3] = [10, 1_000, 100_000];
/// A mailbox of more messages is filled once, and grows with each round; a smaller one is made anew.
const REFILLED_MESSAGES_MAX: u32 = 1_000;

/// Delivered in each measurement.
const MESSAGES: u32 = 5_000;
const SESSIONS: u32 = 20;
/// The most connections that register at a time.
const REGISTRARS: u32 = 50;
/// How often one of the newest messages is retrieved.
const RETRIEVALS: u32 = 5_000;
const NEWEST: u32 = 10;

const OURS: &str = "mymail";
const DELIVERY: &str = "delivery, messages/s";
const LOGIN: &str = "POP3 login and STAT, ms";
const RETRIEVAL: &str = "RETR, messages/s";

const BY_ACCOUNTS: &str = "accounts, each gets mail";
const BY_MAILBOX: &str = "messages in the mailbox";
const BY_STORE: &str = "store";

pub(super) fn run(setting: &Setting) -> anyhow::Result<Vec<Group>> {
    let mut group = Group::new(
        "growth",
        "Growth",
        "Messages of 1 KiB are delivered over 20 sessions by a client that pipelines: to all of so many accounts in turn; \
         into a mailbox that has so many messages already; into an empty mailbox of a store that has so much, in messages of \
         100 KiB. From the mailbox the 10 newest messages are retrieved again and again by POP3, each when the one before \
         is there, after a login and STAT.",
        &["what grows", "to"],
    );
    grow_accounts(setting, &mut group)?;
    grow_mailbox(setting, &mut group)?;
    grow_store(setting, &mut group)?;
    Ok(vec![group])
}

fn grow_accounts(setting: &Setting, group: &mut Group) -> anyhow::Result<()> {
    let name = |number: u32| format!("g{number}");
    let mut servers = Vec::new();
    for accounts in ACCOUNTS {
        setting.progress(&format!("growth: making {} accounts", count(accounts)))?;
        let ours = Ours::start(&setting.program, &setting.workshop)?;
        register(ours.smtp(), REGISTRARS.min(accounts), accounts, name)?;
        servers.push((accounts, ours));
    }
    let case = |accounts: u32| [BY_ACCOUNTS.to_owned(), count(accounts)];
    for round in 1..=setting.rounds() {
        setting.progress(&format!("growth: accounts, round {round}"))?;
        for (accounts, ours) in &servers {
            // Each round goes to others, as far as there are enough.
            let recipient = |number: u32| format!("{}@{DOMAIN}", name((round * MESSAGES + number) % accounts));
            group.add(&case(*accounts), OURS, DELIVERY, deliveries_per_second(ours, recipient)?);
        }
    }
    set_goal(group, DELIVERY, &ACCOUNTS.map(case));
    Ok(())
}

fn grow_mailbox(setting: &Setting, group: &mut Group) -> anyhow::Result<()> {
    let workshop = &setting.workshop;
    let mut servers = Vec::new();
    for messages in MAILBOX_MESSAGES {
        setting.progress(&format!("growth: filling a mailbox with {} messages", count(messages)))?;
        let ours = Ours::start(&setting.program, workshop)?;
        LOAD_TO_FILL.send(messages, ours.smtp())?;
        servers.push((messages, ours));
    }
    let case = |messages: u32| [BY_MAILBOX.to_owned(), count(messages)];
    for round in 1..=setting.rounds() {
        setting.progress(&format!("growth: mailbox, round {round}"))?;
        for (messages, ours) in &mut servers {
            if round > 1 && *messages <= REFILLED_MESSAGES_MAX {
                ours.empty(workshop)?;
                LOAD_TO_FILL.send(*messages, ours.smtp())?;
            }
            let case = case(*messages);
            let (login, retrievals) = retrieve_newest(ours)?;
            group.add(&case, OURS, LOGIN, login);
            group.add(&case, OURS, RETRIEVAL, retrievals);
            group.add(&case, OURS, DELIVERY, deliveries_per_second(ours, |_| format!("{USER}@{DOMAIN}"))?);
        }
    }
    for quantity in [DELIVERY, RETRIEVAL] {
        set_goal(group, quantity, &MAILBOX_MESSAGES.map(case));
    }
    Ok(())
}

fn grow_store(setting: &Setting, group: &mut Group) -> anyhow::Result<()> {
    let (program, workshop) = (&setting.program, &setting.workshop);
    let big = setting.big_store()?;
    let middle_octets = setting.big_octets() / 10;
    setting.progress(&format!("growth: filling a store with {}", size(middle_octets)))?;
    let middle = Ours::start(program, workshop)?;
    fill(&middle, middle_octets)?;
    let servers = [
        (0, Ours::start(program, workshop)?),
        (middle_octets, middle),
        (setting.big_octets(), Ours::open(program, big)?),
    ];
    let case = |octets: u64| [BY_STORE.to_owned(), size(octets)];
    for round in 1..=setting.rounds() {
        setting.progress(&format!("growth: store, round {round}"))?;
        for (octets, ours) in &servers {
            // Not into the mailbox that is full.
            group.add(&case(*octets), OURS, DELIVERY, deliveries_per_second(ours, |_| format!("2{USER}@{DOMAIN}"))?);
        }
    }
    set_goal(group, DELIVERY, &servers.each_ref().map(|(octets, _)| case(*octets)));
    Ok(())
}

fn deliveries_per_second(ours: &Ours, recipient: impl Fn(u32) -> String + Sync) -> anyhow::Result<f64> {
    interrupt::check()?;
    rustix::fs::sync();
    let since = Instant::now();
    send(ours.smtp(), SESSIONS, MESSAGES, recipient)?;
    Ok(f64::from(MESSAGES) / since.elapsed().as_secs_f64())
}

/// The milliseconds of a login, and how many messages a second come then.
fn retrieve_newest(ours: &Ours) -> anyhow::Result<(f64, f64)> {
    let since = Instant::now();
    let mut dialogue = Dialogue::new(ours.pop3())?;
    let last = dialogue.open_maildrop(USER, ours.password())?;
    let login = since.elapsed().as_secs_f64() * 1e3;
    let since = Instant::now();
    for newest in (0..NEWEST.min(last)).cycle().take(RETRIEVALS as usize) {
        dialogue.say(&format!("RETR {}", last - newest), "+OK")?;
        dialogue.skip_message()?;
    }
    let retrievals = f64::from(RETRIEVALS) / since.elapsed().as_secs_f64();
    dialogue.say("QUIT", "+OK")?;
    Ok((login, retrievals))
}

/// The last case should be as fast as the first one, or nearly.
fn set_goal(group: &mut Group, quantity: &str, cases: &[[String; 2]; 3]) {
    let [least, _, most] = cases;
    let ratio =
        group.median(most, OURS, quantity).zip(group.median(least, OURS, quantity)).map(|(most, least)| most / least);
    let [what, to] = most;
    group.set_goal(&format!("{quantity}, {what}: {to} / {}", least[1]), ratio, Wanted::AtLeast(0.8));
}
