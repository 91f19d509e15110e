//! Tests of the permissions of the template: the roles of the functions, and the policy of the bucket, which refuses to overwrite
//! immutable objects. The real writes of an installation are compared with both.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bespoke_storage::{ETag, Fetched, Listed, MemoryStore, ObjectStore, PutCondition, StoreError};
use bespoke_tests::support::App;
use bespoke_tests::support::picture::{GLASS, RED};
use bespoke_web::maintenance::Task;
use bytes::Bytes;
use serde_json::{Value, json};

use super::template::{all_functions, entries, resources, template};

const PUT: &str = "s3:PutObject";
const DELETE: &str = "s3:DeleteObject";
/// Folders of immutable objects.
const IMMUTABLE: [&str; 7] = [
    "chunk/", "exports/", "history/", "segment/", "table/", "trash/", "usage/",
];

/// A write to the bucket.
#[derive(Debug, Clone)]
struct Write {
    action: &'static str,
    key: String,
    condition: PutCondition,
}

impl Write {
    fn put(key: &str, condition: PutCondition) -> Self {
        Self {
            action: PUT,
            key: key.to_owned(),
            condition,
        }
    }

    /// Whether the request has this condition key of S3.
    fn has(&self, condition_key: &str) -> bool {
        match condition_key {
            "s3:if-match" => matches!(self.condition, PutCondition::Match(_)),
            "s3:if-none-match" => matches!(self.condition, PutCondition::CreateOnly),
            other => panic!("{other} is not modelled"),
        }
    }
}

/// A store that records each write.
#[derive(Clone)]
struct Recorder {
    inner: MemoryStore,
    writes: Arc<Mutex<Vec<Write>>>,
}

impl Recorder {
    fn record(&self, write: Write) {
        self.writes.lock().unwrap().push(write);
    }

    fn take(&self) -> Vec<Write> {
        std::mem::take(&mut *self.writes.lock().unwrap())
    }
}

#[async_trait]
impl ObjectStore for Recorder {
    async fn get(&self, key: &str, if_none_match: Option<&ETag>) -> Result<Fetched, StoreError> {
        self.inner.get(key, if_none_match).await
    }
    async fn get_range(&self, key: &str, offset: u64, length: u64) -> Result<Fetched, StoreError> {
        self.inner.get_range(key, offset, length).await
    }
    async fn put(&self, key: &str, body: Bytes, condition: PutCondition) -> Result<ETag, StoreError> {
        self.record(Write::put(key, condition.clone()));
        self.inner.put(key, body, condition).await
    }
    async fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.record(Write {
            action: DELETE,
            ..Write::put(key, PutCondition::None)
        });
        self.inner.delete(key).await
    }
    async fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        self.inner.list(prefix).await
    }
}

/// One value or a list of them.
fn list(value: &Value) -> Vec<&Value> {
    value
        .as_array()
        .map_or_else(|| vec![value], |list| list.iter().collect())
}

/// Whether a statement covers that action on the object with that key.
fn covers(statement: &Value, write: &Write) -> bool {
    let actions = list(&statement["Action"]);
    let includes_key = |resource: &&Value| {
        let pattern = resource["Sub"].as_str()?.strip_prefix("${Bucket.Arn}/")?;
        let key = format!("bespoke/{}", write.key);
        Some(match pattern.strip_suffix('*') {
            Some(prefix) => key.starts_with(prefix),
            None => key == pattern,
        })
    };
    actions.iter().any(|action| *action == write.action)
        && list(&statement["Resource"])
            .iter()
            .any(|resource| includes_key(resource) == Some(true))
}

/// The statements of a role, including those under a condition of the template.
fn statements(template: &Value, role: &str) -> Vec<Value> {
    let inline = template["Resources"][role]["Properties"]["Policies"]
        .as_array()
        .unwrap();
    let is_of_role = |policy: &&Value| policy["Roles"].as_array().unwrap().contains(&json!({ "Ref": role }));
    let attached = resources(template, "AWS::IAM::Policy")
        .into_iter()
        .map(|(_, policy)| policy);
    let policies = inline.iter().chain(attached.filter(is_of_role));
    let statements = policies.flat_map(|policy| policy["PolicyDocument"]["Statement"].as_array().unwrap().clone());
    statements.collect()
}

fn bucket_statements(template: &Value) -> Vec<Value> {
    let policy = &template["Resources"]["BucketPolicy"]["Properties"]["PolicyDocument"];
    policy["Statement"].as_array().unwrap().clone()
}

/// Whether the policy of the bucket denies a write, regardless of the role.
fn is_denied(template: &Value, write: &Write) -> bool {
    bucket_statements(template).iter().any(|statement| {
        let without = |(key, absent): (&String, &Value)| *absent == "true" && !write.has(key);
        covers(statement, write) && entries(&statement["Condition"]["Null"]).all(without)
    })
}

/// Whether a function with that role may make this write.
fn is_allowed(template: &Value, role: &str, write: &Write) -> bool {
    let allows = |statement: &Value| statement["Effect"] == "Allow" && covers(statement, write);
    statements(template, role).iter().any(allows) && !is_denied(template, write)
}

/// 50,000 letters and digits that compress badly, so that commits are large and the database soon needs a compaction.
fn noise(seed: u64) -> String {
    let mut state = seed;
    let next = |_| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let digit = u32::try_from((state >> 33) % 36).expect("below 36");
        char::from_digit(digit, 36).expect("a digit of that base")
    };
    (0..50_000).map(next).collect()
}

/// Uses the API until each kind of object has been written.
async fn use_everything(app: &App) {
    let jane = app.person("jane").await;
    for number in 0..40 {
        let picture = if number == 0 { json!(RED) } else { Value::Null };
        let body = json!({ "name": "Jane", "notes": noise(number), "img": picture });
        let made = app.post("/sets/jwt").jwt(&jane.token).json(&body).send().await;
        let made = made.expect_status(201);
        if number == 0 {
            let change = app.patch(&format!("/sets/{}/jwt", made["set"]["id"])).jwt(&jane.token);
            change.json(&json!({ "img": GLASS })).send().await.expect_status(200);
        }
    }
    let small = json!({ "title": "t", "url": "/docs", "type": "doc" });
    for _ in 0..60 {
        let made = app.post("/bookmarks/jwt").jwt(&jane.token).json(&small).send().await;
        made.expect_status(201);
    }
    app.get("/account/export/jwt")
        .jwt(&jane.token)
        .send()
        .await
        .expect_status(200);
    let key = app.key(&jane, 4).await;
    app.get("/whoami/key").key(&key).send().await.expect_status(200);
    let context = app.context();
    context.database().usage().put(context.now()).await.unwrap();
}

#[tokio::test]
async fn each_write_of_an_installation_is_allowed_by_role_and_bucket() {
    let template = template();
    let (inner, writes) = (MemoryStore::new(), Arc::default());
    let store = Recorder { inner, writes };
    let app = App::over(Arc::new(store.clone()), store.inner.clone(), &[])
        .await
        .expect("a start");
    use_everything(&app).await;
    let of_routes = store.take();
    let done = app.context().maintain(&Task::ALL).await;
    assert!(done.iter().all(|done| !done.failed), "{done:?}");
    let of_maintenance = store.take();
    for (role, writes) in [("RouteRole", &of_routes), ("MaintenanceRole", &of_maintenance)] {
        for write in writes {
            assert!(is_allowed(&template, role, write), "{role}: {write:?}");
        }
    }
    let all = of_routes.iter().chain(&of_maintenance);
    let folders: BTreeSet<_> = all
        .filter(|write| write.action == PUT)
        .map(|write| write.key.split_inclusive('/').next().unwrap())
        .collect();
    let expected: BTreeSet<_> = IMMUTABLE.into_iter().chain(["head", "images/", "probe/"]).collect();
    assert_eq!(folders, expected);
}

#[test]
fn bucket_refuses_to_overwrite_an_immutable_object() {
    let template = template();
    let newest = || PutCondition::Match(ETag::new("some"));
    for folder in IMMUTABLE {
        let key = format!("{folder}01HZ");
        assert!(
            !is_denied(&template, &Write::put(&key, PutCondition::CreateOnly)),
            "{key}"
        );
        for condition in [PutCondition::None, newest()] {
            assert!(is_denied(&template, &Write::put(&key, condition)), "{key}");
        }
    }
    for key in ["head", "probe/01HZ"] {
        assert!(is_denied(&template, &Write::put(key, PutCondition::None)), "{key}");
        for condition in [PutCondition::CreateOnly, newest()] {
            assert!(!is_denied(&template, &Write::put(key, condition)), "{key}");
        }
    }
    // A replaced image keeps its name.
    assert!(!is_denied(&template, &Write::put("images/set-1", PutCondition::None)));
}

#[test]
fn request_functions_delete_only_images_exports_and_probes() {
    let template = template();
    let delete = |key: &str| Write {
        action: DELETE,
        ..Write::put(key, PutCondition::None)
    };
    for key in ["images/set-1", "exports/01HZ.json", "probe/01HZ"] {
        assert!(is_allowed(&template, "RouteRole", &delete(key)), "{key}");
    }
    for key in [
        "chunk/a",
        "head",
        "history/a",
        "segment/a",
        "table/a",
        "trash/a",
        "usage/a",
    ] {
        assert!(!is_allowed(&template, "RouteRole", &delete(key)), "{key}");
    }
    assert!(!is_allowed(&template, "MaintenanceRole", &delete("head")));
}

#[test]
fn each_function_has_the_role_of_its_kind_and_no_wildcard() {
    let template = template();
    for function in all_functions(&template) {
        let (name, properties) = (function.id, function.properties());
        let role = if name.ends_with("Maintenance") {
            "MaintenanceRole.Arn"
        } else {
            "RouteRole.Arn"
        };
        assert_eq!(properties["Role"], json!({ "GetAtt": role }), "{name}");
        assert!(properties.get("Policies").is_none(), "{name}");
    }
    for role in ["RouteRole", "MaintenanceRole"] {
        for statement in statements(&template, role) {
            let actions = statement["Action"].to_string();
            assert!(!actions.contains('*'), "{role}: {statement}");
            // X-Ray has no resources.
            assert_eq!(
                statement["Resource"] == "*",
                actions.contains("xray:"),
                "{role}: {statement}"
            );
        }
    }
}

/// The value of the CloudFormation functions in the condition on the sender.
fn evaluate(value: &Value, mail_from: &str) -> Value {
    let Some((function, argument)) = entries(value).next() else {
        return value.clone();
    };
    match function.as_str() {
        "Sub" => argument.as_str().unwrap().replace("${MailFrom}", mail_from).into(),
        "Split" => {
            let text = evaluate(&argument[1], mail_from);
            text.as_str().unwrap().split(argument[0].as_str().unwrap()).collect()
        }
        "Select" => {
            let parts = evaluate(&argument[1], mail_from);
            let index = usize::try_from(argument[0].as_u64().unwrap()).unwrap();
            parts[index].clone()
        }
        other => panic!("{other}"),
    }
}

#[test]
fn only_maintenance_sends_mail_from_the_configured_address() {
    let template = template();
    let is_ses = |statement: &Value| statement["Action"].to_string().contains("ses:");
    assert!(!statements(&template, "RouteRole").iter().any(is_ses));
    let policies = resources(&template, "AWS::IAM::Policy");
    let sends = |policy: &Value| policy["PolicyDocument"].to_string().contains("ses:");
    let sending: Vec<_> = policies.into_iter().filter(|(_, policy)| sends(policy)).collect();
    let [(name, policy)] = sending[..] else {
        panic!("{sending:?}")
    };
    assert_eq!(policy["Roles"], json!([{ "Ref": "MaintenanceRole" }]));
    assert_eq!(template["Resources"][name]["Condition"], "SendsBySes");
    assert_eq!(
        template["Conditions"]["SendsBySes"]["Equals"],
        json!([{ "Ref": "SmtpUrl" }, ""])
    );
    let statement = &policy["PolicyDocument"]["Statement"][0];
    assert!(is_ses(statement));
    let sender = &statement["Condition"]["StringEquals"]["ses:FromAddress"];
    for mail_from in ["mail@example.com", "Bespoke <mail@example.com>", "<mail@example.com>"] {
        assert_eq!(evaluate(sender, mail_from), "mail@example.com", "{mail_from}");
    }
}

#[test]
fn bucket_is_private_retained_and_expires_old_heads_first() {
    let resources = &template()["Resources"];
    for name in ["Bucket", "BucketPolicy", "EncryptionKey"] {
        let resource = &resources[name];
        assert_eq!(
            (&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]),
            (&json!("Retain"), &json!("Retain")),
            "{name}"
        );
    }
    let properties = &resources["Bucket"]["Properties"];
    assert_eq!(properties["VersioningConfiguration"]["Status"], "Enabled");
    assert!(entries(&properties["PublicAccessBlockConfiguration"]).all(|(_, blocked)| *blocked == true));
    let rules = properties["LifecycleConfiguration"]["Rules"].as_array().unwrap();
    assert!(
        rules.iter().all(|rule| rule.get("ExpirationInDays").is_none()),
        "current objects do not expire"
    );
    let days_of = |prefix: Option<&str>| {
        let rule = rules
            .iter()
            .find(|rule| rule["Prefix"].as_str() == prefix)
            .expect("a rule");
        rule["NoncurrentVersionExpiration"]["NoncurrentDays"].as_u64()
    };
    // If rules overlap, the shorter period counts.
    assert_eq!((days_of(Some("bespoke/head")), days_of(None)), (Some(1), Some(7)));
    let denied = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
        .as_array()
        .unwrap();
    assert!(denied.iter().all(|statement| statement["Effect"] == "Deny"));
    let tls = denied.iter().find(|statement| statement["Action"] == "s3:*").unwrap();
    assert_eq!(tls["Condition"]["Bool"]["aws:SecureTransport"], "false");
}
