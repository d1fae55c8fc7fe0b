//! What aliases may say, and where they lead.

use super::*;

const HOSTNAME: &str = "mail.example";

fn parse(text: &str) -> Aliases {
    toml::from_str(text).unwrap()
}

fn table(text: &str) -> AliasTable {
    parse(text).resolve(&HOSTNAME.parse().unwrap()).unwrap()
}

/// What is wrong with it, at the latest under this hostname.
fn wrong(text: &str) -> String {
    match toml::from_str::<Aliases>(text) {
        Err(error) => error.message().to_owned(),
        Ok(aliases) => aliases.resolve(&HOSTNAME.parse().unwrap()).unwrap_err().to_string(),
    }
}

fn said(accounts: Option<Vec<Address>>) -> Vec<String> {
    accounts.unwrap_or_default().iter().map(Address::to_string).collect()
}

fn expanded(table: &AliasTable, address: &str) -> Vec<String> {
    said(table.expand(&address.parse().unwrap()))
}

fn caught(table: &AliasTable, address: &str) -> Vec<String> {
    said(table.catch_all(&address.parse().unwrap()))
}

#[test]
fn an_alias_stands_for_accounts() {
    let table = table(
        r#"
        info = "alice"
        Team = ["bob", "carol@MAIL.example", "info"]
        "sales@example.org" = "team"
        "Jürgen" = "alice"
        '"a b"' = "alice"
        "#,
    );
    let team = ["bob@mail.example", "carol@mail.example", "alice@mail.example"];
    assert_eq!(expanded(&table, "info@mail.example"), ["alice@mail.example"]);
    assert_eq!(expanded(&table, "INFO+detail@mail.example"), ["alice@mail.example"]);
    assert_eq!(expanded(&table, "team@mail.example"), team);
    assert_eq!(expanded(&table, "sales@example.org"), team);
    assert_eq!(expanded(&table, "JU\u{308}RGEN@mail.example"), ["alice@mail.example"]);
    assert_eq!(expanded(&table, "\"a b\"@mail.example"), ["alice@mail.example"]);
    for none in ["alice@mail.example", "sales@mail.example", "info@example.org", "info@example.net"] {
        assert!(table.expand(&none.parse().unwrap()).is_none(), "{none}");
    }
    for (domain, is_local) in [("mail.example", true), ("example.org", true), ("example.net", false)] {
        assert_eq!(table.is_local(&domain.parse().unwrap()), is_local, "{domain}");
    }
}

#[test]
fn one_account_gets_one_copy() {
    let table = table("all = ['a', 'A', 'b', 'c', 'a@mail.example']\nb = ['a', 'd']\nc = ['b', 'd', 'e']");
    let expected = ["a@mail.example", "d@mail.example", "e@mail.example"];
    assert_eq!(expanded(&table, "all@mail.example"), expected);
}

#[test]
fn an_alias_may_name_itself() {
    let table = table("info = ['info', 'bob']\nteam = ['info', 'carol']\nboss = 'Boss@mail.example'\nroot = 'boss'");
    assert_eq!(expanded(&table, "info@mail.example"), ["info@mail.example", "bob@mail.example"]);
    assert_eq!(expanded(&table, "team@mail.example"), ["info@mail.example", "bob@mail.example", "carol@mail.example"]);
    assert_eq!(expanded(&table, "root@mail.example"), ["Boss@mail.example"]);
    for (name, is_reserved) in [("info", false), ("BOSS", false), ("team", true), ("Root", true), ("alice", false)] {
        assert_eq!(table.reserves(&name.parse().unwrap()), is_reserved, "{name}");
    }
}

#[test]
fn a_catch_all_gets_what_is_nobodys() {
    let table = table("'*' = 'alice'\n'*@example.org' = ['bob', 'info']\ninfo = 'carol'\n'sales@example.org' = 'bob'");
    assert_eq!(caught(&table, "nobody@mail.example"), ["alice@mail.example"]);
    assert_eq!(caught(&table, "nobody@example.org"), ["bob@mail.example", "carol@mail.example"]);
    assert_eq!(caught(&table, "31@example.org").len(), 2);
    for number in ["31@mail.example", "31+x@mail.example", "007@mail.example", "\"31\"@mail.example"] {
        assert!(caught(&table, number).is_empty(), "{number} is its client's alone");
    }
    assert!(caught(&table, "nobody@example.net").is_empty());
    assert!(expanded(&table, "nobody@example.org").is_empty(), "accounts go before it");
    assert!(!table.reserves(&"nobody".parse().unwrap()));
}

/// RFC 5321 §4.5.1
#[test]
fn every_domain_has_a_postmaster() {
    let plain = table("'info@example.org' = 'bob'\nhelp = 'postmaster@example.org'");
    assert_eq!(expanded(&plain, "PostMaster@example.org"), ["postmaster@mail.example"]);
    assert_eq!(expanded(&plain, "help@mail.example"), ["postmaster@mail.example"]);
    assert!(expanded(&plain, "postmaster@mail.example").is_empty(), "an account");
    assert!(expanded(&plain, "postmaster@example.net").is_empty(), "not here");

    let other = table("postmaster = 'bob'\n'*@example.org' = 'carol'\n'postmaster@example.net' = 'dora'");
    assert_eq!(expanded(&other, "postmaster@example.org"), ["bob@mail.example"]);
    assert_eq!(expanded(&other, "postmaster@example.net"), ["dora@mail.example"]);
}

#[test]
fn a_hostname_decides_what_is_meant() {
    let aliases = parse("info = 'bob@example.org'");
    let table = aliases.resolve(&"example.org".parse().unwrap()).unwrap();
    assert_eq!(expanded(&table, "info@example.org"), ["bob@example.org"]);
    assert!(aliases.resolve(&"example.net".parse().unwrap()).is_err());
}

#[test]
fn what_leads_to_nobody_is_refused() {
    for (text, key, why) in [
        ("a = 'b'\nb = 'a'", "a: ", "circle"),
        ("a = ['a', 'b']\nb = 'a'", "a: ", "circle"),
        ("'x@example.org' = 'x@example.org'", "x@example.org: ", "circle"),
        ("'*@example.org' = 'x@example.org'", "*@example.org: ", "circle"),
        ("info = 'bob@example.org'", "info: ", "bob@example.org is not here"),
        ("info = 'bob@example.org'\n'x@example.org' = 'bob'", "info: ", "bob@example.org is not here"),
        ("info = '31'", "info: ", "31@mail.example, a number"),
        ("31 = 'bob'", "31: ", "a number belongs to its client"),
        ("'31@MAIL.example' = 'bob'", "31@MAIL.example: ", "a number belongs to its client"),
        ("info = 'bob'\nINFO = 'alice'", "info: ", "twice"),
        ("info = 'bob'\n'info@mail.example' = 'alice'", "info@mail.example: ", "twice"),
        ("'*' = 'bob'\n'*@mail.example' = 'alice'", "*@mail.example: ", "twice"),
        ("info = []", "", "must name somebody"),
        ("info = 5", "", "must be a name or an address, or a list of them"),
        ("info = ['bob', 5]", "", "must be a name or an address, or a list of them"),
        ("info = '*'", "", "* is no address: Bad local part"),
        ("info = 'bob+x'", "", "bob+x has a +detail"),
        ("'info+x' = 'bob'", "", "info+x has a +detail"),
        ("'info+x@example.org' = 'bob'", "", "info+x@example.org has a +detail"),
        ("'in fo' = 'bob'", "", "in fo is no address: Bad local part"),
        ("'info@-' = 'bob'", "", "info@- is no address: Bad domain"),
        ("'*@-' = 'bob'", "", "*@- is no address: Bad domain"),
        ("'@example.org' = 'bob'", "", "@example.org is no address"),
        ("'info@[192.0.2.1]' = 'bob'", "", "info@[192.0.2.1] is at an address literal"),
        ("'*@[192.0.2.1]' = 'bob'", "", "*@[192.0.2.1] is at an address literal"),
    ] {
        let error = wrong(text);
        assert!(
            error.contains(why) && (key.is_empty() || error.starts_with(&format!("[aliases], {key}"))),
            "{text}: {error}"
        );
    }
}

#[test]
fn a_number_elsewhere_is_a_name() {
    assert_eq!(expanded(&table("'31@example.org' = 'bob'"), "31@example.org"), ["bob@mail.example"]);
}

#[test]
fn chains_and_crowds_have_an_end() {
    let chain = |links: usize| (0..links).map(|n| format!("a{n} = 'a{}'\n", n + 1)).collect::<String>();
    let last = format!("a{}@mail.example", table::CHAIN_MAX);
    assert_eq!(expanded(&table(&chain(table::CHAIN_MAX)), "a0@mail.example"), [last]);
    assert!(wrong(&chain(table::CHAIN_MAX + 1)).contains("more than 20 others"));

    let crowd = |people: usize| {
        let names: Vec<_> = (0..people).map(|n| format!("'p{n}'")).collect();
        format!("all = ['half', {}]\nhalf = [{}]", names[people / 2..].join(","), names[..people / 2].join(","))
    };
    assert_eq!(expanded(&table(&crowd(table::ACCOUNTS_MAX)), "all@mail.example").len(), table::ACCOUNTS_MAX);
    assert!(wrong(&crowd(table::ACCOUNTS_MAX + 1)).contains("more than 1000 accounts"));
}

/// Many ways to one account take no more time than one.
#[test]
fn a_lattice_is_followed_once() {
    let mut text = String::new();
    for n in 0..table::CHAIN_MAX - 1 {
        for side in ["l", "r"] {
            text.push_str(&format!("{side}{n} = ['l{}', 'r{}']\n", n + 1, n + 1));
        }
    }
    let table = table(&text);
    let last = table::CHAIN_MAX - 1;
    assert_eq!(expanded(&table, "l0@mail.example"), [format!("l{last}@mail.example"), format!("r{last}@mail.example")]);
}

#[test]
fn they_are_shown_as_they_were_written() {
    let text = "\"*\" = \"Alice\"\nInfo = [\"bob\"]\n\"sales@Example.org\" = \"info\"\n";
    assert_eq!(toml::to_string(&parse(text)).unwrap(), text);
    assert_eq!(parse(text), parse(&toml::to_string(&parse(text)).unwrap()));
    assert_eq!(toml::to_string(&Aliases::default()).unwrap(), "");
}
