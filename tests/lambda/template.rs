//! Reads the template ([`template`], [`routes`], [`select`]). Tests that the template, the folder functions/, the tables of routes and
//! the sample events agree.

use std::collections::BTreeSet;
use std::path::Path;

use bespoke_tests::support;
use bespoke_web::Access;
use bespoke_web::config::SETTINGS;
use serde_json::{Value, json};

use super::event::SAMPLES;

pub(super) const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const GREEDY: &str = "/{proxy+}";
const DEFAULT: &str = "$default";

/// The template as JSON.
pub(super) fn template() -> Value {
    read(&Path::new(ROOT).join("template.yaml"))
}

/// A template as JSON; `!Ref x` and similar tags become `{"Ref": "x"}`.
pub(super) fn read(path: &Path) -> Value {
    fn to_json(value: yaml_serde::Value) -> Value {
        use yaml_serde::Value as Yaml;
        match value {
            Yaml::Tagged(tagged) => {
                let name = tagged.tag.to_string().trim_start_matches('!').to_owned();
                Value::Object([(name, to_json(tagged.value))].into_iter().collect())
            }
            Yaml::Sequence(items) => items.into_iter().map(to_json).collect(),
            Yaml::Mapping(fields) => {
                let name = |name: Yaml| name.as_str().expect("a text for a name").to_owned();
                let fields = fields.into_iter().map(|(key, value)| (name(key), to_json(value)));
                Value::Object(fields.collect())
            }
            scalar => serde_json::to_value(scalar).expect("a scalar"),
        }
    }
    let text = std::fs::read_to_string(path).expect("a template");
    to_json(yaml_serde::from_str(&text).expect("YAML"))
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

/// The conditions of the template: one function for each folder, or one function for all routes.
pub(super) const SEPARATE: &str = "SeparateFunctions";
pub(super) const ONE: &str = "OneFunction";

/// A function of the template.
pub(super) struct Function<'a> {
    /// Name of the resource.
    pub(super) id: &'a str,
    /// Name of the folder with its code.
    pub(super) folder: String,
    /// The condition under which it exists.
    pub(super) condition: &'a str,
    pub(super) resource: &'a Value,
}

impl<'a> Function<'a> {
    pub(super) fn properties(&self) -> &'a Value {
        &self.resource["Properties"]
    }
}

/// All functions of the template.
pub(super) fn all_functions(template: &Value) -> Vec<Function<'_>> {
    let functions =
        entries(&template["Resources"]).filter(|(_, resource)| resource["Type"] == "AWS::Serverless::Function");
    functions
        .map(|(id, resource)| {
            let code = &resource["Properties"]["CodeUri"];
            let folder = code.as_str().and_then(|uri| uri.strip_prefix("functions/"));
            let folder = folder.and_then(|folder| folder.strip_suffix('/'));
            let folder = folder.unwrap_or_else(|| panic!("{id}: unexpected folder of code: {code}"));
            Function {
                id,
                folder: folder.to_owned(),
                condition: resource["Condition"].as_str().expect("a condition"),
                resource,
            }
        })
        .collect()
}

/// The properties of each function that serves a part of the routes, and of `maintenance`, by the name of its folder.
pub(super) fn functions(template: &Value) -> Vec<(String, &Value)> {
    let separate = all_functions(template)
        .into_iter()
        .filter(|function| function.condition == SEPARATE);
    separate
        .map(|function| {
            // Names of resources contain only letters and digits.
            let name = function.folder.replace('-', "");
            assert_eq!(
                function.id.to_ascii_lowercase(),
                name,
                "resource and folder have one name"
            );
            (function.folder.clone(), function.properties())
        })
        .collect()
}

/// A route of the gateway.
pub(super) struct Route {
    /// Name of the resource.
    pub(super) id: String,
    /// `None` stands for each method.
    pub(super) method: Option<String>,
    pub(super) path: String,
    pub(super) function: String,
}

impl Route {
    /// In the notation of the gateway.
    pub(super) fn key(&self) -> String {
        match &self.method {
            _ if self.path == DEFAULT => DEFAULT.to_owned(),
            Some(method) => format!("{method} {}", self.path),
            None => format!("ANY {}", self.path),
        }
    }
}

/// The function that an integration invokes if each folder has its own: its alias if traffic is shifted, and otherwise its
/// newest code. Checks that the function for all routes, if there is only one, is invoked in the same way.
fn invoked_function(integration: &Value) -> String {
    let target = |id: &str| json!({ "If": ["ShiftsTraffic", { "Ref": format!("{id}.Alias") }, { "GetAtt": format!("{id}.Arn") }] });
    let uri = &integration["IntegrationUri"]["If"];
    let arn = uri[1]["If"][2]["GetAtt"].as_str().expect("an ARN");
    let id = arn.strip_suffix(".Arn").expect("an ARN");
    assert_eq!(*uri, json!([SEPARATE, target(id), target("All")]), "{id}");
    id.to_owned()
}

pub(super) fn routes(template: &Value) -> Vec<Route> {
    let folders: Vec<_> = all_functions(template);
    let of = |(name, properties): (&str, &Value)| {
        assert_eq!(properties["ApiId"]["Ref"], "HttpApi", "{name}");
        let key = properties["RouteKey"].as_str().expect("a key");
        let (method, path) = key.split_once(' ').unwrap_or(("ANY", key));
        assert!(
            path == "/" || !path.ends_with('/'),
            "{path}: HTTP APIs refuse or drop routes that end with a slash"
        );
        let target = properties["Target"]["Sub"].as_str().expect("a target");
        let integration = target
            .strip_prefix("integrations/${")
            .and_then(|rest| rest.strip_suffix('}'));
        let resource = &template["Resources"][integration.expect("an integration")];
        let integration = &resource["Properties"];
        assert_eq!(
            (
                &integration["ApiId"]["Ref"],
                &integration["IntegrationType"],
                &integration["PayloadFormatVersion"]
            ),
            (&"HttpApi".into(), &"AWS_PROXY".into(), &"2.0".into()),
            "{name}"
        );
        let id = invoked_function(integration);
        let permission = json!({ "If": [SEPARATE, { "Ref": format!("{id}Permission") }, { "Ref": "AllPermission" }] });
        assert_eq!(resource["Metadata"]["After"], permission, "{id}");
        let function = folders.iter().find(|function| function.id == id).expect("a function");
        Route {
            id: name.to_owned(),
            method: (method != "ANY").then(|| method.to_owned()),
            path: path.to_owned(),
            function: function.folder.clone(),
        }
    };
    resources(template, "AWS::ApiGatewayV2::Route")
        .into_iter()
        .map(of)
        .collect()
}

/// The route that API Gateway selects: the exact path, else the longest greedy one, else the default; of two routes for one path,
/// that of the method. Letter case matters. A greedy parameter may be empty, so `/console/{proxy+}` covers `/console/`.
pub(super) fn select<'a>(routes: &'a [Route], method: &str, path: &str) -> &'a Route {
    let takes = |route: &&Route| route.method.as_deref().is_none_or(|of_route| of_route == method);
    let rank = |route: &&Route| (route.path.len(), route.method.is_some());
    let exact = routes
        .iter()
        .filter(takes)
        .filter(|route| route.path == path)
        .max_by_key(rank);
    let greedy = || {
        let stem = |route: &Route| route.path.strip_suffix(GREEDY).map(|stem| format!("{stem}/"));
        let matching = routes.iter().filter(takes);
        let matching = matching.filter(|route| stem(route).is_some_and(|stem| path.starts_with(&stem)));
        matching.max_by_key(rank)
    };
    let default = || routes.iter().find(|route| route.path == DEFAULT);
    exact.or_else(greedy).or_else(default).expect("a default")
}

/// Returns the path of a route with the value `1` for each parameter.
pub(super) fn example_path(path: &str) -> String {
    let mut example = String::new();
    for part in path.split_inclusive('/') {
        example.push_str(match part.split_once('{') {
            Some((before, _)) => before,
            None => part,
        });
        if part.contains('{') {
            let (_, after) = part.split_once('}').expect("a parameter");
            example.push('1');
            example.push_str(after);
        }
    }
    example
}

#[test]
fn each_function_folder_is_deployed() {
    let template = template();
    let in_template: Vec<_> = functions(&template).into_iter().map(|(name, _)| name).collect();
    let folders = std::fs::read_dir(Path::new(ROOT).join("functions")).unwrap();
    let folders = folders.map(|folder| folder.unwrap().file_name().into_string().unwrap());
    // The profile of the functions is not visible from the workspace.
    let mut folders: BTreeSet<_> = folders.filter(|folder| !folder.starts_with('.')).collect();
    assert!(folders.remove("all"), "one program for all routes");
    assert_eq!(in_template.iter().cloned().collect::<BTreeSet<_>>(), folders);
    assert_eq!(in_template.len(), folders.len(), "duplicate function");
    let tables: BTreeSet<_> = support::functions()
        .iter()
        .map(|routes| routes.function().to_owned())
        .collect();
    // The function without routes.
    let served = folders.into_iter().filter(|folder| folder != "maintenance");
    assert_eq!(tables, served.collect());
}

#[test]
fn single_program_replaces_all_functions() {
    let template = template();
    let all = all_functions(&template);
    let of_one = all.iter().filter(|function| function.condition == ONE);
    let of_one: Vec<_> = of_one.map(|function| (function.id, &*function.folder)).collect();
    assert_eq!(of_one, [("All", "all"), ("AllMaintenance", "all")]);
    assert!(all.iter().all(|function| [SEPARATE, ONE].contains(&function.condition)));
    let equals = |value: &str| json!({ "Equals": [{ "Ref": "Functions" }, value] });
    assert_eq!(template["Conditions"][SEPARATE], equals("each"));
    assert_eq!(template["Conditions"][ONE], equals("all"));
    // Together they have the settings of the functions that they replace.
    let settings = |ids: &dyn Fn(&Function<'_>) -> bool| -> BTreeSet<String> {
        let of = all.iter().filter(|function| ids(function));
        let variables = of.flat_map(|function| entries(&function.properties()["Environment"]["Variables"]));
        variables.map(|(name, value)| format!("{name}={value}")).collect()
    };
    let of_routes = settings(&|function| function.condition == SEPARATE && function.folder != "maintenance");
    assert_eq!(settings(&|function| function.id == "All"), of_routes);
    let of_maintenance = settings(&|function| function.id == "Maintenance");
    assert_eq!(settings(&|function| function.id == "AllMaintenance"), of_maintenance);
}

/// `sam build` and `make bundle` build the same packages.
#[test]
fn each_function_is_built_by_cargo_lambda() {
    let template = template();
    for function in all_functions(&template) {
        let metadata = json!({ "BuildMethod": "rust-cargolambda", "BuildProperties": { "Binary": function.folder } });
        assert_eq!(function.resource["Metadata"], metadata, "{}", function.id);
    }
}

/// Routes that write for callers without credentials.
fn anonymous_writes() -> Vec<(String, String)> {
    let tables = support::functions();
    let all = tables.iter().flat_map(|routes| routes.iter());
    let writing = all.filter(|route| route.access == Access::Public && !route.reads);
    writing
        .map(|route| (route.method.to_string(), example_path(&route.path)))
        .collect()
}

/// The maximum number of writes by strangers, of about 20 commits a second that the database can make.
const ANONYMOUS_WRITES_PER_S: u64 = 15;

#[test]
fn public_writing_routes_have_their_own_throttle() {
    let template = template();
    let gateway = routes(&template);
    let stage = &template["Resources"]["HttpApiStage"];
    let throttles = &stage["Properties"]["RouteSettings"];
    let mut needed = BTreeSet::new();
    for (method, path) in anonymous_writes() {
        for path in [path.clone(), format!("{path}/")] {
            let selected = select(&gateway, &method, &path);
            if selected.path == DEFAULT {
                continue;
            }
            needed.insert(selected.key());
            assert!(
                stage["DependsOn"].as_array().unwrap().contains(&json!(selected.id)),
                "{path}"
            );
        }
    }
    assert!(needed.len() > 10, "{needed:?}");
    let throttled: BTreeSet<_> = entries(throttles).map(|(key, _)| key.clone()).collect();
    assert_eq!(throttled, needed);
    let rate = |(_, settings): (&String, &Value)| settings["ThrottlingRateLimit"].as_u64().expect("a number");
    let total: u64 = entries(throttles).map(rate).sum();
    assert!(
        total <= ANONYMOUS_WRITES_PER_S,
        "strangers can write {total} times a second"
    );
}

#[test]
fn gateway_sends_each_route_to_its_function() {
    let template = template();
    let gateway = routes(&template);
    let mut checked = 0;
    for route in support::functions().iter().flat_map(|routes| routes.iter()) {
        let selected = select(&gateway, route.method.as_str(), &example_path(&route.path));
        assert_eq!(
            selected.function, route.function,
            "{} {} by {}",
            route.method, route.path, selected.path
        );
        checked += 1;
    }
    assert!(checked > 20, "only {checked} routes");
    assert_eq!(select(&gateway, "GET", "/nobody/knows").function, "info");
    assert_eq!(select(&gateway, "GET", "/setsx").function, "info");
    assert_eq!(select(&gateway, "GET", "/console/").function, "console");
    assert_eq!(select(&gateway, "GET", "/docs/").function, "docs");
    assert_eq!(select(&gateway, "GET", "/whoami").function, "info");
}

#[test]
fn each_route_of_the_gateway_belongs_to_a_route_of_its_function() {
    let template = template();
    let gateway = routes(&template);
    let keys: BTreeSet<_> = gateway.iter().map(Route::key).collect();
    assert_eq!(keys.len(), gateway.len(), "duplicate route");
    let tables = support::functions();
    for Route { path, function, .. } in gateway.iter().filter(|route| route.path != DEFAULT) {
        let stem = path.strip_suffix(GREEDY).unwrap_or(path);
        let table = tables.iter().find(|routes| routes.function() == function).unwrap();
        let below = |other: &str| {
            other
                .strip_prefix(stem)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        assert!(
            table.iter().any(|route| below(&route.path)),
            "{path} reaches {function}, which has no route below it"
        );
    }
    let default: Vec<_> = gateway
        .iter()
        .filter(|route| route.path == DEFAULT)
        .map(|route| &route.function)
        .collect();
    assert_eq!(default, ["info"]);
}

/// The documentation of AWS does not say whether a gateway drops the slash at the end of a path before it compares, so both
/// forms must reach the same function.
#[test]
fn trailing_slash_reaches_the_same_function() {
    let template = template();
    let gateway = routes(&template);
    for greedy in gateway
        .iter()
        .filter_map(|route| Some((route, route.path.strip_suffix(GREEDY)?)))
    {
        let (route, stem) = greedy;
        if route.method.is_some() {
            continue;
        }
        let slashed = select(&gateway, "GET", &format!("{stem}/"));
        assert_eq!(slashed.path, route.path);
        let exact = gateway.iter().find(|route| route.path == stem);
        assert!(exact.is_none_or(|exact| exact.function == route.function), "{stem}");
    }
    for page in ["/console", "/docs"] {
        assert!(gateway.iter().any(|route| route.path == page), "{page}");
    }
}

#[test]
fn each_sample_event_matches_its_route() {
    let template = template();
    let gateway = routes(&template);
    for sample in SAMPLES {
        let event = sample.event();
        let path = event["rawPath"].as_str().unwrap();
        let method = event["requestContext"]["http"]["method"].as_str().unwrap();
        let selected = select(&gateway, method, path);
        assert_eq!(selected.function, sample.function(), "{}", sample.name);
        let key = selected.key();
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
fn each_setting_and_parameter_is_known_and_used() {
    let template = template();
    let globals = &template["Globals"]["Function"];
    assert_eq!(globals["Runtime"], "provided.al2023");
    assert_eq!(globals["Handler"], "bootstrap");
    assert_eq!(globals["Architectures"], json!([{ "Ref": "Architecture" }]));
    assert_eq!(
        template["Parameters"]["Architecture"]["AllowedValues"],
        json!(["x86_64", "arm64"])
    );
    let all = all_functions(&template);
    let own = all.iter().map(Function::properties);
    for properties in own.chain([globals]) {
        for (name, _) in entries(&properties["Environment"]["Variables"]) {
            // Variables of the allocator and of OpenTelemetry.
            let is_known = ["GLIBC_TUNABLES", "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_TRACES_SAMPLER"]
                .contains(&name.as_str())
                || SETTINGS.iter().any(|setting| setting.name == name);
            assert!(is_known, "{name} is not a setting");
        }
    }
    let parts = ["Rules", "Conditions", "Globals", "Resources", "Outputs"].map(|part| template[part].to_string());
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
