//! The dialogues of `crates/proto/tests/dialogues/`, spoken over TCP to a real server with a real store.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use server::config::Listen;
use server::{Config, Server};
use store::embedded::Embedded;
use testkit::{Dialogue, Wire};

/// A reply that has not come by then never will.
const PATIENCE: Duration = Duration::from_secs(30);

struct Tcp {
    server: SocketAddr,
    connections: HashMap<String, BufReader<TcpStream>>,
}

impl Tcp {
    fn connection(&mut self, client: &str) -> &mut BufReader<TcpStream> {
        self.connections.entry(client.to_owned()).or_insert_with(|| {
            let stream = TcpStream::connect(self.server).unwrap();
            stream.set_read_timeout(Some(PATIENCE)).unwrap();
            BufReader::new(stream)
        })
    }
}

impl Wire for Tcp {
    fn send(&mut self, client: &str, octets: &[u8]) {
        self.connection(client).get_mut().write_all(octets).unwrap();
    }

    fn receive(&mut self, client: &str) -> Option<String> {
        let mut line = String::new();
        self.connection(client).read_line(&mut line).unwrap();
        Some(line.strip_suffix("\r\n")?.to_owned())
    }

    fn wait(&mut self, _: Duration) {
        panic!("time goes by on its own over TCP");
    }

    fn stop(&mut self) {
        panic!("the server runs on");
    }

    fn rest(&mut self) -> String {
        let mut rest = String::new();
        for connection in self.connections.values_mut() {
            // An end that the server has closed already may refuse this.
            if connection.get_mut().shutdown(Shutdown::Write).is_ok() {
                connection.read_to_string(&mut rest).unwrap();
            }
        }
        rest
    }
}

fn config(dialogue: &Dialogue) -> Config {
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut config = Config {
        listen: vec![Listen { from_outside: dialogue.from_outside, ..Listen::smtp(listen) }],
        ..Config::default()
    };
    for (name, value) in &dialogue.limits {
        let limits = &mut config.limits;
        match name.as_str() {
            "recipients" => limits.recipients = usize::try_from(*value).unwrap(),
            "message_size" => limits.message_size = bytesize::ByteSize::b(*value),
            "errors_per_session" => limits.errors_per_session = usize::try_from(*value).unwrap(),
            "command_octets" => limits.command_octets = usize::try_from(*value).unwrap(),
            other => panic!("{}: no limit {other}", dialogue.path.display()),
        }
    }
    config
}

#[test]
fn all_of_them_over_tcp() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../proto/tests/dialogues");
    // A peer on this machine can't be overheard, so `remote` ones have no place here; nor have those that reach into time.
    let here = |dialogue: &Dialogue| dialogue.runs_in_real_time() && !dialogue.remote;
    let dialogues: Vec<Dialogue> = Dialogue::all_in(&folder).into_iter().filter(here).collect();
    assert!(dialogues.len() > 10, "only {} dialogues", dialogues.len());
    for dialogue in dialogues {
        let data = tempfile::tempdir().unwrap();
        let server = runtime.block_on(async {
            let store = Embedded::open(data.path()).unwrap();
            let server = Server::bind(config(&dialogue), store).await.unwrap();
            let address = server.addresses().unwrap()[0].1;
            tokio::spawn(server.run(std::future::pending()));
            address
        });
        dialogue.run(&mut Tcp { server, connections: HashMap::new() });
    }
}
