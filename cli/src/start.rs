//! Starts commands: reads the environment and the configuration, and opens the database ([`with_context`]).
//!
//! An installation is a bucket with a database, and the key file of that database. The environment configures both.

use std::future::Future;
use std::path::PathBuf;

use anyhow::{Context as _, Result, ensure};
use bespoke_database::Database;
use bespoke_mail::Announce;
use bespoke_web::config::Environment;
use bespoke_web::{Config, Context, Dependencies, Overrides, logging};

use crate::aws;

/// The state of the configured installation that a command requires.
#[derive(Clone, Copy)]
pub(crate) enum Expect {
    /// A complete installation.
    Installation,
    /// A complete installation. If there is none, the command creates one.
    InstallationOrNone,
    /// An installation that may be incomplete because of an interrupted restore.
    InstallationOrIncomplete,
    /// A complete installation, an incomplete one, or none. For a restore from a backup folder.
    Anything,
}

impl Expect {
    fn may_create(self) -> bool {
        matches!(self, Self::InstallationOrNone | Self::Anything)
    }

    fn accepts_incomplete(self) -> bool {
        matches!(self, Self::InstallationOrIncomplete | Self::Anything)
    }
}

/// Runs a future to completion on a new runtime.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start threads")?.block_on(future)
}

/// Reads the configuration and opens the bucket. `announce` shows mails to the person at the terminal.
pub(crate) async fn open(environment: Environment, expect: Expect, announce: Option<Announce>) -> Result<Context> {
    let mut dependencies = Dependencies::system();
    let config = configuration(environment, expect, &dependencies).await?;
    dependencies.mailer = Some(bespoke_mail::mailer(&config.mail, announce)?);
    let store = config.store.to_string();
    let opened = match expect.accepts_incomplete() {
        true => Context::open_incomplete(config, dependencies).await,
        false => Context::open(config, dependencies).await,
    };
    opened.with_context(|| format!("cannot open the bucket {store}"))
}

/// Reads the configuration. Creates a missing key file only if the command may create an installation.
///
/// # Errors
/// Configuration errors, and an error if a required installation does not exist.
pub(crate) async fn configuration(
    mut environment: Environment,
    expect: Expect,
    dependencies: &Dependencies,
) -> Result<Config> {
    if !expect.may_create() {
        environment.require_key_file();
    }
    aws::read_passphrase_secret(&mut environment, dependencies.clock.now()).await?;
    let mut config = Config::load(environment, &*dependencies.random)?;
    aws::fill_in_missing_settings(&mut config).await;
    if !expect.may_create() {
        let store = &config.store;
        let found = store.has_database(&config.aws).await;
        ensure!(
            found.with_context(|| format!("cannot open the bucket {store}"))?,
            "there is no installation in {store}: check --data and BACKEND_STORE; `bespoke serve` creates a new one"
        );
    }
    Ok(config)
}

/// Returns the process environment, with `--data` of the command line applied, and starts logging.
pub(crate) fn environment(data_dir: Option<PathBuf>) -> Environment {
    let environment = Environment::read(Overrides {
        data_dir,
        ..Overrides::default()
    });
    logging::start(&environment);
    environment
}

/// Runs `work` on the configured installation, and closes its database afterwards.
pub(crate) fn with_context<T>(
    data_dir: Option<PathBuf>,
    expect: Expect,
    work: impl AsyncFnOnce(&Context) -> Result<T>,
) -> Result<T> {
    let environment = environment(data_dir);
    block_on(async {
        let context = open(environment, expect, None).await?;
        let result = work(&context).await;
        context.database().clone().close().await;
        result
    })
}

/// Runs `work` on the database of the configured installation, which may be incomplete or created with other keys. For a
/// restore of an earlier state of the same bucket.
pub(crate) fn with_database<T>(data_dir: Option<PathBuf>, work: impl AsyncFnOnce(&Database) -> Result<T>) -> Result<T> {
    let environment = environment(data_dir);
    block_on(async {
        let dependencies = Dependencies::system();
        let config = configuration(environment, Expect::InstallationOrIncomplete, &dependencies).await?;
        let cannot_open = || format!("cannot open the bucket {}", config.store);
        let store = config.store.open(&config.aws).with_context(cannot_open)?;
        let vault = config.vault(dependencies.random);
        let opened = Database::open_for_restore(store, config.local_dir.clone(), vault).await;
        let database = opened.with_context(cannot_open)?;
        let result = work(&database).await;
        database.close().await;
        result
    })
}
