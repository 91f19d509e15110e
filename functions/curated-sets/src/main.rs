//! The Lambda function `curated-sets`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run(curated_sets::router())
}
