//! What stands on a node: three pods, each with a runtime that writes and a kubelet that rotates, while containers and pods
//! come and go.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::watch::{Watch, sum};

/// Between two rotations of a file. A kubelet's names have no more than seconds.
const ROTATION: Duration = Duration::from_millis(1500);
/// The runtime goes on writing into the old file for so long.
const REOPENED: Duration = Duration::from_millis(20);
/// Rotated files that are kept.
const KEPT: usize = 3;
/// How long a container lives, and a pod of those that are replaced.
const CONTAINER: Duration = Duration::from_secs(7);
const POD: Duration = Duration::from_secs(17);
/// How long what is over stays on the disk.
const GRACE: Duration = Duration::from_secs(1);
/// Lines that are written at once, and the time between.
const BURST: usize = 15;
const PAUSE: Duration = Duration::from_millis(5);
/// Bytes of a piece.
const PIECE: usize = 16 * 1024;
/// What is waited for at the end, besides what is pending.
const PATIENCE: Duration = Duration::from_secs(30);

const KINDS: [(&str, &str); 4] = [
    ("out", r"^out \d+ end$"),
    ("err", r"^err \d+ end$"),
    ("long", r"^long \d+ x+ end$"),
    ("torn", r"^torn \d+$"),
];

/// What pods are of.
struct Workload {
    namespace: &'static str,
    name: &'static str,
    container: &'static str,
    /// Its pods are replaced by others.
    replaced: bool,
    /// A new container has the link of the one before, which leads elsewhere from one moment to the next; else a new one.
    swapped: bool,
}

const WORKLOADS: [Workload; 3] = [
    Workload { namespace: "shop", name: "web", container: "main", replaced: true, swapped: false },
    Workload { namespace: "shop", name: "db", container: "postgres", replaced: false, swapped: true },
    Workload {
        namespace: "kube-system",
        name: "proxy",
        container: "kube-proxy",
        replaced: false,
        swapped: false,
    },
];

/// What was done.
#[derive(Default)]
struct Done {
    lines: AtomicU64,
    bytes: AtomicU64,
    rotations: AtomicU64,
    containers: AtomicU64,
    pods: AtomicU64,
}

/// What the runtime of a container and the kubelet share.
struct Container {
    /// `…/0.log`.
    log: PathBuf,
    reopen: AtomicBool,
    over: AtomicBool,
    /// Held by whoever changes what stands in its directory.
    kubelet: Mutex<VecDeque<PathBuf>>,
}

/// Runs for so many seconds. `real`: in the places of a real node.
pub(crate) fn run(seconds: u64, real: bool) {
    let dir = tempfile::tempdir().expect("a directory");
    let root = if real { Path::new("/var/log") } else { dir.path() };
    let (pods, links) = (root.join("pods"), root.join("containers"));
    let made = [&pods, &links].map(fs::create_dir);
    assert!(made.iter().all(Result::is_ok), "{} and {} are free: {made:?}", pods.display(), links.display());
    let told = watch_and_write(dir.path(), &pods, &links, seconds, real);
    for place in [pods, links] {
        fs::remove_dir_all(place).expect("it was made here");
    }
    assert!(told, "counts differ");
}

fn watch_and_write(dir: &Path, pods: &Path, links: &Path, seconds: u64, real: bool) -> bool {
    let config = dir.join("tripline.toml");
    let follow = if real { "" } else { "envelope = 'cri'\nfollow_symlinks = true\n" };
    let text = format!(
        "state_dir = 'state'\n[admin]\nlisten = '127.0.0.1:0'\n[[source]]\nname = 'pods'\nfiles = ['{}/*.log']\n{follow}\
         [[sink]]\nname = 'out'\ntype = 'stdout'\n",
        links.display()
    );
    fs::write(&config, text).expect("room for a configuration");
    fs::create_dir(dir.join("rules")).expect("room for rules");
    fs::write(dir.join("rules/pods.toml"), rules()).expect("room for rules");
    let watch = Watch::start(&config, Stdio::null());
    let done = Arc::new(Done::default());
    let begin = Instant::now();
    let until = begin + Duration::from_secs(seconds);
    let written: Vec<_> = WORKLOADS
        .iter()
        .enumerate()
        .map(|(seed, workload)| {
            let (pods, links, done) = (pods.to_owned(), links.to_owned(), done.clone());
            std::thread::spawn(move || live(workload, seed as u64, &pods, &links, until, &done))
        })
        .collect();
    let written: Vec<BTreeMap<&str, u64>> =
        written.into_iter().map(|writer| writer.join().expect("it wrote")).collect();
    let (took, cpu) = (begin.elapsed(), watch.cpu());
    let expected = |workload: usize, kind: &str| written[workload].get(kind).copied().unwrap_or(0);
    let patience = Instant::now() + PATIENCE;
    let (metrics, equal) = loop {
        let metrics = watch.metrics();
        let equal = (0..WORKLOADS.len()).all(|workload| {
            KINDS.iter().all(|(kind, _)| counted(&metrics, workload, kind) == expected(workload, kind))
        });
        if equal || Instant::now() > patience {
            break (metrics, equal);
        }
        pause(Duration::from_millis(50));
    };
    println!(
        "{:.0} s in {}: {} lines of {:.0} MB, {} rotations, {} containers in {} pods",
        took.as_secs_f64(),
        if real { "/var/log" } else { "a directory" },
        done.lines.load(Ordering::Relaxed),
        done.bytes.load(Ordering::Relaxed) as f64 / 1e6,
        done.rotations.load(Ordering::Relaxed),
        done.containers.load(Ordering::Relaxed),
        done.pods.load(Ordering::Relaxed),
    );
    println!("tripline took {cpu:.2} s of CPU");
    println!("{:<12} {:<5} {:>9} {:>9}", "workload", "kind", "written", "counted");
    for (number, workload) in WORKLOADS.iter().enumerate() {
        for (kind, _) in KINDS {
            let (wrote, found) = (expected(number, kind), counted(&metrics, number, kind));
            let mark = if wrote == found { "" } else { "  DIFFERENT" };
            println!("{:<12} {kind:<5} {wrote:>9} {found:>9}{mark}", workload.name);
        }
    }
    for series in ["lost_bytes", "lost_files", "truncations", "bare_lines", "cut_lines"] {
        println!("{series}: {}", sum(&metrics, &format!("tripline_{series}_total{{")));
    }
    equal
}

fn counted(metrics: &str, workload: usize, kind: &str) -> u64 {
    sum(metrics, &format!("tripline_rule_matches_total{{rule=\"{}_{kind}\"}}", WORKLOADS[workload].name))
}

/// What is watched goes its own way.
fn pause(time: Duration) {
    #[expect(clippy::disallowed_methods, reason = "runtimes, kubelets and people take their time")]
    std::thread::sleep(time);
}

/// A rule for each kind of line of each workload.
fn rules() -> String {
    let rule = |workload: &Workload, (kind, pattern): (&str, &str)| {
        let Workload { namespace, name, container, .. } = workload;
        format!(
            "[[rule]]\nname = '{name}_{kind}'\nsource = 'pods'\nmatch = '{pattern}'\nwithin = '1s'\n\
             warning = '>= 1000000'\nby = ['pod']\n\
             where = 'namespace == \"{namespace}\" and workload == \"{name}\" and container == \"{container}\"'\n"
        )
    };
    WORKLOADS.iter().flat_map(|workload| KINDS.map(|kind| rule(workload, kind))).collect()
}

/// Lets pods of a workload live; returns how many lines of each kind were written.
fn live(
    workload: &Workload,
    seed: u64,
    pods: &Path,
    links: &Path,
    until: Instant,
    done: &Done,
) -> BTreeMap<&'static str, u64> {
    let mut rng = Rng::with_seed(seed);
    let mut written = BTreeMap::new();
    let mut word = |most: usize, letters: &str| -> String {
        let letters: Vec<char> = letters.chars().collect();
        (0..most).map(|_| letters[rng.usize(..letters.len())]).collect()
    };
    while Instant::now() < until {
        let safe = "bcdfghjklmnpqrstvwxz2456789";
        let name = match workload.name {
            "web" => format!("web-{}-{}", word(9, safe), word(5, safe)),
            "db" => "db-0".to_owned(),
            name => format!("{name}-{}", word(5, safe)),
        };
        let Workload { namespace, container, .. } = workload;
        let uid = word(32, "0123456789abcdef");
        let directory = pods.join(format!("{namespace}_{name}_{uid}"));
        let place = directory.join(container);
        fs::create_dir_all(&place).expect("room for a pod");
        done.pods.fetch_add(1, Ordering::Relaxed);
        let end = if workload.replaced { until.min(Instant::now() + POD) } else { until };
        let mut link: Option<PathBuf> = None;
        let mut number = 0;
        while Instant::now() < end {
            let container = Arc::new(Container {
                log: place.join(format!("{number}.log")),
                reopen: AtomicBool::new(false),
                over: AtomicBool::new(false),
                kubelet: Mutex::default(),
            });
            let out = File::create(&container.log).expect("room for a log");
            let new = match &link {
                Some(link) if workload.swapped => link.clone(),
                _ => {
                    let id = word(64, "0123456789abcdef");
                    links.join(format!("{name}_{namespace}_{}-{id}.log", workload.container))
                }
            };
            let made = pods.join(format!(".{}", workload.name));
            symlink(&container.log, &made).expect("room for a link");
            fs::rename(made, &new).expect("room for a link");
            if let Some(old) = link.replace(new.clone()).filter(|old| *old != new) {
                fs::remove_file(old).expect("it was made here");
            }
            done.containers.fetch_add(1, Ordering::Relaxed);
            let kubelet = std::thread::spawn({
                let container = container.clone();
                move || rotate(&container)
            });
            // What is left open by one container is closed by none that has its link.
            let tears = !workload.swapped;
            write_until(end.min(Instant::now() + CONTAINER), out, &container, tears, &mut written, done);
            container.over.store(true, Ordering::Relaxed);
            done.rotations.fetch_add(kubelet.join().expect("it rotated"), Ordering::Relaxed);
            pause(Duration::from_millis(100));
            number += 1;
            let old = container.clone();
            std::thread::spawn(move || {
                pause(GRACE);
                let rotated = old.kubelet.lock().expect("nobody panics with it");
                for path in rotated.iter().chain([&old.log]) {
                    let _ = fs::remove_file(path);
                }
            });
        }
        if workload.replaced && Instant::now() < until {
            if let Some(link) = link {
                fs::remove_file(link).expect("it was made here");
            }
            pause(GRACE);
            let _ = fs::remove_dir_all(directory);
        }
    }
    written
}

/// What a runtime does: a line of the file by itself, into whatever stands at the path once it is asked to look again.
fn write_until(
    end: Instant,
    mut out: File,
    container: &Container,
    tears: bool,
    written: &mut BTreeMap<&'static str, u64>,
    done: &Done,
) {
    let mut rng = Rng::new();
    let mut put = |stream: &str, tag: &str, text: &str| {
        if container.reopen.swap(false, Ordering::AcqRel) {
            out = File::options().create(true).append(true).open(&container.log).expect("room for a log");
        }
        let line = format!("{} {stream} {tag} {text}\n", jiff::Timestamp::now());
        out.write_all(line.as_bytes()).expect("room for a line");
        done.lines.fetch_add(1, Ordering::Relaxed);
        done.bytes.fetch_add(line.len() as u64, Ordering::Relaxed);
    };
    let mut number = 0_u64;
    let mut count = |kind| {
        number += 1;
        *written.entry(kind).or_default() += 1;
        number
    };
    while Instant::now() < end {
        for _ in 0..BURST {
            match rng.u32(..1000) {
                0..8 => {
                    let text =
                        format!("long {} {} end", count("long"), "x".repeat(rng.usize(PIECE..3 * PIECE)));
                    let pieces: Vec<&[u8]> = text.as_bytes().chunks(PIECE).collect();
                    let (last, first) = pieces.split_last().expect("there is text");
                    for piece in first {
                        put("stdout", "P", &String::from_utf8_lossy(piece));
                        // Another stream does not wait.
                        if rng.bool() {
                            put("stderr", "F", &format!("err {} end", count("err")));
                        }
                    }
                    put("stdout", "F", &String::from_utf8_lossy(last));
                }
                8..200 => put("stderr", "F", &format!("err {} end", count("err"))),
                200..300 => put("stdout", "F", "nothing that is wanted"),
                _ => put("stdout", "F", &format!("out {} end", count("out"))),
            }
        }
        pause(PAUSE);
    }
    if tears {
        put("stdout", "P", &format!("torn {}", count("torn")));
    }
}

/// What a kubelet does: what was rotated before is compressed, what is too old goes, the newest gets another name, and the
/// runtime is asked to look again. Returns how often.
fn rotate(container: &Container) -> u64 {
    let mut rotations = 0;
    let mut next = Instant::now() + ROTATION;
    while !container.over.load(Ordering::Relaxed) {
        pause(Duration::from_millis(10));
        if Instant::now() < next {
            continue;
        }
        next += ROTATION;
        let mut rotated = container.kubelet.lock().expect("nobody panics with it");
        for path in rotated.iter_mut().filter(|path| path.extension().is_none_or(|end| end != "gz")) {
            let (from, to) = (path.display(), format!("{}.gz", path.display()));
            let script = format!("gzip -c '{from}' > '{to}.tmp' && mv '{to}.tmp' '{to}' && rm '{from}'");
            let status = Command::new("sh").args(["-c", &script]).status().expect("gzip is there");
            assert!(status.success());
            *path = to.into();
        }
        while rotated.len() >= KEPT {
            if let Some(oldest) = rotated.pop_front() {
                fs::remove_file(oldest).expect("it was rotated");
            }
        }
        let time = jiff::Zoned::now().strftime("%Y%m%d-%H%M%S").to_string();
        let name = PathBuf::from(format!("{}.{time}", container.log.display()));
        fs::rename(&container.log, &name).expect("a log");
        rotated.push_back(name);
        pause(REOPENED);
        container.reopen.store(true, Ordering::Release);
        rotations += 1;
    }
    rotations
}
