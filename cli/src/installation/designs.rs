//! `bespoke designs`: manages the designs and the measurements that they need.

use std::path::PathBuf;

use anyhow::{Context as _, Result, anyhow};
use bespoke_core::measurement::parse_designs;
use bespoke_database::designs;
use bespoke_web::Session;

use crate::start::Expect;
use crate::{output, start};

#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Replace all designs by those of a file: {"aaron": {"required": ["chest"], "optional": []}}
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
    start::with_context(data_dir, Expect::Installation, async |context| {
        let session = Session::new(context.clone());
        let write = session.write(move |db| Ok(designs::replace(db, &list)?));
        write
            .await
            .map_err(|error| anyhow!("cannot store the designs: {}", error.detail().unwrap_or(error.code())))
    })?;
    output::say!("Designs stored: {count}.");
    Ok(())
}
