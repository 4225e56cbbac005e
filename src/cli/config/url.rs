//! What a provider's address may look like: https, or plain http to this machine only.

use std::net::{IpAddr, Ipv6Addr};

/// Checks the address of a provider and gives it back without slashes at its end. Paths are added to it.
///
/// # Errors
/// What is wrong and what to do, in words.
pub fn check(text: &str) -> Result<String, String> {
    let problem = |what: &str| Err(format!("{what}: write an address like https://host/path"));
    if !text.bytes().all(|b| b.is_ascii_graphic()) {
        return problem("the address has spaces or letters that an address cannot have");
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (scheme.to_ascii_lowercase(), rest),
        None => return problem("the address has no https:// in front"),
    };
    if rest.contains(['?', '#', '\\', '"', '<', '>', '`', '{', '}', '|', '^']) {
        return problem("the address has a part or sign that a base address cannot have");
    }
    let authority = rest.split('/').next().unwrap_or_default();
    if authority.contains('@') {
        return problem("the address has a user name or password in it, which belong in email, password or token");
    }
    let host = match host_of(authority) {
        Some(host) => host,
        None => return problem("the address has no sound host and port"),
    };
    match scheme.as_str() {
        "https" => {}
        "http" if is_loopback(host) => {}
        "http" => {
            return Err(format!(
                "plain http is only for this machine (127.0.0.1, [::1], localhost), not {host}: write https://"
            ));
        }
        _ => return problem("the address is neither https nor http"),
    }
    Ok(text.trim_end_matches('/').to_owned())
}

/// The host of `host`, `host:port` or `[v6]:port`, if it is one.
fn host_of(authority: &str) -> Option<&str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (inside, port) = rest.split_once(']')?;
            inside.parse::<Ipv6Addr>().ok()?;
            (inside, port.strip_prefix(':').or(port.is_empty().then_some("0"))?)
        }
        None => authority.split_once(':').unwrap_or((authority, "0")),
    };
    let sound = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b));
    (sound && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()).then_some(host)
}

fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn https_anywhere_and_http_at_home() {
        for (text, clean) in [
            ("https://invoice.openapi.com", "https://invoice.openapi.com"),
            ("https://invoice.openapi.com/", "https://invoice.openapi.com"),
            ("HTTPS://a-b.example:8443/x/y", "HTTPS://a-b.example:8443/x/y"),
            ("http://127.0.0.1:7070/openapi", "http://127.0.0.1:7070/openapi"),
            ("http://127.8.9.1", "http://127.8.9.1"),
            ("http://localhost:1/", "http://localhost:1"),
            ("http://[::1]:7070/stamp", "http://[::1]:7070/stamp"),
        ] {
            assert_eq!(check(text).as_deref(), Ok(clean));
        }
    }

    #[test]
    fn no_secret_leaves_in_the_clear() {
        for text in [
            "http://invoice.openapi.com",
            "http://10.0.0.1:7070",
            "http://127.0.0.1.evil.example",
            "http://localhost.evil.example/",
            "http://127.0.0.1@evil.example/",
            "http://localhost@evil.example",
            "http://[::2]/",
            "http://0.0.0.0:7070",
            "http://[::ffff:10.0.0.1]/",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "https://",
            "https:///path",
            "//host",
            "host",
            "ftp://host",
            "file:///etc/passwd",
            "https://host:port",
            "https://host:65536",
            "https://host:",
            "https://ho st",
            "https://höst",
            "https://host/?q=1",
            "https://host/#x",
            "https://[::1",
            "https://[fish]",
            "https://host\\@evil",
            "https://host/{x}",
        ] {
            assert!(check(text).is_err(), "{text}");
        }
    }
}
