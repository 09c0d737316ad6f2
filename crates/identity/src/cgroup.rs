//! What a cgroup path says of a process: its container, its pod, its systemd unit. Pure.
//!
//! Path forms: `docker/<id>`, `docker-<id>.scope`, `cri-containerd-<id>.scope`, `crio-<id>.scope`,
//! `libpod-<id>.scope`, `kubepods/burstable/pod<uid>/<id>`,
//! `kubepods-besteffort-pod<uid with _ for ->.slice/...`, `system.slice/nginx.service`.

/// Who a process belongs to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Belongs {
    /// 64 hexadecimal digits.
    pub(crate) container: Option<String>,
    /// The pod's uid, with dashes.
    pub(crate) pod_uid: Option<String>,
    /// Without `.service`.
    pub(crate) unit: Option<String>,
}

/// Reads `/proc/<pid>/cgroup`, of either version.
pub(crate) fn parse(text: &str) -> Belongs {
    let mut belongs = Belongs::default();
    for line in text.lines().take(64) {
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else {
            continue;
        };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if belongs.container.is_none() {
            belongs.container = parts.iter().rev().find_map(|part| container_of(part)).map(str::to_owned);
        }
        if belongs.pod_uid.is_none() {
            belongs.pod_uid = parts.iter().rev().find_map(|part| pod_of(part));
        }
        // systemd's own hierarchy, or the only one.
        if belongs.unit.is_none() && (controllers.is_empty() || controllers == "name=systemd") {
            belongs.unit = unit_of(&parts);
        }
    }
    if belongs.container.is_some() || belongs.pod_uid.is_some() {
        belongs.unit = None;
    }
    belongs
}

/// The last 64 hexadecimal digits of a part, with whatever prefix and suffix the runtime gave them.
fn container_of(part: &str) -> Option<&str> {
    let bare = part.strip_suffix(".scope").unwrap_or(part);
    let start = bare.len().checked_sub(64)?;
    let id = bare.get(start..)?;
    let apart = bare[..start].chars().next_back().is_none_or(|before| matches!(before, '-' | ':' | '_'));
    (apart && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}

fn pod_of(part: &str) -> Option<String> {
    let bare = part.strip_suffix(".slice").unwrap_or(part);
    let at = bare.rfind("pod")?;
    let uid = bare[at + 3..].replace('_', "-");
    let is_uid = (uid.len() == 36 || uid.len() == 32)
        && uid.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    is_uid.then_some(uid)
}

/// A service of the system. What runs in a user's session is no unit, nor are scopes.
fn unit_of(parts: &[&str]) -> Option<String> {
    if parts.first().is_some_and(|first| *first == "user.slice" || *first == "init.scope") {
        return None;
    }
    let unit = parts.iter().find_map(|part| part.strip_suffix(".service"))?;
    let session = unit.starts_with("user@") || unit.starts_with("user-runtime-dir@");
    (!session && !unit.is_empty() && unit.len() <= 128).then(|| unescaped(unit))
}

/// systemd.unit(5): `\x2d` is a dash.
fn unescaped(unit: &str) -> String {
    unit.replace("\\x2d", "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "4f2a9c1d0e114f2a9c1d0e114f2a9c1d0e114f2a9c1d0e114f2a9c1d0e11abcd";

    fn check(text: &str, container: Option<&str>, pod_uid: Option<&str>, unit: Option<&str>) {
        let own = |text: Option<&str>| text.map(str::to_owned);
        let expect = Belongs { container: own(container), pod_uid: own(pod_uid), unit: own(unit) };
        assert_eq!(parse(text), expect, "{text}");
    }

    #[test]
    fn containers_of_every_runtime_are_known() {
        let uid = "6fa459ea-ee8a-3ca4-894e-db77e160355e";
        check(&format!("0::/system.slice/docker-{ID}.scope"), Some(ID), None, None);
        check(&format!("12:pids:/docker/{ID}\n1:name=systemd:/docker/{ID}"), Some(ID), None, None);
        check(&format!("0::/machine.slice/libpod-{ID}.scope/container"), Some(ID), None, None);
        check(&format!("0::/kubepods/burstable/pod{uid}/{ID}"), Some(ID), Some(uid), None);
        check(
            &format!(
                "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-{ID}.scope",
                uid.replace('-', "_")
            ),
            Some(ID),
            Some(uid),
            None,
        );
        check(&format!("0::/kubepods.slice/crio-{ID}.scope"), Some(ID), None, None);
        check(
            &format!("0::/system.slice/containerd.service/kubepods:cri-containerd:{ID}"),
            Some(ID),
            None,
            None,
        );
    }

    #[test]
    fn services_are_units_and_sessions_are_not() {
        check("0::/system.slice/nginx.service", None, None, Some("nginx"));
        check("0::/system.slice/foo.service/payload", None, None, Some("foo"));
        check("0::/system.slice/system-getty.slice/getty@tty1.service", None, None, Some("getty@tty1"));
        check("0::/system.slice/systemd\\x2dx.service", None, None, Some("systemd-x"));
        check("0::/user.slice/user-1000.slice/session-3.scope", None, None, None);
        check("0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.service", None, None, None);
        check("0::/init.scope", None, None, None);
        check("0::/", None, None, None);
        check("5:cpu:/system.slice/nginx.service\n1:name=systemd:/", None, None, None);
        check("garbage\n\n::", None, None, None);
    }
}
