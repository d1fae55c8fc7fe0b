//! What is done from time to time: leases that have run out are swept, those of accounts in use are renewed, sessions whose account
//! has ended elsewhere are told, and peers that have been quiet are forgotten.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{Store, StoreError, Swept, Timestamp};
use tokio::time::sleep;

use crate::clock;
use crate::driver::stops;
use crate::shared::Shared;

/// The longest time between two rounds.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// The shortest.
const INTERVAL_MIN: Duration = Duration::from_secs(1);

/// Keeps house until the server stops.
pub(crate) async fn run<S: Store>(shared: Arc<Shared<S>>) {
    let mut stopping = shared.stopping.subscribe();
    loop {
        round(&shared).await;
        let lease = shared.settings().config.registration.lease;
        tokio::select! {
            () = stops(&mut stopping) => return,
            () = sleep((lease / 4).clamp(INTERVAL_MIN, INTERVAL_MAX)) => {}
        }
    }
}

async fn round<S: Store>(shared: &Shared<S>) {
    let settings = shared.settings();
    shared.failures.forget_old();
    shared.registrations.forget_old(Instant::now());
    shared.unknown_recipients.forget_old(Instant::now());
    shared.look_for_room();
    let now = clock::steady();
    match sweep(shared, clock::before(now, settings.config.registration.lease), now).await {
        Ok(swept) if swept.accounts + swept.addresses > 0 => {
            tracing::info!(accounts = swept.accounts, addresses = swept.addresses, "leases ran out");
        }
        Ok(_) => tracing::debug!("no lease ran out"),
        Err(error) => tracing::error!(%error, "cannot sweep leases"),
    }
}

async fn sweep<S: Store>(shared: &Shared<S>, idle_since: Timestamp, now: Timestamp) -> Result<Swept, StoreError> {
    // If the store was out of reach for all servers, what the others have in use seems idle: they need a round to say so.
    let may_sweep = !shared.store.is_shared() || resume(&shared.store, idle_since, now).await? == 0;
    // First those in use: a sweep must not find them idle.
    shared.touch(&shared.presence.in_use(), now).await?;
    if may_sweep { shared.store.sweep(idle_since, now).await } else { Ok(Swept::default()) }
}

/// Leases go on where they stood when nobody was there, or the clock was another one.
pub(crate) async fn resume<S: Store>(store: &S, idle_since: Timestamp, now: Timestamp) -> Result<i64, StoreError> {
    let seconds = store.resume(idle_since, now).await?;
    if seconds != 0 {
        tracing::warn!(
            seconds,
            "the clock has jumped, or no account was used for longer than a lease: leases go on as if no time had passed"
        );
    }
    Ok(seconds)
}

#[cfg(test)]
mod tests {
    use store::embedded::Embedded;

    use super::*;
    use crate::config::Config;
    use crate::presence::Bond;
    use crate::shared::Settings;

    #[tokio::test]
    async fn sessions_of_an_account_that_has_ended_elsewhere_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let store = Embedded::open(folder.path()).unwrap();
        let shared = Shared::new(Settings::new(Config::default(), None).unwrap(), store, [0; 32]);
        let mut accounts = Vec::new();
        for address in ["alice@mymailserver", "bob@mymailserver"] {
            let registered = shared.store.register(&address.parse().unwrap(), None, clock::steady()).await;
            accounts.push(registered.unwrap());
        }
        let bonds: Vec<_> = accounts.iter().map(|account| shared.presence.bind(*account)).collect();
        let ended = || Vec::from_iter(bonds.iter().map(Bond::has_ended));
        round(&shared).await;
        assert_eq!(ended(), [false, false]);
        shared.store.end_account(accounts[0], clock::steady()).await.unwrap();
        round(&shared).await;
        assert_eq!(ended(), [true, false]);
    }
}
