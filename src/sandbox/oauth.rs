//! Openapi's token service, as far as its clients need it (PROVIDERS.md 1.1): tokens with scopes, the log of refused
//! calls, the log of callbacks.

use axum::http::StatusCode;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::ask::{Ask, Call};
use super::authority;
use super::callbacks;
use super::reply::{Reply, number};
use super::token::from_base64;
use super::world::World;

/// The longest life of a token: a year.
const MAX_TTL: i64 = 365 * 24 * 60 * 60;

/// A token of Openapi.
#[derive(Debug, Clone)]
pub struct OauthToken {
    name: Value,
    scopes: Vec<String>,
    limits: Value,
    refresh: String,
    created: DateTime<Utc>,
    updated: DateTime<Utc>,
    expires: DateTime<Utc>,
    epoch: u64,
    deleted: bool,
}

/// An error of this service; here `data` is null.
pub fn error(status: StatusCode, message: &str, code: u32) -> Reply {
    Reply::json(status, &json!({ "success": false, "message": message, "error": code, "data": null }))
}

/// Whether a request to the receipts API may be served: any token that is not refused by the settings, and of the
/// tokens given out here only the living ones, within their scopes.
pub fn authorize(world: &World, ask: &Ask) -> Result<(), Reply> {
    let refused = || error(StatusCode::UNAUTHORIZED, "Unauthorized", 130);
    let token = ask.bearer().ok_or_else(refused)?;
    if world.settings.rejected_tokens.iter().any(|rejected| rejected == token) {
        return Err(refused());
    }
    if let Some(issued) = world.oauth.get(token) {
        let dead = issued.deleted || issued.expires <= ask.at || issued.epoch != world.token_epoch;
        if dead {
            return Err(refused());
        }
        let wanted = format!("/{}", ask.part(0));
        let allowed = issued.scopes.iter().filter_map(|scope| parse_scope(scope));
        return match allowed.into_iter().any(|(method, path)| method == ask.method.as_str() && wanted == path) {
            true => Ok(()),
            false => Err(error(StatusCode::FORBIDDEN, "Forbidden", 403)),
        };
    }
    match &world.settings.accepted_tokens {
        Some(accepted) if !accepted.iter().any(|known| known == token) => Err(refused()),
        _ => Ok(()),
    }
}

/// `METHOD:host/path` into method and path.
fn parse_scope(scope: &str) -> Option<(&str, &str)> {
    let (method, rest) = scope.split_once(':')?;
    let path = rest.find('/').and_then(|at| rest.get(at..))?;
    let known = matches!(method, "GET" | "POST" | "PATCH" | "DELETE" | "PUT");
    (known && path.len() > 1).then_some((method, path.trim_end_matches('/')))
}

/// Any request below `/openapi/oauth` or `/openapi/callbacks`.
pub fn handle(world: &mut World, ask: &Ask) -> Reply {
    let path: Vec<&str> = ask.path.iter().map(String::as_str).collect();
    let path = path.strip_prefix(&["oauth"]).unwrap_or(&path);
    let refresh = ask.method == "PATCH" && ask.bearer().is_some();
    if !refresh && !basic_is_good(world, ask) {
        return error(StatusCode::UNAUTHORIZED, "Unauthorized", 140);
    }
    match (ask.call, ask.method.as_str(), path) {
        (Call::Login, "POST", ["tokens"]) => create(world, ask),
        (Call::Login, "GET", ["tokens"]) => {
            let alive = world.oauth.iter().filter(|(_, token)| !token.deleted);
            let all = alive.map(|(id, token)| token.to_json(world, id)).collect();
            Reply::json(StatusCode::OK, &json!({ "data": page(ask, all) }))
        }
        (Call::Login, "GET", ["tokens", id]) => match world.oauth.get(*id).filter(|token| !token.deleted) {
            Some(token) => Reply::json(StatusCode::OK, &token.to_json(world, id)),
            None => error(StatusCode::NOT_FOUND, "Not Found", 120),
        },
        (Call::Login, "PATCH", ["tokens", id]) => renew(world, ask, id),
        (Call::Login, "DELETE", ["tokens", id]) => match world.oauth.get_mut(*id).filter(|token| !token.deleted) {
            Some(token) => {
                token.deleted = true;
                Reply::json(StatusCode::OK, &json!({ "message": "Deleted", "data": null }))
            }
            None => error(StatusCode::NOT_FOUND, "Not Found", 180),
        },
        (Call::Diagnostics, "GET", ["errors"]) => {
            let all = errors(world, ask);
            Reply::json(StatusCode::OK, &json!({ "data": page(ask, all) }))
        }
        (Call::Diagnostics, "GET", ["callbacks"]) => {
            let all = callbacks::list(world, ask.at);
            Reply::json(StatusCode::OK, &json!({ "data": page(ask, all) }))
        }
        (Call::Diagnostics, "GET", ["callbacks", id]) => match callbacks::one(world, ask.at, id) {
            Some(callback) => Reply::json(StatusCode::OK, &json!({ "data": callback })),
            None => error(StatusCode::NOT_FOUND, "Callback not found", 200),
        },
        _ => error(StatusCode::NOT_FOUND, "Not Found", 120),
    }
}

/// HTTP Basic: account e-mail and API key.
fn basic_is_good(world: &World, ask: &Ask) -> bool {
    let Some((scheme, coded)) = ask.header("authorization").and_then(|value| value.split_once(' ')) else {
        return false;
    };
    let plain = from_base64(coded.trim()).and_then(|bytes| String::from_utf8(bytes).ok());
    let Some(plain) = plain.filter(|_| scheme.eq_ignore_ascii_case("basic")) else { return false };
    plain.split_once(':').is_some_and(|(email, key)| world.login_is_good(email, key))
}

fn page(ask: &Ask, all: Vec<Value>) -> Vec<Value> {
    let number = |name| ask.query(name).and_then(|text| text.parse::<usize>().ok());
    all.into_iter().skip(number("skip").unwrap_or(0)).take(number("limit").unwrap_or(100).min(100)).collect()
}

/// The scopes of a request, or the refusal's code less its base: 0 missing, 10 wrong form, 20 unknown.
fn scopes(body: &Value) -> Result<Vec<String>, u32> {
    let list = body.get("scopes").filter(|scopes| !scopes.is_null()).ok_or(0u32)?;
    let list = list.as_array().filter(|list| !list.is_empty()).ok_or(10u32)?;
    let texts: Option<Vec<String>> = list.iter().map(|scope| scope.as_str().map(str::to_owned)).collect();
    let texts = texts.ok_or(10u32)?;
    let known = |scope: &String| {
        parse_scope(scope).is_some_and(|(_, path)| matches!(path, "/IT-receipts" | "/IT-configurations"))
    };
    if texts.iter().all(known) { Ok(texts) } else { Err(20) }
}

fn create(world: &mut World, ask: &Ask) -> Reply {
    let body: Value = serde_json::from_slice(&ask.body).unwrap_or(Value::Null);
    let scopes = match scopes(&body) {
        Ok(scopes) => scopes,
        Err(0) => return error(StatusCode::UNPROCESSABLE_ENTITY, "missing scopes array", 70),
        Err(10) => return error(StatusCode::UNPROCESSABLE_ENTITY, "invalid scopes format", 80),
        Err(_) => {
            let message = "Invalid scopes specified or API not enabled";
            return error(StatusCode::UNPROCESSABLE_ENTITY, message, 90);
        }
    };
    let token = OauthToken {
        name: body.get("name").cloned().unwrap_or(Value::Null),
        scopes,
        limits: body.get("limits").cloned().unwrap_or_else(|| json!({})),
        refresh: world.ids.hex(24),
        created: ask.at,
        updated: ask.at,
        expires: expiry(world, &body, ask.at),
        epoch: world.token_epoch,
        deleted: false,
    };
    let id = world.ids.hex(24);
    let answer = token.to_json(world, &id);
    world.oauth.insert(id, token);
    Reply::json(StatusCode::OK, &answer)
}

/// From `ttl` in seconds; nothing, zero and below mean the default.
fn expiry(world: &World, body: &Value, now: DateTime<Utc>) -> DateTime<Utc> {
    let ttl = match body.get("ttl").and_then(Value::as_i64) {
        Some(seconds) if seconds > 0 => TimeDelta::seconds(seconds.min(MAX_TTL)),
        _ => world.settings.token_lifetime.delta(),
    };
    authority::later(now, ttl)
}

/// With the refresh token as bearer: a new pair, and the old token is gone at once, so a lost answer costs the token
/// (PROVIDERS.md 1.1). With Basic: the same token, changed.
fn renew(world: &mut World, ask: &Ask, id: &str) -> Reply {
    let Some(mut token) = world.oauth.get(id).filter(|token| !token.deleted).cloned() else {
        return error(StatusCode::NOT_FOUND, "Not Found", 160);
    };
    let body: Value = serde_json::from_slice(&ask.body).unwrap_or(Value::Null);
    if body.get("scopes").is_some_and(|scopes| !scopes.is_null()) {
        match scopes(&body) {
            Ok(scopes) => token.scopes = scopes,
            Err(10) => return error(StatusCode::UNPROCESSABLE_ENTITY, "invalid scopes format", 100),
            Err(_) => {
                let message = "Invalid scopes specified or API not enabled";
                return error(StatusCode::UNPROCESSABLE_ENTITY, message, 110);
            }
        }
    }
    token.updated = ask.at;
    let mut new_id = id.to_owned();
    if let Some(bearer) = ask.bearer() {
        if bearer != token.refresh {
            return error(StatusCode::UNAUTHORIZED, "Unauthorized", 130);
        }
        if let Some(old) = world.oauth.get_mut(id) {
            old.deleted = true;
        }
        (new_id, token.refresh, token.created) = (world.ids.hex(24), world.ids.hex(24), ask.at);
        token.expires = expiry(world, &body, ask.at);
        token.epoch = world.token_epoch;
    } else if body.get("ttl").is_some() {
        token.expires = expiry(world, &body, ask.at);
    }
    let answer = token.to_json(world, &new_id);
    world.oauth.insert(new_id, token);
    Reply::json(StatusCode::OK, &answer)
}

/// The log of calls that the receipts API refused: a 4xx here means that nothing was done.
fn errors(world: &World, ask: &Ask) -> Vec<Value> {
    let wanted: Vec<String> = ask
        .query_list("scopes")
        .iter()
        .filter_map(|scope| parse_scope(scope))
        .map(|(m, p)| format!("{m}:{p}"))
        .collect();
    let refused = world.log.iter().rev().filter(|logged| logged.provider == "openapi");
    let refused = refused.filter_map(|logged| Some((logged, logged.status.filter(|status| *status >= 400)?)));
    let listed = refused.filter_map(|(logged, status)| {
        let path = logged.path.strip_prefix("/openapi/")?.split(['/', '?']).next()?;
        let scope = format!("{}:/{path}", logged.method);
        (wanted.is_empty() || wanted.contains(&scope)).then(|| {
            json!({
                "id": format!("{:024x}", logged.seq),
                "scope": format!("{}:invoice.openapi.com/{path}", logged.method),
                "domain": "invoice.openapi.com",
                "errorAt": iso(world.shown(logged.at)),
                "httpResponseCode": status,
                "errorCode": logged.error.as_deref().map(number),
                "message": logged.message,
                "ip": "127.0.0.1",
            })
        })
    });
    listed.collect()
}

/// A time as this service prints it.
pub fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, false)
}

impl OauthToken {
    fn to_json(&self, world: &World, id: &str) -> Value {
        let time = |at| world.shown(at).to_rfc3339_opts(SecondsFormat::Secs, true);
        json!({
            "token": id,
            "name": self.name,
            "createdAt": time(self.created),
            "expireAt": time(self.expires),
            "updatedAt": time(self.updated),
            "scopes": self.scopes,
            "refreshToken": self.refresh,
            "limits": self.limits,
        })
    }
}
