#!/usr/bin/env python3
"""Holds deploy/*.yaml against the Kubernetes API, and against what a careful reader would ask of them. No cluster.

    tests/manifests.py [BINARY]

Needs python3-yaml and python3-jsonschema. BINARY checks the configurations that stand in the manifests; without it that
is skipped, loudly.

The schema knows the kinds and fields that are used, as the API reference of Kubernetes 1.29 has them, and nothing else:
a field that is new here is to be looked up and added.
"""

import copy
import json
import re
import subprocess
import sys
import tempfile
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[1]
# What may deviate from the restricted profile of the Pod Security Standards, and why. An entry that nothing needs is a
# fault as well.
DEVIATIONS = {
    # It reads the logs of all pods of a node, and what was read must outlast it; both are said in the file.
    ("DaemonSet", "tripline", "tripline"): {"runAsNonRoot", "runAsUser 0", "hostPath"},
}
# What hostPath volumes may be written to.
WRITABLE = {"/var/lib/tripline"}
# `stop_budget` of tripline, unless the configuration says another.
STOP_BUDGET = 25


# The schema.

def obj(required=(), **fields):
    return {"type": "object", "additionalProperties": False, "required": list(required), "properties": fields,
            "minProperties": 1}


def array(items):
    return {"type": "array", "items": items, "minItems": 1}


def text(pattern=None, **more):
    return {"type": "string", "minLength": 1, **({"pattern": f"^(?:{pattern})$"} if pattern else {}), **more}


def number(least, most):
    return {"type": "integer", "minimum": least, "maximum": most}


def words(*values):
    return {"type": "string", "enum": list(values)}


BOOL = {"type": "boolean"}
LABEL_KEY = r"(?:[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
LABEL_VALUE = r"(?:[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?"
DNS_LABEL = text(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", maxLength=63)
PORT_NAME = text(r"[a-z0-9]([-a-z0-9]{0,13}[a-z0-9])?")
DNS_NAME = text(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", maxLength=253)
ENV_NAME = text(r"[A-Za-z_][A-Za-z0-9_]*")
KEY = text(r"[-._a-zA-Z0-9]+", maxLength=253)
PATH = text(r"/[^:]*")
QUANTITY = text(r"[0-9]+(\.[0-9]+)?(m|k|Ki|M|Mi|G|Gi)?")


def map_of(values, key=LABEL_KEY):
    return {"type": "object", "additionalProperties": False, "patternProperties": {f"^{key}$": values}}


LABELS = map_of({"type": "string", "pattern": f"^{LABEL_VALUE}$"})
METADATA = obj(["name"], name=DNS_NAME, namespace=DNS_LABEL, labels=LABELS, annotations=map_of({"type": "string"}))
PERCENT_OR_NUMBER = {"anyOf": [{"type": "integer", "minimum": 0}, text(r"[0-9]+%")]}

ENV = {**obj(["name"], name=ENV_NAME, value={"type": "string"}, valueFrom=obj(
    fieldRef=obj(["fieldPath"], fieldPath=words("metadata.name", "metadata.namespace", "spec.nodeName")),
    secretKeyRef=obj(["name", "key"], name=DNS_NAME, key=KEY, optional=BOOL),
))}
PROBE = obj(
    ["httpGet", "periodSeconds", "failureThreshold"],
    httpGet=obj(["path", "port"], path=PATH, port={"anyOf": [PORT_NAME, number(1, 65535)]}),
    initialDelaySeconds=number(0, 3600), periodSeconds=number(1, 3600), timeoutSeconds=number(1, 60),
    failureThreshold=number(1, 1000), successThreshold=number(1, 10),
)
RESOURCES = obj(
    requests=obj(cpu=QUANTITY, memory=QUANTITY),
    limits=obj(cpu=QUANTITY, memory=QUANTITY),
)
SECURITY = obj(
    runAsUser=number(0, 2**31 - 1), runAsGroup=number(0, 2**31 - 1), runAsNonRoot=BOOL,
    readOnlyRootFilesystem=BOOL, allowPrivilegeEscalation=BOOL,
    capabilities=obj(drop=array(words("ALL")), add=array(text(r"[A-Z_]+"))),
    seccompProfile=obj(["type"], type=words("RuntimeDefault")),
)
CONTAINER = dict(
    name=DNS_LABEL, image=text(r"[a-z0-9./_-]+(:[\w.-]+)?(@sha256:[0-9a-f]{64})?"),
    imagePullPolicy=words("Always", "IfNotPresent", "Never"),
    command=array({"type": "string"}), args=array({"type": "string"}),
    env=array(ENV),
    ports=array(obj(["name", "containerPort"], name=PORT_NAME, containerPort=number(1, 65535),
                    protocol=words("TCP", "UDP"))),
    startupProbe=PROBE, readinessProbe=PROBE, livenessProbe=PROBE,
    resources=RESOURCES, securityContext=SECURITY,
    volumeMounts=array(obj(["name", "mountPath"], name=DNS_LABEL, mountPath=PATH, readOnly=BOOL)),
)
# Only an init container may say `restartPolicy`, which makes it a sidecar.
INIT_CONTAINER = obj(["name", "image"], restartPolicy=words("Always"), **CONTAINER)
VOLUME = {**obj(
    ["name"], name=DNS_LABEL,
    emptyDir=obj(["sizeLimit"], sizeLimit=QUANTITY),
    configMap=obj(["name"], name=DNS_NAME, defaultMode=number(0, 0o777)),
    secret=obj(["secretName"], secretName=DNS_NAME, defaultMode=number(0, 0o777)),
    hostPath=obj(["path", "type"], path=PATH, type=words("Directory", "DirectoryOrCreate")),
), "minProperties": 2, "maxProperties": 2}
POD_SPEC = obj(
    ["containers", "terminationGracePeriodSeconds", "automountServiceAccountToken"],
    automountServiceAccountToken={"const": False}, enableServiceLinks=BOOL, priorityClassName=DNS_NAME,
    nodeSelector=LABELS, terminationGracePeriodSeconds=number(0, 3600),
    tolerations=array(obj(operator=words("Exists", "Equal"), key=text(LABEL_KEY), value=text(LABEL_VALUE),
                          effect=words("NoSchedule", "PreferNoSchedule", "NoExecute"))),
    initContainers=array(INIT_CONTAINER), containers=array(obj(["name", "image"], **CONTAINER)), volumes=array(VOLUME),
)
KINDS = {
    "ConfigMap": obj(["apiVersion", "kind", "metadata", "data"], apiVersion={"const": "v1"},
                     kind={"const": "ConfigMap"}, metadata=METADATA,
                     data=map_of({"type": "string"}, KEY["pattern"][1:-1])),
    "Pod": obj(["apiVersion", "kind", "metadata", "spec"], apiVersion={"const": "v1"},
               kind={"const": "Pod"}, metadata=METADATA, spec=POD_SPEC),
    "DaemonSet": obj(["apiVersion", "kind", "metadata", "spec"], apiVersion={"const": "apps/v1"},
                     kind={"const": "DaemonSet"}, metadata=METADATA, spec=obj(
        ["selector", "template", "updateStrategy"],
        selector=obj(["matchLabels"], matchLabels={**LABELS, "minProperties": 1}),
        updateStrategy=obj(["type"], type=words("RollingUpdate", "OnDelete"), rollingUpdate=obj(
            maxUnavailable=PERCENT_OR_NUMBER, maxSurge=PERCENT_OR_NUMBER)),
        template=obj(["metadata", "spec"], metadata=obj(["labels"], labels=LABELS,
                                                        annotations=map_of({"type": "string"})), spec=POD_SPEC),
    )),
}
# Below these the author chooses the keys, so a schema can not know them.
FREE = {"data", "labels", "annotations", "matchLabels", "nodeSelector"}


class Loader(yaml.SafeLoader):
    """As YAML wants it: the same key twice is an error, and not the last one that counts."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=deep) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"`{key}` is there twice", node.start_mark)
        return super().construct_mapping(node, deep)


def load(source):
    return [document for document in yaml.load_all(source, Loader) if document is not None]


def against_schema(documents):
    for document in documents:
        kind = document.get("kind") if isinstance(document, dict) else None
        if kind not in KINDS:
            yield f"kind {kind!r} is not known here"
            continue
        for error in jsonschema.Draft202012Validator(KINDS[kind]).iter_errors(document):
            yield f"{kind} {'.'.join(map(str, error.absolute_path))}: {error.message}"


# What a reader would ask.

def pods(documents):
    """Kind, metadata and pod spec of what runs."""
    for document in documents:
        if document["kind"] == "Pod":
            yield document, document["metadata"], document["spec"]
        elif document["kind"] == "DaemonSet":
            yield document, document["spec"]["template"]["metadata"], document["spec"]["template"]["spec"]


def containers(spec):
    return spec.get("initContainers", []) + spec["containers"]


def is_tripline(container):
    return container["image"].split("@")[0].split(":")[0].split("/")[-1] == "tripline"


def below(path, directory):
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def mount_of(container, path):
    """The innermost mount that a path lies on."""
    mounts = [mount for mount in container.get("volumeMounts", []) if below(path, mount["mountPath"])]
    return max(mounts, key=lambda mount: len(mount["mountPath"]), default=None)


def restricted(spec, container):
    """How a container deviates from the restricted profile."""
    security = container.get("securityContext", {})
    if security.get("runAsNonRoot") is not True:
        yield "runAsNonRoot"
    if security.get("runAsUser") == 0:
        yield "runAsUser 0"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "allowPrivilegeEscalation"
    if security.get("capabilities", {}).get("drop") != ["ALL"]:
        yield "capabilities are not dropped"
    yield from (f"capability {name}" for name in security.get("capabilities", {}).get("add", []))
    if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        yield "seccompProfile"
    # Not of the profile, and as good.
    if security.get("readOnlyRootFilesystem") is not True:
        yield "readOnlyRootFilesystem"
    mounted = {mount["name"] for mount in container.get("volumeMounts", [])}
    if any("hostPath" in volume and volume["name"] in mounted for volume in spec.get("volumes", [])):
        yield "hostPath"


def against_reader(documents, source, version=None):
    maps = {document["metadata"]["name"]: document for document in documents if document["kind"] == "ConfigMap"}
    running = list(pods(documents))
    spaces = {document["metadata"].get("namespace") for document in documents}
    if len(spaces) > 1:
        yield f"the file is of several namespaces: {spaces}"
    used = set()
    for document, metadata, spec in running:
        kind, name = document["kind"], document["metadata"]["name"]
        if kind == "DaemonSet":
            yield from against_daemonset(document)
        all_names = [container["name"] for container in containers(spec)]
        yield from (f"{one} is the name of two containers" for one in set(all_names) if all_names.count(one) > 1)
        volumes = {volume["name"]: volume for volume in spec.get("volumes", [])}
        if len(volumes) != len(spec.get("volumes", [])):
            yield "two volumes have one name"
        mounted = {mount["name"] for container in containers(spec) for mount in container.get("volumeMounts", [])}
        yield from (f"volume {one} is not mounted" for one in set(volumes) - mounted)
        for volume in volumes.values():
            if (one := volume.get("configMap", {}).get("name")) is not None:
                used.add(one)
                if one not in maps:
                    yield f"there is no ConfigMap {one}"
            if "secret" in volume:
                one = volume["secret"]["secretName"]
                if f"create secret generic {one} " not in source:
                    yield f"nothing says how to make the Secret {one}"
                if volume["secret"].get("defaultMode", 0o644) & 0o037:
                    yield f"volume {volume['name']}: everybody in the container can read the keys"
        for container in containers(spec):
            where = f"{kind} {name}, {container['name']}"
            wanted = DEVIATIONS.get((kind, name, container["name"]), set())
            found = set(restricted(spec, container))
            yield from (f"{where}: {one}" for one in sorted(found - wanted))
            yield from (f"{where}: it need not be excepted from {one!r}" for one in sorted(wanted - found))
            yield from (f"{where}: {fault}" for fault in against_container(container, volumes, source))
            if is_tripline(container):
                yield from (f"{where}: {fault}"
                            for fault in against_tripline(document, spec, container, volumes, maps, version))
    yield from (f"ConfigMap {one} is used by nothing" for one in set(maps) - used)


def against_daemonset(document):
    spec = document["spec"]
    for key, value in spec["selector"]["matchLabels"].items():
        if spec["template"]["metadata"]["labels"].get(key) != value:
            yield f"the selector does not find its pods: {key}"
    strategy = spec["updateStrategy"]
    if any("hostPath" in volume and volume["hostPath"]["type"] == "DirectoryOrCreate"
           for volume in spec["template"]["spec"].get("volumes", [])):
        # Two processes of one state directory.
        if strategy.get("rollingUpdate", {}).get("maxSurge", 0) not in (0, "0%"):
            yield "maxSurge: the new pod would find the state directory taken"


def against_container(container, volumes, source):
    image, _, tag = container["image"].partition(":")
    if not tag or tag == "latest":
        yield f"image {image} has no version"
    ports = {port["name"]: port["containerPort"] for port in container.get("ports", [])}
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        if probe in container:
            get = container[probe]["httpGet"]
            if get["port"] not in ports:
                yield f"{probe} asks a port {get['port']!r} that is none of its names"
            if get["path"] not in ("/healthz", "/readyz"):
                yield f"{probe} asks for {get['path']}"
    if container.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/readyz":
        yield "livenessProbe: what is not ready yet would be killed"
    seen = set()
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in volumes:
            yield f"there is no volume {mount['name']}"
            continue
        if mount["mountPath"] in seen:
            yield f"{mount['mountPath']} is mounted twice"
        seen.add(mount["mountPath"])
        host = volumes[mount["name"]].get("hostPath")
        if host and not mount.get("readOnly") and host["path"] not in WRITABLE:
            yield f"{host['path']} of the node can be written"
    names = [variable["name"] for variable in container.get("env", [])]
    yield from (f"{one} is set twice" for one in set(names) if names.count(one) > 1)
    for variable in container.get("env", []):
        if ("value" in variable) == ("valueFrom" in variable):
            yield f"{variable['name']} needs either a value or where it is from"
        if secret := variable.get("valueFrom", {}).get("secretKeyRef"):
            if f"create secret generic {secret['name']} --from-literal={secret['key']}=" not in source:
                yield f"nothing says how to make the Secret {secret['name']} with {secret['key']}"


def against_tripline(document, spec, container, volumes, maps, version):
    tag = container["image"].partition(":")[2]
    if version and tag != version:
        yield f"image: the version is {version}, not {tag}"
    for probe in ("livenessProbe",) + (("readinessProbe",) if document["kind"] == "DaemonSet" else ("startupProbe",)):
        if probe not in container:
            yield f"{probe} is missing"
    resources = container.get("resources", {})
    for one in ("requests.cpu", "requests.memory", "limits.memory"):
        what, _, of = one.partition(".")
        if of not in resources.get(what, {}):
            yield f"resources.{one} is missing"
    args = container.get("args", [])
    if args[:2] != ["run", "--config"] or len(args) != 3:
        yield f"args: {args}"
        return
    mount = mount_of(container, args[2])
    config_map = maps.get(volumes.get(mount["name"], {}).get("configMap", {}).get("name")) if mount else None
    key = Path(args[2]).name
    if config_map is None or key not in config_map["data"] or mount["mountPath"] != str(Path(args[2]).parent):
        yield f"{args[2]} is in no ConfigMap that is mounted"
        return
    if not mount.get("readOnly"):
        yield f"{mount['mountPath']} need not be written"
    try:
        config = tomllib.loads(config_map["data"][key])
    except tomllib.TOMLDecodeError as error:
        yield f"{key}: {error}"
        return
    for glob in config.get("rules", []):
        if not any(fnmatch(name, glob) for name in config_map["data"]):
            yield f"{glob} fits no key of the ConfigMap"
    budget = config.get("stop_budget", f"{STOP_BUDGET}s")
    if spec["terminationGracePeriodSeconds"] <= int(budget.rstrip("s")):
        yield f"a stop takes up to {budget}, which is more than terminationGracePeriodSeconds"
    state = mount_of(container, config.get("state_dir", "/var/lib/tripline"))
    if state is None or state.get("readOnly"):
        yield "state_dir can not be written"
    elif document["kind"] == "DaemonSet" and "hostPath" not in volumes[state["name"]]:
        yield "state_dir goes with the pod"
    elif document["kind"] == "Pod" and "emptyDir" in volumes[state["name"]] and config.get("on_stop") != "resolve":
        yield "state_dir goes with the pod, and nobody would resolve what is open: on_stop"
    listen = config.get("admin", {}).get("listen", "127.0.0.1:7437")
    host, _, port = listen.rpartition(":")
    if int(port) not in [one["containerPort"] for one in container.get("ports", [])]:
        yield f"it listens on {listen}, which is no port of the container"
    if host not in ("0.0.0.0", "[::]"):
        yield f"probes can not reach {listen}"
    variables = {variable["name"] for variable in container.get("env", [])}
    name = {"DaemonSet": "NODE_NAME", "Pod": "POD_NAME"}[document["kind"]]
    if name not in variables and "scope" not in config:
        yield f"without {name} alerts of all of them have keys by the host's name"
    for place in config.get("source", []):
        for glob in place.get("files", []):
            mount = mount_of(container, glob)
            if mount is None or not mount.get("readOnly"):
                yield f"{glob} is on no read-only mount"
        if document["kind"] == "DaemonSet":
            # <namespace>_<pod>_<uid>/<container>/0.log, and this is what it would read of itself.
            own = "/var/log/pods/{}_{}-x7k2p_0-0-0-0-0/{}/0.log".format(
                document["metadata"].get("namespace", "default"), document["metadata"]["name"], container["name"])
            excluded = any(fnmatch(own, glob) for glob in place.get("exclude", []))
            if any(fnmatch(own, glob) for glob in place.get("files", [])) and not excluded:
                yield f"source {place['name']} reads what tripline itself says: {own}"
    for sink in config.get("sink", []):
        for key, value in sink.items():
            if key.endswith("_env") and value not in variables:
                yield f"sink {sink['name']}: the variable {value} is not set"
            if key.endswith("_file"):
                mount = mount_of(container, value)
                if mount is None or "secret" not in volumes.get(mount["name"], {}):
                    yield f"sink {sink['name']}: {value} is in no Secret that is mounted"


# What tripline says.

def against_binary(documents, binary):
    for document in documents:
        if document["kind"] != "ConfigMap" or "tripline.toml" not in document["data"]:
            continue
        with tempfile.TemporaryDirectory() as work:
            for name, content in document["data"].items():
                Path(work, name).write_text(content)
            command = [binary, "check", "--config", "tripline.toml"]
            done = subprocess.run(command, cwd=work, capture_output=True, text=True)
            if done.returncode != 0:
                yield f"ConfigMap {document['metadata']['name']}: {done.stdout}{done.stderr}"


# What a container runtime writes, and which alert comes of it: namespace, workload, container.
SAMPLE = {
    "shop_web-6d4b75cb6d-hx8pq_11111111-2222-3333-4444-555555555555/main": [
        "2026-01-05T10:00:00.1Z stderr F panic: runtime error: index out of range [3] with length 3",
        "2026-01-05T10:00:00.2Z stderr F goroutine 1 [running]:",
    ],
    "shop_db-0_11111111-2222-3333-4444-666666666666/java": [
        "2026-01-05T10:00:01.1Z stderr P Exception in thread \"main\" java.lang.OutOf",
        "2026-01-05T10:00:01.2Z stderr F MemoryError: Java heap space",
        "2026-01-05T10:00:02.1Z stdout F no panic: all is well",
    ],
}
SAMPLE_ALERTS = {("shop", "web", "main"), ("shop", "db", "java")}


def against_sample(documents, binary):
    """The rule of the DaemonSet raises what it is there for."""
    data = next(document["data"] for document in documents if document["kind"] == "ConfigMap")
    with tempfile.TemporaryDirectory() as work:
        Path(work, "rules.toml").write_text(data["rules.toml"])
        for place, lines in SAMPLE.items():
            Path(work, place).mkdir(parents=True)
            Path(work, place, "0.log").write_text("".join(f"{line}\n" for line in lines))
        done = subprocess.run([binary, "replay", "--json", "--rules", "rules.toml", "--envelope", "cri",
                               *(f"{place}/0.log" for place in SAMPLE)], cwd=work, capture_output=True, text=True)
        if done.returncode != 0:
            yield done.stderr
            return
        told = [json.loads(line) for line in done.stdout.splitlines()]
        raised = {tuple(one["labels"].get(name) for name in ("namespace", "workload", "container"))
                  for one in told if one["status"] == "warning"}
        if raised != SAMPLE_ALERTS:
            yield f"{sorted(raised)} was raised instead of {sorted(SAMPLE_ALERTS)}"


passed = failed = 0


def ok(what, faults):
    global passed, failed
    faults = list(faults)
    if faults:
        failed += 1
        print(f"  FAIL  {what}")
        for fault in faults:
            print(f"        {fault}")
    else:
        passed += 1
        print(f"  ok    {what}")


def keys(value, path=()):
    """Where keys stand that the API knows."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield path, key
            if key not in FREE:
                yield from keys(inner, path + (key,))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from keys(inner, path + (index,))


def at(value, path):
    for step in path:
        value = value[step]
    return value


def changed(documents, change):
    documents = copy.deepcopy(documents)
    change(documents)
    return documents


def unnoticed_typos(documents):
    """Each key of each document, written wrong."""
    for number, document in enumerate(documents):
        for path, key in keys(document):
            def write_wrong(all_documents, number=number, path=path, key=key):
                place = at(all_documents[number], path)
                place[key.swapcase()] = place.pop(key)
            if not list(against_schema(changed(documents, write_wrong))):
                yield f"{document['kind']} {'.'.join(map(str, path))}.{key}"


def mutants(documents):
    """Mistakes, and documents with each of them, as far as it can be made in these."""
    number = next(n for n, document in enumerate(documents) if document["kind"] in ("Pod", "DaemonSet"))
    settings = next(n for n, document in enumerate(documents) if document["kind"] == "ConfigMap")

    def spec(docs):
        return next(pods([docs[number]]))[2]

    def tripline(docs):
        return next(container for container in containers(spec(docs)) if is_tripline(container))

    def volume(docs, kind):
        return next(volume for volume in spec(docs)["volumes"] if kind in volume)

    def toml(docs, old, new):
        assert old in docs[settings]["data"]["tripline.toml"], old
        docs[settings]["data"]["tripline.toml"] = docs[settings]["data"]["tripline.toml"].replace(old, new)

    def security(docs, **fields):
        tripline(docs)["securityContext"].update(fields)

    yield "a kind that is not known", lambda d: d[number].update(kind="Deployment")
    yield "a token of a service account", lambda d: spec(d).update(automountServiceAccountToken=True)
    yield "no word about the token", lambda d: spec(d).pop("automountServiceAccountToken")
    yield "the network of the node", lambda d: spec(d).update(hostNetwork=True)
    yield "a privileged container", lambda d: security(d, privileged=True)
    yield "more privileges than at the start", lambda d: security(d, allowPrivilegeEscalation=True)
    yield "a capability", lambda d: tripline(d)["securityContext"]["capabilities"].update(add=["SYS_ADMIN"])
    yield "kept capabilities", lambda d: tripline(d)["securityContext"].pop("capabilities")
    yield "no seccomp", lambda d: tripline(d)["securityContext"].pop("seccompProfile")
    yield "a root file system that can be written", lambda d: security(d, readOnlyRootFilesystem=False)
    yield "a number as a text", lambda d: spec(d).update(terminationGracePeriodSeconds="40")
    yield "a text as a number", lambda d: tripline(d)["env"].append({"name": "A", "value": 1})
    yield "a memory that is none", lambda d: tripline(d)["resources"]["limits"].update(memory="128MB")
    yield "no bound of memory", lambda d: tripline(d)["resources"].pop("limits")
    yield "too little time to stop", lambda d: spec(d).update(terminationGracePeriodSeconds=20)
    yield "the latest image", lambda d: tripline(d).update(image="tripline:latest")
    yield "an image without a version", lambda d: tripline(d).update(image="tripline")
    yield "a probe of a port that is not there", lambda d: tripline(d)["livenessProbe"]["httpGet"].update(port="http")
    yield "a probe of another path", lambda d: tripline(d)["livenessProbe"]["httpGet"].update(path="/health")
    yield "a liveness by readiness", lambda d: tripline(d)["livenessProbe"]["httpGet"].update(path="/readyz")
    yield "no liveness", lambda d: tripline(d).pop("livenessProbe")
    yield "another port than it listens on", lambda d: tripline(d)["ports"][0].update(containerPort=8080)
    yield "a mount without a volume", lambda d: tripline(d)["volumeMounts"][0].update(name="nothing")
    yield "a volume without a mount", lambda d: spec(d)["volumes"].append(
        {"name": "more", "emptyDir": {"sizeLimit": "1Gi"}})
    yield "a volume of two kinds", lambda d: spec(d)["volumes"][0].update(
        emptyDir={"sizeLimit": "1Gi"}, hostPath={"path": "/tmp", "type": "Directory"})
    yield "a ConfigMap that is not there", lambda d: volume(d, "configMap")["configMap"].update(name="other")
    yield "a ConfigMap that nobody uses", lambda d: d.append(
        {**d[settings], "metadata": {**d[settings]["metadata"], "name": "x"}})
    yield "another namespace", lambda d: d[settings]["metadata"].update(namespace="elsewhere")
    yield "logs that can be written", lambda d: next(
        mount for mount in tripline(d)["volumeMounts"] if mount["name"] == "logs").pop("readOnly")
    yield "a configuration that is not mounted", lambda d: tripline(d).update(
        args=["run", "--config", "/etc/other/tripline.toml"])
    yield "a state that can not be written", lambda d: next(
        mount for mount in tripline(d)["volumeMounts"] if mount["name"] == "state").update(readOnly=True)
    yield "a state elsewhere", lambda d: toml(d, '"/var/lib/tripline"', '"/srv/state"')
    yield "logs that are not mounted", lambda d: toml(d, 'files    = ["/var/log' if d[number]["kind"] == "DaemonSet"
                                                     else 'files = ["/var/log', 'files = ["/srv')
    yield "a loopback that probes can not reach", lambda d: toml(d, "0.0.0.0", "127.0.0.1")
    yield "rules that are not there", lambda d: toml(d, '["rules.toml"]', '["rules/*.toml"]')
    yield "an alias that names nobody", lambda d: [
        one.update(name="OTHER") for one in tripline(d)["env"] if one["name"] in ("NODE_NAME", "POD_NAME")]
    if documents[number]["kind"] == "DaemonSet":
        yield "labels that the selector does not find", lambda d: (
            d[number]["spec"]["template"]["metadata"]["labels"].clear())
        yield "two of one state", lambda d: d[number]["spec"]["updateStrategy"]["rollingUpdate"].update(maxSurge=1)
        yield "no word about updates", lambda d: d[number]["spec"].pop("updateStrategy")
        yield "logs of its own", lambda d: toml(d, "tripline_tripline-*", "other_tripline-*")
        yield "another name, and so logs of its own", lambda d: d[number]["metadata"].update(name="watcher")
        yield "all logs of the node, to be written", lambda d: (
            volume(d, "hostPath")["hostPath"].update(path="/var/log"),
            next(mount for mount in tripline(d)["volumeMounts"] if mount["name"] == "logs").update(readOnly=False))
        yield "keys that everybody reads", lambda d: volume(d, "secret")["secret"].update(defaultMode=0o444)
        yield "a key that is not mounted", lambda d: toml(d, "/etc/tripline-keys/", "/etc/keys/")
        yield "a state that goes with the pod", lambda d: (
            volume(d, "hostPath"), [v.pop("hostPath") and v.update(emptyDir={"sizeLimit": "1Gi"})
                                    for v in spec(d)["volumes"] if v["name"] == "state"])
        yield "an exception that is not needed", lambda d: security(d, runAsUser=65532, runAsNonRoot=True)
    else:
        yield "root", lambda d: security(d, runAsUser=0)
        yield "whoever the image says", lambda d: security(d, runAsNonRoot=False)
        yield "a key that is not set", lambda d: tripline(d).update(
            env=[variable for variable in tripline(d)["env"] if variable["name"] != "FLASHDUTY_KEY"])
        yield "alerts that nobody resolves", lambda d: toml(d, 'on_stop   = "resolve"', "")


def main():
    binary = str(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "target/release/tripline").resolve())
    there = Path(binary).is_file()
    version = subprocess.check_output([binary, "--version"], text=True).split()[-1] if there else None
    files = sorted((ROOT / "deploy").glob("*.yaml"))
    if not files:
        sys.exit("there are no manifests")
    for file in files:
        print(file.relative_to(ROOT))
        source = file.read_text()
        try:
            documents = load(source)
        except yaml.YAMLError as error:
            ok("it is YAML", [error])
            continue
        faults = list(against_schema(documents))
        ok("the API knows it", faults)
        if faults:
            continue
        ok("a reader has nothing to say", against_reader(documents, source, version))
        if there:
            ok("tripline takes its configuration", against_binary(documents, binary))
            wrong = changed(documents, lambda d: [
                one["data"].update({"tripline.toml": one["data"]["tripline.toml"].replace("[[sink]]", "[[sinks]]")})
                for one in d if one["kind"] == "ConfigMap"])
            ok("and no other", [] if list(against_binary(wrong, binary)) else ["`[[sinks]]` is not noticed"])
        else:
            print(f"  --    SKIPPED: there is no {binary} to check the configuration with")
        # The checks themselves.
        ok("every key that is written wrong is noticed", unnoticed_typos(documents))
        ok("every mistake is noticed", (
            what for what, change in mutants(documents)
            if not list(against_schema(mutant := changed(documents, change)))
            and not list(against_reader(mutant, source, version))))
        ok("a key that is there twice is noticed", twice())
        if file.name == "daemonset.yaml" and there:
            ok("its rule raises what it is there for", against_sample(documents, binary))
    print(f"{passed} passed, {failed} failed")
    return 1 if failed else 0


def twice():
    try:
        load("a: 1\nb:\n  c: 1\n  c: 2\n")
        yield "it is not"
    except yaml.YAMLError:
        pass


if __name__ == "__main__":
    sys.exit(main())
