//! The rules of [`Store`], one function each, for every engine to keep.
//!
//! An engine's test file has `mod contract;` and `contract::suite!(fresh);`, where `fresh()` gives an empty store and
//! whatever must live as long.

pub(crate) mod accounts;
pub(crate) mod arrivals;
pub(crate) mod bodies;
pub(crate) mod mail;
pub(crate) mod model;

/// Makes a test of each rule.
macro_rules! suite {
    ($fresh:path) => {
        contract::suite! { $fresh;
            accounts: an_account_is_as_registered an_address_has_one_account an_ended_account_leaves_a_hold
                ending_twice_is_ending_once the_next_free_number a_password_can_be_set accounts_without_a_password_end
                a_touched_account_is_used a_sweep_ends_idle_leases_and_old_holds;
            arrivals: no_arrival_is_missed only_own_mail_wakes;
            bodies: any_length_comes_back_the_same a_reader_outlives_its_message;
            mail: a_message_is_in_all_its_mailboxes a_recipient_named_twice_gets_it_once ended_accounts_are_passed_over the_envelope_is_kept
                a_maildrop_is_a_snapshot_in_order only_ones_own_mail_can_be_read flushing_is_idempotent
                flushing_leaves_other_mail_alone ids_are_not_used_again an_account_takes_its_mail_along;
            model: any_history_leaves_what_it_should;
        }
    };
    ($fresh:path; $($module:ident: $($rule:ident)+;)+) => {
        $($(
            #[tokio::test]
            async fn $rule() {
                let (store, _kept) = $fresh();
                contract::$module::$rule(&store).await;
            }
        )+)+
    };
}
pub(crate) use suite;
