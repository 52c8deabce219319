//! The rule packs that are part of the program: `rules/` of the project, as text.

/// A file of rules about one program.
#[derive(Clone, Copy, Debug)]
pub struct Pack {
    /// The name of the file, without its ending.
    pub name: &'static str,
    /// What stands in it.
    pub text: &'static str,
}

macro_rules! packs {
    ($($name:literal),* $(,)?) => {
        /// All of them, sorted by name.
        pub const PACKS: &[Pack] =
            &[$(Pack { name: $name, text: include_str!(concat!("../rules/", $name, ".toml")) }),*];
    };
}

packs![
    "apache",
    "backups",
    "certificates",
    "containerd",
    "coredns",
    "cron",
    "deployments",
    "docker",
    "dovecot",
    "elasticsearch",
    "etcd",
    "ftp",
    "go",
    "haproxy",
    "java",
    "kafka",
    "kernel",
    "kernel_disk",
    "kubelet",
    "mongodb",
    "mysql",
    "named",
    "nginx",
    "node",
    "openvpn",
    "php_fpm",
    "postfix",
    "postgres",
    "python",
    "rabbitmq",
    "redis",
    "samba",
    "sshd",
    "sudo",
    "systemd",
];

/// The pack of this name.
pub fn find(name: &str) -> Option<&'static Pack> {
    PACKS.iter().find(|pack| pack.name == name)
}
