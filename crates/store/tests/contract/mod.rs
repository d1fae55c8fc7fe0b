//! The rules of [`Store`], one function each, for every engine to keep.
//!
//! An engine's test file has `mod contract;` and `contract::suite!(fresh);`, where `fresh()`, an `async fn`, gives an empty store and
//! whatever must live as long. Attributes before it are those of each test.

pub(crate) mod accounts;
pub(crate) mod arrivals;
pub(crate) mod bodies;
pub(crate) mod mail;
pub(crate) mod model;
pub(crate) mod moving;
pub(crate) mod registration;
pub(crate) mod reports;

/// Makes a test of each rule.
macro_rules! suite {
    ($(#[$attribute:meta])* $fresh:path) => {
        contract::suite! { @ [$(#[$attribute])*] $fresh;
            accounts: an_account_is_as_registered an_address_has_one_account an_ended_account_leaves_a_hold
                an_address_is_held_for_a_while ending_twice_is_ending_once the_next_free_number a_password_can_be_set
                a_quota_can_be_set accounts_are_listed_by_key accounts_without_a_password_end
                a_touched_account_is_used who_touches_learns_of_what_has_ended
                a_sweep_ends_idle_leases_and_old_holds a_sweep_ends_accounts_that_lost_their_session
                leases_go_on_after_a_jump_of_the_clock time_goes_by_between_two_starts
                a_start_makes_no_hold_longer_than_a_lease idle_accounts_with_names_stay_idle;
            arrivals: no_arrival_is_missed only_own_mail_wakes a_report_wakes;
            bodies: any_length_comes_back_the_same a_reader_outlives_its_message;
            mail: a_message_is_in_all_its_mailboxes a_recipient_named_twice_gets_it_once
                ended_accounts_are_passed_over who_is_gone_is_named_once the_envelope_is_kept the_form_is_kept
                a_maildrop_is_a_snapshot_in_order only_ones_own_mail_can_be_read flushing_is_idempotent
                flushing_leaves_other_mail_alone ids_are_not_used_again an_account_takes_its_mail_along;
            model: any_history_leaves_what_it_should;
            moving: messages_are_listed_with_all_their_places holds_are_listed_by_key what_is_put_back_keeps_its_id
                what_is_put_back_again_is_passed_over ids_that_make_no_sense_are_refused;
            registration: the_registration_mode_is_the_last_one_set a_token_is_there_until_it_is_removed
                tokens_are_limited a_secret_lasts;
            reports: a_message_and_its_reports_are_kept of_a_message_to_nobody_the_reports_are_kept
                a_report_to_an_ended_account_is_passed_over reports_are_limited;
        }
    };
    (@ $attributes:tt $fresh:path; $($module:ident: $($rule:ident)+;)+) => {
        $($( contract::suite! { @@ $attributes $fresh; $module $rule } )+)+
    };
    (@@ [$(#[$attribute:meta])*] $fresh:path; $module:ident $rule:ident) => {
        #[tokio::test]
        $(#[$attribute])*
        async fn $rule() {
            let (store, _kept) = $fresh().await;
            contract::$module::$rule(&store).await;
        }
    };
}
pub(crate) use suite;
