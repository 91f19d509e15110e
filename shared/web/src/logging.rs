//! Logs: `tracing`, to standard error; plain on a terminal, JSON lines otherwise.

use std::io::IsTerminal;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, fmt, registry};

/// Starts the log of this process. `filter` is a level, or levels of modules as in `info,bespoke_storage=debug`; what is neither
/// counts as `info`.
pub fn start(filter: &str) {
    let filter: Targets = filter
        .parse()
        .unwrap_or_else(|_| Targets::new().with_default(LevelFilter::INFO));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if std::io::stderr().is_terminal() {
        lines.with_target(false).boxed()
    } else {
        let json = lines.json().flatten_event(true);
        json.with_current_span(true).with_span_list(false).boxed()
    };
    // A second start in one process (tests) keeps the first.
    let _ = registry().with(lines.with_filter(filter)).try_init();
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string);
        tracing::error!(place, "panic");
    }));
}
