//! The Lambda function `option-packs`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run(option_packs::router())
}
