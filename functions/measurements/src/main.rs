//! The Lambda function `measurements`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run(measurements::router())
}
