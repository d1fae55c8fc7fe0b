//! The program's side: finds the running server by its data folder, asks, and gives what it says as values.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::geteuid;
use store::TOKENS_MAX;
use thiserror::Error;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::accounts::check;
use super::line;
use super::protocol::{
    ANSWER_OCTETS_MAX, AccountState, Answer, Mode, NewPassword, NewToken, PAGE_ACCOUNTS_MAX, QuotaChange,
    REQUEST_OCTETS_MAX, RegistrationState, Removed, Request, Said, Secret, TokenState,
};
use super::refusal::Refusal;
use super::socket::Way;

/// How long the server may take to connect, to take the request, and for each line of its answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most lines of an answer before the last one: a page of accounts, or all tokens.
const ANSWERS_MAX: usize = if PAGE_ACCOUNTS_MAX > TOKENS_MAX { PAGE_ACCOUNTS_MAX } else { TOKENS_MAX };

/// Why the operator's wish was not fulfilled.
#[derive(Debug, Error)]
pub enum AdminError {
    /// There is no socket, or nobody behind it.
    #[error("no server is running with the data folder {}: start it with `mymail serve`, or name another folder with --data DIR or --config FILE", folder.display())]
    NotRunning {
        /// The folder that was looked in.
        folder: PathBuf,
    },
    /// The folder or the socket is not this user's.
    #[error("only root and the user that runs the server may use {}", folder.display())]
    NotPermitted {
        /// The folder that was looked in.
        folder: PathBuf,
    },
    /// The socket can't be used.
    #[error("cannot talk to the server in {}: {source}", folder.display())]
    Io {
        /// The folder that was looked in.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The name makes a request that is longer than the server takes it.
    #[error("the name is too long")]
    TooLong,
    /// The server broke off before its last word: a change may be done or not.
    #[error("the server broke off before all was said: a change that was asked for may be done or not")]
    BrokenOff,
    /// The server says what can't be understood.
    #[error("the server gives no answer that this program understands; is it of another version?")]
    Protocol,
    /// The server did not do it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A part of the accounts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// These, in the order of their addresses.
    pub accounts: Vec<AccountState>,
    /// Whether there may be more behind them.
    pub more: bool,
}

/// The server with a certain data folder.
#[derive(Debug, Clone)]
pub struct Admin {
    folder: PathBuf,
}

impl Admin {
    /// Nothing is looked for yet.
    pub fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// The accounts behind this one, or the first ones.
    pub async fn accounts(&self, after: Option<String>) -> Result<Page, AdminError> {
        let (accounts, more) = self.ask(&Request::List { after }).await?;
        Ok(Page { accounts, more })
    }

    /// One account.
    pub async fn account(&self, name: String) -> Result<AccountState, AdminError> {
        self.ask_one(&Request::Show { name }).await
    }

    /// Makes an account, with this password or one that the server makes.
    pub async fn add(&self, name: String, password: Option<Secret>) -> Result<NewPassword, AdminError> {
        password.as_ref().map_or(Ok(()), check)?;
        self.ask_one(&Request::Add { name, password }).await
    }

    /// Ends an account and deletes its mail.
    pub async fn remove(&self, name: String) -> Result<Removed, AdminError> {
        self.ask_one(&Request::Remove { name }).await
    }

    /// Sets how much an account's mailbox may hold.
    pub async fn change_quota(&self, name: String, change: QuotaChange) -> Result<AccountState, AdminError> {
        self.ask_one(&Request::Quota { name, change }).await
    }

    /// Gives an account this password or one that the server makes.
    pub async fn change_password(&self, name: String, password: Option<Secret>) -> Result<NewPassword, AdminError> {
        password.as_ref().map_or(Ok(()), check)?;
        self.ask_one(&Request::Password { name, password }).await
    }

    /// Who may register, once this mode is set.
    pub async fn registration(&self, mode: Option<Mode>) -> Result<RegistrationState, AdminError> {
        self.ask_one(&Request::Registration { mode }).await
    }

    /// Makes a token, with this name or one that the server finds.
    pub async fn add_token(&self, name: Option<String>) -> Result<NewToken, AdminError> {
        self.ask_one(&Request::AddToken { name }).await
    }

    /// The tokens that there are.
    pub async fn tokens(&self) -> Result<Vec<TokenState>, AdminError> {
        Ok(self.ask(&Request::ListTokens).await?.0)
    }

    /// Takes a token back. Who may register then.
    pub async fn remove_token(&self, name: String) -> Result<RegistrationState, AdminError> {
        self.ask_one(&Request::RemoveToken { name }).await
    }

    /// Has the server keep all files of its store until what is returned is dropped, so that they can be copied.
    pub async fn hold(&self) -> Result<Held, AdminError> {
        let mut server = self.request(&Request::Hold).await?;
        match next(&mut server).await? {
            Answer::Held => Ok(Held { server }),
            Answer::Refused(refusal) => Err(refusal.into()),
            _ => Err(AdminError::Protocol),
        }
    }

    /// What has one answer.
    async fn ask_one<T: Said>(&self, request: &Request) -> Result<T, AdminError> {
        match <[T; 1]>::try_from(self.ask(request).await?.0) {
            Ok([answer]) => Ok(answer),
            Err(_) => Err(AdminError::Protocol),
        }
    }

    /// The answers but the last one, all of one kind, and whether there are more.
    async fn ask<T: Said>(&self, request: &Request) -> Result<(Vec<T>, bool), AdminError> {
        let mut server = self.request(request).await?;
        let mut answers = Vec::new();
        loop {
            match next(&mut server).await? {
                Answer::Done => return Ok((answers, false)),
                Answer::More => return Ok((answers, true)),
                Answer::Refused(refusal) => return Err(refusal.into()),
                _ if answers.len() == ANSWERS_MAX => return Err(AdminError::Protocol),
                answer => answers.push(T::by(answer).ok_or(AdminError::Protocol)?),
            }
        }
    }

    /// Asks; the answers are still to be read.
    async fn request(&self, request: &Request) -> Result<BufReader<UnixStream>, AdminError> {
        let mut line = Vec::new();
        line::write(&mut line, request).map_err(|error| self.failed(error))?;
        if line.len() > REQUEST_OCTETS_MAX {
            return Err(AdminError::TooLong);
        }
        let mut server = BufReader::new(self.connect().await?);
        let written = timeout(PATIENCE, server.write_all(&line)).await;
        written.map_err(|_| AdminError::BrokenOff)?.map_err(|error| self.failed(error))?;
        Ok(server)
    }

    async fn connect(&self) -> Result<UnixStream, AdminError> {
        let way = Way::to_socket_in(&self.folder).map_err(|error| self.failed(error))?;
        let connected = timeout(PATIENCE, UnixStream::connect(&way.path)).await;
        let stream = connected.unwrap_or_else(|late| Err(late.into())).map_err(|error| self.failed(error))?;
        self.check_who_answers(&stream).map_err(|source| AdminError::Io { folder: self.folder.clone(), source })?;
        Ok(stream)
    }

    /// Where others may write to the folder, the socket may be theirs; and a request can hold a password.
    fn check_who_answers(&self, stream: &UnixStream) -> io::Result<()> {
        let peer = stream.peer_cred()?.uid();
        if is_trusted(peer, geteuid().as_raw(), fs::metadata(&self.folder)?.uid()) {
            return Ok(());
        }
        let message = format!("what answers there runs as user {peer}, neither root, nor you, nor the folder's owner");
        Err(io::Error::other(message))
    }

    fn failed(&self, source: io::Error) -> AdminError {
        let folder = self.folder.clone();
        match source.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::ConnectionRefused => {
                AdminError::NotRunning { folder }
            }
            ErrorKind::PermissionDenied => AdminError::NotPermitted { folder },
            _ => AdminError::Io { folder, source },
        }
    }
}

/// As long as it lives, a server keeps all files of its store, unless that ends.
pub struct Held {
    server: BufReader<UnixStream>,
}

impl Held {
    /// Resolves when the server keeps them no longer.
    pub async fn lost(&mut self) {
        // It says nothing more; an end or an error is all that can come.
        while self.server.read(&mut [0]).await.is_ok_and(|octets| octets > 0) {}
    }
}

/// Whether this user's process may answer this user about a folder with this owner.
fn is_trusted(peer: u32, user: u32, owner: u32) -> bool {
    const ROOT: u32 = 0;
    [ROOT, user, owner].contains(&peer)
}

/// The next line of an answer.
async fn next(server: &mut BufReader<UnixStream>) -> Result<Answer, AdminError> {
    match timeout(PATIENCE, line::read(server, ANSWER_OCTETS_MAX)).await {
        Ok(Ok(Some(line))) => serde_json::from_slice(&line).map_err(|_| AdminError::Protocol),
        Ok(Ok(None) | Err(_)) | Err(_) => Err(AdminError::BrokenOff),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::Socket;

    /// What becomes of an answer to the request for a page of accounts.
    async fn page(answer: &str) -> Result<Page, AdminError> {
        let folder = tempfile::tempdir().unwrap();
        let socket = Socket::bind(folder.path()).unwrap();
        let admin = Admin::new(folder.path());
        let served = async {
            let (mut stream, _) = socket.listener.accept().await.unwrap();
            let mut request = [0; 27];
            stream.read_exact(&mut request).await.unwrap();
            assert_eq!(&request, b"{\"list\":{\"after\":\"alice\"}}\n".as_slice());
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        tokio::join!(admin.accounts(Some("alice".to_owned())), served).0
    }

    const ACCOUNT: &str = "{\"account\":{\"address\":\"bob@x\",\"messages\":1,\"octets\":5,\
        \"quota\":{\"octets\":9,\"messages\":9,\"default\":true},\"last_use\":\"\",\"password\":true}}\n";

    #[tokio::test]
    async fn an_answer_counts_when_it_has_its_end() {
        for (end, more) in [("\"done\"\n", false), ("\"more\"\n", true)] {
            let page = page(&format!("{ACCOUNT}{end}")).await.unwrap();
            assert_eq!((page.accounts.len(), page.accounts[0].address.as_str(), page.more), (1, "bob@x", more));
        }
        for cut in ["", "\"done", ACCOUNT, &format!("{ACCOUNT}\"mo")] {
            assert!(matches!(page(cut).await, Err(AdminError::BrokenOff)), "{cut:?}");
        }
    }

    #[tokio::test]
    async fn files_are_held_when_the_server_has_said_so_and_until_it_goes() {
        let folder = tempfile::tempdir().unwrap();
        let socket = Socket::bind(folder.path()).unwrap();
        let admin = Admin::new(folder.path());
        let said = async |answer: &str| {
            let served = async {
                let (mut stream, _) = socket.listener.accept().await.unwrap();
                let mut request = [0; 7];
                stream.read_exact(&mut request).await.unwrap();
                assert_eq!(&request, b"\"hold\"\n");
                stream.write_all(answer.as_bytes()).await.unwrap();
                if !answer.ends_with('\n') {
                    stream.shutdown().await.unwrap();
                }
                stream
            };
            tokio::join!(admin.hold(), served)
        };
        let (held, server) = said("\"held\"\n").await;
        let mut held = held.unwrap();
        assert!(timeout(Duration::ZERO, held.lost()).await.is_err(), "the server is there");
        drop(server);
        held.lost().await;
        assert!(matches!(said("\"held\"").await.0, Err(AdminError::BrokenOff)));
        assert!(matches!(said("\"done\"\n").await.0, Err(AdminError::Protocol)));
        let refused = said("{\"refused\":{\"no_backup\":{\"cause\":\"no tools\"}}}\n").await.0;
        assert_eq!(refused.map(drop).unwrap_err().to_string(), "no tools");
    }

    #[test]
    fn who_may_answer_is_root_the_user_or_the_owner() {
        for (peer, user, owner, trusted) in
            [(0, 1000, 1000, true), (7, 7, 1000, true), (7, 0, 7, true), (7, 0, 0, false), (7, 1000, 0, false)]
        {
            assert_eq!(is_trusted(peer, user, owner), trusted, "{peer} {user} {owner}");
        }
    }

    #[tokio::test]
    async fn what_is_too_long_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let admin = Admin::new(folder.path());
        let long = || "x".repeat(REQUEST_OCTETS_MAX);
        assert_eq!(admin.account(long()).await.unwrap_err().to_string(), "the name is too long");
        let password = Some(Secret::from(long()));
        let added = admin.add("bob".into(), password.clone()).await;
        for refused in [added, admin.change_password("bob".into(), password).await] {
            assert!(matches!(refused, Err(AdminError::Refused(Refusal::PasswordTooLong))), "{refused:?}");
        }
    }

    #[tokio::test]
    async fn what_answers_something_else_is_not_believed() {
        let endless = ACCOUNT.repeat(ANSWERS_MAX + 1);
        for odd in ["\n", "\"hello\"\n", "{\"removed\":{\"address\":\"bob@x\"}}\n\"done\"\n", endless.as_str()] {
            assert!(matches!(page(odd).await, Err(AdminError::Protocol)), "{odd:?}");
        }
        assert!(matches!(page("{\"refused\":\"full\"}\n").await, Err(AdminError::Refused(Refusal::Full))));
    }
}
