//! A session with a server: each method is one exchange.

use std::time::Duration;

use proto::Domain;
use proto::client::Exchange;
use proto::sasl::{Channel, Mechanism};
use proto::smtp::Reply;
use proto::smtp::client::{Ask, Begun, Content, Dialogue, Ending, Failure, Opening, Session};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::tls::Security;
use crate::transport::{READ_OCTETS_MAX, Stream, Transport, within};
use crate::{
    Address, ConnectOptions, Delivery, Envelope, Error, Extension, Message, Peer, QUIT_TIMEOUT, Retrieval,
    ServerAddress,
};
use crate::{login, tcp};

/// A session with a server.
///
/// A future of one of its methods that is dropped before its time leaves the dialogue in the middle of a sentence. The
/// connection is of no use then, and says [`Error::Closed`] to everything.
#[derive(Debug)]
pub struct Connection {
    pub(crate) transport: Transport,
    /// Taken by the exchange that is under way, which puts it back when it ends well.
    pub(crate) session: Option<Session>,
    channel: Channel,
    address: Option<Address>,
}

impl Connection {
    /// Connects to a server of SMTP and greets it, in an encrypted session if the options want it.
    pub async fn connect(server: &ServerAddress, options: ConnectOptions) -> Result<Self, Error> {
        let (stream, peer) = tcp::connect(server, options.connect_timeout).await?;
        Self::open(stream, server, peer, options).await
    }

    /// Greets the server at the other end of a stream, which is at `peer`.
    pub async fn open(
        stream: impl Stream + 'static,
        server: &ServerAddress,
        peer: Peer,
        options: ConnectOptions,
    ) -> Result<Self, Error> {
        if server.scheme().is_pop3() {
            return Err(Error::BadInput("pop3:// and pop3s:// are for retrieving mail only"));
        }
        let ConnectOptions { tls, trust, first_use, client_name, connect_timeout, timeout, dialogue } = options;
        let client_name: Domain = client_name
            .parse()
            .map_err(|_| Error::BadInput("the client's name is neither a domain nor an address literal"))?;
        let security = Security::new(server, tls, trust, first_use)?;
        let opened = Transport::open(Box::new(stream), peer, &security, timeout);
        let (mut transport, channel) = within(connect_timeout, opened).await?;
        let opening = Opening::new(client_name.clone(), dialogue.map(Dialogue::new));
        let session = within(connect_timeout, transport.run(opening)).await?.map_err(Error::NoService)?;
        let mut connection = Self { transport, session: Some(session), channel, address: None };
        if !connection.channel.is_tls() {
            if security.is_wanted() && connection.offers(Extension::StartTls) {
                connection.encrypt(&security, client_name, connect_timeout).await?;
            } else {
                security.do_without().await?;
            }
        }
        Ok(connection)
    }

    /// The connection beneath the session.
    pub fn channel(&self) -> &Channel {
        &self.channel
    }

    /// Whether the server offers this, and still listens.
    pub fn offers(&self, extension: Extension) -> bool {
        self.session.as_ref().is_some_and(|session| session.extensions().offers(extension))
    }

    /// Fails where others could overhear a password: there it is neither said nor asked for.
    pub fn require_private(&self) -> Result<(), Error> {
        login::require_private(&self.channel)
    }

    /// Whether nothing can be said any more.
    pub fn is_over(&self) -> bool {
        self.session.is_none()
    }

    /// Whose session this is, since it registered or logged in with its address.
    pub fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }

    /// Registers, with the name asked for or a number that the server gives.
    pub async fn register(&mut self, name: Option<&str>, token: Option<&str>) -> Result<Address, Error> {
        self.require(Extension::XRegister)?;
        let name = name.map(str::parse).transpose();
        let name = name.map_err(|_| Error::BadInput("a name to register must be a valid local part of an address"))?;
        let token = token.map(str::parse).transpose();
        let token = token.map_err(|_| Error::BadInput("a token must be printable ASCII without spaces"))?;
        let address = self.ask(|session| session.register(name.as_ref(), token.as_ref())).await?;
        self.address = Some(address.clone());
        Ok(address)
    }

    /// Has the server issue a password for the account. An earlier one is void. Only where nobody can overhear it.
    pub async fn issue_password(&mut self) -> Result<String, Error> {
        self.require_private()?;
        self.require(Extension::XPasswd)?;
        self.ask(Session::issue_password).await
    }

    /// Ends the account, and deletes its mail.
    pub async fn unregister(&mut self) -> Result<(), Error> {
        self.require(Extension::XUnregister)?;
        self.ask(Session::unregister).await?;
        self.address = None;
        Ok(())
    }

    /// Logs in with an account's user name, most often its address, and password, by the best mechanism that the server offers.
    /// Only where nobody can overhear it.
    pub async fn login(&mut self, user: &str, password: &str) -> Result<(), Error> {
        self.require_private()?;
        let extensions = self.session()?.extensions();
        if !extensions.offers(Extension::Auth) {
            return Err(Error::NotOffered(Extension::Auth.keyword()));
        }
        let credentials = login::credentials(user, password)?;
        let offers = |mechanism: Mechanism| extensions.has_mechanism(mechanism.name());
        let exchange = login::begin(&credentials, &self.channel, offers)?;
        let exchange = exchange.ok_or(Error::NotOffered("AUTH by SCRAM-SHA-256, PLAIN or LOGIN"))?;
        let login = self.take_session()?.log_in(exchange);
        self.finish(login).await?;
        self.address = user.parse().ok();
        Ok(())
    }

    /// Sends one message, in one transaction. `body` gives it, as long as it is said to be: its lines must end in CRLF, its
    /// dots are stuffed here. `progress` is told how many octets have been sent.
    ///
    /// A server that refuses the message before it has all of it gets no more: the connection [is over](Self::is_over).
    ///
    /// Without SMTPUTF8 at the server, a reverse-path other than ASCII is an error; such recipients are refused. Without DSN,
    /// the message is sent and no report asked for.
    pub async fn send(
        &mut self,
        envelope: &Envelope,
        message: Message,
        body: impl AsyncRead + Unpin + Send,
        progress: impl FnMut(u64) + Send,
    ) -> Result<Delivery, Error> {
        if envelope.reverse_path.address().is_some_and(|address| !address.is_ascii()) {
            self.require(Extension::SmtpUtf8)?;
        }
        let transaction = self.take_session()?.transaction(envelope.clone(), message);
        let (session, delivery) = match self.transport.run(transaction).await? {
            Begun::Content(content) => match self.send_content(content, body, progress).await? {
                Ok(ending) => self.hear_verdict(ending).await?,
                Err(refused) => return Ok(refused),
            },
            Begun::Ending(ending) => self.transport.run(ending).await?,
        };
        self.session = Some(session);
        Ok(delivery)
    }

    /// Asks for the mail of the account, waiting so long for some if there is none.
    pub async fn retrieve(&mut self, wait: Option<Duration>) -> Result<Retrieval<'_>, Error> {
        self.require(Extension::XRetrieve)?;
        let request = self.take_session()?.retrieve(wait);
        match self.transport.run_patiently(request, wait.unwrap_or_default()).await? {
            Ok(machine) => Ok(Retrieval::by_xretrieve(self, machine)),
            Err((session, refusal)) => {
                self.session = Some(session);
                Err(Error::Refused(refusal))
            }
        }
    }

    /// Shows that this end is alive, and hears whether the other one is.
    pub async fn noop(&mut self) -> Result<(), Error> {
        self.ask(Session::noop).await
    }

    /// Says goodbye and closes the connection.
    pub async fn quit(mut self) -> Result<(), Error> {
        within(QUIT_TIMEOUT, self.ask(Session::quit)).await?;
        self.transport.close().await;
        Ok(())
    }

    /// Begins the session anew, encrypted: nothing that was said in clear counts any more (RFC 3207 §4.2).
    async fn encrypt(&mut self, security: &Security, client_name: Domain, timeout: Duration) -> Result<(), Error> {
        self.ask(Session::starttls).await?;
        // This fails if more was received than the reply: somebody else may have put it there.
        let opening = Opening::after_tls(self.take_session()?, client_name)?;
        self.channel = within(timeout, self.transport.encrypt(security)).await?;
        self.session = Some(within(timeout, self.transport.run(opening)).await?.map_err(Error::NoService)?);
        Ok(())
    }

    pub(crate) async fn ask<T>(&mut self, command: impl FnOnce(Session) -> Ask<T>) -> Result<T, Error> {
        let command = command(self.take_session()?);
        self.finish(command).await
    }

    /// Awaits the reply to a command, and is ready for the next one.
    pub(crate) async fn finish<T>(
        &mut self,
        command: impl Exchange<Outcome = (Session, Result<T, Reply>), Failure = Failure>,
    ) -> Result<T, Error> {
        let (session, answer) = self.transport.run(command).await?;
        self.session = Some(session);
        answer.map_err(Error::Refused)
    }

    /// Sends the message, unless the server refuses it on the way.
    async fn send_content(
        &mut self,
        mut content: Content,
        mut body: impl AsyncRead + Unpin + Send,
        mut progress: impl FnMut(u64) + Send,
    ) -> Result<Result<Ending, Delivery>, Error> {
        let mut piece = vec![0; READ_OCTETS_MAX];
        let mut sent = 0;
        loop {
            match body.read(&mut piece).await.map_err(Error::Body)? {
                0 => return Ok(Ok(content.finish()?)),
                octets => {
                    content.write(&piece[..octets])?;
                    if let Some(refusal) = self.transport.send(&mut content).await? {
                        return Ok(Err(content.refused(refusal)));
                    }
                    sent += octets as u64;
                    progress(sent);
                }
            }
        }
    }

    /// Awaits the reply to a whole message. If none comes, the server may have it or not.
    async fn hear_verdict(&mut self, ending: Ending) -> Result<(Session, Delivery), Error> {
        // RFC 5321 §4.5.3.2.6 gives the last reply twice the time of others.
        let verdict = self.transport.run_patiently(ending, self.transport.timeout()).await;
        verdict.map_err(|error| if error.leaves_doubt() { Error::SentInDoubt(error.into()) } else { error })
    }

    fn session(&self) -> Result<&Session, Error> {
        self.session.as_ref().ok_or(Error::Closed(None))
    }

    fn take_session(&mut self) -> Result<Session, Error> {
        self.session.take().ok_or(Error::Closed(None))
    }

    fn require(&self, extension: Extension) -> Result<(), Error> {
        let is_offered = self.session()?.extensions().offers(extension);
        if is_offered { Ok(()) } else { Err(Error::NotOffered(extension.keyword())) }
    }
}
