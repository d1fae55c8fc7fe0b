//! Who may register, by the operator's will, and the tokens for it.

use store::{AddTokenError, RegistrationMode, Store, Token};

use super::exchange::Office;
use super::protocol::{Answer, Mode, NewToken, RegistrationState, Secret, TOKEN_NAME_OCTETS_MAX, TokenState};
use super::refusal::Refusal;
use crate::clock;
use crate::config::Registration;
use crate::policy::{digest, password};

impl<S: Store> Office<'_, S> {
    /// Who may register, once `mode` is set.
    pub(super) async fn registration(&self, mode: Option<Mode>) -> Result<Answer, Refusal> {
        let _alone = self.changes.lock().await;
        let kept = self.shared.store.registration_mode().await?;
        let tokens = self.shared.store.tokens().await?.len();
        let kept = match mode {
            Some(mode) => self.set_mode(mode).await?,
            None => kept,
        };
        Ok(Answer::Registration(self.state_of_registration(kept, tokens)))
    }

    /// Makes a token. Registration that was open to all asks for one from then on: it would mean nothing otherwise.
    pub(super) async fn add_token(&self, name: Option<String>) -> Result<Answer, Refusal> {
        if let Some(name) = name.as_ref().filter(|name| !is_token_name(name)) {
            return Err(Refusal::TokenNameNotAllowed { name: name.clone() });
        }
        let text = password::generate().map_err(|error| {
            tracing::error!(%error, "there is no randomness for a token");
            Refusal::Failed
        })?;
        let _alone = self.changes.lock().await;
        let before = in_force(self.shared.store.registration_mode().await?, &self.settings.config.registration);
        let name = self.keep_token(name, &text).await?;
        tracing::info!(name, "the operator has made a token");
        let switched = before == Mode::Open;
        if switched {
            // The token is there already.
            self.set_mode(Mode::Token).await.map_err(|_| Refusal::Unknown)?;
        }
        let in_force = if switched { Mode::Token } else { before };
        Ok(Answer::NewToken(NewToken { name, token: Secret::from(text), switched, in_force }))
    }

    /// Keeps a token's digest under this name or, without one, the first that is free; and says which.
    async fn keep_token(&self, name: Option<String>, text: &str) -> Result<String, Refusal> {
        let name = match name {
            Some(name) => name,
            None => self.free_name().await?,
        };
        let token = Token { name, digest: digest(text), made_at: clock::now() };
        match self.shared.store.add_token(&token).await {
            Ok(true) => Ok(token.name),
            Ok(false) => Err(Refusal::TokenTaken { name: token.name }),
            Err(AddTokenError::TooMany) => Err(Refusal::TooManyTokens),
            Err(AddTokenError::Store(error)) => Err(error.into()),
        }
    }

    /// A name that no token has.
    async fn free_name(&self) -> Result<String, Refusal> {
        let tokens = self.shared.store.tokens().await?;
        let mut names = (1_u64..).map(|number| format!("invite-{number}"));
        // Among endless names there is one that none of them has.
        Ok(names.find(|name| tokens.iter().all(|token| token.name != *name)).unwrap_or_default())
    }

    pub(super) async fn tokens(&self) -> Result<Vec<Answer>, Refusal> {
        let tokens = self.shared.store.tokens().await?;
        let state =
            |token: Token| Answer::Token(TokenState { name: token.name, made_at: clock::timestamp(token.made_at) });
        Ok(tokens.into_iter().map(state).chain([Answer::Done]).collect())
    }

    pub(super) async fn remove_token(&self, name: &str) -> Result<Answer, Refusal> {
        let _alone = self.changes.lock().await;
        let kept = self.shared.store.registration_mode().await?;
        let tokens = self.shared.store.tokens().await?.len();
        if !self.shared.store.remove_token(name).await? {
            return Err(Refusal::NoSuchToken { name: name.to_owned() });
        }
        tracing::info!(name, "the operator has removed a token");
        Ok(Answer::Registration(self.state_of_registration(kept, tokens.saturating_sub(1))))
    }

    async fn set_mode(&self, mode: Mode) -> Result<RegistrationMode, Refusal> {
        let kept = match mode {
            Mode::Open => RegistrationMode::Configured,
            Mode::Token => RegistrationMode::ByToken,
            Mode::Hold => RegistrationMode::Held,
        };
        self.shared.store.set_registration_mode(kept).await?;
        tracing::info!(%mode, "the operator has set who may register");
        Ok(kept)
    }

    /// What is read for it is read before a change: should that fail, nothing was changed.
    fn state_of_registration(&self, kept: RegistrationMode, tokens: usize) -> RegistrationState {
        let mode = match kept {
            RegistrationMode::Configured => Mode::Open,
            RegistrationMode::ByToken => Mode::Token,
            RegistrationMode::Held => Mode::Hold,
        };
        let configured = &self.settings.config.registration;
        RegistrationState {
            mode,
            in_force: in_force(kept, configured),
            tokens,
            configured_tokens: configured.tokens.len(),
        }
    }
}

/// Who may register, as things are set and configured: the stricter of both.
fn in_force(set: RegistrationMode, configured: &Registration) -> Mode {
    match set {
        RegistrationMode::Held => Mode::Hold,
        _ if !configured.open => Mode::Hold,
        RegistrationMode::ByToken => Mode::Token,
        RegistrationMode::Configured if !configured.tokens.is_empty() => Mode::Token,
        RegistrationMode::Configured => Mode::Open,
    }
}

fn is_token_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_');
    (1..=TOKEN_NAME_OCTETS_MAX).contains(&name.len()) && name.bytes().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_what_is_set_and_configured_is_in_force() {
        let configured = |open: bool, tokens: &[&str]| {
            let tokens = tokens.iter().map(ToString::to_string).collect();
            Registration { open, tokens, ..Registration::default() }
        };
        for (set, open, tokens, mode) in [
            (RegistrationMode::Configured, true, &[][..], Mode::Open),
            (RegistrationMode::Configured, true, &["sesame"], Mode::Token),
            (RegistrationMode::Configured, false, &["sesame"], Mode::Hold),
            (RegistrationMode::ByToken, true, &[], Mode::Token),
            (RegistrationMode::ByToken, false, &[], Mode::Hold),
            (RegistrationMode::Held, true, &["sesame"], Mode::Hold),
        ] {
            assert_eq!(in_force(set, &configured(open, tokens)), mode, "{set:?} {open} {tokens:?}");
        }
    }
}
