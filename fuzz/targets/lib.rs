//! A process that serves the whole API, for targets that go through all of it.

use std::cell::RefCell;

use bespoke_tests::support::{App, Person, secrets};
use tokio::runtime::Runtime;

/// After so many requests begins a fresh installation, so that what they left behind does not fill the memory.
const REQUESTS_EACH: usize = 5_000;

/// An installation with somebody in it.
pub struct Stage {
    runtime: Runtime,
    requests: usize,
    /// The process.
    pub app: App,
    /// Somebody with an account.
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

/// Runs `attack` on the installation of this thread; gives the status of the answer.
///
/// # Panics
/// When the server is at fault.
pub fn on_stage(attack: impl AsyncFnOnce(&Stage) -> Option<u16>) {
    thread_local!(static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) });
    STAGE.with_borrow_mut(|place| {
        if place.as_ref().is_none_or(|stage| stage.requests >= REQUESTS_EACH) {
            // The one before has its log looked through as it ends.
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
