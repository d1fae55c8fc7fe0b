//! What a configuration file may say, and what is said about one that is wrong.

use super::*;

fn parse(text: &str) -> Result<Config, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    Config::read(file.path()).map_err(|error| error.to_string())
}

#[test]
fn nothing_is_a_configuration() {
    let config = parse("").unwrap();
    assert_eq!(config.hostname.to_string(), "mymailserver");
    let listen: Vec<_> = config.listen.iter().map(|listen| (listen.to_string(), listen.tls)).collect();
    let starttls = |listen: &str| (listen.to_owned(), Tls::Starttls);
    assert_eq!(listen, [starttls("smtp=127.0.0.1:2525"), starttls("pop3=127.0.0.1:1110")]);
    assert_eq!(config.tls, None);
}

#[test]
fn the_example_of_the_documentation() {
    let config = parse(
        r#"
        hostname = "Mail.Example.org"
        data = "/var/lib/mymail"
        [[listen]]
        protocol = "smtp"
        address = "0.0.0.0:25"
        tls = "starttls"
        from_outside = true
        [[listen]]
        protocol = "pop3"
        address = "0.0.0.0:995"
        tls = "implicit"
        [[listen]]
        protocol = "pop3"
        address = "127.0.0.1:110"
        tls = "off"
        from_outside = false
        [tls]
        certificate = "/etc/mymail/certificate.pem"
        key = "key.pem"
        [registration]
        open = true
        tokens = ["sesame"]
        lease = "24h"
        [limits]
        message_size = "10 MiB"
        [timeouts]
        command = "5m"
        "#,
    )
    .unwrap();
    assert_eq!(config.hostname.to_string(), "mail.example.org");
    assert_eq!(config.limits.message_size, ByteSize::mib(10));
    assert!(config.listen[0].from_outside);
    let listen: Vec<_> = config.listen.iter().map(|listen| (listen.protocol, listen.tls)).collect();
    let expected = [(Protocol::Smtp, Tls::Starttls), (Protocol::Pop3, Tls::Implicit), (Protocol::Pop3, Tls::Off)];
    assert_eq!(listen, expected);
    assert_eq!(
        config.listen.iter().map(|listen| config.session(listen).starttls).collect::<Vec<_>>(),
        [true, false, false]
    );
    let key = PathBuf::from("key.pem");
    assert_eq!(config.tls, Some(Certificate { certificate: "/etc/mymail/certificate.pem".into(), key }));
    let resolved = config.resolved().unwrap();
    assert!(!resolved.contains("sesame") && resolved.contains("1, not shown"), "{resolved}");
    assert!(parse(&resolved).is_err(), "without its tokens it is another configuration");
    let open = resolved.replace("\"1, not shown\"", "[]");
    assert_eq!(parse(&open).unwrap().resolved().unwrap(), open);
    let again = parse(&open).unwrap();
    assert_eq!((again.listen, again.tls), (config.listen, config.tls));
    let odd = parse("[limits]\nmessage_size = 70000").unwrap();
    assert_eq!(parse(&odd.resolved().unwrap()).unwrap().limits.message_size, ByteSize::b(70000));
}

#[test]
fn a_listener_has_a_role() {
    let config = parse(
        r#"
        listen = [
            { protocol = "smtp", address = "127.0.0.1:25", from_outside = true, proxied_by = ["192.0.2.7", "10.0.0.0/8"] },
            { protocol = "smtp", address = "127.0.0.1:2525" },
            { protocol = "submission", address = "127.0.0.1:587" },
            { protocol = "lmtp", address = "127.0.0.1:24" },
            { protocol = "lmtp", address = "unix:/run/mymail/lmtp" },
            { protocol = "lmtp", address = "unix:lmtp", tls = "off", from_outside = false, proxied_by = [] },
        ]
        "#,
    )
    .unwrap();
    let sessions: Vec<_> = config.listen.iter().map(|listen| config.session(listen)).collect();
    assert_eq!(
        sessions.iter().map(|session| (session.role, session.starttls, session.reports)).collect::<Vec<_>>(),
        [
            (Role::Exchanger, true, false),
            (Role::Clients, true, true),
            (Role::Submission, true, true),
            (Role::Lmtp, true, false),
            (Role::Lmtp, false, false),
            (Role::Lmtp, false, false),
        ]
    );
    let shown: Vec<_> = config.listen.iter().map(|listen| listen.address.to_string()).collect();
    assert_eq!(shown[3..], ["127.0.0.1:24", "unix:/run/mymail/lmtp", "unix:lmtp"]);
    assert_eq!(config.listen[0].proxied_by, ["192.0.2.7/32".parse().unwrap(), "10.0.0.0/8".parse().unwrap()]);
    assert_eq!(parse(&config.resolved().unwrap()).unwrap().listen, config.listen);
}

#[test]
fn limits_of_a_session_and_a_mailbox() {
    let limits = parse("").unwrap().limits;
    assert_eq!((limits.mailbox_messages, limits.transactions, limits.recipient_domains), (1_000_000, 100_000, 100));
    let config = parse("[limits]\nmailbox_messages = 7\ntransactions = 999999\nrecipient_domains = 1").unwrap();
    let session = config.session(&config.listen[0]);
    assert_eq!((session.limits.transactions, session.limits.recipient_domains), (999_999, 1));
    assert_eq!(config.limits.mailbox_messages, 7);
}

#[test]
fn a_store_is_in_the_data_folder_or_a_database() {
    for text in ["", "[store]", "[store]\nengine = \"sqlite\""] {
        assert_eq!(parse(text).unwrap().store, StoreConfig::Sqlite);
    }
    let config = parse("[store]\nengine = \"postgres\"\nurl = \"postgres://mymail@db1,db2:6432/mymail\"").unwrap();
    let database = config.store.database().unwrap();
    assert_eq!((database.connections, database.node_lease), (10, Duration::from_secs(30)));
    assert_eq!(database.url.places().len(), 2);
    config.check_database().unwrap();

    let text = r#"
        [store]
        engine = "postgres"
        url = "postgres://mymail@db/mymail?sslmode=require"
        password_file = "/no/such/file"
        connections = 1000
        node_lease = "1s"
        ca = "/etc/mymail/ca.pem"
        "#;
    let config = parse(text).unwrap();
    let database = config.store.database().unwrap();
    assert_eq!((database.connections, database.node_lease), (1000, Duration::from_secs(1)));
    assert_eq!(database.password_file.as_deref(), Some(Path::new("/no/such/file")));
    assert_eq!(database.ca.as_deref(), Some(Path::new("/etc/mymail/ca.pem")));
    assert!(config.check_database().unwrap_err().to_string().contains("in /no/such/file: "));
    let without_ca = parse(&text.replace("password_file", "# password_file")).unwrap();
    assert!(without_ca.check_database().unwrap_err().to_string().contains("in /etc/mymail/ca.pem: "));
    let resolved = config.resolved().unwrap();
    let again = parse(&resolved).unwrap();
    assert_eq!((again.store, again.listen), (config.store, config.listen), "{resolved}");
}

#[test]
fn the_password_of_a_database_is_not_shown() {
    let config = parse("[store]\nengine = \"postgres\"\nurl = \"postgres://mymail:sesame@db/mymail\"").unwrap();
    let shown = [config.resolved().unwrap(), format!("{config:?}")];
    for text in shown {
        assert!(text.contains("postgres://mymail:***@db/mymail") && !text.contains("sesame"), "{text}");
    }
}

#[test]
fn a_reserve_may_be_of_any_size() {
    for (text, reserve) in [
        ("", ByteSize::mib(64)),
        ("limits.reserve = 0", ByteSize::b(0)),
        ("limits.reserve = \"100 PiB\"", ByteSize::pib(100)),
    ] {
        let config = parse(text).unwrap();
        assert_eq!(config.limits.reserve, reserve);
        assert_eq!(parse(&config.resolved().unwrap()).unwrap().limits.reserve, reserve);
    }
}

#[test]
fn aliases_are_part_of_it() {
    let text = "[aliases]\n\"*\" = \"alice\"\ninfo = [\"alice\", \"bob@mymailserver\"]\n";
    let config = parse(text).unwrap();
    config.check_aliases().unwrap();
    let resolved = config.resolved().unwrap();
    assert!(resolved.contains("info = [\"alice\", \"bob@mymailserver\"]"), "{resolved}");
    assert_eq!(parse(&resolved).unwrap().aliases, config.aliases);
    let elsewhere = Config { hostname: "mail.example".parse().unwrap(), ..config };
    let error = elsewhere.check_aliases().unwrap_err().to_string();
    assert!(error.starts_with("[aliases], info: bob@mymailserver is not here"), "{error}");
}

/// RFC 1939 §3
#[test]
fn a_pop3_client_has_ten_minutes() {
    for (text, minutes) in [("", 10), ("[timeouts]\ncommand = \"1s\"", 10), ("[timeouts]\ncommand = \"15m\"", 15)] {
        let config = parse(text).unwrap();
        let session = config.pop3_session(&config.listen[1]);
        assert_eq!((session.timeout, session.starttls), (Duration::from_secs(minutes * 60), true), "{text}");
    }
}

#[test]
fn what_is_wrong_is_said_with_line_and_key() {
    for (text, line, what) in [
        ("hostnam = \"x\"", "line 1", "hostnam"),
        ("hostname = \"-\"", "line 1", "Bad domain"),
        ("\n[limits]\nrecipients = 0", "line 3", "at least 1"),
        ("[limits]\nmessage_size = \"0 B\"", "line 2", "at least 1"),
        ("[limits]\ncommand_octets = 100000", "line 2", "at most 12288"),
        ("listen = []", "line 1", "at least one"),
        (
            "[[listen]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:25\"\n[[listen]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:25\"",
            "line 1",
            "twice",
        ),
        ("[limits]\nmailbox_size = \"much\"", "line 2", "50 MiB"),
        ("[limits]\nreserve = -1", "line 2, reserve: ", "50 MiB"),
        ("[timeouts]\ncommand = \"500000000years\"", "line 2", "at most"),
        ("[timeouts]\n\ndata = \"0s\"", "line 3", "at least"),
        ("[registration]\ntokens = [\"sesame\", 5]", "line 2, tokens", "list of texts"),
        ("[registration]\ntokens = \"sesame\"", "line 2, tokens", "list of texts"),
        ("[[listen]]\nprotocol = \"gopher\"\naddress = \"127.0.0.1:1\"", "line 2", "gopher"),
        ("[[listen]]\nprotocol = \"smtp\"\naddress = \"here\"", "line 3", "address"),
        ("[timeouts]\ncommand = \"soon\"", "line 2", "command"),
        (
            "[[listen]]\nfrom_outside = true\nprotocol = \"pop3\"\naddress = \"127.0.0.1:1\"",
            "line 2, from_outside: ",
            "over smtp alone",
        ),
        (
            "listen = [{ protocol = \"pop3\", address = \"127.0.0.1:1\", from_outside = true }]",
            "line 1, listen: ",
            "over smtp alone",
        ),
        (
            "[[listen]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:1\"\ntls = \"ssl\"",
            "line 4, tls: ",
            "expected one of `off`, `starttls`, `implicit`",
        ),
        (
            "[[listen]]\nprotocol = \"submission\"\naddress = \"127.0.0.1:1\"\nfrom_outside = true",
            "line 4, from_outside: ",
            "over smtp alone",
        ),
        (
            "[[listen]]\nfrom_outside = true\nprotocol = \"lmtp\"\naddress = \"unix:/a\"",
            "line 2, from_outside: ",
            "over smtp alone",
        ),
        ("[[listen]]\nprotocol = \"smtp\"\naddress = \"unix:/a\"", "line 3, address: ", "for lmtp alone"),
        ("[[listen]]\nprotocol = \"pop3\"\naddress = \"unix:/a\"", "line 3, address: ", "for lmtp alone"),
        ("[[listen]]\nprotocol = \"lmtp\"\naddress = \"unix:\"", "line 3, address: ", "unix:/run/mymail/lmtp"),
        (
            "[[listen]]\nprotocol = \"lmtp\"\naddress = \"unix:/a\"\ntls = \"starttls\"",
            "line 4, tls: ",
            "must be \"off\"",
        ),
        (
            "[[listen]]\ntls = \"implicit\"\nprotocol = \"lmtp\"\naddress = \"unix:/a\"",
            "line 2, tls: ",
            "must be \"off\"",
        ),
        (
            "[[listen]]\nprotocol = \"lmtp\"\naddress = \"unix:/a\"\nproxied_by = [\"192.0.2.7\"]",
            "line 4, proxied_by: ",
            "no proxy",
        ),
        (
            "listen = [{ protocol = \"lmtp\", address = \"unix:/a\" }, { protocol = \"lmtp\", address = \"unix:/a\" }]",
            "line 1",
            "unix:/a is there twice",
        ),
        (
            "[[listen]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:1\"\nproxied_by = [\"proxy.example\"]",
            "line 4, proxied_by: ",
            "IP addresses and networks",
        ),
        (
            "[[listen]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:1\"\nproxied_by = \"192.0.2.7\"",
            "line 4, proxied_by: ",
            "IP addresses and networks",
        ),
        ("[[listen]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:1\"\nport = 5", "line 4, port: ", "unknown field"),
        ("[aliases]\n\n\"info+x\" = \"bob\"", "line 3, \"info+x\": ", "+detail"),
        ("[aliases]\ninfo = []", "line 2, info: ", "must name somebody"),
        ("[aliases]\ninfo = [\"a b\"]", "line 2, info: ", "a b is no address"),
        ("[aliases]\n\"x@[192.0.2.1]\" = \"bob\"", "line 2, \"x@[192.0.2.1]\": ", "address literal"),
        ("aliases = \"bob\"", "line 1, aliases: ", "expected a map"),
        ("[limits]\nrecipients = 1000000", "line 2, recipients: ", "at most 999999"),
        ("[limits]\nrecipient_domains = 1000000", "line 2, recipient_domains: ", "at most 999999"),
        ("[limits]\ntransactions = 1000000", "line 2, transactions: ", "at most 999999"),
        ("[limits]\ntransactions = 0", "line 2, transactions: ", "at least 1"),
        ("[limits]\nmailbox_messages = 0", "line 2, mailbox_messages: ", "at least 1"),
        ("[tls]\ncertificate = \"a.pem\"", "line 1", "missing field `key`"),
        ("\n[tls]\nkey = \"a.pem\"", "line 2", "missing field `certificate`"),
        ("[tls]\ncertificate = \"a.pem\"\nkey = 5", "line 3, key: ", "expected path string"),
        ("[tls]\ncert = \"a.pem\"", "line 2, cert: ", "unknown field `cert`"),
        ("tls = \"off\"", "line 1, tls: ", "expected struct Certificate"),
        ("\n[store]\nengine = \"mysql\"", "line 3, engine: ", "expected `sqlite` or `postgres`"),
        ("\n[store]\nengine = \"postgres\"", "line 2: ", "needs a url, such as"),
        ("\n[store]\nurl = \"postgres://mymail:sesame@db/m\"", "line 2: ", "url is for engine = \"postgres\" alone"),
        ("[store]\nengine = \"sqlite\"\nconnections = 5", "line 1: ", "connections is for engine"),
        ("[store]\npassword_file = \"/a\"", "line 1: ", "password_file is for engine"),
        ("[store]\nnode_lease = \"1m\"", "line 1: ", "node_lease is for engine"),
        ("[store]\nca = \"/a\"", "line 1: ", "ca is for engine"),
        ("[store]\nurl = \"mymail:sesame@db/m\"", "line 2, url: ", "postgres://USER@HOST/DATABASE"),
        ("[store]\nurl = \"postgres://mymail:sesame@db\"", "line 2, url: ", "a database"),
        ("[store]\nurl = 5", "line 2, url: ", "expected a string"),
        ("[store]\nconnections = 0", "line 2, connections: ", "at least 1"),
        ("[store]\nconnections = 1001", "line 2, connections: ", "at most 1000"),
        ("[store]\nnode_lease = \"999ms\"", "line 2, node_lease: ", "at least a second"),
        ("[store]\nlease = \"1s\"", "line 2, lease: ", "unknown field `lease`"),
        (
            "[store]\nengine = \"postgres\"\nurl = \"postgres://mymail:sesame@db/m\"\npassword_file = \"/a\"",
            "line 1: ",
            "in url and in password_file",
        ),
        (
            "[store]\nengine = \"postgres\"\nurl = \"postgres://mymail@db/m?sslmode=disable\"\nca = \"/a\"",
            "line 1: ",
            "ca is of no use",
        ),
    ] {
        let error = parse(text).unwrap_err();
        assert!(error.contains(line) && error.contains(what), "{text}: {error}");
        assert!(!error.contains("sesame"), "{error}");
    }
}
