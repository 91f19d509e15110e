//! The Lambda function `bookmarks`.

fn main() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    bespoke_web::lambda::run(bookmarks::router())
}
