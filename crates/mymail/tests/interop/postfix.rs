//! A Postfix of our own: submission with STARTTLS and with TLS, to Maildirs.

use std::fs;
use std::path::{Path, PathBuf};

use crate::dovecot::free_port;
use crate::script::{bounded, output_of};

/// A running Postfix, ended afterwards.
pub(crate) struct Postfix {
    pub(crate) smtp: u16,
    pub(crate) smtps: u16,
    config: PathBuf,
}

impl Postfix {
    /// Starts one that files mail to `address` in `folder/mail`, and asks a Dovecot who may send.
    pub(crate) fn start(folder: &Path, certificate: &Path, key: &Path, address: &str) -> anyhow::Result<Self> {
        let config = folder.join("postfix");
        fs::create_dir(&config)?;
        let (smtp, smtps) = (free_port()?, free_port()?);
        let (path, certificate, key) = (folder.display(), certificate.display(), key.display());
        let (name, domain) = address.split_once('@').unwrap();
        let main = format!(
            "compatibility_level = 3.6\n\
             queue_directory = {path}/queue\n\
             data_directory = {path}/data\n\
             maillog_file = {path}/postfix.log\n\
             maillog_file_prefixes = {path}\n\
             inet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\n\
             myhostname = postfix.example\n\
             mydestination =\n\
             alias_maps =\n\
             alias_database =\n\
             virtual_mailbox_domains = {domain}\n\
             virtual_mailbox_base = {path}/mail\n\
             virtual_mailbox_maps = inline:{{{address}={name}/}}\n\
             virtual_minimum_uid = 1\n\
             virtual_uid_maps = static:{uid}\n\
             virtual_gid_maps = static:{gid}\n\
             smtpd_tls_cert_file = {certificate}\n\
             smtpd_tls_key_file = {key}\n\
             smtpd_tls_security_level = encrypt\n\
             smtpd_sasl_auth_enable = yes\n\
             smtpd_sasl_type = dovecot\n\
             smtpd_sasl_path = private/auth\n\
             smtpd_relay_restrictions = permit_sasl_authenticated, reject\n\
             smtpd_recipient_restrictions = permit_sasl_authenticated, reject\n",
            uid = id("-u")?,
            gid = id("-g")?,
        );
        let master = format!(
            "127.0.0.1:{smtp} inet n - n - - smtpd\n\
             127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n\
             cleanup unix n - n - 0 cleanup\n\
             qmgr unix n - n 300 1 qmgr\n\
             tlsmgr unix - - n 1000? 1 tlsmgr\n\
             rewrite unix - - n - - trivial-rewrite\n\
             bounce unix - - n - 0 bounce\n\
             defer unix - - n - 0 bounce\n\
             trace unix - - n - 0 bounce\n\
             proxymap unix - - n - - proxymap\n\
             error unix - - n - - error\n\
             virtual unix - n n - - virtual\n\
             anvil unix - - n - 1 anvil\n\
             postlog unix-dgram n - n - 1 postlogd\n"
        );
        fs::write(config.join("main.cf"), main)?;
        fs::write(config.join("master.cf"), master)?;
        output_of(bounded("postfix").arg("-c").arg(&config).arg("start"))?;
        Ok(Self { smtp, smtps, config })
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        let stopped = output_of(bounded("postfix").arg("-c").arg(&self.config).arg("stop"));
        if let Err(error) = stopped {
            println!("postfix does not stop: {error:#}");
        }
    }
}

/// The number of the user (`-u`) or group (`-g`) that Postfix files mail as.
pub(crate) fn id(option: &str) -> anyhow::Result<u32> {
    Ok(output_of(bounded("id").args([option, "postfix"]))?.trim().parse()?)
}
