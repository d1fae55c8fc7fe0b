//! What a store lists a page at a time, one after the other.

use std::vec;

use super::{PAGE, PAGE_MESSAGES};
use crate::{AccountSummary, HeldAddress, KeptMessage, Store, StoreError};

/// A list, as long as it goes on.
pub(super) struct Pages<T, F> {
    next_page: F,
    page: vec::IntoIter<T>,
    /// What was looked at already.
    peeked: Option<T>,
}

/// All living accounts.
pub(super) fn accounts<S: Store>(
    store: &S,
) -> Pages<AccountSummary, impl AsyncFnMut() -> Result<Vec<AccountSummary>, StoreError>> {
    let mut after: Option<String> = None;
    Pages::new(async move || {
        let page = store.accounts(after.as_deref(), PAGE).await?;
        if let Some(last) = page.last() {
            after = Some(last.key());
        }
        Ok(page)
    })
}

/// All addresses that are held.
pub(super) fn holds<S: Store>(
    store: &S,
) -> Pages<HeldAddress, impl AsyncFnMut() -> Result<Vec<HeldAddress>, StoreError>> {
    let mut after: Option<String> = None;
    Pages::new(async move || {
        let page = store.holds(after.as_deref(), PAGE).await?;
        if let Some(last) = page.last() {
            after = Some(last.key());
        }
        Ok(page)
    })
}

/// All messages behind this one.
pub(super) fn messages<S: Store>(
    store: &S,
    after: Option<i64>,
) -> Pages<KeptMessage, impl AsyncFnMut() -> Result<Vec<KeptMessage>, StoreError>> {
    let mut after = after.map(crate::MessageId);
    Pages::new(async move || {
        let page = store.messages(after, PAGE_MESSAGES).await?;
        if let Some(last) = page.last() {
            after = Some(last.id);
        }
        Ok(page)
    })
}

/// What is listed by [`Address::key`](proto::Address::key).
pub(super) trait Keyed {
    fn key(&self) -> String;
}

impl Keyed for AccountSummary {
    fn key(&self) -> String {
        self.account.address.key()
    }
}

impl Keyed for HeldAddress {
    fn key(&self) -> String {
        self.address.key()
    }
}

impl<T, F: AsyncFnMut() -> Result<Vec<T>, StoreError>> Pages<T, F> {
    fn new(next_page: F) -> Self {
        Self { next_page, page: Vec::new().into_iter(), peeked: None }
    }

    /// The next one.
    pub(super) async fn next(&mut self) -> Result<Option<T>, StoreError> {
        if let Some(next) = self.peeked.take().or_else(|| self.page.next()) {
            return Ok(Some(next));
        }
        self.page = (self.next_page)().await?.into_iter();
        Ok(self.page.next())
    }
}

impl<T: Keyed, F: AsyncFnMut() -> Result<Vec<T>, StoreError>> Pages<T, F> {
    /// The one with this key, if there is one. Those before it are `passed`.
    pub(super) async fn find<E: From<StoreError>>(
        &mut self,
        key: &str,
        mut passed: impl FnMut(T) -> Result<(), E>,
    ) -> Result<Option<T>, E> {
        while let Some(next) = self.next().await? {
            if next.key() == key {
                return Ok(Some(next));
            }
            if next.key().as_str() > key {
                self.peeked = Some(next);
                break;
            }
            passed(next)?;
        }
        Ok(None)
    }

    /// All that are left are `passed`.
    pub(super) async fn rest<E: From<StoreError>>(
        &mut self,
        mut passed: impl FnMut(T) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(next) = self.next().await? {
            passed(next)?;
        }
        Ok(())
    }
}
