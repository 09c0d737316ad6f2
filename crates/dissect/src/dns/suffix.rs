//! Which NXDOMAINs are only a resolver trying its search list (resolv.conf(5), `search` and `ndots`).
//!
//! A pod that asks for `api.example.com` asks for `api.example.com.shop.svc.cluster.local` first, then for two
//! shorter ones, and is told three times that there is no such name. Those are not faults. A name is taken
//! for such an expansion where one of these holds, all of them read off the bytes of one flow:
//!
//! - Below `svc.cluster.local` it has a depth or an end that no Kubernetes service has: services are
//!   `NAME.NAMESPACE`, their ports `_PORT._PROTOCOL.NAME.NAMESPACE`, pods `HOST-NUMBER.NAME.NAMESPACE`, and
//!   no namespace is called `com`. One label alone, or a name right below `cluster.local` that is neither `svc`
//!   nor `pod`, is an expansion too.
//! - It ends in a private suffix (`.lan`, `.internal` ...) and a public top-level domain stands in its middle.
//! - The name that this flow asked for before, and was told does not exist, is the same up to a suffix: it
//!   adds labels to it, takes some away, or changes the end of it.
//!
//! A search for a short name (`payments` as `payments.shop.svc.cluster.local`) looks just as a call of that
//! service by its full name, and is left alone: that one may be a fault.

/// Top-level domains that are common in names which programs ask for, and rare as labels before others.
const PUBLIC: [&str; 12] =
    ["com", "net", "org", "io", "dev", "app", "cloud", "edu", "gov", "local", "internal", "arpa"];
/// Suffixes that search lists hold and public names do not end in.
const PRIVATE: [&str; 10] =
    ["local", "internal", "lan", "home", "corp", "intranet", "private", "localdomain", "localnet", "arpa"];

/// Whether a name that does not exist looks like the work of a search list. `before` is the name that the
/// same flow was told does not exist just before.
pub(super) fn is_search(name: &str, before: Option<&str>) -> bool {
    is_kubernetes_search(name) || has_public_middle(name) || before.is_some_and(|before| varies(name, before))
}

fn strip<'a>(name: &'a str, suffix: &str) -> Option<&'a str> {
    let at = name.len().checked_sub(suffix.len())?;
    let (head, tail) = name.split_at_checked(at)?;
    if !tail.eq_ignore_ascii_case(suffix) {
        return None;
    }
    if head.is_empty() { Some(head) } else { head.strip_suffix('.') }
}

fn is_word_of(words: &[&str], label: &str) -> bool {
    words.iter().any(|word| label.eq_ignore_ascii_case(word))
}

fn is_kubernetes_search(name: &str) -> bool {
    let Some(below) = strip(name, "cluster.local").filter(|below| !below.is_empty()) else { return false };
    let Some(service) = strip(below, "svc") else {
        // `10-0-0-1.shop.pod.cluster.local` is a pod; all else was appended to.
        return strip(below, "pod").is_none();
    };
    let labels = service.split('.').filter(|label| !label.is_empty()).count();
    let namespace = service.rsplit('.').next().unwrap_or_default();
    if is_word_of(&PUBLIC, namespace) {
        return labels > 0;
    }
    match labels {
        0 | 2 => false,
        1 => true,
        3 => !is_numbered(service.split('.').next().unwrap_or_default()),
        4 => !service.starts_with('_'),
        _ => true,
    }
}

/// Whether a host is called as the pods of a StatefulSet are, `mysql-0`, or by its address, `10-0-0-7`.
fn is_numbered(host: &str) -> bool {
    let digits = host.rsplit_once('-').map_or("", |(_, digits)| digits);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_public_middle(name: &str) -> bool {
    let mut labels = name.rsplit('.');
    let private = labels.next().is_some_and(|last| is_word_of(&PRIVATE, last));
    if !private || strip(name, "in-addr.arpa").is_some() || strip(name, "ip6.arpa").is_some() {
        return false;
    }
    // The first label of all cannot be a top-level domain of something.
    let Some((_, rest)) = name.split_once('.') else { return false };
    let Some((middle, _)) = rest.rsplit_once('.') else { return false };
    middle.split('.').any(|label| is_word_of(&PUBLIC[..9], label))
}

/// Whether two names are one name with different ends, or with and without one.
fn varies(name: &str, before: &str) -> bool {
    let equal = |(a, b): &(&str, &str)| a.eq_ignore_ascii_case(b);
    if name.eq_ignore_ascii_case(before) {
        return false;
    }
    let (longer, shorter) = if name.len() >= before.len() { (name, before) } else { (before, name) };
    let (n_longer, n_shorter) = (longer.split('.').count(), shorter.split('.').count());
    let common = longer.split('.').zip(shorter.split('.')).take_while(equal).count();
    // The shorter is all of the longer's front (`db.lan` and `db.lan.corp`), or they share their front and
    // the shorter's end is the longer's, as a search list's entries are each other's ends.
    let ends = longer.rsplit('.').zip(shorter.rsplit('.')).take_while(equal).count();
    (common == n_shorter && name.len() > before.len())
        || (common >= 1 && n_longer > n_shorter && common + ends >= n_shorter && ends >= 1)
}
