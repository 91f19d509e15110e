//! The checks of `bespoke doctor`: of the configuration ([`configuration`]), and of the installation
//! ([`installation`]).

use std::path::Path;

use bespoke_core::Clock as _;
use bespoke_database::{Page, import, outbox};
use bespoke_storage::{Fetched, Place};
use bespoke_web::{Config, Context, Session, SystemClock};

use super::Finding;
use super::State::{Bad, Doubtful, Good};

/// Chapters of the documentation that help if the bucket cannot be opened.
pub(super) const ADVICE: &str = "see \"The bucket is gone\" and \"A key is lost\" in docs/operations.md";
/// The free space of a disk below which it is reported, in bytes.
const MIN_FREE_BYTES: u64 = 1 << 30;
/// The time in the outbox after which a mail is reported, in milliseconds.
const STUCK_MS: i64 = 15 * 60 * 1000;
/// The difference between the clocks of this machine and of the store above which it is reported, in milliseconds.
const MAX_SKEW_MS: u64 = 60_000;

/// Checks the settings.
pub(super) fn configuration(config: &Config) -> Vec<Finding> {
    let mut findings = vec![Finding::good("configuration", format!("serves {}", config.url))];
    if config.test_domain.is_some() {
        let advice = "remove BACKEND_ENABLE_TESTS if the server is reachable from other machines";
        findings.push(Finding::new("configuration", Doubtful, "test mode is on", advice));
    }
    if config.old_keys.data.is_some() || config.old_keys.index.is_some() {
        let advice = "run `bespoke rotate-keys`, then take BACKEND_OLD_ENC_KEY away";
        findings.push(Finding::new("keys", Doubtful, "keys are being rotated", advice));
    }
    let file = config.data_dir.join("keys/encryption.key");
    if file.exists() {
        let advice = format!(
            "keep a copy of {} in another place than the bucket: without it, all data are lost",
            file.display()
        );
        findings.push(Finding::new("keys", Good, "the key file is in use, or was", advice));
    }
    findings.push(space("disk", &config.data_dir));
    if let Place::Directory(folder) = &config.store {
        findings.push(space("bucket's disk", folder));
    }
    let from = &config.mail.from;
    findings.push(if from.email.domain().starts_with("localhost") {
        let advice = "set BACKEND_MAIL_FROM to an address of yours";
        Finding::new("mail", Doubtful, format!("mails are from {from}"), advice)
    } else {
        Finding::good("mail", format!("mails are from {from}"))
    });
    findings
}

/// Checks the installation.
pub(super) async fn installation(context: &Context) -> Vec<Finding> {
    vec![
        store(context).await,
        clock(context).await,
        mail(context).await,
        unfinished(context).await,
    ]
}

async fn store(context: &Context) -> Finding {
    let began = SystemClock.now();
    match context.database().ping().await {
        Err(error) => Finding::new("store", Bad, error.to_string(), ADVICE),
        Ok(version) => {
            let took_ms = SystemClock.now().as_millis() - began.as_millis();
            let place = &context.config().store;
            Finding::good("store", format!("{place} answers in {took_ms} ms; state {version}"))
        }
    }
}

async fn clock(context: &Context) -> Finding {
    let Ok(Fetched::Found(head)) = context.bucket().get("head", None).await else {
        return Finding::new("clock", Bad, "the responses of the store contain no time", ADVICE);
    };
    let machine_ms = SystemClock.now().as_millis().unsigned_abs();
    let skew_ms = machine_ms.abs_diff(head.date_ms);
    if skew_ms > MAX_SKEW_MS {
        let what = format!("this machine and the store are {} s apart", skew_ms / 1000);
        return Finding::new(
            "clock",
            Bad,
            what,
            "set the clock, because it determines when tokens and keys expire",
        );
    }
    Finding::good("clock", "as the store's")
}

async fn mail(context: &Context) -> Finding {
    let session = Session::new(context.clone());
    let waiting = match session.read(|db| Ok(outbox::waiting(db, Page::ALL)?)).await {
        Ok(waiting) => waiting,
        Err(error) => return Finding::new("mail", Bad, error.code(), "run `bespoke verify`"),
    };
    let given_up = waiting.iter().filter(|mail| mail.due_at.is_none()).count();
    let oldest = waiting.iter().find(|mail| mail.due_at.is_some());
    match oldest.map(|mail| mail.created_at) {
        _ if given_up > 0 => Finding::new(
            "mail",
            Bad,
            format!("{given_up} were given up"),
            "see GET /admin/outbox/jwt for why; POST /admin/outbox/{id}/retry/jwt tries again",
        ),
        Some(oldest) if oldest.plus_ms(STUCK_MS) < SystemClock.now() => Finding::new(
            "mail",
            Bad,
            format!("{} wait, the oldest since {oldest}", waiting.len()),
            "search the log for mails, and check that `bespoke serve` or the function maintenance runs",
        ),
        _ => Finding::good("mail", format!("{} wait", waiting.len())),
    }
}

async fn unfinished(context: &Context) -> Finding {
    let session = Session::new(context.clone());
    if let Err(error) = context.database().check_complete().await {
        let advice = "wait for `bespoke restore --from`, or run it again with the same backup";
        return Finding::new("data", Bad, error.to_string(), advice);
    }
    match session.read(|db| Ok(import::begun(db)?)).await {
        Err(error) => Finding::new("data", Bad, error.code(), "run `bespoke verify`"),
        Ok(Some((_, None))) => Finding::new(
            "data",
            Bad,
            "an import was interrupted",
            "run the same `bespoke import` again",
        ),
        Ok(_) => Finding::good("data", "no import or restore is incomplete"),
    }
}

fn space(subject: &'static str, folder: &Path) -> Finding {
    // A folder that does not exist yet will be created on the disk of its parent.
    let folder = folder
        .ancestors()
        .find(|folder| folder.exists())
        .unwrap_or(Path::new("."));
    match rustix::fs::statvfs(folder) {
        Err(error) => Finding::new(subject, Bad, error.to_string(), "check that the disk is mounted"),
        Ok(disk) => {
            let free = disk.f_bavail * disk.f_frsize;
            let what = format!("{:.1} GiB are free", free as f64 / (1u64 << 30) as f64);
            if free < MIN_FREE_BYTES {
                Finding::new(subject, Bad, what, "see \"The disk is full\" in docs/operations.md")
            } else {
                Finding::good(subject, what)
            }
        }
    }
}
