//! The [`Manifest`] of a backup: lists its files with their digests, and verifies them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use bespoke_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::sha256;

/// Name of the database in a backup.
pub(crate) const DATABASE: &str = "database.sqlite";
const MANIFEST: &str = "manifest.json";
/// The backup format that this version writes and reads.
const FORMAT: u32 = 1;

/// The files of a backup.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Manifest {
    format: u32,
    /// The version of the database, as `<epoch>-<seq>`.
    pub(crate) state: String,
    made_at: String,
    /// SHA-256 of each file, in hexadecimal.
    pub(crate) files: BTreeMap<String, String>,
}

impl Manifest {
    pub(crate) fn new(state: String, made_at: Timestamp) -> Self {
        Self {
            format: FORMAT,
            state,
            made_at: made_at.to_string(),
            files: BTreeMap::new(),
        }
    }

    /// Syncs a written file to the disk, and adds it with its digest.
    pub(crate) fn add(&mut self, folder: &Path, name: &str) -> Result<()> {
        let path = folder.join(name);
        File::open(&path)?.sync_all()?;
        self.files.insert(name.to_owned(), hex::encode(sha256(&path)?));
        Ok(())
    }

    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(MANIFEST);
        fs::write(&path, format!("{:#}\n", serde_json::to_value(self)?))?;
        File::open(&path)?.sync_all()?;
        Ok(())
    }

    /// Reads the manifest, and verifies that every file is present and unchanged.
    pub(crate) fn read(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path)
            .with_context(|| format!("{} is not a complete backup: it has no {MANIFEST}", folder.display()))?;
        let manifest: Self = serde_json::from_str(&text).with_context(|| format!("{} is damaged", path.display()))?;
        ensure!(
            manifest.format == FORMAT,
            "the backup has format {}, but this version reads only {FORMAT}",
            manifest.format
        );
        for (name, expected) in &manifest.files {
            let path = folder.join(name);
            let found = sha256(&path).with_context(|| format!("{} is missing or unreadable", path.display()))?;
            ensure!(
                hex::encode(found) == *expected,
                "{} was changed after the backup",
                path.display()
            );
        }
        Ok(manifest)
    }
}
