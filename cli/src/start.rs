//! What every command begins with.

use std::future::Future;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use bespoke_mail::Announce;
use bespoke_web::config::Environment;
use bespoke_web::{Config, Context, Overrides, Surroundings, logging};

use crate::aws;

/// Runs a future to its end on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("cannot start threads")?.block_on(future)
}

/// Reads the configuration and opens the bucket. `announce` shows mails to the person at the terminal.
pub(crate) async fn open(mut environment: Environment, announce: Option<Announce>) -> Result<Context> {
    let mut surroundings = Surroundings::system();
    aws::read_key(&mut environment, surroundings.clock.now()).await?;
    let mut config = Config::load(environment, &*surroundings.random)?;
    aws::complete(&mut config).await;
    surroundings.mailer = Some(bespoke_mail::mailer(&config.mail, announce)?);
    let store = config.store.to_string();
    Context::open(config, surroundings)
        .await
        .with_context(|| format!("cannot open the bucket {store}"))
}

/// The environment of the process, with the folder that the command line names; begins to log.
pub(crate) fn environment(data_dir: Option<PathBuf>) -> Environment {
    let environment = Environment::read(Overrides {
        data_dir,
        ..Overrides::default()
    });
    logging::start(&environment);
    environment
}

/// Does something with the installation of the environment, and leaves it in order.
pub(crate) fn with_context<T>(data_dir: Option<PathBuf>, work: impl AsyncFnOnce(&Context) -> Result<T>) -> Result<T> {
    let environment = environment(data_dir);
    block_on(async {
        let context = open(environment, None).await?;
        let result = work(&context).await;
        context.database().clone().close().await;
        result
    })
}
