//! Which container a file is of, by nothing but its path.

use std::path::Path;

/// What the path of a container's file says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ContainerPart {
    /// The namespace of its pod.
    Namespace,
    /// The pod.
    Pod,
    /// The container in the pod; under Docker the beginning of its id.
    Container,
    /// What the pod seems to be one of: see [`workload`].
    Workload,
}

impl ContainerPart {
    /// All of them.
    pub const ALL: [ContainerPart; 4] =
        [ContainerPart::Namespace, ContainerPart::Pod, ContainerPart::Container, ContainerPart::Workload];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            ContainerPart::Namespace => "namespace",
            ContainerPart::Pod => "pod",
            ContainerPart::Container => "container",
            ContainerPart::Workload => "workload",
        }
    }
}

/// What the path of a file says of its container. Its parts hold letters, digits, `-` and `.` of ASCII, and nothing else:
/// no other name is one of Kubernetes or Docker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ContainerPath<'a> {
    /// In the order of [`ContainerPart::ALL`].
    parts: Option<[&'a str; 4]>,
}

impl<'a> ContainerPath<'a> {
    /// Takes a path apart. What is not that of a container's file has no parts:
    ///
    /// - `…/NAMESPACE_POD_UID/CONTAINER/0.log`, whatever stands behind `.log`, as a kubelet names directories and files;
    /// - `…/POD_NAMESPACE_CONTAINER-ID.log`, as it names links to them;
    /// - `…/ID-json.log`, as Docker names them.
    pub fn of(path: &'a Path) -> ContainerPath<'a> {
        // The end of the path tells, whatever bytes stand before.
        let end = path.as_os_str().as_encoded_bytes().utf8_chunks().last();
        let end = end.filter(|end| end.invalid().is_empty()).map_or("", |end| end.valid());
        ContainerPath { parts: of_directory(end).or_else(|| of_link(end)).or_else(|| of_docker(end)) }
    }

    /// A part of the path; empty, if it has none.
    pub fn part(self, part: ContainerPart) -> &'a str {
        self.parts.map_or("", |parts| parts[part as usize])
    }

    /// True if the path says anything.
    pub fn is_any(self) -> bool {
        self.parts.is_some()
    }
}

fn of_directory(path: &str) -> Option<[&str; 4]> {
    let mut names = path.rsplit('/');
    let (file, container, directory) = (names.next()?, names.next()?, names.next()?);
    let (number, _) = file.split_once(".log")?;
    let mut all = directory.split('_');
    let (namespace, pod, uid) = (all.next()?, all.next()?, all.next()?);
    let is_it = all.next().is_none()
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && is_name(uid)
        && [namespace, pod, container].into_iter().all(is_name);
    is_it.then(|| [namespace, pod, container, workload(pod)])
}

fn of_link(path: &str) -> Option<[&str; 4]> {
    /// Bytes that a name of a file may have: a kubelet cuts what is longer.
    const MOST: usize = 255;
    let (_, file) = path.rsplit_once('/').unwrap_or(("", path));
    let mut all = file.strip_suffix(".log")?.split('_');
    let (pod, namespace, rest) = (all.next()?, all.next()?, all.next()?);
    let (container, id) = rest.rsplit_once('-').unwrap_or((rest, ""));
    let whole = is_id(id);
    let is_it = all.next().is_none()
        && (whole || file.len() >= MOST)
        && [namespace, pod].into_iter().all(is_name)
        && (!whole || is_name(container));
    // Of a name that was cut nobody knows where the id begins.
    is_it.then(|| [namespace, pod, if whole { container } else { &container[..0] }, workload(pod)])
}

fn of_docker(path: &str) -> Option<[&str; 4]> {
    /// Characters that `docker ps` shows.
    const SHOWN: usize = 12;
    let (_, file) = path.rsplit_once('/').unwrap_or(("", path));
    let (id, _) = file.split_once("-json.log")?;
    is_id(id).then(|| [&id[..0], &id[..0], &id[..SHOWN], &id[..0]])
}

/// True for what a name in Kubernetes may be.
fn is_name(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().zip(text.bytes().last());
    ends.is_some_and(|(first, last)| is_part(first) && is_part(last))
        && text.len() <= 253
        && text.bytes().all(|byte| is_part(byte) || byte == b'-' || byte == b'.')
}

/// True for the id of a container.
fn is_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What a pod of that name seems to be one of: the name without what Kubernetes puts behind that of a Deployment, a
/// ReplicaSet, a DaemonSet, a Job, a CronJob or a StatefulSet. It is a guess, since names say no more than that; who names
/// a DaemonSet `x-bcdfgh` is taken for a Deployment `x`.
pub fn workload(pod: &str) -> &str {
    /// What random names and hashes are written with, so that they are no words.
    const SAFE: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
    let is_safe = |text: &str| text.bytes().all(|byte| SAFE.contains(&byte));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let split = |name: &'_ str| name.rfind('-').filter(|at| *at > 0);
    let Some(at) = split(pod) else { return pod };
    let (owner, last) = (&pod[..at], &pod[at + 1..]);
    if last.len() == 5 && is_safe(last) {
        let Some(at) = split(owner) else { return owner };
        let hash = &owner[at + 1..];
        // The hash of a ReplicaSet; the minute of a CronJob.
        let is_made = (6..=10).contains(&hash.len()) && is_safe(hash)
            || (8..=10).contains(&hash.len()) && is_number(hash);
        return if is_made { &owner[..at] } else { owner };
    }
    let is_ordinal =
        (1..=5).contains(&last.len()) && is_number(last) && (last == "0" || !last.starts_with('0'));
    if is_ordinal { owner } else { pod }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, expected: &str) {
        let of = ContainerPath::of(Path::new(path));
        let parts = ContainerPart::ALL.map(|part| of.part(part));
        assert_eq!(parts.join(" "), expected, "{path}");
        assert_eq!(of.is_any(), expected.trim() != "", "{path}");
    }

    #[test]
    fn directories_of_a_kubelet_name_their_container() {
        let pod = "/var/log/pods/shop_web-6d4b75cb6d-hx8pq_0f3c1a9e-6d5b-4c8e-9f0a-0123456789ab";
        for name in ["0.log", "12.log", "0.log.20260102-120000", "0.log.20260102-120000.gz"] {
            check(&format!("{pod}/main/{name}"), "shop web-6d4b75cb6d-hx8pq main web");
        }
        check("pods/a_b.c_1/d/0.log", "a b.c d b.c");
        for none in [
            "",
            "/",
            "/var/log/app.log",
            "/var/log/pods/a_b_c/d/e.log",
            "/var/log/pods/a_b_c/d/.log",
            "/var/log/pods/a_b_c/0.log",
            "/var/log/pods/a_b/c/0.log",
            "/var/log/pods/a_b_c_d/e/0.log",
            "/var/log/pods/a__c/d/0.log",
            "/var/log/pods/A_b_c/d/0.log",
            "/var/log/pods/a\n_b_c/d/0.log",
            "/var/log/pods/a_\u{202e}b_c/d/0.log",
            "/var/log/pods/a_-b_c/d/0.log",
            "/var/log/pods/a_{b}_c/d/0.log",
        ] {
            check(none, "   ");
        }
        check(&format!("/{}_b_c/d/0.log", "a".repeat(254)), "   ");
    }

    #[test]
    fn links_and_files_of_docker_name_theirs() {
        let id = "0123456789abcdef".repeat(4);
        check(&format!("/var/log/containers/db-0_shop_side-car-{id}.log"), "shop db-0 side-car db");
        check(&format!("/var/log/containers/db-0_shop_{id}.log"), "   ");
        check(&format!("/var/log/containers/db-0_shop_a-{}.log", &id[1..]), "   ");
        check(&format!("/var/log/containers/db-0_shop_a-{id}.log.1"), "   ");
        let cut = format!("{}_shop_side-car-0123", "a".repeat(232));
        check(&format!("/var/log/containers/{cut}.log"), &format!("shop {0}  {0}", "a".repeat(232)));
        check(&format!("/var/lib/docker/containers/{id}/{id}-json.log"), "  0123456789ab ");
        check(&format!("{id}-json.log.1"), "  0123456789ab ");
        check("x-json.log", "   ");
    }

    #[test]
    fn a_workload_is_what_pods_of_it_have_in_common() {
        for (pod, workload_) in [
            ("web-6d4b75cb6d-hx8pq", "web"),
            ("web-api-v2-7b9f8d6c5-abcde", "web-api-v2-7b9f8d6c5-abcde"),
            ("web-api-v2-7b9f8d6c5-zxcvb", "web-api-v2"),
            ("coredns-558bd4d5db-x7k2b", "coredns"),
            ("kube-proxy-x7k2b", "kube-proxy"),
            ("fluent-bit-vw4kd", "fluent-bit"),
            ("backup-29012345-q8s2d", "backup"),
            ("backup-1616161616-q8s2d", "backup"),
            ("migrate-q8s2d", "migrate"),
            ("db-0", "db"),
            ("db-12", "db"),
            ("db-shard-1-3", "db-shard-1"),
            ("db-007", "db-007"),
            ("db-123456", "db-123456"),
            ("etcd-node-a", "etcd-node-a"),
            ("web", "web"),
            ("bcdfg", "bcdfg"),
            ("web-1-bcdfg", "web-1"),
            ("", ""),
            ("-0", "-0"),
            ("-bcdfg-0", "-bcdfg"),
        ] {
            assert_eq!(workload(pod), workload_, "{pod}");
        }
    }
}
