//! What makes no sense, whichever engine is asked for it.

use thiserror::Error;

use crate::{MessageId, NewMessage, PUT_BACK_MAX, REPORT_OCTETS_MAX, REPORTS_MAX, Report, StoreError};

/// No message that is put back has a greater number: as many are left for those to come.
const MESSAGE_MAX: i64 = i64::MAX / 2;

/// Why a call can't be answered, ever.
#[derive(Debug, Error)]
pub(crate) enum Misuse {
    #[error("there is no such account")]
    NoAccount,
    #[error("every number is taken")]
    NoNumber,
    #[error("the reports about a message are too many or too long")]
    ReportsTooLong,
    #[error("the ids of messages that are put back do not grow, or there are too many of them or too high ones")]
    WrongIds,
}

impl From<Misuse> for StoreError {
    fn from(misuse: Misuse) -> Self {
        Self::Failed(Box::new(misuse))
    }
}

/// Fails for more or longer reports than [`Store::deliver`](crate::Store::deliver) takes.
pub(crate) fn check_reports(reports: &[Report]) -> Result<(), Misuse> {
    let are_short = reports.iter().all(|report| report.text.len() <= REPORT_OCTETS_MAX);
    if are_short && reports.len() <= REPORTS_MAX { Ok(()) } else { Err(Misuse::ReportsTooLong) }
}

/// Fails for what [`Store::put_back`](crate::Store::put_back) does not take.
pub(crate) fn check_put_back<B>(messages: &[(MessageId, NewMessage, B)]) -> Result<(), Misuse> {
    let are_too_high = messages.last().is_some_and(|(last, ..)| last.0 > MESSAGE_MAX);
    let do_grow = messages.is_sorted_by(|(one, ..), (next, ..)| one < next);
    if messages.len() <= PUT_BACK_MAX && do_grow && !are_too_high { Ok(()) } else { Err(Misuse::WrongIds) }
}
