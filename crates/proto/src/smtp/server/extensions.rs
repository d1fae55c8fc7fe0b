//! The extensions that EHLO lists (RFC 5321 §4.1.1.1): one row each.

use super::config::Role;
use super::core::Core;
use crate::sasl::Mechanism;

/// The largest value that a limit may be said to have (RFC 9422 §3).
const LIMIT_VALUE_MAX: usize = 999_999;

struct Extension {
    keyword: &'static str,
    /// What stands behind the keyword; `None` where it is not offered.
    parameters: fn(&Core) -> Option<String>,
}

const EXTENSIONS: &[Extension] = &[
    Extension { keyword: "PIPELINING", parameters: plain },
    Extension { keyword: "SIZE", parameters: |core| Some(core.config.limits.message_octets.to_string()) },
    Extension { keyword: "8BITMIME", parameters: plain },
    Extension { keyword: "SMTPUTF8", parameters: plain },
    Extension { keyword: "CHUNKING", parameters: plain },
    Extension { keyword: "BINARYMIME", parameters: plain },
    Extension { keyword: "DSN", parameters: |core| core.offers_reports().then(String::new) },
    Extension { keyword: "ENHANCEDSTATUSCODES", parameters: plain },
    Extension { keyword: "STARTTLS", parameters: starttls },
    Extension { keyword: "AUTH", parameters: mechanisms },
    Extension { keyword: "LIMITS", parameters: limits },
    Extension { keyword: "XREGISTER", parameters: registration },
    Extension { keyword: "XPASSWD", parameters: registration },
    Extension { keyword: "XUNREGISTER", parameters: registration },
    Extension { keyword: "XRETRIEVE", parameters: registration },
    Extension { keyword: "HELP", parameters: plain },
];

fn plain(_: &Core) -> Option<String> {
    Some(String::new())
}

fn starttls(core: &Core) -> Option<String> {
    (core.config.starttls && !core.channel.is_tls()).then(String::new)
}

fn mechanisms(core: &Core) -> Option<String> {
    let is_spoken = core.config.role != Role::Lmtp;
    is_spoken.then(|| Mechanism::list(&core.channel)).filter(|list| !list.is_empty())
}

/// RFC 9422 §4.
fn limits(core: &Core) -> Option<String> {
    let limits = &core.config.limits;
    let [mails, recipients, domains] =
        [limits.transactions, limits.recipients, limits.recipient_domains].map(|limit| limit.clamp(1, LIMIT_VALUE_MAX));
    Some(format!("MAILMAX={mails} RCPTMAX={recipients} RCPTDOMAINMAX={domains}"))
}

fn registration(core: &Core) -> Option<String> {
    matches!(core.config.role, Role::Clients | Role::Exchanger).then(String::new)
}

/// EHLO's reply: the host's name and a line for each extension that is offered.
pub(super) fn list(core: &Core) -> String {
    let mut text = core.config.hostname.to_string();
    for extension in EXTENSIONS {
        if let Some(parameters) = (extension.parameters)(core) {
            text.push('\n');
            text.push_str(extension.keyword);
            if !parameters.is_empty() {
                text.push(' ');
                text.push_str(&parameters);
            }
        }
    }
    text
}
