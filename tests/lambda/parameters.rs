//! Tests of the parameters of the template, and of the settings that the functions get from them.

use serde_json::json;

use super::template::{all_functions, entries, functions, template};

/// Settings that an operator changes after the first deployment; not those of the store, of tests and of tuning.
const OPERATED: [&str; 11] = [
    "BACKEND_CORS_ORIGINS",
    "BACKEND_ENC_KEY_SECRET",
    "BACKEND_ENABLE_OAUTH_GITHUB",
    "BACKEND_ENABLE_OAUTH_GOOGLE",
    "BACKEND_GITHUB_TOKEN",
    "BACKEND_HIDE_METRICS",
    "BACKEND_LOG",
    "BACKEND_MAIL_POSTAL_ADDRESS",
    "BACKEND_OPERATOR_CONTACT",
    "BACKEND_SMTP_URL",
    "BACKEND_WEBSITE_DOMAIN",
];

#[test]
fn each_setting_for_operators_has_a_parameter() {
    let template = template();
    let globals = &template["Globals"]["Function"];
    let all = functions(&template).into_iter().map(|(_, properties)| properties);
    let all: Vec<_> = all.chain([globals]).collect();
    for name in OPERATED {
        let mut values = all.iter().map(|one| &one["Environment"]["Variables"][name]);
        let value = values.find(|value| !value.is_null());
        let value = value.unwrap_or_else(|| panic!("{name} is not set"));
        assert!(value.is_object(), "{name} is always {value}");
    }
}

#[test]
fn secret_parameters_are_hidden() {
    let template = template();
    for (name, parameter) in entries(&template["Parameters"]) {
        let is_secret = ["Key", "Secret", "SmtpUrl", "Token"]
            .iter()
            .any(|end| name.ends_with(end));
        assert_eq!(parameter["NoEcho"] == true, is_secret, "{name}");
    }
}

#[test]
fn each_function_can_reserve_concurrency() {
    let template = template();
    let all = all_functions(&template);
    let one = all.iter().filter(|function| function.id == "All");
    let one = one.map(|function| (function.folder.clone(), function.properties()));
    for (folder, properties) in functions(&template).into_iter().chain(one) {
        let reserve = properties["ReservedConcurrentExecutions"]["If"]
            .as_array()
            .expect("a choice");
        let parameter = reserve[1]["Ref"].as_str().expect("a parameter");
        let name = parameter
            .strip_suffix("Concurrency")
            .expect("its name")
            .to_ascii_lowercase();
        assert_eq!(name, folder.replace('-', ""));
        assert_eq!(template["Parameters"][parameter]["Default"], 0, "{folder}");
        let condition = &template["Conditions"][reserve[0].as_str().expect("a condition")];
        assert_eq!(
            condition["Not"][0]["Equals"],
            json!([{ "Ref": parameter }, 0]),
            "{folder}"
        );
    }
}

#[test]
fn links_never_point_to_localhost() {
    let template = template();
    let parameter = &template["Parameters"]["BackendUrl"];
    assert_eq!(parameter["Default"], "");
    let pattern = format!("^(?:{})$", parameter["AllowedPattern"].as_str().unwrap());
    let pattern = regex::Regex::new(&pattern).unwrap();
    for url in [
        "",
        "https://a1b2.execute-api.eu-west-1.amazonaws.com",
        "https://api.example.com:8443",
    ] {
        assert!(pattern.is_match(url), "{url}");
    }
    for url in [
        "http://localhost:3000",
        "https://localhost",
        "https://127.0.0.1:3000",
        "http://api.example.com",
    ] {
        assert!(!pattern.is_match(url), "{url}");
    }
    let variables = &template["Globals"]["Function"]["Environment"]["Variables"];
    assert!(!variables.to_string().contains("localhost"));
}
