//! The Lambda function `all`. It serves the routes of all functions, and runs the background jobs of `maintenance` when a schedule
//! invokes it.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run_all(all::routers(), all::default_router(), |settings| {
        bespoke_mail::mailer(settings, None)
    })
}
