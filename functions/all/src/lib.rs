//! All functions of the bundle, for programs that serve all of them: the Lambda function `all` and `bespoke serve`.

use bespoke_web::Routes;

/// The routes of each function.
pub fn routers() -> Vec<Routes> {
    vec![
        account::router(),
        admin::router(),
        apikeys::router(),
        bookmarks::router(),
        confirmations::router(),
        console::router(),
        curated_sets::router(),
        docs::router(),
        flows::router(),
        images::router(),
        info::router(),
        measurements::router(),
        option_packs::router(),
        patterns::router(),
        sets::router(),
        subscribers::router(),
    ]
}

/// The routes of the function that receives all requests for unknown paths.
pub fn default_router() -> Routes {
    info::router()
}
