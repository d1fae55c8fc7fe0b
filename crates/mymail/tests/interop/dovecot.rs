//! A Dovecot of our own: POP3 with STLS and TLS, and SASL for a Postfix, with the mechanisms that a case wants.

use std::fs;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

use crate::script::PATH;
use crate::until::until;

/// The password of every account.
pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";

/// A running Dovecot, ended afterwards.
pub(crate) struct Dovecot {
    pub(crate) pop3: u16,
    pub(crate) pop3s: u16,
    process: Child,
}

impl Dovecot {
    /// Starts one that reads Maildirs in `folder/mail`, and answers a Postfix at `folder/queue/private/auth`.
    pub(crate) fn start(folder: &Path, certificate: &Path, key: &Path, mechanisms: &str) -> anyhow::Result<Self> {
        let (pop3, pop3s) = (free_port()?, free_port()?);
        let (path, certificate, key) = (folder.display(), certificate.display(), key.display());
        let config = format!(
            "base_dir = {path}/dovecot\n\
             state_dir = {path}/dovecot/state\n\
             log_path = {path}/dovecot.log\n\
             protocols = pop3\n\
             listen = 127.0.0.1\n\
             ssl = required\n\
             ssl_cert = <{certificate}\n\
             ssl_key = <{key}\n\
             auth_mechanisms = {mechanisms}\n\
             first_valid_uid = 1\n\
             mail_location = maildir:{path}/mail/%n\n\
             passdb {{\n driver = static\n args = password={PASSWORD}\n}}\n\
             userdb {{\n driver = static\n args = uid=postfix gid=postfix home={path}/mail/%n\n}}\n\
             service pop3-login {{\n\
             inet_listener pop3 {{\n port = {pop3}\n}}\n\
             inet_listener pop3s {{\n port = {pop3s}\n ssl = yes\n}}\n\
             }}\n\
             service auth {{\n unix_listener {path}/queue/private/auth {{\n mode = 0600\n user = postfix\n}}\n}}\n"
        );
        let file = folder.join("dovecot.conf");
        fs::write(&file, config)?;
        let process =
            Command::new("/usr/sbin/dovecot").env_clear().env("PATH", PATH).args(["-F", "-c"]).arg(file).spawn();
        let mut dovecot = Self { pop3, pop3s, process: process.context("dovecot is not installed")? };
        for port in [pop3, pop3s] {
            until("Dovecot listens or ends", || {
                let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
                (listens || dovecot.process.try_wait().is_ok_and(|status| status.is_some())).then_some(())
            })?;
        }
        let status = dovecot.process.try_wait()?;
        ensure!(status.is_none(), "Dovecot has ended: {}", fs::read_to_string(folder.join("dovecot.log"))?);
        Ok(dovecot)
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        // It ends its own processes then.
        kill_process(Pid::from_child(&self.process), Signal::TERM).ok();
        self.process.wait().ok();
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
