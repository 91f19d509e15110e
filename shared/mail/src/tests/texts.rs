//! Tests of the texts of all mails in all languages.

use std::collections::HashSet;
use std::path::PathBuf;

use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::validate::Language;
use bespoke_services::mail::MailTransport;

use super::{LINK, mail, settings};
use crate::text::{Rendered, render};

/// Templates without a link.
const WITHOUT_LINK: [Template; 7] = [
    Template::SignupAed,
    Template::PasswordChanged,
    Template::EmailChangeAsked,
    Template::EmailChanged,
    Template::SigninLocked,
    Template::Langsuggest,
    Template::Goodbye,
];

/// The code of confirmations.
const CODE: &str = "0417";

fn one(template: Template, language: Language) -> OutboxMail {
    OutboxMail {
        template,
        language,
        action_url: (!WITHOUT_LINK.contains(&template)).then(|| LINK.to_owned()),
        unsubscribe_url: template
            .is_newsletter()
            .then(|| "https://bespoke.example/ocunsub/7".to_owned()),
        details: match template {
            Template::Langsuggest => Some("{ \"language\": \"<cn>\" }".to_owned()),
            _ => template.has_code().then(|| CODE.to_owned()),
        },
        ..mail("jane@example.com")
    }
}

fn rendered(mail: &OutboxMail) -> Rendered {
    render(mail, &settings(MailTransport::Folder(PathBuf::new())))
}

#[test]
fn every_mail_is_complete_in_every_language() {
    for template in Template::ALL {
        let mut subjects = HashSet::new();
        for language in Language::ALL {
            let mail = one(template, language);
            let Rendered { subject, text, html } = rendered(&mail);
            let name = format!("{template:?} in {}", language.code());
            assert!(subjects.insert(subject.clone()), "{name} is not translated");
            assert!(
                !subject.is_empty() && subject.contains("Bespoke") && !subject.contains('{'),
                "{name}"
            );
            assert!(
                html.starts_with(&format!("<!doctype html>\n<html lang=\"{}\">", language.code())),
                "{name}"
            );
            assert!(html.trim_end().ends_with("</html>"), "{name}");
            for (part, escaped) in [(&text, false), (&html, true)] {
                let details = mail.details.as_deref().unwrap_or_default();
                // The style sheet contains braces.
                let words = part.split_once("</style>").map_or(part.as_str(), |(_, words)| words);
                let rest = words
                    .replace(details, "")
                    .replace("{ &#34;language&#34;: &#34;&#60;cn&#62;&#34; }", "");
                for missing in ["{", "}", "undefined", "None", "Some("] {
                    assert!(!rest.contains(missing), "{missing} in {name}: {part}");
                }
                let link = if escaped {
                    LINK.replace('&', "&#38;")
                } else {
                    LINK.to_owned()
                };
                assert_eq!(part.contains(&link), mail.action_url.is_some(), "{name}: {part}");
                assert_eq!(part.contains(CODE), template.has_code(), "{name}: {part}");
                let unsubscribes = part.contains("https://bespoke.example/ocunsub/7");
                assert_eq!(unsubscribes, template.is_newsletter(), "{name}");
                let patrons = part.contains("/patrons/join");
                assert_eq!(patrons, !template.is_newsletter(), "{name}");
                assert!(part.contains("1 Long Street, Antwerp"), "{name}");
            }
            assert!(
                !text.contains("&#") && !text.contains('<') || mail.details.is_some(),
                "{name}: {text}"
            );
            assert!(
                text.lines().filter(|line| !line.is_empty()).count() >= 8,
                "{name}: {text}"
            );
            assert!(!text.contains("\n\n\n") && text.ends_with('\n'), "{name}: {text:?}");
        }
    }
}

#[test]
fn website_links_have_the_readers_language() {
    let text = |language| rendered(&one(Template::SigninLink, language)).text;
    for (language, prefix) in [(Language::En, ""), (Language::Uk, "/uk")] {
        for path in ["/patrons/join", "/docs/faq/email/why-signin-link"] {
            let url = format!("https://bespoke.example{prefix}{path}\n");
            assert!(text(language).contains(&url), "{url}");
        }
    }
    let mut settings = settings(MailTransport::Folder(PathBuf::new()));
    (settings.website, settings.postal_address) = (None, None);
    let alone = render(&one(Template::SigninLink, Language::De), &settings);
    for part in [alone.text, alone.html] {
        assert!(!part.contains("/patrons/join") && !part.contains("why-"), "{part}");
    }
}

#[test]
fn code_is_explained_only_in_mails_that_contain_it() {
    let hint = "If the page asks for a code, enter this one:";
    let mut mail = one(Template::SigninLink, Language::En);
    let Rendered { text, html, .. } = rendered(&mail);
    assert!(
        text.contains(&format!("{hint}\n\n{CODE}\n")) && html.contains(hint),
        "{text}"
    );
    mail.details = None;
    let Rendered { text, html, .. } = rendered(&mail);
    assert!(!text.contains(hint) && !html.contains(hint), "{text}");
}

#[test]
fn user_text_is_escaped() {
    let mut mail = one(Template::Langsuggest, Language::En);
    mail.details = Some("<script>alert(1)</script>".into());
    let Rendered { html, text, .. } = rendered(&mail);
    assert!(
        !html.contains("<script>") && html.contains("&#60;script&#62;"),
        "{html}"
    );
    assert!(text.contains("<script>"), "{text}");
}

/// Writes all mails to files for a visual check: `RENDER_INTO=<folder> cargo test -p bespoke-mail -- --ignored`
#[test]
#[ignore = "for a person to look at"]
#[expect(clippy::disallowed_methods, reason = "a person says where")]
fn render_all() {
    let folder = PathBuf::from(std::env::var("RENDER_INTO").expect("a folder"));
    for (template, language) in Template::ALL.into_iter().flat_map(|t| Language::ALL.map(|l| (t, l))) {
        let name = serde_json::to_value(template).unwrap();
        let name = format!("{}.{}", name.as_str().unwrap(), language.code());
        let Rendered { text, html, .. } = rendered(&one(template, language));
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
        std::fs::write(folder.join(format!("{name}.txt")), text).unwrap();
    }
}
