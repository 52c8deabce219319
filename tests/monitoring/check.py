#!/usr/bin/env python3
"""Holds deploy/monitoring against a tripline that runs: every name and label exists, every metric is shown.

    tests/monitoring/check.py [BINARY]

Needs python3-yaml. With Debian's `prometheus` the rules are checked and tested by promtool, and every query is asked of
a real Prometheus that scrapes this tripline; without it that is skipped, loudly.
"""

import copy
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
ALERTS = ROOT / "deploy/monitoring/alerts.yaml"
DASHBOARD = ROOT / "deploy/monitoring/dashboard.json"
TESTS = ROOT / "tests/monitoring/alerts.test.yaml"
# What Prometheus adds.
ADDED = {"job", "instance"}
NAME = re.compile(r"\b(?:tripline|process)_[a-z0-9_]+")
# A user who is not root reads nothing that is forbidden, and root everything.
NOBODY = 65534

CONFIG = """
state_dir = "state"
rules = ["rules.toml"]
[admin]
listen = "127.0.0.1:0"
[[source]]
name = "app"
files = ["app.log"]
start = "beginning"
[[source]]
name = "unreadable"
files = ["unreadable.log"]
[[sink]]
name = "out"
type = "stdout"
[[sink]]
name = "away"
type = "alertmanager"
urls = ["http://127.0.0.1:1"]
"""
RULES = """
[[rule]]
name = "boom"
source = "app"
match = 'boom (?<n>\\d+)'
by = ["n"]
max_keys = 2
"""

passed = failed = 0


def ok(what, faults):
    """One check: it holds if there are no faults."""
    global passed, failed
    faults = list(faults)
    if faults:
        failed += 1
        print(f"  FAIL  {what}")
        for fault in faults[:20]:
            print(f"        {fault}")
    else:
        passed += 1
        print(f"  ok    {what}")


class Tripline:
    """A tripline in a directory of its own, brought to where it shows every metric that there is."""

    def __init__(self, binary, work):
        self.work = Path(work)
        shutil.copy(binary, self.work / "tripline")
        (self.work / "tripline.toml").write_text(CONFIG)
        (self.work / "rules.toml").write_text(RULES)
        # More keys than there is room for.
        (self.work / "app.log").write_text("".join(f"boom {n}\n" for n in range(5)))
        (self.work / "unreadable.log").write_text("x\n")
        (self.work / "unreadable.log").chmod(0)
        how = {}
        if os.geteuid() == 0:
            for path in [self.work, *self.work.iterdir()]:
                os.chown(path, NOBODY, NOBODY)
            how = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
        self.log = self.work / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [self.work / "tripline", "run", "--config", "tripline.toml"],
                cwd=self.work, stdout=subprocess.DEVNULL, stderr=log, **how)
        self.address = self.wait("its address", self.find_address)
        self.wait("readiness", lambda: 'tripline_ready 1\n' in self.scrape())
        self.wait("the first lines", lambda: 'tripline_rule_overflow_total{rule="boom"} 3\n' in self.scrape())
        # Without its directory nothing can be committed, so that reading pauses and what is written waits; what is
        # cut away then is lost.
        shutil.rmtree(self.work / "state")
        with open(self.work / "app.log", "a") as app:
            app.write("boom 7\n")
        self.wait("an alert of its own", lambda: 'tripline_alerts{rule="tripline_store_failed"' in self.scrape())
        with open(self.work / "app.log", "a") as app:
            app.write("boom 8\n")
        self.wait("a file that is behind", lambda: "tripline_file_lag_seconds{" in self.scrape())

    def find_address(self):
        found = re.search(r" page address=(\S+)", self.log.read_text())
        return found and found[1]

    def wait(self, what, found):
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if value := found():
                return value
            if self.process.poll() is not None:
                break
            time.sleep(0.1)
        sys.exit(f"waited in vain for {what}:\n{self.log.read_text()}")

    def scrape(self):
        with urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10) as answer:
            return answer.read().decode()

    def stop(self):
        self.process.kill()
        self.process.wait()


def samples(text):
    """Of each name in OpenMetrics text the names of its labels."""
    found = {}
    for line in text.splitlines():
        if line.startswith("#"):
            continue
        name, labels = re.fullmatch(r"([a-z0-9_]+)(?:\{(.*)\})? \S+", line).groups()
        found.setdefault(name, set()).update(re.findall(r'([a-z_]+)="', labels or ""))
    return found


def documented():
    """The same of the table in docs/operations.md."""
    found = {}
    for line in (ROOT / "docs/operations.md").read_text().splitlines():
        if row := re.match(r"\| `((?:tripline|process)_[a-z0-9_]+)(?:\{([a-z_,]+)\})?` \|", line):
            found[row[1]] = set(row[2].split(",")) if row[2] else set()
    return found


def strange(query, known):
    """What in a query is no name, or no label of its name."""
    for name, matchers in re.findall(r"\b((?:tripline|process)_[a-z0-9_]+)(?:\{([^}]*)\})?", query):
        if name not in known:
            yield f"{name} does not exist: {query}"
            continue
        for label in re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)", re.sub(r'"[^"]*"', '""', matchers)):
            if label not in known[name] | ADDED:
                yield f"{name} has no label {label}: {query}"
    if names := [name for name in NAME.findall(query) if name in known]:
        there = set.union(*(known[name] for name in names)) | ADDED
        for group in re.findall(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)", query):
            for label in filter(None, map(str.strip, group.split(","))):
                if label not in there:
                    yield f"there is no label {label}: {query}"


def rules(alerts):
    return [rule for group in alerts["groups"] for rule in group["rules"]]


def faults_of_alerts(alerts, known):
    """What is wrong with the rules, as far as promtool does not say it."""
    names = [rule.get("alert") for rule in rules(alerts)]
    yield from (f"{name} is there twice" for name in set(names) if names.count(name) > 1)
    for rule in rules(alerts):
        name, query = rule["alert"], rule["expr"]
        yield from strange(query, known)
        if "job=" not in query:
            yield f"{name} asks for every job"
        if rule.get("labels", {}).get("severity") not in ("critical", "warning"):
            yield f"{name} has no severity"
        texts = rule.get("annotations", {})
        if set(texts) != {"summary", "description"}:
            yield f"{name} needs a summary and a description, and has {sorted(texts)}"
            continue
        by_increase = "increase(" in query or "absent(" in query or "resets(" in query
        if "for" not in rule and not by_increase:
            yield f"{name} is raised by a single scrape"
        # Labels that the result has: those of the names, less those that are summed up.
        lost = {label.strip() for group in re.findall(r"without \(([^)]*)\)", query) for label in group.split(",")}
        there = set().union(*(known.get(n, set()) for n in NAME.findall(query))) - lost | ADDED
        for label in re.findall(r"\$labels\.([a-z_]+)", " ".join(texts.values())):
            if label not in there:
                yield f"{name} tells of a label {label} that it does not have"


def every_panel(dashboard):
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", [])


def queries(dashboard):
    """Panel and query of everything that is asked."""
    for panel in every_panel(dashboard):
        for target in panel.get("targets", []):
            yield panel, target


def faults_of_dashboard(dashboard, known):
    """What Grafana would show as an error, or nobody would see."""
    ids = [panel["id"] for panel in every_panel(dashboard)]
    if len(ids) != len(set(ids)):
        yield "two panels have one id"
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    if "datasource" not in variables:
        yield "the data source can not be chosen"
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield from strange(variable["query"]["query"].replace("label_values", ""), known)
    used = set(re.findall(r"\$\{?([a-z]\w*)", json.dumps(dashboard["panels"])))
    yield from (f"there is no variable ${name}" for name in used - variables)
    yield from (f"nothing uses ${name}" for name in variables - used)
    cells = {}
    for panel in every_panel(dashboard):
        title = panel.get("title")
        if not title:
            yield f"panel {panel['id']} has no title"
        at = panel["gridPos"]
        if at["x"] + at["w"] > 24:
            yield f"{title} is too wide"
        for cell in [(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])]:
            if other := cells.get(cell):
                yield f"{title} lies on {other}"
                break
            cells[cell] = title
        if panel["type"] == "row":
            continue
        if panel.get("datasource", {}).get("uid") != "${datasource}":
            yield f"{title} has a data source of its own"
        if not panel.get("targets"):
            yield f"{title} asks nothing"
    for panel, target in queries(dashboard):
        query = target["expr"]
        yield from strange(query, known)
        if '$instance"' not in query or '$job"' not in query:
            yield f"{panel['title']} does not go by job and instance: {query}"
        if (counter := re.search(r"tripline_\w+_total", query)) and not re.search(r"\b(rate|increase)\(", query):
            yield f"{panel['title']} shows {counter[0]} since the start"
    shown = set(NAME.findall(json.dumps(dashboard["panels"])))
    yield from (f"{name} is nowhere" for name in sorted(set(known) - shown))


def plain(query):
    """A query of a panel, as Grafana would ask it."""
    query = query.replace("$__rate_interval", "10s").replace("$__all", ".*")
    return re.sub(r"\$\{?(job|instance)\}?", ".*", query)


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def ask(port, query):
    url = f"http://127.0.0.1:{port}/api/v1/query?" + urllib.parse.urlencode({"query": query})
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        return json.load(error)


def prometheus(tripline, alerts, dashboard):
    """Every query is asked of a Prometheus that scrapes this tripline."""
    with tempfile.TemporaryDirectory() as work:
        port = free_port()
        shutil.copy(ALERTS, work)
        Path(work, "prometheus.yml").write_text(yaml.safe_dump({
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "rule_files": ["alerts.yaml"],
            "scrape_configs": [{"job_name": "tripline", "static_configs": [{"targets": [tripline.address]}]}],
        }))
        with open(Path(work, "log"), "w+") as log:
            process = subprocess.Popen(
                ["prometheus", "--config.file=prometheus.yml", f"--web.listen-address=127.0.0.1:{port}",
                 "--storage.tsdb.path=data", "--log.level=warn"], cwd=work, stdout=log, stderr=log)
            try:
                def scraped():
                    try:
                        found = ask(port, "count_over_time(tripline_ready[1m]) >= 6")
                        return found["data"]["result"]
                    except OSError:
                        return None
                end = time.monotonic() + 60
                while not (there := scraped()) and time.monotonic() < end and process.poll() is None:
                    time.sleep(0.5)
                ok("Prometheus takes what tripline shows", [] if there else [Path(work, "log").read_text()])
                answers = [(panel, ask(port, plain(target["expr"]))) for panel, target in queries(dashboard)]
                ok("every query of the dashboard is answered",
                   (f"{panel['title']}: {answer.get('error')}" for panel, answer in answers
                    if answer["status"] != "success"))
                empty = {}
                for panel, answer in answers:
                    empty[panel["title"]] = empty.get(panel["title"], True) and not answer.get("data", {}).get("result")
                # This tripline does nothing of what these are about.
                quiet = {"Lost bytes", "Cut and lost files", "Lines that are not as they should be",
                         "Fit, and did not count", "Not told"}
                ok("every other panel has something to show",
                   (title for title, is_empty in empty.items() if is_empty and title not in quiet))
                ok("every rule is evaluated", (
                    f"{rule['name']}: {rule['lastError']}"
                    for group in rule_state(port) for rule in group["rules"] if rule.get("lastError")))
                # It can not commit, one source can not be read, one sink is away, one rule has too many keys.
                wanted = {"TriplineCommitsFailing", "TriplineProblems", "TriplineSourceBlind", "TriplineSinkFailing"}

                def raised():
                    return {rule["name"] for group in rule_state(port) for rule in group["rules"]
                            if rule["state"] != "inactive"}
                # A counter has to rise between two looks of Prometheus, and a sink that is away is tried ever more seldom.
                end = time.monotonic() + 60
                while not wanted <= (active := raised()) and time.monotonic() < end:
                    time.sleep(0.5)
                ok("what is wrong with this tripline is pending or raised", wanted - active)
                ok("and nothing that is well", active & {"TriplineDown", "TriplineAbsent", "TriplineStalled",
                                                         "TriplineNotReady", "TriplineReloadFailed"})
            finally:
                process.terminate()
                process.wait()


def rule_state(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10) as answer:
        return json.load(answer)["data"]["groups"]


def promtool(*words):
    done = subprocess.run(["promtool", *words], capture_output=True, text=True)
    return [] if done.returncode == 0 else [done.stdout + done.stderr]


def changed(document, change):
    document = copy.deepcopy(document)
    change(document)
    return document


def main():
    binary = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/tripline")
    alerts = yaml.safe_load(ALERTS.read_text())
    dashboard = json.loads(DASHBOARD.read_text())
    with tempfile.TemporaryDirectory() as work:
        os.chmod(work, 0o755)
        tripline = Tripline(binary, work)
        try:
            live, pages = samples(tripline.scrape()), documented()
            ok("docs/operations.md has every metric that is there", (name for name in live if name not in pages))
            ok("and no other", (name for name in pages if name not in live))
            ok("with the labels that it has", (
                f"{name}: {sorted(pages[name])}, and there is {sorted(live[name])}" for name in live
                # The version is a label because OpenMetrics wants it there.
                if name in pages and name != "tripline_build_info" and pages[name] != live[name]))
            ok("alerts.yaml", faults_of_alerts(alerts, live))
            ok("dashboard.json", faults_of_dashboard(dashboard, live))
            # The checks themselves: what is wrong must be seen.
            for what, faults in {
                "a name that does not exist": faults_of_alerts(
                    changed(alerts, lambda a: rules(a)[2].update(expr='tripline_core_age{job="tripline"} > 1')), live),
                "a counter without its _total": faults_of_dashboard(
                    changed(dashboard, lambda d: next(queries(d))[1].update(
                        expr='rate(tripline_commits{job=~"$job",instance=~"$instance"}[1m])')), live),
                "a label that does not exist": faults_of_alerts(
                    changed(alerts, lambda a: rules(a)[0].update(
                        expr='tripline_ready{job="tripline",source="x"} == 0')), live),
                "a text about a label that is not there": faults_of_alerts(
                    changed(alerts, lambda a: rules(a)[0]["annotations"].update(summary="{{ $labels.sink }}")), live),
                "a rule that waits for nothing": faults_of_alerts(
                    changed(alerts, lambda a: rules(a)[0].pop("for")), live),
                "a panel on another": faults_of_dashboard(
                    changed(dashboard, lambda d: d["panels"][2].update(gridPos=d["panels"][1]["gridPos"])), live),
                "a metric that is nowhere": faults_of_dashboard(
                    changed(dashboard, lambda d: d["panels"].pop()), live),
            }.items():
                ok(f"{what} is noticed", [] if list(faults) else ["it is not"])
            if shutil.which("promtool"):
                ok("promtool check rules", promtool("check", "rules", str(ALERTS)))
                ok("promtool test rules", promtool("test", "rules", str(TESTS)))
                tested = set(re.findall(r"Tripline\w+", TESTS.read_text()))
                ok("every alert has a test", {rule["alert"] for rule in rules(alerts)} - tested)
            else:
                print("  --    SKIPPED: promtool is not installed (apt-get install prometheus)")
            if shutil.which("prometheus"):
                prometheus(tripline, alerts, dashboard)
            else:
                print("  --    SKIPPED: prometheus is not installed")
        finally:
            tripline.stop()
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
