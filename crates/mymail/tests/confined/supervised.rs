//! What systemd tells a server, and hears of it.

use std::fs;
use std::io;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::common::{Home, Server};
use crate::until::PATIENCE;

const CONFIG: i32 = 78;

/// Where a server tells how it is.
struct Supervisor(UnixDatagram);

impl Supervisor {
    fn new(home: &Home) -> Self {
        let socket = UnixDatagram::bind(home.path("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next message.
    fn hear(&self) -> String {
        let mut message = [0; 4096];
        let octets = self.0.recv(&mut message).unwrap();
        String::from_utf8(message[..octets].to_vec()).unwrap()
    }

    /// The next one that is not about the watchdog.
    fn hear_state(&self) -> String {
        loop {
            let message = self.hear();
            if message != WATCHDOG {
                return message;
            }
        }
    }
}

const WATCHDOG: &str = "WATCHDOG=1\n";

fn serve(home: &Home) -> Command {
    let mut command = home.command(&["serve", "--data", "data", "--listen", "smtp=127.0.0.1:0"]);
    command.env("NOTIFY_SOCKET", home.path("notify"));
    command
}

#[test]
fn it_tells_when_it_is_ready_when_it_reloads_and_when_it_stops() {
    let home = Home::new();
    let supervisor = Supervisor::new(&home);
    let mut server = Server::start(&mut serve(&home));
    let ready = format!("READY=1\nSTATUS=listening smtp {}\n", server.address);
    assert_eq!(supervisor.hear(), ready);
    let pid = Pid::from_child(&server.process);
    kill_process(pid, Signal::HUP).unwrap();
    let reloading = supervisor.hear();
    let moment = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap();
    assert!(moment.trim().parse::<u64>().unwrap() > 0);
    assert_eq!(supervisor.hear(), ready);
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(supervisor.hear(), "STOPPING=1\n");
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
}

#[test]
fn the_watchdog_hears_of_it_again_and_again() {
    let home = Home::new();
    let supervisor = Supervisor::new(&home);
    let server = Server::start(serve(&home).env("WATCHDOG_USEC", "100000"));
    assert!(supervisor.hear_state().starts_with("READY=1\n"));
    for _ in 0..5 {
        assert_eq!(supervisor.hear(), WATCHDOG);
    }
    drop(server);
    // Meant for another process, it is nobody's business.
    let server = Server::start(serve(&home).env("WATCHDOG_USEC", "100000").env("WATCHDOG_PID", "1"));
    while !supervisor.hear_state().starts_with("READY=1\n") {}
    kill_process(Pid::from_child(&server.process), Signal::TERM).unwrap();
    assert_eq!(supervisor.hear(), "STOPPING=1\n");
}

/// A store whose disk does not answer is as good as dead; a server that said it lives would never be started anew.
#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn the_watchdog_hears_nothing_while_the_store_hangs() -> io::Result<()> {
    let home = Home::new();
    let supervisor = Supervisor::new(&home);
    let server = Server::start(serve(&home).env("WATCHDOG_USEC", "200000"));
    let mut client = Client::registered(&server.address, "").await?;
    let pid = server.process.id().to_string();
    let mut strace = Command::new("strace");
    // Longer than the test takes.
    strace.args(["-f", "-p", &pid, "-o"]).arg(home.path("trace"));
    strace.args(["--trace=fdatasync,fsync", "--inject=fdatasync,fsync:delay_enter=600s"]).stderr(Stdio::piped());
    let mut strace = strace.spawn()?;
    let mut said = String::new();
    io::BufRead::read_line(&mut io::BufReader::new(strace.stderr.as_mut().unwrap()), &mut said)?;
    assert!(said.contains("attached"), "strace says {said}");
    let own = client.address.clone();
    client.begin(&[&own]).await?;
    client.write("A line\r\n.").await?;
    // What it has said so far, and at most what was on its way.
    supervisor.0.set_read_timeout(Some(Duration::from_secs(2)))?;
    let mut heard = 0;
    let mut message = [0; 4096];
    while supervisor.0.recv(&mut message).is_ok() {
        heard += 1;
        assert!(heard < 100, "it says again and again that it lives");
    }
    // It holds the server's end up too.
    strace.kill()?;
    strace.wait()?;
    drop(server);
    Ok(())
}

/// Starts a server with this socket, handed over as systemd does it.
fn serve_with(home: &Home, socket: OwnedFd, listen: &str) -> Command {
    let command = home.command(&["serve", "--data", "data", "--listen", listen]);
    let mut shell = Command::new("/bin/sh");
    let script = "exec 3<&0 </dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
    shell.args(["-c", script]).arg(command.get_program()).args(command.get_args());
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(home.path("")).stdin(socket);
    shell
}

#[tokio::test]
async fn a_socket_that_is_handed_over_is_listened_on() -> io::Result<()> {
    let home = Home::new();
    let socket = TcpListener::bind("127.0.0.1:0")?;
    let address = socket.local_addr()?.to_string();
    // Whoever comes before the server waits.
    let early = std::net::TcpStream::connect(&address)?;
    let listen = format!("smtp={address}");
    let server = Server::start(&mut serve_with(&home, socket.try_clone()?.into(), &listen));
    assert_eq!(server.address, address);
    let mut greeting = [0; 4];
    io::Read::read_exact(&mut &early, &mut greeting)?;
    assert_eq!(&greeting, b"220 ");
    Client::registered(&address, "").await?.quit().await?;
    drop(server);
    // It is the supervisor's, and there for the next one.
    let server = Server::start(&mut serve_with(&home, socket.into(), &listen));
    Client::registered(&server.address, "").await?.quit().await
}

#[test]
fn a_unix_socket_that_is_handed_over_stays() {
    let home = Home::new();
    let path = home.path("lmtp");
    let socket = UnixListener::bind(&path).unwrap();
    let listen = format!("lmtp=unix:{}", path.display());
    let mut server = Server::start(&mut serve_with(&home, socket.into(), &listen));
    assert_eq!(server.address, format!("unix:{}", path.display()));
    let mut greeting = [0; 4];
    io::Read::read_exact(&mut std::os::unix::net::UnixStream::connect(&path).unwrap(), &mut greeting).unwrap();
    assert_eq!(&greeting, b"220 ");
    kill_process(Pid::from_child(&server.process), Signal::TERM).unwrap();
    assert_eq!(server.process.wait().unwrap().code(), Some(0));
    assert!(fs::exists(path).unwrap(), "it is not the server's to remove");
}

#[test]
fn a_socket_of_no_listener_is_an_error() {
    let home = Home::new();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let output = serve_with(&home, socket.into(), "smtp=127.0.0.2:0").output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), output.stdout), (Some(CONFIG), Vec::new()), "{errors}");
    assert!(errors.contains(&address), "{errors}");
}
