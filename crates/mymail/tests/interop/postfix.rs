//! A Postfix of our own, which files mail in Maildirs; and one that our client submits to, with STARTTLS and with TLS.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::ensure;

use crate::dovecot::free_port;
use crate::script::{bounded, output_of};

/// A running Postfix, ended afterwards.
pub(crate) struct Postfix {
    config: PathBuf,
}

impl Postfix {
    /// Starts one that files mail to these addresses in `folder/mail`, each in the Maildir behind it, and has these settings and
    /// services besides. The folder is laid out for it.
    pub(crate) fn start(
        folder: &Path,
        mailboxes: &[(&str, &str)],
        settings: &str,
        services: &str,
    ) -> anyhow::Result<Self> {
        let config = folder.join("postfix");
        fs::create_dir(&config)?;
        let path = folder.display();
        let (_, domain) = mailboxes[0].0.split_once('@').unwrap();
        let maps: String = mailboxes.iter().map(|(address, name)| format!(" {{{address} = {name}/}}")).collect();
        let main = format!(
            "compatibility_level = 3.6\n\
             queue_directory = {path}/queue\n\
             data_directory = {path}/data\n\
             maillog_file = {log}\n\
             maillog_file_prefixes = {path}\n\
             inet_interfaces = 127.0.0.1\n\
             inet_protocols = ipv4\n\
             myhostname = postfix.example\n\
             mydestination =\n\
             alias_maps =\n\
             alias_database =\n\
             virtual_mailbox_domains = {domain}\n\
             virtual_mailbox_base = {path}/mail\n\
             virtual_mailbox_maps = inline:{{{maps} }}\n\
             virtual_minimum_uid = 1\n\
             virtual_uid_maps = static:{uid}\n\
             virtual_gid_maps = static:{gid}\n\
             {settings}",
            log = log(folder).display(),
            uid = id("-u")?,
            gid = id("-g")?,
        );
        let master = format!(
            "cleanup unix n - n - 0 cleanup\n\
             qmgr unix n - n 300 1 qmgr\n\
             tlsmgr unix - - n 1000? 1 tlsmgr\n\
             rewrite unix - - n - - trivial-rewrite\n\
             bounce unix - - n - 0 bounce\n\
             defer unix - - n - 0 bounce\n\
             trace unix - - n - 0 bounce\n\
             proxymap unix - - n - - proxymap\n\
             error unix - - n - - error\n\
             retry unix - - n - - error\n\
             virtual unix - n n - - virtual\n\
             anvil unix - - n - 1 anvil\n\
             postlog unix-dgram n - n - 1 postlogd\n\
             {services}"
        );
        fs::write(config.join("main.cf"), main)?;
        fs::write(config.join("master.cf"), master)?;
        output_of(bounded("postfix").arg("-c").arg(&config).arg("start"))?;
        Ok(Self { config })
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

/// What a Postfix in this folder tells.
pub(crate) fn log(folder: &Path) -> PathBuf {
    folder.join("postfix.log")
}

/// Makes the folders that it wants, and a Maildir, each with its owner.
pub(crate) fn lay_out(folder: &Path, mailbox: &str) -> anyhow::Result<()> {
    ensure!(rustix::process::getuid().is_root(), "Postfix starts only as root");
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    let (user, group) = (id("-u")?, id("-g")?);
    let mailbox = format!("mail/{mailbox}");
    let [new, cur, tmp] = ["new", "cur", "tmp"].map(|part| format!("{mailbox}/{part}"));
    for name in ["queue", "queue/private", "data", "mail", &mailbox, &new, &cur, &tmp] {
        fs::create_dir(folder.join(name))?;
        if name != "queue" {
            chown(folder.join(name), Some(user), Some(group))?;
        }
    }
    Ok(())
}

/// The number of the user (`-u`) or group (`-g`) that Postfix files mail as.
fn id(option: &str) -> anyhow::Result<u32> {
    Ok(output_of(bounded("id").args([option, "postfix"]))?.trim().parse()?)
}

/// A Postfix for those who log in.
pub(crate) struct Submission {
    pub(crate) smtp: u16,
    pub(crate) smtps: u16,
    _postfix: Postfix,
}

impl Submission {
    /// Starts one that asks a Dovecot who may send.
    pub(crate) fn start(
        folder: &Path,
        certificate: &Path,
        key: &Path,
        mailboxes: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let (smtp, smtps) = (free_port()?, free_port()?);
        let settings = format!(
            "smtpd_tls_cert_file = {certificate}\n\
             smtpd_tls_key_file = {key}\n\
             smtpd_tls_security_level = encrypt\n\
             smtpd_sasl_auth_enable = yes\n\
             smtpd_sasl_type = dovecot\n\
             smtpd_sasl_path = private/auth\n\
             smtpd_relay_restrictions = permit_sasl_authenticated, reject\n\
             smtpd_recipient_restrictions = permit_sasl_authenticated, reject\n",
            certificate = certificate.display(),
            key = key.display(),
        );
        let services = format!(
            "127.0.0.1:{smtp} inet n - n - - smtpd\n\
             127.0.0.1:{smtps} inet n - n - - smtpd -o smtpd_tls_wrappermode=yes\n"
        );
        let postfix = Postfix::start(folder, mailboxes, &settings, &services)?;
        Ok(Self { smtp, smtps, _postfix: postfix })
    }
}
