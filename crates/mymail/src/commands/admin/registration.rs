//! Who may register.

use clap::ValueEnum;
use server::admin::{Mode, RegistrationState};

use super::Desk;
use crate::output::note;

/// Show or set who may register
#[derive(Debug, clap::Args)]
#[command(after_help = "\
What is set here lasts until it is set anew, over starts of the server too.

Examples:
  mymail admin registration
  mymail admin registration hold")]
pub(super) struct Args {
    /// Who may register from now on
    mode: Option<Chosen>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Chosen {
    /// Whoever may by the configuration: everybody, unless it says otherwise
    Open,
    /// Whoever has a token, of the configuration or of `mymail admin token add`
    Token,
    /// Nobody
    Hold,
}

impl From<Chosen> for Mode {
    fn from(chosen: Chosen) -> Self {
        match chosen {
            Chosen::Open => Self::Open,
            Chosen::Token => Self::Token,
            Chosen::Hold => Self::Hold,
        }
    }
}

impl Desk {
    pub(super) async fn registration(&self, args: Args) -> anyhow::Result<()> {
        let state = self.admin.registration(args.mode.map(Mode::from)).await?;
        self.results.print(&state.mode.to_string(), &state)?;
        match state {
            RegistrationState { mode: Mode::Open, in_force: Mode::Token, .. } => {
                note("by the configuration it takes a token to register");
            }
            RegistrationState { mode: Mode::Open | Mode::Token, in_force: Mode::Hold, .. } => {
                note("by the configuration nobody can register");
            }
            _ => {}
        }
        warn_if_without_tokens(&state);
        Ok(())
    }
}

/// Says so where nobody can have a token.
pub(super) fn warn_if_without_tokens(state: &RegistrationState) {
    if state.is_without_tokens() {
        note("nobody can register: there is no token, and `mymail admin token add` makes one");
    }
}
