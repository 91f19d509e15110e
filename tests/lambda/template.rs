//! The template, the folder functions/, the tables of routes and the sample events are in step.

use std::collections::BTreeSet;
use std::path::Path;

use bespoke_tests::support;
use bespoke_web::config::SETTINGS;
use serde_json::{Value, json};

use super::event::SAMPLES;

pub(super) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const GREEDY: &str = "/{proxy+}";
const DEFAULT: &str = "$default";

/// The template as JSON; `!Ref x` and the like become `{"Ref": "x"}`.
pub(super) fn template() -> Value {
    fn plain(value: yaml_serde::Value) -> Value {
        use yaml_serde::Value as Yaml;
        match value {
            Yaml::Tagged(tagged) => {
                let name = tagged.tag.to_string().trim_start_matches('!').to_owned();
                Value::Object([(name, plain(tagged.value))].into_iter().collect())
            }
            Yaml::Sequence(items) => items.into_iter().map(plain).collect(),
            Yaml::Mapping(fields) => {
                let name = |name: Yaml| name.as_str().expect("a text for a name").to_owned();
                let fields = fields.into_iter().map(|(key, value)| (name(key), plain(value)));
                Value::Object(fields.collect())
            }
            scalar => serde_json::to_value(scalar).expect("a scalar"),
        }
    }
    let text = std::fs::read_to_string(Path::new(ROOT).join("template.yaml")).expect("a template");
    plain(yaml_serde::from_str(&text).expect("YAML"))
}

pub(super) fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The resources of a type, with their properties.
pub(super) fn resources<'a>(template: &'a Value, kind: &str) -> Vec<(&'a str, &'a Value)> {
    let of_kind = entries(&template["Resources"]).filter(|(_, resource)| resource["Type"] == kind);
    of_kind
        .map(|(name, resource)| (name.as_str(), &resource["Properties"]))
        .collect()
}

/// The properties of each function, by the name of its folder.
pub(super) fn functions(template: &Value) -> Vec<(String, &Value)> {
    let functions =
        entries(&template["Resources"]).filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    functions
        .map(|(id, resource)| {
            let properties = &resource["Properties"];
            let folder = properties["CodeUri"]
                .as_str()
                .and_then(|uri| uri.strip_prefix("target/lambda/"));
            let folder = folder.and_then(|folder| folder.strip_suffix('/'));
            let folder = folder.unwrap_or_else(|| panic!("{id} has its code elsewhere: {}", properties["CodeUri"]));
            // The name of a resource has letters and digits alone.
            let name = folder.replace('-', "");
            assert_eq!(id.to_ascii_lowercase(), name, "resource and folder have one name");
            (folder.to_owned(), properties)
        })
        .collect()
}

/// A route of the gateway.
pub(super) struct Route {
    pub(super) path: String,
    pub(super) function: String,
}

pub(super) fn routes(template: &Value) -> Vec<Route> {
    let of = |(function, properties): (String, &Value)| {
        let events: Vec<_> = entries(&properties["Events"]).map(|(_, event)| event.clone()).collect();
        let of_the_gateway = events.into_iter().filter(|event| event["Type"] != "Schedule");
        of_the_gateway.map(move |event| {
            let properties = &event["Properties"];
            // SAM makes the default route of an event without path and method, and refuses one with a path alone.
            let path = properties
                .get("Path")
                .map_or(DEFAULT, |path| path.as_str().expect("a path"));
            assert!(
                path == "/" || !path.ends_with('/'),
                "{path}: HTTP APIs refuse or drop routes that end with a slash"
            );
            assert_eq!(
                (&event["Type"], &properties["ApiId"]["Ref"]),
                (&"HttpApi".into(), &"Api".into()),
                "{path}"
            );
            let method = if path == DEFAULT { Value::Null } else { "ANY".into() };
            assert_eq!(properties["Method"], method, "{path}");
            Route {
                path: path.to_owned(),
                function: function.clone(),
            }
        })
    };
    functions(template).into_iter().flat_map(of).collect()
}

/// The route that API Gateway selects: the exact path, else the longest greedy one, else the default. Letters count as
/// they are written. A greedy parameter may be empty, so that `/console/{proxy+}` covers `/console/`.
pub(super) fn select<'a>(routes: &'a [Route], path: &str) -> &'a Route {
    let exact = routes.iter().find(|route| route.path == path);
    let greedy = || {
        let stem = |route: &Route| route.path.strip_suffix(GREEDY).map(|stem| format!("{stem}/"));
        let matching = routes
            .iter()
            .filter(|route| stem(route).is_some_and(|stem| path.starts_with(&stem)));
        matching.max_by_key(|route| route.path.len())
    };
    let default = || routes.iter().find(|route| route.path == DEFAULT);
    exact.or_else(greedy).or_else(default).expect("a default")
}

#[test]
fn each_folder_has_a_function_and_each_function_a_folder() {
    let template = template();
    let in_template: Vec<_> = functions(&template).into_iter().map(|(name, _)| name).collect();
    let folders = std::fs::read_dir(Path::new(ROOT).join("functions")).unwrap();
    let folders: BTreeSet<_> = folders
        .map(|folder| folder.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(in_template.iter().cloned().collect::<BTreeSet<_>>(), folders);
    assert_eq!(in_template.len(), folders.len(), "a function twice");
    let tables: BTreeSet<_> = support::functions()
        .iter()
        .map(|routes| routes.function().to_owned())
        .collect();
    // The one that serves no route.
    let served = folders.into_iter().filter(|folder| folder != "maintenance");
    assert_eq!(tables, served.collect());
}

#[test]
fn the_gateway_leads_each_route_to_the_function_that_serves_it() {
    let template = template();
    let gateway = routes(&template);
    let mut checked = 0;
    for route in support::functions().iter().flat_map(|routes| routes.iter()) {
        let selected = select(&gateway, &route.path.replace("{id}", "1").replace("{check}", "2"));
        assert_eq!(
            selected.function, route.function,
            "{} {} by {}",
            route.method, route.path, selected.path
        );
        checked += 1;
    }
    assert!(checked > 20, "only {checked} routes");
    assert_eq!(select(&gateway, "/nobody/knows").function, "info");
    assert_eq!(select(&gateway, "/setsx").function, "info");
    assert_eq!(select(&gateway, "/console/").function, "docs");
    assert_eq!(select(&gateway, "/docs/").function, "docs");
    assert_eq!(select(&gateway, "/whoami").function, "info");
}

#[test]
fn each_route_of_the_gateway_belongs_to_a_route_of_its_function() {
    let template = template();
    let gateway = routes(&template);
    let paths: BTreeSet<_> = gateway.iter().map(|route| &route.path).collect();
    assert_eq!(paths.len(), gateway.len(), "a route twice");
    let tables = support::functions();
    for Route { path, function } in gateway.iter().filter(|route| route.path != DEFAULT) {
        let stem = path.strip_suffix(GREEDY).unwrap_or(path);
        let table = tables.iter().find(|routes| routes.function() == function).unwrap();
        let below = |other: &str| {
            other
                .strip_prefix(stem)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        assert!(
            table.iter().any(|route| below(&route.path)),
            "{path} leads to {function}, which has none below it"
        );
    }
    let default: Vec<_> = gateway
        .iter()
        .filter(|route| route.path == DEFAULT)
        .map(|route| &route.function)
        .collect();
    assert_eq!(default, ["info"]);
}

/// The documentation of AWS leaves open whether a gateway drops the slash at the end of a path before it compares, so both must lead to
/// the same function.
#[test]
fn path_with_and_without_slash_leads_to_one_function() {
    let template = template();
    let gateway = routes(&template);
    for greedy in gateway
        .iter()
        .filter_map(|route| Some((route, route.path.strip_suffix(GREEDY)?)))
    {
        let (route, stem) = greedy;
        let slashed = select(&gateway, &format!("{stem}/"));
        assert_eq!(slashed.path, route.path);
        let exact = gateway.iter().find(|route| route.path == stem);
        assert!(exact.is_none_or(|exact| exact.function == route.function), "{stem}");
    }
    for page in ["/console", "/docs"] {
        assert!(gateway.iter().any(|route| route.path == page), "{page}");
    }
}

#[test]
fn each_sample_is_an_event_of_the_route_that_leads_to_its_function() {
    let template = template();
    let gateway = routes(&template);
    for sample in SAMPLES {
        let event = sample.event();
        let path = event["rawPath"].as_str().unwrap();
        let selected = select(&gateway, path);
        assert_eq!(selected.function, sample.function(), "{}", sample.name);
        let key = if selected.path == DEFAULT {
            DEFAULT.to_owned()
        } else {
            format!("ANY {}", selected.path)
        };
        assert_eq!(
            (event["routeKey"].as_str(), event["version"].as_str()),
            (Some(&*key), Some("2.0")),
            "{}",
            sample.name
        );
        let context = &event["requestContext"];
        assert_eq!(
            (&context["routeKey"], &context["stage"]),
            (&event["routeKey"], &DEFAULT.into()),
            "{}",
            sample.name
        );
        assert_eq!(context["http"]["path"], event["rawPath"], "{}", sample.name);
        for field in ["method", "protocol", "sourceIp", "userAgent"] {
            assert!(context["http"][field].is_string(), "{}: {field}", sample.name);
        }
        for (name, _) in entries(&event["headers"]) {
            assert_eq!(*name, name.to_ascii_lowercase(), "{}", sample.name);
        }
    }
}

#[test]
fn each_setting_and_parameter_of_the_template_exists_and_is_used() {
    let template = template();
    let globals = &template["Globals"]["Function"];
    assert_eq!(globals["Runtime"], "provided.al2023");
    assert_eq!(globals["Handler"], "bootstrap");
    assert_eq!(globals["Architectures"], json!(["x86_64"]));
    let own = functions(&template).into_iter().map(|(_, properties)| properties);
    for properties in own.chain([globals]) {
        for (name, _) in entries(&properties["Environment"]["Variables"]) {
            // That one is for the allocator.
            let is_known = name == "GLIBC_TUNABLES" || SETTINGS.iter().any(|setting| setting.name == name);
            assert!(is_known, "{name} is no setting");
        }
    }
    let parts = ["Conditions", "Globals", "Resources", "Outputs"].map(|part| template[part].to_string());
    let is_used = |name: &str| {
        let (reference, within) = (json!({ "Ref": name }).to_string(), format!("${{{name}}}"));
        parts
            .iter()
            .any(|part| part.contains(&reference) || part.contains(&within))
    };
    let unused: Vec<_> = entries(&template["Parameters"])
        .filter(|(name, _)| !is_used(name))
        .collect();
    assert!(unused.is_empty(), "{unused:?}");
}
