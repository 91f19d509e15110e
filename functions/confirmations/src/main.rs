//! The Lambda function `confirmations`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run(confirmations::router())
}
