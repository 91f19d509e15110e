//! The Lambda function `patterns`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run(patterns::router())
}
