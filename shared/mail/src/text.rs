//! [`render`]: fills the texts of a mail into the layout, as HTML and plain text.

use std::collections::HashMap;
use std::sync::LazyLock;

use askama::Template as _;
use bespoke_core::entity::mail::{OutboxMail, Template};
use bespoke_core::validate::Language;
use bespoke_services::mail::MailSettings;
use serde::Deserialize;

/// Paths of the website: the page for supporters, and the pages that explain why a mail was sent.
const PATRONS_PATH: &str = "/patrons/join";
const WHY_PATH: &str = "/docs/faq/email/why-";

/// A rendered mail.
pub(crate) struct Rendered {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// The texts of all mails in one language.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    regards: String,
    team: String,
    copy: String,
    code: String,
    patron: String,
    patron_button: String,
    notice: String,
    why: String,
    leave: String,
    mails: HashMap<Template, MailWords>,
}

/// The texts of one mail.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MailWords {
    subject: String,
    heading: String,
    lead: String,
    button: Option<String>,
    closing: String,
}

/// Variables of the layout. `None` leaves a part out.
struct View<'a> {
    language: &'static str,
    service: &'a str,
    subject: String,
    heading: String,
    lead: String,
    code: Option<&'a str>,
    details: Option<&'a str>,
    action: Option<&'a str>,
    button: Option<String>,
    copy: String,
    closing: String,
    regards: String,
    team: String,
    patron: String,
    patron_button: String,
    patrons: Option<String>,
    website: Option<String>,
    postal_address: Option<&'a str>,
    notice: String,
    why: String,
    why_url: Option<String>,
    leave: String,
    unsubscribe: Option<&'a str>,
}

#[derive(askama::Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    v: &'a View<'a>,
}

#[derive(askama::Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    v: &'a View<'a>,
}

/// Renders a mail in its language.
pub(crate) fn render(mail: &OutboxMail, settings: &MailSettings) -> Rendered {
    let view = view(mail, settings);
    let written = "writing to memory does not fail";
    Rendered {
        text: format!("{}\n", Text { v: &view }.render().expect(written)),
        html: Html { v: &view }.render().expect(written),
        subject: view.subject,
    }
}

fn view<'a>(mail: &'a OutboxMail, settings: &'a MailSettings) -> View<'a> {
    let all = words(mail.language);
    let words = &all.mails[&mail.template];
    let filled = |text: &str| text.replace("{service}", &settings.service);
    let website = settings.website.as_ref().map(|url| match mail.language {
        Language::En => url.clone(),
        language => format!("{url}/{}", language.code()),
    });
    let page = |path: &str| website.as_ref().map(|url| format!("{url}{path}"));
    View {
        language: mail.language.code(),
        service: &settings.service,
        subject: filled(&words.subject),
        heading: filled(&words.heading),
        lead: filled(&words.lead),
        code: (mail.template.has_code() && mail.details.is_some()).then_some(&all.code),
        details: mail.details.as_deref(),
        action: mail.action_url.as_deref(),
        button: words.button.as_deref().map(filled),
        copy: filled(&all.copy),
        closing: filled(&words.closing),
        regards: filled(&all.regards),
        team: filled(&all.team),
        patron: filled(&all.patron),
        patron_button: filled(&all.patron_button),
        patrons: page(PATRONS_PATH).filter(|_| !mail.template.is_newsletter()),
        postal_address: settings.postal_address.as_deref(),
        notice: filled(&all.notice),
        why: filled(&all.why),
        why_url: why_page(mail.template).and_then(|name| page(&format!("{WHY_PATH}{name}"))),
        leave: filled(&all.leave),
        unsubscribe: mail.unsubscribe_url.as_deref(),
        website,
    }
}

/// Returns the page of the website that explains why mails of that kind are sent.
fn why_page(template: Template) -> Option<&'static str> {
    match template {
        Template::Signup => Some("signup"),
        Template::SignupAea => Some("signup-aea"),
        Template::SignupAed => Some("signup-aed"),
        Template::SigninLink => Some("signin-link"),
        Template::EmailChange => Some("emailchange"),
        Template::Transinvite => Some("transinvite"),
        Template::Nlsubinact => Some("nlsubinact"),
        Template::Nlsubact => Some("nlsubact"),
        _ => None,
    }
}

/// Returns the texts of a language, which are parsed when the first mail in it is rendered.
fn words(language: Language) -> &'static Words {
    static EN: LazyLock<Words> = LazyLock::new(|| read(include_str!("../texts/en.yaml")));
    static DE: LazyLock<Words> = LazyLock::new(|| read(include_str!("../texts/de.yaml")));
    static ES: LazyLock<Words> = LazyLock::new(|| read(include_str!("../texts/es.yaml")));
    static FR: LazyLock<Words> = LazyLock::new(|| read(include_str!("../texts/fr.yaml")));
    static NL: LazyLock<Words> = LazyLock::new(|| read(include_str!("../texts/nl.yaml")));
    static UK: LazyLock<Words> = LazyLock::new(|| read(include_str!("../texts/uk.yaml")));
    match language {
        Language::En => &EN,
        Language::De => &DE,
        Language::Es => &ES,
        Language::Fr => &FR,
        Language::Nl => &NL,
        Language::Uk => &UK,
    }
}

fn read(yaml: &str) -> Words {
    serde_saphyr::from_str(yaml).expect("the files are part of this crate, and a test reads all of them")
}
