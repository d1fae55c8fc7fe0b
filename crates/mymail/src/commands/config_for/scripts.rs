//! The lines for programs that scripts use.

use super::setup::{Service, Setup};
use crate::exit::Failure;

/// A script in Python.
pub(super) fn smtplib(setup: &Setup) -> String {
    let Setup { smtp, address, user, password, .. } = setup;
    let (host, port) = (literal(&smtp.host), smtp.port);
    let context = match smtp.certificate() {
        Some(certificate) => format!(
            "# The server is who has this certificate, by whatever name.\n\
             context = ssl.create_default_context(cadata=\"\"\"\\\n{}\"\"\")\ncontext.check_hostname = False\n\n",
            certificate.pem()
        ),
        None if smtp.is_encrypted() => "context = ssl.create_default_context()\n\n".to_owned(),
        None => String::new(),
    };
    let import = if smtp.is_encrypted() { "import smtplib\nimport ssl\n" } else { "import smtplib\n" };
    let (connection, starttls) = match (smtp.is_implicit(), smtp.is_encrypted()) {
        (true, _) => (format!("smtplib.SMTP_SSL({host}, {port}, context=context)"), ""),
        (false, true) => (format!("smtplib.SMTP({host}, {port})"), "    server.starttls(context=context)\n"),
        (false, false) => (format!("smtplib.SMTP({host}, {port})"), ""),
    };
    let (from, user, password) = (literal(&address.to_string()), literal(user), literal(&password.0));
    format!(
        "{import}from email.message import EmailMessage\n\n{context}\
         message = EmailMessage()\nmessage[\"From\"] = {from}\nmessage[\"To\"] = {from}\nmessage[\"Subject\"] = \"Hello\"\n\
         message.set_content(\"Hello\")\n\n\
         with {connection} as server:\n{starttls}    server.login({user}, {password})\n    server.send_message(message)\n"
    )
}

/// A string of Python. JSON's escapes mean the same there.
fn literal(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A file for `curl --config`.
pub(super) fn curl(setup: &Setup) -> Result<String, Failure> {
    let Setup { smtp, pop3, address, user, password, .. } = setup;
    let url = |scheme: &str, service: &Service| {
        format!("{scheme}{}://{}", if service.is_implicit() { "s" } else { "" }, service.endpoint())
    };
    let login = format!("{user}:{}", password.0).replace('\\', "\\\\").replace('"', "\\\"");
    let mut lines = vec![
        "# curl --config ~/.config/mymail/curlrc …".to_owned(),
        format!(
            "#   --url {} --mail-from {address} --mail-rcpt {address} --upload-file message.eml",
            url("smtp", smtp)
        ),
        format!("#   --url {}/1", url("pop3", pop3)),
        format!("user = \"{login}\""),
    ];
    if setup.requires_upgrade("curl")? {
        lines.push("ssl-reqd".to_owned());
    }
    if smtp.certificate().or(pop3.certificate()).is_some() {
        lines.push(format!("cacert = \"{}\"", setup.certificate_file()));
    }
    Ok(lines.join("\n") + "\n")
}

/// Of `~/.swaksrc`.
pub(super) fn swaks(setup: &Setup) -> String {
    let Setup { smtp, address, user, password, .. } = setup;
    let mut lines = vec![format!("--server {}", smtp.host), format!("--port {}", smtp.port)];
    if smtp.is_encrypted() {
        lines.push(if smtp.is_implicit() { "--tls-on-connect" } else { "--tls" }.to_owned());
        lines.push("--tls-verify".to_owned());
    }
    if smtp.certificate().is_some() {
        lines.push(format!("--tls-ca-path {}", setup.certificate_file()));
    }
    lines.extend([
        "--auth PLAIN".to_owned(),
        format!("--auth-user {user}"),
        format!("--auth-password {}", password.0),
        format!("--from {address}"),
    ]);
    lines.join("\n") + "\n"
}
