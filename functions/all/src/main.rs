//! The Lambda function `all`: serves each route as its own function would, and does the tasks of `maintenance` when a schedule
//! invokes it.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run_all(all::routers(), all::default_router(), |settings| {
        bespoke_mail::mailer(settings, None)
    })
}
