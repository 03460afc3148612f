//! The headers that a client may not set: those by which a service knows the caller, and those that change what it sees.

/// Prefixes of headers by which services or proxies identify callers. A client must not be able to set them.
const IDENTITY_PREFIXES: [&str; 5] = [
    "x-user-",
    "x-service-",
    "x-internal-",
    "x-forwarded-",
    "x-countersign-",
];
/// Further headers that change what a service sees: the caller, the client's address, the method or the path.
const OVERRIDES: [&str; 24] = [
    "forwarded",
    "x-forwarded",
    "x-original-for",
    "x-original-uri",
    "x-originating-ip",
    "x-remote-ip",
    "x-remote-addr",
    "x-azure-clientip",
    "x-client-cert",
    "x-real-ip",
    "x-client-ip",
    "x-cluster-client-ip",
    "true-client-ip",
    "client-ip",
    "cf-connecting-ip",
    "remote-user",
    "x-remote-user",
    "x-original-url",
    "x-original-host",
    "x-rewrite-url",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-host",
];

/// Whether a client may not set this header. Punctuation counts as a hyphen: servers of some languages turn all of it into
/// underscores, and so read `X_User.Id` as `X-User-Id`.
pub(super) fn is_forbidden(name: &str) -> bool {
    let is_other = |char: char| !char.is_ascii_alphanumeric() && char != '-';
    // Header names are in lower case already.
    if name.contains(is_other) {
        is_reserved(&name.replace(is_other, "-"))
    } else {
        is_reserved(name)
    }
}

fn is_reserved(name: &str) -> bool {
    // Most names have another first letter, which is cheaper to see than that they are none of these.
    name.starts_with(['c', 'f', 'r', 't', 'x'])
        && (IDENTITY_PREFIXES.iter().any(|prefix| name.starts_with(prefix)) || OVERRIDES.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reserved_name_is_forbidden() {
        let prefixed = IDENTITY_PREFIXES.iter().map(|prefix| format!("{prefix}a"));
        for name in prefixed.chain(OVERRIDES.iter().map(|&name| name.to_owned())) {
            assert!(is_forbidden(&name), "{name}");
        }
    }

    #[test]
    fn other_names_are_allowed() {
        for name in [
            "accept",
            "x-custom",
            "x-user",
            "x-request-id",
            "user-id",
            "my_x-user-id",
        ] {
            assert!(!is_forbidden(name), "{name}");
        }
    }
}
