//! `bespoke designs`: which measurements designs need, by the operator.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use bespoke_core::measurement::parse_designs;
use bespoke_database::designs;
use bespoke_web::config::Environment;
use bespoke_web::{Overrides, Session, Surroundings, logging};

use crate::start;

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Put the designs of a file in the place of those that there are: {"aaron": {"required": ["chest"], "optional": []}}
    Import {
        /// The file, JSON
        file: PathBuf,
    },
}

pub(crate) fn run(command: Command, data_dir: Option<PathBuf>) -> Result<()> {
    let Command::Import { file } = command;
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let list = parse_designs(&text).map_err(|error| anyhow!("{}: {error}", file.display()))?;
    let count = list.len();
    let environment = Environment::read(Overrides {
        data_dir,
        ..Overrides::default()
    });
    logging::start(environment.log_filter());
    start::block_on(async {
        let context = start::open(environment, Surroundings::system()).await?;
        let write = Session::new(context.clone())
            .write(move |db| Ok(designs::replace(db, &list)?))
            .await;
        context.database().clone().close().await;
        write.map_err(|error| anyhow!("the designs cannot be stored: {}", error.code()))
    })?;
    println!("{count} designs are served now.");
    Ok(())
}
