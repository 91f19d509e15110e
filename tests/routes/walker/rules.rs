//! The permissions of each kind of caller.

use bespoke_web::{Access, Route};

use super::callers::Caller;
use super::operation;
use super::requests::Request;

const ADMIN: u8 = 9;
const SUPPORT: u8 = 8;
const BUGHUNTER: u8 = 6;

/// The lowest level at which a stranger may use the owner's record in a path or a body; `None` if no level is enough.
fn level_of_strangers(route: &Route) -> Option<u8> {
    match operation(route).as_str() {
        "GET /sets/{id}" | "GET /sets/{id}/measurements" | "GET /patterns/{id}" | "GET /users/{id}" => Some(BUGHUNTER),
        "PATCH /sets/{id}" | "DELETE /sets/{id}" | "PATCH /patterns/{id}" | "DELETE /patterns/{id}" => Some(ADMIN),
        "POST /sets/{id}/clone" | "POST /patterns/{id}/clone" => Some(SUPPORT),
        "GET /apikeys/{id}" | "DELETE /apikeys/{id}" | "GET /apikeys/{id}/usage" => Some(ADMIN),
        "POST /apikeys/{id}/rotate" => None,
        "GET /bookmarks/{id}" | "PATCH /bookmarks/{id}" | "DELETE /bookmarks/{id}" => None,
        "POST /curated-sets/suggest" | "GET /sets/lookup" => None,
        // These routes require only their level.
        _ => Some(0),
    }
}

/// Whether the request may succeed.
pub(super) fn allows(route: &Route, request: &Request, caller: &Caller) -> bool {
    let required = match route.access {
        Access::Public => return true,
        Access::Guest(level) => return caller.level_if_unusable >= Some(level) && allows_guest(route, caller),
        Access::Level(level) => level.max(request.level),
    };
    let level = caller.level.filter(|level| *level >= required);
    let record = caller.is_owner || level_of_strangers(route).is_some_and(|needed| level >= Some(needed));
    let credentials = !(request.changes_credentials && caller.is_restricted);
    let impersonation = !(caller.impersonates && route.path.starts_with("/admin/"));
    level.is_some() && record && credentials && impersonation && has_scopes(route, request, caller)
}

fn allows_guest(route: &Route, caller: &Caller) -> bool {
    match route.path.as_str() {
        "/whoami/jwt" => caller.level.is_some(),
        "/consent/jwt" => !caller.impersonates,
        other => panic!("{other} has no rule"),
    }
}

fn has_scopes(route: &Route, request: &Request, caller: &Caller) -> bool {
    let Some(scopes) = &caller.scopes else { return true };
    let set = route
        .path
        .starts_with("/sets/{id}")
        .then(|| request.path.split('/').nth(2));
    let set = set.flatten().and_then(|id| id.parse().ok());
    route.scopes.is_some_and(|needed| scopes.missing(needed, set).is_none())
}

/// Whether a response to the caller may show private content of the owner.
pub(super) fn may_see(route: &Route, caller: &Caller) -> bool {
    let names_record = route.path.contains("{id}");
    caller.is_owner || names_record && caller.level >= Some(BUGHUNTER) || caller.level >= Some(ADMIN)
}
