//! Tests of the template after the SAM transform. The real transform runs, because it renames, drops and adds resources.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use bespoke_tests::support;
use serde_json::{Value, json};

use super::template::{ONE, ROOT, Route, SEPARATE, all_functions, entries, example_path, routes, select, template};

/// The template as CloudFormation receives it, with these parameters.
fn expanded(parameters: &[&str]) -> Value {
    let python = Path::new(ROOT).join(".venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run make check (or ci/install)",
        python.display()
    );
    let output = Command::new(python)
        .arg(Path::new(ROOT).join("ci/stack.py"))
        .arg("expand")
        .args(parameters)
        .output()
        .expect("the transform runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn of_kind<'a>(expanded: &'a Value, kind: &str) -> Vec<(&'a String, &'a Value)> {
    entries(&expanded["Resources"])
        .filter(|(_, resource)| resource["Type"] == kind)
        .collect()
}

/// The function that the API invokes: its alias if traffic is shifted, and otherwise its newest code.
fn target(id: &str) -> Value {
    json!({ "Fn::If": ["ShiftsTraffic", { "Ref": format!("{id}Aliaslive") }, { "Fn::GetAtt": [id, "Arn"] }] })
}

/// Returns the id, the folder and the condition of each function that serves requests.
fn request_functions(template: &Value) -> Vec<(String, String, String)> {
    let all = all_functions(template).into_iter();
    let request_functions = all.filter(|function| !function.id.ends_with("Maintenance"));
    request_functions
        .map(|function| {
            (
                function.id.to_owned(),
                function.folder.clone(),
                function.condition.to_owned(),
            )
        })
        .collect()
}

/// The routes of the expanded API, with the folders of their functions.
fn expanded_routes(expanded: &Value, template: &Value) -> Vec<Route> {
    let functions = request_functions(template);
    let all = of_kind(expanded, "AWS::ApiGatewayV2::Route").into_iter();
    all.map(|(id, route)| {
        let key = route["Properties"]["RouteKey"].as_str().expect("a key");
        let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
        let integration = route["Properties"]["Target"]["Fn::Sub"].as_str().expect("a target");
        let integration = integration
            .strip_prefix("integrations/${")
            .and_then(|rest| rest.strip_suffix('}'));
        let integration = &expanded["Resources"][integration.expect("an integration")];
        let uri = &integration["Properties"]["IntegrationUri"];
        let invokes = |id: &str| *uri == json!({ "Fn::If": [SEPARATE, target(id), target("All")] });
        let function = functions.iter().find(|(id, ..)| invokes(id));
        Route {
            id: id.clone(),
            method: (method != "ANY").then(|| method.to_owned()),
            path: path.to_owned(),
            function: function.unwrap_or_else(|| panic!("{uri}")).1.clone(),
        }
    })
    .collect()
}

#[test]
fn transform_keeps_each_route_of_the_template() {
    let template = template();
    let pairs = |routes: Vec<Route>| -> BTreeSet<_> {
        let pairs = routes.into_iter().map(|route| (route.key(), route.function));
        pairs.collect()
    };
    let expanded = pairs(expanded_routes(&expanded(&[]), &template));
    assert_eq!(expanded, pairs(routes(&template)));
}

#[test]
fn expanded_gateway_routes_each_request_to_its_function() {
    let gateway = expanded_routes(&expanded(&[]), &template());
    for route in support::functions().iter().flat_map(|routes| routes.iter()) {
        let selected = select(&gateway, route.method.as_str(), &example_path(&route.path));
        assert_eq!(
            selected.function, route.function,
            "{} {} by {}",
            route.method, route.path, selected.path
        );
    }
}

#[test]
fn only_this_api_may_invoke_its_functions() {
    let (expanded, template) = (expanded(&[]), template());
    let source = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${HttpApi}/*";
    for (id, _, condition) in request_functions(&template) {
        let permission = &expanded["Resources"][format!("{id}Permission")];
        assert_eq!(permission["Condition"], condition, "{id}");
        let expected = json!({
            "Action": "lambda:InvokeFunction",
            "FunctionName": target(&id),
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": { "Fn::Sub": source },
        });
        assert_eq!(permission["Properties"], expected, "{id}");
        let alias = &expanded["Resources"][format!("{id}Aliaslive")];
        assert_eq!(
            (&alias["Type"], &alias["Condition"]),
            (&json!("AWS::Lambda::Alias"), &json!(condition)),
            "{id}"
        );
    }
    let permissions = of_kind(&expanded, "AWS::Lambda::Permission");
    let of_api = permissions
        .iter()
        .filter(|(_, permission)| permission["Properties"]["Principal"] == "apigateway.amazonaws.com");
    assert_eq!(of_api.count(), request_functions(&template).len());
}

/// The names of the versions of a function.
fn versions(expanded: &Value, function: &str) -> Vec<String> {
    let is_of_function = |(_, version): &(&String, &Value)| version["Properties"]["FunctionName"]["Ref"] == function;
    let versions = of_kind(expanded, "AWS::Lambda::Version").into_iter();
    versions.filter(is_of_function).map(|(id, _)| id.clone()).collect()
}

const SHIFT: &str = "TrafficShift=Canary10Percent5Minutes";

#[test]
fn shifted_traffic_is_rolled_back_on_5xx() {
    let shifted = expanded(&[SHIFT, "Release=r1"]);
    for (id, _, condition) in request_functions(&template()) {
        let alias = &shifted["Resources"][format!("{id}Aliaslive")];
        let group = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]["DeploymentGroupName"]["Ref"].as_str();
        let group = &shifted["Resources"][group.expect("a group")];
        assert_eq!(group["Condition"], condition, "{id}");
        let group = &group["Properties"];
        let alarms = json!({ "Enabled": true, "Alarms": [{ "Name": { "Ref": "ServerErrorsAlarm" } }] });
        assert_eq!(group["AlarmConfiguration"], alarms, "{id}");
        assert!(
            group["DeploymentConfigName"]
                .to_string()
                .contains("Canary10Percent5Minutes"),
            "{id}"
        );
        assert_eq!(versions(&shifted, &id), [format!("{id}Versionr1")]);
    }
    let at_once = expanded(&[]);
    assert!(of_kind(&at_once, "AWS::CodeDeploy::DeploymentGroup").is_empty());
    let rule = &template()["Rules"]["ShiftedTrafficNeedsARelease"];
    assert_eq!(
        rule["Assertions"][0]["Assert"],
        json!({ "Not": [{ "Equals": [{ "Ref": "Release" }, ""] }] })
    );
}

/// Changing a parameter alone publishes no version, so a release must.
#[test]
fn release_publishes_a_version_of_each_request_function() {
    let [one, same, other] = ["Release=r1", "Release=r1", "Release=r2"].map(|release| expanded(&[SHIFT, release]));
    for (id, ..) in request_functions(&template()) {
        assert_eq!(versions(&one, &id), versions(&same, &id), "{id}");
        assert_ne!(versions(&one, &id), versions(&other, &id), "{id}");
    }
}

/// The step runs in the new code of `maintenance`, before any function that serves requests gets new code.
#[test]
fn database_is_migrated_before_request_functions_are_updated() {
    let expanded = expanded(&[]);
    for (step, maintenance, condition) in [
        ("Migration", "Maintenance", SEPARATE),
        ("AllMigration", "AllMaintenance", ONE),
    ] {
        let step_resource = &expanded["Resources"][step];
        assert_eq!(step_resource["Condition"], condition);
        assert_eq!(step_resource["DeletionPolicy"], "Retain");
        let properties = &step_resource["Properties"];
        assert_eq!(
            properties["ServiceToken"],
            json!({ "Fn::GetAtt": [maintenance, "Arn"] })
        );
        let version = &versions(&expanded, maintenance)[0];
        assert_eq!(
            properties["Version"],
            json!({ "Ref": version }),
            "a new version repeats it"
        );
        let timeout_s = expanded["Resources"][maintenance]["Properties"]["Timeout"].as_u64();
        assert!(properties["ServiceTimeout"].as_u64() > timeout_s);
        let request_functions = request_functions(&template()).into_iter();
        for (id, ..) in request_functions.filter(|(_, _, of)| of == condition) {
            let waits_for = expanded["Resources"][&id]["DependsOn"].to_string();
            assert!(waits_for.contains(&format!("\"{step}\"")), "{id}: {waits_for}");
        }
    }
}

#[test]
fn backend_url_without_a_domain_is_the_api_url() {
    let expanded = expanded(&[]);
    let api = json!({ "Fn::Sub": "https://${HttpApi}.execute-api.${AWS::Region}.${AWS::URLSuffix}" });
    for function in all_functions(&template()) {
        let url = &expanded["Resources"][function.id]["Properties"]["Environment"]["Variables"]["BACKEND_URL"];
        let of_domain = json!({ "Fn::Sub": "https://${DomainName}" });
        let without = json!({ "Fn::If": ["HasUrl", { "Ref": "BackendUrl" }, api] });
        assert_eq!(
            *url,
            json!({ "Fn::If": ["HasDomain", of_domain, without] }),
            "{}",
            function.id
        );
    }
    assert_eq!(expanded["Outputs"]["Url"]["Value"]["Fn::If"][2], api);
}
