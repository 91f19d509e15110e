//! [`on_stage`]: runs a target on a process that serves the complete API.

use std::cell::RefCell;

use bespoke_tests::support::{App, Person, secrets};
use tokio::runtime::Runtime;

/// The number of requests after which a fresh installation is created, so that their data do not fill the memory.
const REQUESTS_EACH: usize = 5_000;

/// An installation with one account.
pub struct Stage {
    runtime: Runtime,
    requests: usize,
    /// The process.
    pub app: App,
    /// The account.
    pub person: Person,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        let (app, person) = runtime.block_on(async {
            let app = App::with(&[("BACKEND_RATE_LIMITS", "off")]).await;
            let person = app.person("jane").await;
            (app, person)
        });
        Self {
            runtime,
            requests: 0,
            app,
            person,
        }
    }
}

/// Runs `attack` on the installation of this thread. Returns the status of the response.
///
/// # Panics
/// If the server fails.
pub fn on_stage(attack: impl AsyncFnOnce(&Stage) -> Option<u16>) {
    thread_local!(static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) });
    STAGE.with_borrow_mut(|place| {
        if place.as_ref().is_none_or(|stage| stage.requests >= REQUESTS_EACH) {
            // Dropping the previous installation checks its log.
            *place = None;
            secrets::forget();
            *place = Some(Stage::new());
        }
        let Some(stage) = place else { return };
        stage.requests += 1;
        let status = stage.runtime.block_on(attack(stage));
        assert!(status.is_none_or(|status| status < 500), "{status:?}");
    });
}
