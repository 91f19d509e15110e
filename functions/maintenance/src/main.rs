//! The Lambda function `maintenance`. A schedule invokes it with `{"tasks": ["mail", "usage", "compact", "purge", "garbage"]}` or some
//! of these tasks. Without `tasks`, it runs all of them. It serves no route.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run_maintenance(|settings| bespoke_mail::mailer(settings, None))
}
