//! A session with a POP3 server, for retrieving mail from any there is.

use proto::pop3::Response;
use proto::pop3::client::{Authorization, Capability, Opening, Transaction};
use proto::sasl::Channel;
use proto::smtp::client::Dialogue;

use crate::tls::Security;
use crate::transport::{Stream, Transport, within};
use crate::{ConnectOptions, Error, Peer, QUIT_TIMEOUT, Retrieval, ServerAddress};
use crate::{login, tcp};

/// A session with a POP3 server that knows nobody yet.
#[derive(Debug)]
pub struct Pop3Connection {
    transport: Transport,
    session: Authorization,
    channel: Channel,
}

/// A session with a POP3 server that has opened somebody's mailbox. Mail is retrieved once in it: then it ends.
#[derive(Debug)]
pub struct Pop3Mailbox {
    pub(crate) transport: Transport,
    pub(crate) session: Session,
    pub(crate) user: String,
}

/// How far a session has come.
#[derive(Debug)]
pub(crate) enum Session {
    /// Nothing was asked for yet.
    AtRest(Transaction),
    /// An exchange is under way, or has broken off.
    Busy,
    /// Both ends have said goodbye.
    Over,
}

impl Pop3Connection {
    /// Connects to a server of POP3 and hears its greeting, in an encrypted session if the options want it.
    pub async fn connect(server: &ServerAddress, options: ConnectOptions) -> Result<Self, Error> {
        let (stream, peer) = tcp::connect(server, options.connect_timeout).await?;
        Self::open(stream, server, peer, options).await
    }

    /// Hears the greeting of the server at the other end of a stream, which is at `peer`. It is told no name.
    pub async fn open(
        stream: impl Stream + 'static,
        server: &ServerAddress,
        peer: Peer,
        options: ConnectOptions,
    ) -> Result<Self, Error> {
        if !server.scheme().is_pop3() {
            return Err(Error::BadInput("a server to retrieve from by POP3 is named pop3://HOST or pop3s://HOST"));
        }
        let ConnectOptions { tls, trust, first_use, client_name: _, connect_timeout, timeout, dialogue } = options;
        let security = Security::new(server, tls, trust, first_use)?;
        let opened = Transport::open(Box::new(stream), peer, &security, timeout);
        let (mut transport, channel) = within(connect_timeout, opened).await?;
        let opening = transport.run(Opening::new(dialogue.map(Dialogue::new)));
        let session = within(connect_timeout, opening).await?.map_err(Error::Pop3NoService)?;
        let mut connection = Self { transport, session, channel };
        if !connection.channel.is_tls() {
            if security.is_wanted() && connection.session.capabilities().has(Capability::StartTls) {
                connection = within(connect_timeout, connection.encrypt(&security)).await?;
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

    /// Logs in by the best mechanism that the server offers, or by USER and PASS, and opens the mailbox. Only where nobody can
    /// overhear it.
    pub async fn login(mut self, user: &str, password: &str) -> Result<Pop3Mailbox, Error> {
        login::require_private(&self.channel)?;
        let credentials = login::credentials(user, password)?;
        let offers = |mechanism| self.session.has_mechanism(mechanism);
        let login = match login::begin(&credentials, &self.channel, offers)? {
            Some(exchange) => self.session.log_in(exchange),
            None => self
                .session
                .log_in_with_password(&credentials)
                .map_err(|_| Error::BadInput("a user name or password has control characters, which POP3 can't say"))?,
        };
        let session = self.transport.run(login).await?.map_err(|(_, refusal)| Error::Pop3Refused(refusal))?;
        Ok(Pop3Mailbox { transport: self.transport, session: Session::AtRest(session), user: user.to_owned() })
    }

    /// Says goodbye and closes the connection.
    pub async fn quit(mut self) -> Result<(), Error> {
        within(QUIT_TIMEOUT, self.transport.run(self.session.quit())).await?.map_err(Error::Pop3Refused)?;
        self.transport.close().await;
        Ok(())
    }

    /// Begins the session anew, encrypted: nothing that was said in clear counts any more (RFC 2595 §4).
    async fn encrypt(mut self, security: &Security) -> Result<Self, Error> {
        let refused = |(_, refusal): (Authorization, Response)| Error::Pop3Refused(refusal);
        let session = self.transport.run(self.session.starttls()).await?.map_err(refused)?;
        let channel = self.transport.encrypt(security).await?;
        let session = self.transport.run(session.reopen()).await?.map_err(Error::Pop3NoService)?;
        Ok(Self { transport: self.transport, session, channel })
    }
}

impl Pop3Mailbox {
    /// Asks for the mail, all of it. It stays on the server until [`Retrieval::confirm`], which also ends the session.
    pub async fn retrieve(&mut self) -> Result<Retrieval<'_>, Error> {
        let survey = self.take_session()?.survey(false);
        match self.transport.run(survey).await? {
            Ok(maildrop) => Ok(Retrieval::by_pop3(self, maildrop.retrieve())),
            Err((session, refusal)) => {
                self.session = Session::AtRest(session);
                Err(Error::Pop3Refused(refusal))
            }
        }
    }

    /// Says goodbye, unless that was said, and closes the connection. Nothing is deleted.
    pub async fn quit(mut self) -> Result<(), Error> {
        if !matches!(self.session, Session::Over) {
            let quit = self.take_session()?.quit();
            within(QUIT_TIMEOUT, self.transport.run(quit)).await?.map_err(Error::Pop3Refused)?;
            self.transport.close().await;
        }
        Ok(())
    }

    fn take_session(&mut self) -> Result<Transaction, Error> {
        match std::mem::replace(&mut self.session, Session::Busy) {
            Session::AtRest(session) => Ok(session),
            left => {
                self.session = left;
                Err(Error::Closed(None))
            }
        }
    }
}
