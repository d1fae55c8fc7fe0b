//! Which data folder an operator's command is about, and whether accounts and mail are in it.

use std::path::PathBuf;

use server::Config;
use store::postgres::Options;

use super::serve::data_folder;
use crate::exit::{Exit, Failure};

/// The options that say it, as those of `serve` do.
#[derive(Debug, clap::Args)]
pub(super) struct Place {
    /// The data folder of the server
    #[arg(long, value_name = "DIR", global = true)]
    data: Option<PathBuf>,

    /// The configuration of the server, which names its data folder
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

/// Where accounts and mail are.
pub(super) enum Kept {
    /// In the data folder.
    Folder(PathBuf),
    /// In a database.
    Database(Box<Options>),
}

impl Place {
    /// The data folder of a server that is started with these options.
    pub(super) fn folder(&self) -> Result<PathBuf, Failure> {
        data_folder(&self.configured()?)
    }

    /// The same, if accounts and mail are in it.
    pub(super) fn folder_of_store(&self) -> Result<PathBuf, Failure> {
        let config = self.configured()?;
        match config.store.database() {
            None => data_folder(&config),
            Some(database) => {
                let what = "this is for a store in a data folder, and the configuration says that it is in a database";
                let advice = "use PostgreSQL's own tools, such as pg_amcheck";
                Err(Failure::new(Exit::Config, format!("{what}, {}: {advice}", database.url)))
            }
        }
    }

    /// Where a server that is started with these options keeps accounts and mail.
    pub(super) fn kept(&self) -> Result<Kept, Failure> {
        let config = self.configured()?;
        let Some(database) = config.store.database() else { return data_folder(&config).map(Kept::Folder) };
        let options = database.options().map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
        Ok(Kept::Database(Box::new(options)))
    }

    fn configured(&self) -> Result<Config, Failure> {
        let mut config = match &self.config {
            Some(file) => Config::read(file).map_err(|error| Failure::new(Exit::Config, error.to_string()))?,
            None => Config::default(),
        };
        config.data = self.data.clone().or(config.data);
        Ok(config)
    }
}
