//! The Lambda function `maintenance`: invoked by a schedule, with `{"tasks": ["mail", "usage", "compact", "purge", "garbage"]}` or some
//! of these; without `tasks` it does all. It serves no route.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run_maintenance(|settings| bespoke_mail::mailer(settings, None))
}
