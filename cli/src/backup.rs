//! `bespoke backup`: everything of an installation but its keys, in a folder.

pub(crate) mod manifest;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use bespoke_core::Clock as _;
use bespoke_storage::{Fetched, Place};
use bespoke_web::{Context, SystemClock};
use serde_json::json;

use self::manifest::{DATABASE, Manifest};
use crate::{output, start};

/// What lies in the bucket beside the database and is worth keeping. Exports are made anew.
const IMAGES: &str = "images/";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder to make; what people have entered stays encrypted in it
    folder: PathBuf,
    /// Print what was saved as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let Arguments { folder, json } = arguments;
    ensure!(
        !folder.exists() || fs::read_dir(folder)?.next().is_none(),
        "{} is not empty: every backup is a folder of its own",
        folder.display()
    );
    let manifest = start::with_context(data_dir, async |context| {
        ensure!(
            !is_in_bucket(folder, &context.config().store)?,
            "{} is in the folder of the bucket, whose objects are garbage if the database does not name them",
            folder.display()
        );
        save(context, folder).await
    })?;
    output::print(
        *json,
        || json!(manifest),
        || {
            output::say!(
                "Saved state {} and {} images.",
                manifest.state,
                manifest.files.len() - 1
            );
            output::say!("The keys are not in it: keep them, and apart from it.");
        },
    );
    Ok(())
}

/// Whether a folder, which may have to be made, is in the folder of the bucket.
fn is_in_bucket(folder: &Path, place: &Place) -> Result<bool> {
    let Place::Directory(bucket) = place else {
        return Ok(false);
    };
    let bucket = fs::canonicalize(bucket)?;
    let folder = std::path::absolute(folder)?;
    let existing = folder.ancestors().find_map(|folder| fs::canonicalize(folder).ok());
    Ok(existing.is_some_and(|existing| existing.starts_with(bucket)))
}

async fn save(context: &Context, folder: &Path) -> Result<Manifest> {
    fs::create_dir_all(folder.join(IMAGES)).with_context(|| format!("cannot make {}", folder.display()))?;
    let database = folder.join(DATABASE);
    let state = context.database().snapshot(&database).await?;
    let problems = context.database().open_snapshot(&database)?.problems()?;
    ensure!(problems.is_empty(), "the copy is damaged: {}", problems.join("; "));
    let mut manifest = Manifest::new(state.to_string(), SystemClock.now());
    manifest.add(folder, DATABASE)?;
    let images = context.bucket().list(IMAGES).await?;
    let bar = output::bar(images.len() as u64, "images");
    for image in images {
        // One that was removed meanwhile is missed by nobody.
        if let Fetched::Found(object) = context.bucket().get(&image.key, None).await? {
            fs::write(folder.join(&image.key), &object.body)?;
            manifest.add(folder, &image.key)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    // Last: a folder without it is no backup.
    manifest.write(folder)?;
    Ok(manifest)
}
