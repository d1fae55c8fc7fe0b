//! Long work on a store that people can watch, and stop.

use std::ops::ControlFlow;
use std::pin::pin;

use tokio::sync::watch;

use crate::progress::Progress;

/// What the work tells how far it has come, and hears whether it shall go on.
pub(super) type Tell = Box<dyn FnMut(store::Progress) -> ControlFlow<()> + Send>;

/// Does some work, and shows how far it has come. Dropped, it has the work stop.
pub(super) async fn watched<F: Future>(work: impl FnOnce(Tell) -> F) -> F::Output {
    let (come, mut progress) = watch::channel(store::Progress::default());
    let tell = move |now| if come.send(now).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
    let mut work = pin!(work(Box::new(tell)));
    let mut bar = Progress::unknown();
    loop {
        tokio::select! {
            done = &mut work => return done,
            Ok(()) = progress.changed() => bar.follow(*progress.borrow_and_update()),
        }
    }
}
