//! How much a mailbox may hold.

use bytesize::ByteSize;
use server::admin::{QuotaChange, QuotaState};

use super::Desk;
use crate::output::count_of;

/// Show or set how much mail an account may have
#[derive(Debug, clap::Args)]
#[command(after_help = "\
A mailbox that is over its quota takes no mail; what is in it stays. What is not named stays as it
is. SIZE is a number of octets, or one with a unit, such as 500MiB or \"2 GB\".

Examples:
  mymail admin quota alice
  mymail admin quota alice --size 2GiB --messages 100000
  mymail admin quota alice --default")]
pub(super) struct Args {
    /// Its address, or the part before the @
    name: String,

    /// The most octets of mail
    #[arg(long, value_name = "SIZE")]
    size: Option<ByteSize>,

    /// The most messages
    #[arg(long, value_name = "NUMBER")]
    messages: Option<u64>,

    /// What the configuration gives everybody
    #[arg(long, conflicts_with_all = ["size", "messages"])]
    default: bool,
}

impl Desk {
    pub(super) async fn quota(&self, args: Args) -> anyhow::Result<()> {
        let account = match (args.size.map(|size| size.as_u64()), args.messages) {
            (None, None) if args.default => self.admin.change_quota(args.name, QuotaChange::Default).await?,
            (None, None) => self.admin.account(args.name).await?,
            (octets, messages) => self.admin.change_quota(args.name, QuotaChange::Set { octets, messages }).await?,
        };
        self.results.print(&text_of_quota(&account.quota), &account)
    }
}

/// A quota in words.
pub(super) fn text_of_quota(quota: &QuotaState) -> String {
    let QuotaState { octets, messages, default } = quota;
    let default = if *default { ", the default" } else { "" };
    format!("{}, {}{default}", ByteSize::b(*octets), count_of(*messages, "message"))
}
