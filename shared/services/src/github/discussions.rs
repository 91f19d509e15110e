//! [`Discussions`]: opens discussions, which GitHub offers only through its GraphQL API.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::api::Api;
use super::records::Described;
use crate::http::{CallError, send};

const FIND: &str = "query($owner: String!, $name: String!, $category: String!) { \
    repository(owner: $owner, name: $name) { id discussionCategory(slug: $category) { id } } }";
const CREATE: &str = "mutation($input: CreateDiscussionInput!) { \
    createDiscussion(input: $input) { discussion { id number title url } } }";
/// The field of the response to [`CREATE`] that proves success.
const CREATED: &str = "/data/createDiscussion/discussion/url";

/// Discussions of the repository. The ids that name it are queried once.
#[derive(Default)]
pub(super) struct Discussions(OnceCell<DiscussionTarget>);

/// Ids of the repository and of a category of its discussions.
struct DiscussionTarget {
    repository: String,
    category: String,
}

#[derive(Deserialize)]
struct Found {
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    repository: Repository,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    id: String,
    discussion_category: Category,
}

#[derive(Deserialize)]
struct Category {
    id: String,
}

impl Discussions {
    /// Opens a discussion, and returns the response.
    ///
    /// # Errors
    /// [`CallError::InvalidResponse`] also if the category of the settings does not exist.
    pub(super) async fn create(&self, api: &Api, title: &str, body: &str) -> Result<Described, CallError> {
        let target = self.0.get_or_try_init(|| find_target(api)).await?;
        let input = json!({
            "repositoryId": target.repository,
            "categoryId": target.category,
            "title": title,
            "body": body,
        });
        let response = Value::Object(graphql(api, CREATE, json!({ "input": input })).await?);
        match (response.pointer(CREATED).is_some_and(Value::is_string), response) {
            (true, Value::Object(response)) => Ok(response),
            // Refusals have the status 200 as well.
            _ => Err(CallError::InvalidResponse),
        }
    }
}

async fn find_target(api: &Api) -> Result<DiscussionTarget, CallError> {
    let variables = json!({
        "owner": api.settings.owner,
        "name": api.settings.repository,
        "category": api.settings.discussion_category,
    });
    let found: Found =
        serde_json::from_value(graphql(api, FIND, variables).await?.into()).map_err(|_| CallError::InvalidResponse)?;
    Ok(DiscussionTarget {
        repository: found.data.repository.id,
        category: found.data.repository.discussion_category.id,
    })
}

async fn graphql(api: &Api, query: &str, variables: Value) -> Result<Described, CallError> {
    let body = json!({ "query": query, "variables": variables });
    send(api.request(Method::POST, "/graphql").json(&body))
        .await?
        .success()?
        .json()
}
