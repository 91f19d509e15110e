//! `bespoke serve`: serves all functions over HTTP in one process.

mod addresses;
mod connections;
mod framing;
mod guarded;
mod memory;
mod metrics;
mod unread;

use std::io::{ErrorKind, IsTerminal};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, anyhow};
use bespoke_core::entity::mail::OutboxMail;
use bespoke_mail::Announce;
use bespoke_web::config::Environment;
use bespoke_web::maintenance::Task;
use bespoke_web::{Context, Gateway, Overrides, logging};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::MissedTickBehavior;

use self::connections::GRACE_S;
use crate::start::{self, Expect};

/// Interval of delivering waiting mails, applying usage counters and compacting the database, in seconds.
const FREQUENT_S: u64 = 5 * 60;
/// Interval of deleting expired data, in seconds.
const RARE_S: u64 = 6 * 60 * 60;

#[derive(clap::Args, Default)]
pub(crate) struct Arguments {
    /// Port to listen on; 0 for any that is free [default: BACKEND_PORT, or 3000]
    #[arg(long)]
    port: Option<u16>,
}

pub(crate) fn run(arguments: Arguments, data_dir: Option<PathBuf>) -> Result<()> {
    let environment = Environment::read(Overrides {
        port: arguments.port,
        data_dir,
        ..Overrides::default()
    });
    let spans = logging::start_with_spans(&environment);
    start::block_on(async {
        let result = serve(environment).await;
        spans.shut_down().await;
        result
    })
}

async fn serve(mut environment: Environment) -> Result<()> {
    connections::allow_many_files();
    let address = environment.address()?;
    let listener = TcpListener::bind(address).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow!("port {} is in use; choose another with --port", address.port()),
        _ => anyhow!("cannot listen on {address}: {error}"),
    })?;
    environment.set_port(listener.local_addr()?.port());
    let announce = std::io::stdout().is_terminal().then_some(announce as Announce);
    let context = start::open(environment, Expect::InstallationOrNone, announce).await?;
    context.database().compact_by_itself();
    let background_jobs = [
        tokio::spawn(maintain(context.clone(), FREQUENT_S, &Task::FREQUENT)),
        tokio::spawn(maintain(context.clone(), RARE_S, &Task::RARE)),
        tokio::spawn(memory::release()),
    ];
    welcome(&context, listener.local_addr()?);
    let gateway = Arc::new(Gateway::new(context.clone(), all::routers()));
    connections::accept(&listener, &gateway, stop_signal()?).await;
    // A mail whose delivery is interrupted is sent again later, so deliveries get the same grace period as requests.
    let _ = tokio::time::timeout(Duration::from_secs(GRACE_S), context.finish_mail()).await;
    // The next start does the remaining work.
    background_jobs.iter().for_each(JoinHandle::abort);
    context.put_usage().await;
    context.database().clone().close().await;
    Ok(())
}

/// Runs background tasks at once and then repeatedly. The first run also completes work that an earlier process left.
async fn maintain(context: Context, interval_s: u64, tasks: &[Task]) {
    let mut interval = tokio::time::interval(Duration::from_secs(interval_s));
    // After the machine slept, missed runs need not be repeated.
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        context.maintain(tasks).await;
    }
}

/// Returns a receiver that gets a message at the first SIGTERM or SIGINT.
fn stop_signal() -> Result<Receiver<()>> {
    let (sender, receiver) = tokio::sync::mpsc::channel(1);
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::spawn(async move {
        tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        let _ = sender.send(()).await;
    });
    Ok(receiver)
}

fn welcome(context: &Context, address: SocketAddr) {
    let config = context.config();
    let (url, store) = (&config.url, &config.store);
    let outbox = config.data_dir.join("outbox");
    println!(
        "Bespoke serves {url}
  listens {address}
  bucket  {store}
  keys    {}
  mails   {}

Open {url}/console/ to sign up, make API keys and enter measurements. Or try:
  curl {url}/healthz
  curl -H 'Content-Type: application/json' -d '{{\"email\":\"you@example.com\",\"language\":\"en\"}}' {url}/signup
  cat {}/*.eml",
        config.data_dir.join("keys").display(),
        outbox.display(),
        outbox.display(),
    );
}

/// Prints the link of a mail on the terminal. It is not logged, because only the person at the terminal may see it.
fn announce(mail: &OutboxMail) {
    match &mail.action_url {
        Some(link) => println!("Mail for {}: {link}", mail.to),
        None => println!("Mail for {}", mail.to),
    }
}
