//! The lines for programs that send or retrieve for people.

use super::setup::{Service, Setup, Tls};
use crate::exit::{Exit, Failure};

/// Of `~/.msmtprc`.
pub(super) fn msmtp(setup: &Setup) -> String {
    let Setup { smtp, address, .. } = setup;
    let login = login_in_msmtps_way(setup, smtp, "plain");
    format!("account mymail\n{login}from \"{address}\"\n\naccount default : mymail\n")
}

/// Of `~/.mpoprc`.
pub(super) fn mpop(setup: &Setup) -> String {
    let login = login_in_msmtps_way(setup, &setup.pop3, "user");
    format!("account mymail\n{login}delivery mbox ~/mbox\nkeep off\n\naccount default : mymail\n")
}

/// The two programs are of one hand. Text in quotes ends with the line's last one, so there is nothing to escape.
fn login_in_msmtps_way(setup: &Setup, service: &Service, clear_mechanism: &str) -> String {
    let Service { host, port, tls } = service;
    let tls_lines = match tls {
        // Without TLS, a mechanism that says the password must be asked for.
        Tls::Off => format!("tls off\nauth {clear_mechanism}\n"),
        Tls::Upgraded(_) => "tls on\ntls_starttls on\nauth on\n".to_owned(),
        Tls::Implicit(_) => "tls on\ntls_starttls off\nauth on\n".to_owned(),
    };
    let fingerprint =
        service.certificate().map(|certificate| format!("tls_fingerprint {}\n", certificate.fingerprint()));
    let fingerprint = fingerprint.unwrap_or_default();
    let (user, password) = (&setup.user, &setup.password.0);
    format!("host {host}\nport {port}\n{tls_lines}{fingerprint}user \"{user}\"\npassword \"{password}\"\n")
}

/// Of `~/.muttrc`.
pub(super) fn mutt(setup: &Setup) -> Result<String, Failure> {
    let Setup { smtp, pop3, .. } = setup;
    let url = |scheme: &str, service: &Service| {
        let (s, user) = (if service.is_implicit() { "s" } else { "" }, percent_encoded(&setup.user));
        quoted_for_mutt(&format!("{scheme}{s}://{user}@{}/", service.endpoint()))
    };
    let password = quoted_for_mutt(&setup.password.0);
    let mut lines = vec![
        format!("set from = {}", quoted_for_mutt(&setup.address.to_string())),
        "set use_from = yes".to_owned(),
        "set use_envelope_from = yes".to_owned(),
        format!("set smtp_url = {}", url("smtp", smtp)),
        format!("set smtp_pass = {password}"),
        // What it would choose itself may be a mechanism with channel binding, which it can't do over TLS 1.3.
        "set smtp_authenticators = \"scram-sha-256:plain:login\"".to_owned(),
        format!("set pop_host = {}", url("pop", pop3)),
        format!("set pop_pass = {password}"),
        "set pop_authenticators = \"scram-sha-256:plain:user\"".to_owned(),
        "set pop_delete = yes".to_owned(),
    ];
    let force = if setup.requires_upgrade("mutt")? { "yes" } else { "no" };
    lines.push(format!("set ssl_starttls = {force}"));
    lines.push(format!("set ssl_force_tls = {force}"));
    if smtp.certificate().or(pop3.certificate()).is_some() {
        lines.push(format!("set certificate_file = {}", quoted_for_mutt(setup.certificate_file())));
    }
    Ok(lines.join("\n") + "\n")
}

/// Within double quotes mutt expands variables and commands.
fn quoted_for_mutt(text: &str) -> String {
    let escape = |c: char| if matches!(c, '\\' | '"' | '$' | '`') { format!("\\{c}") } else { c.to_string() };
    format!("\"{}\"", text.chars().map(escape).collect::<String>())
}

/// A user in a URL (RFC 3986 §3.2.1).
fn percent_encoded(user: &str) -> String {
    let encode = |octet: u8| match octet {
        b'-' | b'.' | b'_' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => char::from(octet).to_string(),
        octet => format!("%{octet:02X}"),
    };
    user.bytes().map(encode).collect()
}

/// Of `~/.fetchmailrc`.
pub(super) fn fetchmail(setup: &Setup) -> String {
    let Service { host, port, tls } = &setup.pop3;
    let tls = match tls {
        Tls::Off => "sslproto \"\"".to_owned(),
        Tls::Upgraded(_) => "sslproto \"TLS1.2+\" sslcertck".to_owned(),
        Tls::Implicit(_) => "ssl sslproto \"TLS1.2+\" sslcertck".to_owned(),
    };
    let trust = setup.pop3.certificate().map(|_| {
        format!("\n    sslcertfile {}{}", quoted_for_fetchmail(setup.certificate_file()), name_for_fetchmail(setup))
    });
    format!(
        "poll {host} protocol pop3 port {port}\n    user {} password {}\n    {tls}{}\n\
         # Without a mail server on this computer, name a program that files the mail: mda \"/usr/bin/procmail -d %T\"\n",
        quoted_for_fetchmail(&setup.user),
        quoted_for_fetchmail(&setup.password.0),
        trust.unwrap_or_default(),
    )
}

/// Text ends at the next quotation mark, whatever stands before that.
fn quoted_for_fetchmail(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r"\x22"))
}

/// It compares the certificate's names with the host, and no IP addresses. A server that made its certificate itself is named
/// in it as in its addresses.
fn name_for_fetchmail(setup: &Setup) -> String {
    let (host, domain) = (&setup.pop3.host, setup.address.domain().to_string());
    let is_named = host.eq_ignore_ascii_case("localhost") || host.eq_ignore_ascii_case(&domain);
    if is_named { String::new() } else { format!(" sslcommonname \"{domain}\"") }
}

/// Of `~/.config/getmail/getmailrc`. It can't do STLS, and takes the fingerprint only where TLS comes first.
pub(super) fn getmail(setup: &Setup) -> Result<String, Failure> {
    let service = &setup.pop3;
    let Service { host, port, tls } = service;
    let (retriever, trust) = match tls {
        Tls::Implicit(_) => ("SimplePOP3SSLRetriever", trust_of_getmail(service)),
        Tls::Off | Tls::Upgraded(_) if service.is_local() => ("SimplePOP3Retriever", String::new()),
        Tls::Off | Tls::Upgraded(_) => {
            let problem = "getmail cannot encrypt a connection by STLS: it needs a port where TLS comes first";
            return Err(Failure::new(Exit::Config, format!("{problem}, --pop3 pop3s://{host}")));
        }
    };
    let (user, password) = (&setup.user, &setup.password.0);
    Ok(format!(
        "[retriever]\ntype = {retriever}\nserver = {host}\nport = {port}\nusername = {user}\npassword = {password}\n{trust}\n\
         # mkdir -p ~/Maildir/cur ~/Maildir/new ~/Maildir/tmp\n\
         [destination]\ntype = Maildir\npath = ~/Maildir/\n\n[options]\ndelete = true\n"
    ))
}

fn trust_of_getmail(service: &Service) -> String {
    match service.certificate() {
        Some(certificate) => format!("ssl_fingerprints = (\"{}\",)\n", certificate.fingerprint()),
        // Without a file it takes any certificate.
        None => "ca_certs = /etc/ssl/certs/ca-certificates.crt\n".to_owned(),
    }
}

/// The values for the dialogue that sets up an account by hand.
pub(super) fn thunderbird(setup: &Setup) -> String {
    let server = |service: &Service| {
        let (security, authentication) = match service.tls {
            Tls::Off => ("None", "Password, transmitted insecurely (it does not leave this computer)"),
            Tls::Upgraded(_) => ("STARTTLS", "Normal password"),
            Tls::Implicit(_) => ("SSL/TLS", "Normal password"),
        };
        let Service { host, port, .. } = service;
        let user = &setup.user;
        format!(
            "  Hostname: {host}\n  Port: {port}\n  Connection security: {security}\n  \
             Authentication method: {authentication}\n  Username: {user}\n"
        )
    };
    let Setup { smtp, pop3, address, .. } = setup;
    let mut text = format!(
        "Email address: {address}\n\nIncoming server\n  Protocol: POP3\n{}\nOutgoing server\n{}",
        server(pop3),
        server(smtp)
    );
    let mut fingerprints: Vec<String> = [pop3, smtp]
        .into_iter()
        .filter_map(Service::certificate)
        .map(|certificate| format!("  {}\n", certificate.fingerprint()))
        .collect();
    fingerprints.dedup();
    if !fingerprints.is_empty() {
        text.push_str(
            "\nThunderbird does not know the certificate and asks, for each of both servers (Add Security Exception).\n\
             Confirm if \"View\" shows this SHA-256 fingerprint, and only then:\n",
        );
        text.extend(fingerprints);
    }
    text
}
