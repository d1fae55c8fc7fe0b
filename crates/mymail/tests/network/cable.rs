//! A network namespace, and a cable from here to it. The addresses are for documentation (RFC 5737), so nobody else has them.

use std::process::Command;

/// This end.
pub(crate) const OURS: &str = "203.0.113.1";
/// The end in the namespace.
pub(crate) const THEIRS: &str = "203.0.113.2";

/// What is at the other end is in a network of its own, which goes with this.
pub(crate) struct Cable {
    pub(crate) namespace: String,
}

impl Cable {
    pub(crate) fn lay() -> Self {
        let process = std::process::id();
        let cable = Self { namespace: format!("mymail-{process}") };
        let (name, end) = (cable.namespace.as_str(), format!("mm{process}"));
        ip(&format!("netns add {name}"));
        ip(&format!("link add {end} type veth peer name eth0 netns {name}"));
        ip(&format!("address add {OURS}/30 dev {end}"));
        ip(&format!("link set {end} up"));
        ip(&format!("-n {name} address add {THEIRS}/30 dev eth0"));
        ip(&format!("-n {name} link set eth0 up"));
        ip(&format!("-n {name} link set lo up"));
        cable
    }

    /// The same command at the other end.
    pub(crate) fn far(&self, command: &Command) -> Command {
        let mut far = Command::new("ip");
        far.args(["netns", "exec", &self.namespace]).arg(command.get_program()).args(command.get_args());
        far.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        far.env("PATH", std::env::var_os("PATH").unwrap());
        far.current_dir(command.get_current_dir().unwrap());
        far
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        // A namespace that could not be made is none to remove.
        Command::new("ip").args(["netns", "delete", &self.namespace]).status().ok();
    }
}

/// Runs `ip`, which must succeed.
pub(crate) fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}
