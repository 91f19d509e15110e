//! The routes that the SAM transform makes of the template, compared with the tables of routes of the functions. The transform
//! itself runs, because it drops or refuses routes that the template declares.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use bespoke_tests::support;
use serde_json::Value;

use super::template::{ROOT, Route, entries, functions, routes, select, template};

/// The template as CloudFormation gets it.
fn expanded() -> Value {
    let python = Path::new(ROOT).join(".venv/bin/python");
    assert!(
        python.exists(),
        "{} is missing: run make check (or ci/install)",
        python.display()
    );
    let output = Command::new(python)
        .arg(Path::new(ROOT).join("ci/stack.py"))
        .arg("expand")
        .output()
        .expect("the transform runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

/// The resource of the function that an integration of the gateway invokes.
fn invoked(integration: &Value) -> &str {
    let uri = integration["uri"]["Fn::Sub"]
        .as_str()
        .expect("the URI of an integration");
    let (_, uri) = uri.split_once("/functions/${").expect("a function");
    uri.strip_suffix(".Arn}/invocations").expect("an invocation")
}

/// The routes of the expanded API, with the folders of their functions.
fn expanded_routes(expanded: &Value, template: &Value) -> Vec<Route> {
    let folders: Vec<_> = functions(template).into_iter().map(|(folder, _)| folder).collect();
    let paths = &expanded["Resources"]["Api"]["Properties"]["Body"]["paths"];
    let of = |(path, methods): (&String, &Value)| {
        let methods: Vec<_> = entries(methods).collect();
        let [(method, operation)] = methods[..] else {
            panic!("{path} has several methods")
        };
        assert_eq!(method, "x-amazon-apigateway-any-method", "{path}");
        let resource = invoked(&operation["x-amazon-apigateway-integration"]);
        let named = |folder: &&String| folder.replace('-', "").eq_ignore_ascii_case(resource);
        let function = folders.iter().find(named).unwrap_or_else(|| panic!("{resource}"));
        Route {
            path: path.clone(),
            function: function.clone(),
        }
    };
    entries(paths).map(of).collect()
}

#[test]
fn transform_keeps_each_route_of_the_template() {
    let template = template();
    let pairs = |routes: Vec<Route>| -> BTreeSet<_> {
        let pairs = routes.into_iter().map(|route| (route.path, route.function));
        pairs.collect()
    };
    let expanded = pairs(expanded_routes(&expanded(), &template));
    assert_eq!(expanded, pairs(routes(&template)));
}

#[test]
fn expanded_gateway_leads_each_route_of_the_server_to_its_function() {
    let gateway = expanded_routes(&expanded(), &template());
    for route in support::functions().iter().flat_map(|routes| routes.iter()) {
        let selected = select(&gateway, &route.path);
        assert_eq!(
            selected.function, route.function,
            "{} {} by {}",
            route.method, route.path, selected.path
        );
    }
}

#[test]
fn gateway_may_invoke_the_function_of_each_route() {
    let (expanded, template) = (expanded(), template());
    let permissions: BTreeSet<_> = entries(&expanded["Resources"])
        .filter(|(_, resource)| resource["Type"] == "AWS::Lambda::Permission")
        .map(|(_, permission)| permission["Properties"].to_string())
        .collect();
    for Route { path, function } in expanded_routes(&expanded, &template) {
        // As the transform writes the path of a permission: a parameter is a star, and the default route is all paths.
        let path = if path == "$default" { "" } else { &path }.replace("{proxy+}", "*");
        let source = format!("/*{path}\"");
        let resource = function.replace('-', "");
        let allows = |permission: &&String| {
            permission.contains(&source) && permission.to_ascii_lowercase().contains(&format!("\"{resource}\""))
        };
        assert!(permissions.iter().any(|text| allows(&text)), "{function} {path}");
    }
}
