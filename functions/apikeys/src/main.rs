//! The Lambda function `apikeys`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run(apikeys::router())
}
