//! The store's threads.

use std::thread::JoinHandle;

/// Waits for the thread to end when it is dropped.
pub(super) struct JoinOnDrop(Option<JoinHandle<()>>);

impl JoinOnDrop {
    pub(super) fn new(thread: JoinHandle<()>) -> Self {
        Self(Some(thread))
    }
}

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            && thread.join().is_err()
        {
            tracing::error!("a thread of the store has panicked");
        }
    }
}
