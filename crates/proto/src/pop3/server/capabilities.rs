//! The capabilities that CAPA lists (RFC 2449 §6): one row each. They are the same before and after a login.

use super::core::Core;
use super::{Stage, State};
use crate::pop3::responses;
use crate::sasl::Mechanism;

struct Capability {
    tag: &'static str,
    /// What stands behind the tag; `None` where it is not offered.
    arguments: fn(&Core) -> Option<String>,
}

const CAPABILITIES: &[Capability] = &[
    Capability { tag: "TOP", arguments: plain },
    Capability { tag: "UIDL", arguments: plain },
    Capability { tag: "RESP-CODES", arguments: plain },
    Capability { tag: "AUTH-RESP-CODE", arguments: plain },
    Capability { tag: "PIPELINING", arguments: plain },
    Capability { tag: "EXPIRE", arguments: |_| Some("NEVER".to_owned()) },
    // User names and passwords too may be UTF-8 (RFC 6856 §2.2).
    Capability { tag: "UTF8", arguments: |_| Some("USER".to_owned()) },
    Capability { tag: "USER", arguments: |core| core.channel.is_private().then(String::new) },
    Capability { tag: "SASL", arguments: mechanisms },
    Capability { tag: "STLS", arguments: stls },
    Capability { tag: "IMPLEMENTATION", arguments: |_| Some("mymail".to_owned()) },
];

fn plain(_: &Core) -> Option<String> {
    Some(String::new())
}

fn mechanisms(core: &Core) -> Option<String> {
    Some(Mechanism::list(&core.channel)).filter(|list| !list.is_empty())
}

fn stls(core: &Core) -> Option<String> {
    (core.config.starttls && !core.channel.is_tls()).then(String::new)
}

/// `CAPA`
pub(super) fn capa<M>(core: &mut Core, stage: Stage<M>, args: &str) -> State<M> {
    if !args.is_empty() {
        core.error(&responses::NO_ARGUMENT_ALLOWED);
        return State::Command(stage);
    }
    core.respond(&responses::CAPABILITIES);
    for capability in CAPABILITIES {
        match (capability.arguments)(core) {
            Some(arguments) if arguments.is_empty() => core.line(capability.tag),
            Some(arguments) => core.line(&format!("{} {arguments}", capability.tag)),
            None => {}
        }
    }
    core.line(".");
    State::Command(stage)
}
