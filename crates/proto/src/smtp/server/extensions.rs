//! The extensions that EHLO lists (RFC 5321 §4.1.1.1): one row each.

use super::core::Core;
use crate::sasl::Mechanism;

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
    Extension { keyword: "ENHANCEDSTATUSCODES", parameters: plain },
    Extension { keyword: "STARTTLS", parameters: starttls },
    Extension { keyword: "AUTH", parameters: mechanisms },
    Extension { keyword: "XREGISTER", parameters: plain },
    Extension { keyword: "XPASSWD", parameters: plain },
    Extension { keyword: "XUNREGISTER", parameters: plain },
    Extension { keyword: "XRETRIEVE", parameters: plain },
    Extension { keyword: "HELP", parameters: plain },
];

fn plain(_: &Core) -> Option<String> {
    Some(String::new())
}

fn starttls(core: &Core) -> Option<String> {
    (core.config.starttls && !core.channel.is_tls()).then(String::new)
}

fn mechanisms(core: &Core) -> Option<String> {
    Some(Mechanism::list(&core.channel)).filter(|list| !list.is_empty())
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
