//! Logs of any size and the rules that fit some of their lines, both from a seed: the same arguments give the same
//! bytes on every machine.

use fastrand::Rng;

/// What a line of one rule looks like, and the pattern for it. `{p}` is the program, which makes a rule out of it;
/// `{n}` a number, `{ip}` an address, `{w}` a word.
const SHAPES: [(&str, &str, &str); 10] = [
    (
        "sshd",
        "Failed password for {w} from {ip} port {n} ssh2",
        r"{p}\[\d+\]: Failed \S+ for (?:invalid user )?(?<user>\S*) from (?<src_ip>[\d.]+) port \d+",
    ),
    (
        "kernel",
        "Out of memory: Killed process {n} ({w}) total-vm:{n}kB",
        r"{p}\[\d+\]: Out of memory: Killed process (?<pid>\d+) \((?<name>[^)]+)\)",
    ),
    (
        "systemd",
        "{w}.service: Failed with result 'exit-code'.",
        r"{p}\[\d+\]: (?<unit>\S+)\.service: Failed with result",
    ),
    ("postgres", "FATAL:  remaining connection slots are reserved", r"{p}\[\d+\]: (?<level>FATAL|PANIC):\s"),
    (
        "haproxy",
        "Server {w}/{w} is DOWN, reason: Layer4 timeout, check duration: {n}ms",
        r"{p}\[\d+\]: Server (?<backend>\w+)/(?<server>\w+) is DOWN.*duration: (?<ms>\d+)ms",
    ),
    (
        "nginx",
        "\"GET /{w} HTTP/1.1\" 503 {n}",
        r#"{p}\[\d+\]: "(?:GET|POST) (?<path>\S+) HTTP/[\d.]+" (?<code>5\d\d) "#,
    ),
    ("java", "java.lang.OutOfMemoryError: {w}", r"{p}\[\d+\]: (?<class>[\w.]+Error): "),
    (
        "smartd",
        "Device: /dev/sda, {n} Currently unreadable sectors",
        r"(?i){p}\[\d+\]: device: (?<device>\S+), \d+ currently unreadable",
    ),
    (
        "etcd",
        "{\"level\":\"warn\",\"msg\":\"slow fdatasync\",\"took\":\"{n}s\"}",
        r#"{p}\[\d+\]: .*"msg":"slow fdatasync".*"took":"(?<took>[^"]+)""#,
    ),
    ("dhcpd", "no free leases on {ip}", r"{p}\[\d+\]: .*no free leases (?:on|for) (?<net>\S+)"),
];

/// What no rule wants; the last three carry the words of a rule and still do not fit.
const PLAIN: [(&str, &str); 12] = [
    ("sshd", "Accepted publickey for {w} from {ip} port {n} ssh2: ED25519 SHA256:{w}{n}{w}"),
    ("CRON", "({w}) CMD (/usr/lib/{w}/{w} {n} {n})"),
    ("systemd", "Started {w}.service - the daemon that keeps {w} in order."),
    ("dockerd", "time=\"2026-01-02T15:04:05Z\" level=info msg=\"ignoring {w}\" container={n} module={w}"),
    ("kubelet", "\"SyncLoop (PLEG): pod\" pod=\"{w}/{w}-{n}\" type=\"ContainerStarted\" data=\"{n}\""),
    ("nginx", "{ip} - - \"GET /{w}/{n}?q={w} HTTP/1.1\" 200 {n} \"-\" \"curl/7.{n}\""),
    ("postgres", "LOG:  checkpoint complete: wrote {n} buffers (0.{n}%); {n} WAL files added"),
    ("named", "client @{n} {ip}#{n} ({w}.{w}): query: {w}.{w} IN A +E(0)K"),
    ("dhclient", "DHCPACK of {ip} from {ip}, bound -- renewal in {n} seconds"),
    ("kernel", "audit: Killed process list is empty ({w})"),
    ("smartd", "Device: /dev/sda, SMART attribute {n} changed from {n} to {n}"),
    ("haproxy", "Server {w}/{w} is UP, reason: Layer4 check passed, duration: {n}ms"),
];
/// How many of `PLAIN` stand for ordinary lines.
const ORDINARY: usize = 9;
const WORDS: [&str; 12] = [
    "alice", "backup", "carol", "deploy", "eve", "frontend", "git", "harbor", "ingress", "jenkins", "kafka",
    "ldap",
];

/// The patterns of `rules` rules. Lines of [`syslog`] with the same number fit them.
pub(crate) fn patterns(rules: usize) -> Vec<String> {
    (0..rules).map(|rule| SHAPES[rule % SHAPES.len()].2.replace("{p}", &program(rule))).collect()
}

/// About `bytes` bytes of syslog on a running clock, ending with a whole line. `share` of the lines (0 to 1) fit one
/// of the `rules` rules of [`patterns`]; one in a hundred others comes near to one.
pub(crate) fn syslog(seed: u64, bytes: usize, share: f64, rules: usize) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut log = Vec::with_capacity(bytes + 256);
    let mut second = 0;
    while log.len() < bytes {
        second += u32::from(rng.u8(..) < 16);
        let (program, shape) = if rng.f64() < share {
            let rule = rng.usize(..rules);
            (program(rule), SHAPES[rule % SHAPES.len()].1)
        } else {
            let near = rng.u8(..100) == 0;
            let place = if near { rng.usize(ORDINARY..PLAIN.len()) } else { rng.usize(..ORDINARY) };
            (PLAIN[place].0.to_owned(), PLAIN[place].1)
        };
        let (hour, minute) = (second / 3600 % 24, second / 60 % 60);
        let line = format!("Dec 10 {hour:02}:{minute:02}:{:02} node-7 {program}[", second % 60);
        log.extend_from_slice(line.as_bytes());
        log.extend_from_slice(rng.u16(1..).to_string().as_bytes());
        log.extend_from_slice(b"]: ");
        fill(shape, &mut rng, &mut log);
        log.push(b'\n');
    }
    log
}

fn program(rule: usize) -> String {
    let name = SHAPES[rule % SHAPES.len()].0;
    match rule / SHAPES.len() {
        0 => name.to_owned(),
        copy => format!("{name}-{copy}"),
    }
}

fn fill(shape: &str, rng: &mut Rng, log: &mut Vec<u8>) {
    let mut rest = shape;
    while let Some(place) = rest.find('{') {
        log.extend_from_slice(&rest.as_bytes()[..place]);
        let (value, length) = match &rest[place..] {
            text if text.starts_with("{n}") => (rng.u16(..).to_string(), 3),
            text if text.starts_with("{w}") => (WORDS[rng.usize(..WORDS.len())].to_owned(), 3),
            text if text.starts_with("{ip}") => {
                (format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(..)), 4)
            }
            _ => ("{".to_owned(), 1),
        };
        log.extend_from_slice(value.as_bytes());
        rest = &rest[place + length..];
    }
    log.extend_from_slice(rest.as_bytes());
}
