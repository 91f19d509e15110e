//! The Lambda function `subscribers`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run(subscribers::router())
}
