//! Exim as a neighbour. It is not installed, since Debian has it or Postfix: `.ci/run` unpacks it beside what is built.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use anyhow::{Context, ensure};
use rustix::process::{Pid, Signal, kill_process};

use super::{Neighbour, Process, Proofs};
use crate::dovecot::free_port;
use crate::script::{PATH, bounded, output_of};
use crate::server::{HOST, MailServer};
use crate::until::until;

const DOMAIN: &str = "exim.example";
/// Whom Debian's Exim runs as.
const USER: &str = "Debian-exim";

/// A running Exim, ended afterwards.
pub(super) struct Exim {
    process: Child,
}

impl Drop for Exim {
    fn drop(&mut self) {
        kill_process(Pid::from_child(&self.process), Signal::TERM).ok();
        self.process.wait().ok();
    }
}

fn unpacked() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("exim").join("usr/sbin/exim4")
}

pub(super) fn version() -> anyhow::Result<String> {
    let program = unpacked();
    crate::program::version(&[program.to_str().context("its path is no text")?, "-C", "/dev/null", "-bV"])
}

/// Starts one that takes mail of everybody; the sender decides which way it goes.
pub(super) fn start(server: &MailServer) -> anyhow::Result<Neighbour> {
    ensure!(rustix::process::getuid().is_root(), "Exim starts only as root");
    let folder = tempfile::tempdir()?;
    let [user, group] = ["-u", "-g"].map(|option| output_of(bounded("id").args([option, USER])));
    let (user, group) = (user?.trim().parse()?, group?.trim().parse()?);
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
    for name in ["spool", "log", "mail"] {
        fs::create_dir(folder.path().join(name))?;
        chown(folder.path().join(name), Some(user), Some(group))?;
    }
    fs::copy(server.certificate(), folder.path().join("certificate.pem"))?;
    // It runs itself anew as its user, who may not reach the place where it was unpacked.
    let program = folder.path().join("exim4");
    fs::copy(unpacked(), &program).context("it is not there: .ci/run unpacks it")?;
    let port = free_port()?;
    let file = folder.path().join("exim.conf");
    fs::write(&file, config(server, folder.path(), &program, port))?;
    let mut command = Command::new(&program);
    command.env_clear().env("PATH", PATH).arg("-C").arg(&file).arg("-bdf");
    let process = command.stderr(File::create(folder.path().join("stderr"))?).spawn();
    let mut exim = Exim { process: process.context("it cannot be run")? };
    until("Exim listens or ends", || {
        let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        (listens || exim.process.try_wait().is_ok_and(|status| status.is_some())).then_some(())
    })?;
    let status = exim.process.try_wait()?;
    ensure!(status.is_none(), "Exim has ended: {}", fs::read_to_string(folder.path().join("stderr"))?);
    Ok(Neighbour {
        port,
        domain: DOMAIN,
        mailbox: folder.path().join("mail"),
        queues: vec![folder.path().join("spool/input")],
        log: folder.path().join("log/main"),
        // L: pipelining; K: chunking.
        proofs: Proofs {
            over_tcp: &[" L K C=\"250 2.6.0 OK\""],
            over_socket: &[" C=\"250 2.6.0 OK\""],
            encrypted: " CV=yes ",
            // It makes no use of ours.
            status_of_unknown: "5.0.0",
            hears_of_full: "lmtp error after end of data: ",
        },
        _process: Process::Exim(exim),
        _folder: folder,
    })
}

fn config(server: &MailServer, folder: &Path, program: &Path, port: u16) -> String {
    let path = folder.display();
    let (outside, lmtp) = (server.from_outside, server.lmtp);
    let remote = |protocol: &str, port: u16, tls: &str| {
        format!(
            "driver = smtp\nprotocol = {protocol}\nhosts = {HOST}\nport = {port}\nallow_localhost\ngethostbyname\n\
             message_linelength_limit = 4000\n{tls}\n"
        )
    };
    let clear = "hosts_avoid_tls = *";
    let tls = format!("hosts_require_tls = *\ntls_verify_hosts = *\ntls_verify_certificates = {path}/certificate.pem");
    let ways = [
        ("smtp_clear", remote("smtp", outside, clear)),
        ("smtp_tls", remote("smtp", outside, &tls)),
        ("lmtp_clear", remote("lmtp", lmtp, clear)),
        ("lmtp_tls", remote("lmtp", lmtp, &tls)),
        (
            "lmtp_socket",
            format!("driver = lmtp\nsocket = {}\nuser = {USER}\nbatch_max = 100\n", server.lmtp_socket().display()),
        ),
    ];
    let routers = ways
        .each_ref()
        .map(|(name, _)| format!("{name}:\ndriver = accept\nsenders = {name}@{DOMAIN}\ntransport = {name}\n"));
    let transports = ways.each_ref().map(|(name, transport)| format!("{name}:\n{transport}"));
    format!(
        "exim_path = {program}\n\
         keep_environment =\n\
         primary_hostname = {DOMAIN}\n\
         local_interfaces = 127.0.0.1\n\
         daemon_smtp_ports = {port}\n\
         spool_directory = {path}/spool\n\
         log_file_path = {path}/log/%s\n\
         pid_file_path = {path}/exim.pid\n\
         log_selector = +pipelining +tls_certificate_verified +smtp_confirmation\n\
         domainlist local_domains = {DOMAIN}\n\
         acl_smtp_rcpt = accept\n\
         dsn_advertise_hosts = *\n\
         smtputf8_advertise_hosts = *\n\
         tls_advertise_hosts =\n\
         begin routers\n\
         mailbox:\ndriver = accept\ndomains = +local_domains\ntransport = mailbox\n\
         {routers}\
         begin transports\n\
         mailbox:\ndriver = appendfile\ndirectory = {path}/mail\nmaildir_format\nuser = {USER}\ngroup = {USER}\n\
         {transports}",
        program = program.display(),
        routers = routers.concat(),
        transports = transports.concat(),
    )
}
