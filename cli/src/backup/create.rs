//! `bespoke backup`: saves an installation, except for its keys, in a folder.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use anyhow::{Result, anyhow, bail, ensure};
use bespoke_core::Clock as _;
use bespoke_services::mail::MailTransport;
use bespoke_storage::{Fetched, Place};
use bespoke_web::{Config, Context, SystemClock};
use serde_json::json;

use super::manifest::{DATABASE, Manifest};
use crate::start::Expect;
use crate::{output, start};

/// Prefix of the images in the bucket. The other objects next to the database are exports, which are not saved because
/// they can be created again.
const IMAGES: &str = "images/";

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Folder to create. Data of users stay encrypted in it
    folder: PathBuf,
    /// Print a summary as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(arguments: &Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let Arguments { folder, json } = arguments;
    let manifest = start::with_context(data_dir, Expect::Installation, async |context| {
        if let Some(own_folder) = own_folder_around(folder, context.config())? {
            bail!(
                "{} is in {own_folder}, which must not contain backups",
                folder.display()
            );
        }
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
            output::say!("The keys are not part of the backup. Keep a copy of them in another place.");
        },
    );
    Ok(())
}

/// If `folder` is inside a folder of the installation, returns the name of that folder. `folder` may not exist yet.
fn own_folder_around(folder: &Path, config: &Config) -> Result<Option<&'static str>> {
    let folder = std::path::absolute(folder)?;
    let (existing, missing) = existing_part(&folder);
    let bucket = match &config.store {
        Place::Directory(bucket) => Some(bucket.clone()),
        Place::S3 { .. } => None,
    };
    let mails = match &config.mail.transport {
        MailTransport::Folder(mails) => Some(mails.clone()),
        MailTransport::Smtp(_) | MailTransport::Ses(_) => None,
    };
    let own_folders = [
        ("the folder of the bucket", bucket),
        ("the folder of the local copy", Some(config.local_dir.clone())),
        ("the folder of the keys", Some(config.data_dir.join("keys"))),
        ("the folder of the mails", mails),
    ];
    let is_in = |own: Option<&Path>| {
        let own = own.and_then(|own| fs::canonicalize(own).ok());
        existing
            .as_ref()
            .zip(own)
            .is_some_and(|(folder, own)| folder.starts_with(own))
    };
    if let Some((name, _)) = own_folders.into_iter().find(|(_, own)| is_in(own.as_deref())) {
        return Ok(Some(name));
    }
    // `..` after a folder that does not exist cannot be resolved.
    ensure!(
        missing.components().all(|part| matches!(part, Component::Normal(_))),
        "{} has `..` after a folder that does not exist",
        folder.display()
    );
    Ok(None)
}

/// Splits an absolute path into the longest part that exists, with symbolic links resolved, and the rest.
fn existing_part(folder: &Path) -> (Option<PathBuf>, &Path) {
    let existing = |part: &Path| Some((fs::canonicalize(part).ok()?, folder.strip_prefix(part).ok()?));
    match folder.ancestors().find_map(existing) {
        Some((existing, missing)) => (Some(existing), missing),
        None => (None, folder),
    }
}

/// Creates the folder if it is missing, and reserves it for this backup. If several backups start at the same time,
/// only one gets the folder, because `mkdir` is atomic on every file system.
fn claim(folder: &Path) -> Result<()> {
    let is_empty = !folder.exists() || fs::read_dir(folder)?.next().is_none();
    let result = match is_empty {
        true => fs::create_dir_all(folder).and_then(|()| fs::create_dir(folder.join(IMAGES))),
        false => Err(ErrorKind::AlreadyExists.into()),
    };
    result.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => anyhow!(
            "{} is not empty, or another backup is being written there: every backup needs an empty folder",
            folder.display()
        ),
        _ => anyhow!("cannot make {}: {error}", folder.display()),
    })
}

/// Saves the database and the images in `folder`.
async fn save(context: &Context, folder: &Path) -> Result<Manifest> {
    claim(folder)?;
    let database = folder.join(DATABASE);
    let state = context.database().copy_to(&database).await?;
    let copy = context.database().open_copy(&database)?;
    copy.check_complete()?;
    let problems = copy.problems()?;
    ensure!(problems.is_empty(), "the copy is damaged: {}", problems.join("; "));
    let mut manifest = Manifest::new(state.to_string(), SystemClock.now());
    manifest.add(folder, DATABASE)?;
    let images = context.bucket().list(IMAGES).await?;
    let bar = output::bar(images.len() as u64, "images");
    for image in images {
        // Skip an image that was deleted in the meantime.
        if let Fetched::Found(object) = context.bucket().get(&image.key, None).await? {
            fs::write(folder.join(&image.key), &object.body)?;
            manifest.add(folder, &image.key)?;
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    // The manifest is written last, because a folder without it is not a complete backup.
    manifest.write(folder)?;
    Ok(manifest)
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn path_is_split_after_its_existing_part() {
        let parent = tempfile::tempdir().unwrap();
        let existing = fs::canonicalize(parent.path()).unwrap();
        for (path, missing) in [
            ("new/backup", "new/backup"),
            ("missing/../objects/x", "missing/../objects/x"),
            (".", ""),
        ] {
            let folder = existing.join(path);
            assert_eq!(existing_part(&folder), (Some(existing.clone()), Path::new(missing)));
        }
    }

    #[test]
    fn one_of_many_backups_gets_the_folder() {
        const BACKUPS: usize = 16;
        let parent = tempfile::tempdir().unwrap();
        for round in 0..BACKUPS {
            let (folder, start) = (parent.path().join(format!("a/{round}")), Barrier::new(BACKUPS));
            let claimed = || {
                start.wait();
                claim(&folder)
            };
            let results: Vec<_> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..BACKUPS).map(|_| scope.spawn(claimed)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
            for error in results.iter().filter_map(|result| result.as_ref().err()) {
                assert!(
                    error.to_string().contains("another backup is being written there"),
                    "{error}"
                );
            }
        }
    }
}
