//! Discussions, which GitHub opens only through its GraphQL API.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Described;
use super::client::Client;
use crate::http::{CallError, send};

const FIND: &str = "query($owner: String!, $name: String!, $category: String!) { \
    repository(owner: $owner, name: $name) { id discussionCategory(slug: $category) { id } } }";
const CREATE: &str = "mutation($input: CreateDiscussionInput!) { \
    createDiscussion(input: $input) { discussion { id number title url } } }";
/// The field of the response to [`CREATE`] that proves success.
const CREATED: &str = "/data/createDiscussion/discussion/url";

/// Ids of the repository and of a category of its discussions.
pub(super) struct Place {
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

impl Client {
    /// # Errors
    /// [`CallError::InvalidResponse`] also if there is no such category.
    pub(super) async fn find_place(&self) -> Result<Place, CallError> {
        let variables = json!({
            "owner": self.settings.owner,
            "name": self.settings.repository,
            "category": self.settings.discussion_category,
        });
        let found: Found = serde_json::from_value(self.graphql(FIND, variables).await?.into())
            .map_err(|_| CallError::InvalidResponse)?;
        Ok(Place {
            repository: found.data.repository.id,
            category: found.data.repository.discussion_category.id,
        })
    }

    pub(super) async fn discuss(&self, place: &Place, title: &str, body: &str) -> Result<Described, CallError> {
        let input = json!({
            "repositoryId": place.repository,
            "categoryId": place.category,
            "title": title,
            "body": body,
        });
        let answer = self.graphql(CREATE, json!({ "input": input })).await?;
        let answer = Value::Object(answer);
        match (answer.pointer(CREATED).is_some_and(Value::is_string), answer) {
            (true, Value::Object(answer)) => Ok(answer),
            // Refusals have the status 200 as well.
            _ => Err(CallError::InvalidResponse),
        }
    }

    async fn graphql(&self, query: &str, variables: Value) -> Result<Described, CallError> {
        let body = json!({ "query": query, "variables": variables });
        send(self.request(Method::POST, "/graphql").json(&body))
            .await?
            .success()?
            .json()
    }
}
