#!/usr/bin/env python3
"""Measures breakwater beside its floors and peers, all in one run, since machines are noisy: medians and ratios count.

usage: bench.py BUILD_DIR CACHE_DIR [--only warm|cold|memory|evaluation] [--rounds N]

warm    CPU per admission (user + system of the server process) for bodies of 4 and 40 KiB, beside a bare H2O handler
        and a Go net/http webhook that decodes the same fields
cold    wall and CPU of `breakwater analyze` on one large gzip layer, beside `igzip -dc`, ISA-L and zlib inflating it
memory  resident memory idle, after the warm load, and at the peak of the analysis
evaluation
        CPU of one evaluation and of loading bundles, what ten times as much of each part costs, and resident memory over
        a million evaluations, each beside its limit
"""
import gzip
import hashlib
import json
import os
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BUILD, CACHE = sys.argv[1], sys.argv[2]
ONLY = sys.argv[sys.argv.index("--only") + 1] if "--only" in sys.argv else "warm cold memory evaluation"
ROUNDS = int(sys.argv[sys.argv.index("--rounds") + 1]) if "--rounds" in sys.argv else 5
TICK = os.sysconf("SC_CLK_TCK")
WORK = tempfile.mkdtemp(prefix="breakwater-bench-")
CHILDREN = []


def say(*words):
    print(*words, flush=True)


def cpu_of(pid):
    with open(f"/proc/{pid}/stat") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICK


def rss_of(pid, key="VmRSS"):
    with open(f"/proc/{pid}/status") as f:
        return int(re.search(key + r":\s+(\d+)", f.read()).group(1)) / 1024


def start(command, **options):
    process = subprocess.Popen(command, **options)
    CHILDREN.append(process)
    return process


# ---- images: an OCI layout with one layer, served by a small registry of our own ----

def blob(folder, data):
    digest = hashlib.sha256(data).hexdigest()
    with open(f"{folder}/blobs/sha256/{digest}", "wb") as f:
        f.write(data)
    return digest, len(data)


def layout(folder, layer_path, diff_id, tag="latest"):
    os.makedirs(f"{folder}/blobs/sha256", exist_ok=True)
    digest = hashlib.sha256()
    size = 0
    with open(layer_path, "rb") as f:
        for piece in iter(lambda: f.read(1 << 20), b""):
            digest.update(piece)
            size += len(piece)
    target = f"{folder}/blobs/sha256/{digest.hexdigest()}"
    if not os.path.exists(target):
        os.link(layer_path, target)
    config = {"architecture": "amd64", "os": "linux", "config": {"User": "app"},
              "rootfs": {"type": "layers", "diff_ids": ["sha256:" + diff_id]},
              "history": [{"created_by": "/bin/sh -c #(nop) ADD file:x in / "}]}
    c, n = blob(folder, json.dumps(config).encode())
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": "sha256:" + c, "size": n},
                "layers": [{"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
                            "digest": "sha256:" + digest.hexdigest(), "size": size}]}
    m, n = blob(folder, json.dumps(manifest).encode())
    with open(f"{folder}/index.json", "w") as f:
        json.dump({"schemaVersion": 2, "manifests": [{"mediaType": manifest["mediaType"], "digest": "sha256:" + m, "size": n,
                   "annotations": {"org.opencontainers.image.ref.name": tag}}]}, f)
    with open(f"{folder}/oci-layout", "w") as f:
        f.write('{"imageLayoutVersion":"1.0.0"}')
    return "sha256:" + m


def serve_layout(folder):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_):
            pass

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            name = self.path.rsplit("/", 1)[1]
            if not name.startswith("sha256:"):
                with open(f"{folder}/index.json") as f:
                    name = json.load(f)["manifests"][0]["digest"]
            path = f"{folder}/blobs/sha256/{name[7:]}"
            if not os.path.exists(path):
                self.send_response(404)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            kind = "application/vnd.oci.image.manifest.v1+json" if "/manifests/" in self.path else "application/octet-stream"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Docker-Content-Digest", name)
            self.send_header("Content-Length", str(os.path.getsize(path)))
            self.end_headers()
            if self.command == "GET":
                with open(path, "rb") as f:
                    shutil.copyfileobj(f, self.wfile, 1 << 20)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


# ---- warm ----

def review(image, size):
    containers = 1 if size < 8192 else 6
    pod = {"apiVersion": "v1", "kind": "Pod",
           "metadata": {"name": "web", "namespace": "default", "labels": {"app": "web"}, "managedFields": []},
           "spec": {"containers": [{"name": f"c{i}", "image": image, "resources": {},
                                    "terminationMessagePath": "/dev/termination-log", "imagePullPolicy": "Always"}
                                   for i in range(containers)]}}
    body = {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {"uid": "0df28fbd-5f5f-11e8-bc74-36e6bb280816", "kind": {"group": "", "version": "v1", "kind": "Pod"},
                        "resource": {"group": "", "version": "v1", "resource": "pods"}, "name": "web", "namespace": "default",
                        "operation": "CREATE", "userInfo": {"username": "kubernetes-admin", "groups": ["system:authenticated"]},
                        "object": pod, "oldObject": None, "dryRun": False, "options": None}}
    i = 0
    while len(json.dumps(body, separators=(",", ":"))) < size - 200:
        pod["metadata"]["managedFields"].append({"manager": f"m{i}", "operation": "Update", "apiVersion": "v1",
                                                 "fieldsV1": {"f:spec": {f"f:field{i}": {}, "k:{\"name\":\"web\"}": {".": {}}}}})
        i += 1
    return json.dumps(body, separators=(",", ":"))


def wrk(port, path, body, seconds):
    script = f"{WORK}/post.lua"
    with open(f"{WORK}/body.json", "w") as f:
        f.write(body)
    with open(script, "w") as f:
        f.write(f'local f = io.open("{WORK}/body.json"); wrk.method = "POST"; wrk.body = f:read("*a")\n'
                'wrk.headers["Content-Type"] = "application/json"\n'
                'done = function(s) print("N=" .. s.requests .. " E=" .. s.errors.status + s.errors.read + s.errors.timeout) end\n')
    text = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", "-c8", f"-d{seconds}s", "-s", script, f"https://127.0.0.1:{port}{path}"],
                          capture_output=True, text=True, check=True).stdout
    found = re.search(r"N=(\d+) E=(\d+)", text)
    if found is None or int(found.group(2)) or int(found.group(1)) == 0:
        sys.exit("load generator failed: " + text)
    return int(found.group(1))


def warm():
    binary = f"{BUILD}/breakwater"
    subprocess.run([binary, "certs", "--out", f"{WORK}/certs", "--dns", "localhost", "--ip", "127.0.0.1"], check=True,
                   stdout=subprocess.DEVNULL)
    cert, key = f"{WORK}/certs/tls.crt", f"{WORK}/certs/tls.key"
    small = f"{WORK}/small"
    os.makedirs(small)
    data = b"\0" * 10240
    with open(f"{WORK}/small.gz", "wb") as f:
        f.write(gzip.compress(data))
    layout(small, f"{WORK}/small.gz", hashlib.sha256(data).hexdigest())
    registry = serve_layout(small)
    os.makedirs(f"{WORK}/bundles")
    with open(f"{WORK}/bundles/bench.json", "w") as f:
        json.dump({"id": "bench", "version": "1_0", "name": "bench",
                   "policies": [{"id": "p", "version": "1_0", "name": "p", "rules": [
                       {"id": "r", "gate": "dockerfile", "trigger": "effective_user", "action": "STOP",
                        "params": [{"name": "users", "value": "root"}, {"name": "type", "value": "blacklist"}]}]}],
                   "mappings": [{"id": "m", "name": "m", "registry": "*", "repository": "*", "image": {"type": "tag", "value": "*"},
                                 "policy_ids": ["p"], "whitelist_ids": []}]}, f)
    with open(f"{WORK}/config.yaml", "w") as f:
        f.write("server: {listen: '127.0.0.1:0', healthListen: '127.0.0.1:0', metricsListen: '127.0.0.1:0', eventLoops: 1}\n"
                f"tls: {{certFile: {cert}, keyFile: {key}}}\n"
                f"bundles: {{dir: {WORK}/bundles}}\n"
                "log: {level: warn}\n"
                "registry:\n  allowAddresses: ['127.0.0.0/8']\n  tagTTL: 1h\n"
                f"  hosts: {{'127.0.0.1:{registry}': {{plainHTTP: true}}}}\n")
    log = open(f"{WORK}/serve.log", "w+")
    ours = start([binary, "serve", "--config", f"{WORK}/config.yaml", "--log-level", "info"], stderr=log)
    port = None
    for _ in range(100):
        with open(f"{WORK}/serve.log") as f:
            found = re.search(r'"(?:address|listen)":"127\.0\.0\.1:(\d+)"', f.read())
        if found:
            port = int(found.group(1))
            break
        time.sleep(0.1)
    if port is None:
        sys.exit("breakwater serve did not start:\n" + open(f"{WORK}/serve.log").read())
    idle = rss_of(ours.pid)
    image = f"127.0.0.1:{registry}/bench:latest"
    answer = {}
    for _ in range(20):
        answer = json.loads(subprocess.run(
            ["curl", "-sk", "-H", "Content-Type: application/json", "--data-binary", review(image, 1000),
             f"https://127.0.0.1:{port}/validate?timeout=10s"], capture_output=True, text=True, check=True).stdout)
        if answer["response"]["allowed"]:
            break
        time.sleep(0.5)
    if not answer["response"]["allowed"]:
        sys.exit("the warm image is not admitted: " + json.dumps(answer))
    bare = start([f"{BUILD}/tests/bench/bench_h2o", cert, key], stdout=subprocess.PIPE, text=True)
    servers = [("breakwater", ours, port, "/validate?timeout=10s"), ("bare H2O", bare, int(bare.stdout.readline()), "/")]
    if shutil.which("go"):
        subprocess.run(["go", "build", "-o", f"{WORK}/webhook", "."], cwd=os.path.join(os.path.dirname(os.path.abspath(__file__)), "go"),
                       check=True)
        peer = start([f"{WORK}/webhook", cert, key], stdout=subprocess.PIPE, text=True)
        servers.append(("Go net/http", peer, int(peer.stdout.readline()), "/validate"))
    else:
        say("(no Go here: the Go peer is left out)")
    for name, process, _, _ in servers:
        os.sched_setaffinity(process.pid, {0})
    for size in (4096, 40960):
        body = review(image, size)
        took = {name: [] for name, *_ in servers}
        for _ in range(ROUNDS):
            for name, process, at, path in servers:
                before = cpu_of(process.pid)
                done = wrk(at, path, body, 2)
                took[name].append((cpu_of(process.pid) - before) / done * 1e6)
        say(f"warm admission, body of {len(body)} bytes, CPU per request (median of {ROUNDS}, min-max)")
        floor = statistics.median(took["bare H2O"])
        for name in took:
            values = took[name]
            say(f"  {name:<12} {statistics.median(values):7.1f} us  ({min(values):.1f}-{max(values):.1f})  "
                f"{statistics.median(values) / floor:5.2f} x bare H2O")
    say(f"resident memory: idle {idle:.1f} MiB, after the warm load {rss_of(ours.pid):.1f} MiB (limit idle 20 MiB)")
    for _, process, *_ in servers:
        process.terminate()
    for _, process, *_ in servers:
        process.wait()


# ---- cold ----

PACKAGES = "gcc,git,php-cli,openjdk-17-jre-headless,python3-numpy,python3-requests,python3-yaml,busybox,golang-go,ruby-rack"


def big_layer():
    """A large realistic layer, made once: Debian with compilers and runtimes, gzip -6."""
    path = f"{CACHE}/bench-layer.tar.gz"
    if not os.path.exists(path):
        say("making the large layer (once, some minutes) ...")
        tar = f"{CACHE}/bench-layer.tar"
        subprocess.run(["mmdebstrap", "--variant=minbase", "--mode=root", f"--include={PACKAGES}", "bookworm", tar],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(tar, "rb") as f, open(path + ".part", "wb") as out:
            subprocess.run(["gzip", "-6", "-n"], stdin=f, stdout=out, check=True)
        digest = hashlib.sha256()
        with open(tar, "rb") as f:
            for piece in iter(lambda: f.read(1 << 20), b""):
                digest.update(piece)
        with open(path + ".diffid", "w") as f:
            f.write(f"{digest.hexdigest()} {os.path.getsize(tar)}")
        os.remove(tar)
        os.rename(path + ".part", path)
    with open(path + ".diffid") as f:
        diff_id, size = f.read().split()
    return path, diff_id, int(size)


def run(command):
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wall = time.monotonic() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed: {done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cold():
    path, diff_id, size = big_layer()
    folder = f"{CACHE}/bench-layout"
    layout(folder, path, diff_id)
    packed = os.path.getsize(path)
    say(f"cold analysis of one gzip layer: {packed / 1e6:.0f} MB packed, {size / 1e6:.0f} MB unpacked")
    commands = [("ISA-L inflate", [f"{BUILD}/tests/bench/bench_inflate", "isal", path]),
                ("breakwater", [f"{BUILD}/breakwater", "analyze", f"oci:{folder}"]),
                ("igzip -dc", ["igzip", "-dc", path]),
                ("zlib inflate", [f"{BUILD}/tests/bench/bench_inflate", "zlib", path])]
    commands = [(name, command) for name, command in commands if shutil.which(command[0])]
    took = {name: [] for name, _ in commands}
    for _ in range(ROUNDS):
        for name, command in commands:
            took[name].append(run(command))
    wall_floor = statistics.median(w for w, _ in took["ISA-L inflate"])
    cpu_floor = statistics.median(c for _, c in took["ISA-L inflate"])
    for name in took:
        wall = statistics.median(w for w, _ in took[name])
        cpu = statistics.median(c for _, c in took[name])
        say(f"  {name:<14} wall {wall:6.2f} s ({wall / wall_floor:4.2f} x ISA-L)   CPU {cpu:6.2f} s ({cpu / cpu_floor:4.2f} x)   "
            f"{size / 1e6 / wall:6.0f} MB/s unpacked")


def memory():
    path, diff_id, _ = big_layer()
    folder = f"{CACHE}/bench-layout"
    layout(folder, path, diff_id)
    process = start([f"{BUILD}/breakwater", "analyze", f"oci:{folder}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peak = 0.0
    while process.poll() is None:
        total = 0.0
        try:
            children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True, text=True).stdout.split()
            for pid in [str(process.pid)] + children:
                # shared pages once: proportional set size
                with open(f"/proc/{pid}/smaps_rollup") as f:
                    total += int(re.search(r"Pss:\s+(\d+)", f.read()).group(1)) / 1024
        except (OSError, AttributeError):
            pass
        peak = max(peak, total)
        time.sleep(0.02)
    say(f"memory at the peak of that analysis, both processes: {peak:.1f} MiB (limit 64 + 24 for the one layer in flight)")


# ---- evaluation ----

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "data", "golden")
LARGEST = "node-large"  # 990 packages, 14,000 files, 420 vulnerabilities
EVERY_RULE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "every-rule.json")
SOAK_LIMIT_KIB = 1024  # what the allocator may still take after its first thousand evaluations


def evaluate(bundle, *mode):
    text = subprocess.run([f"{BUILD}/tests/bench/bench_evaluate", GOLDEN, LARGEST, bundle, *mode], capture_output=True,
                          text=True, check=True).stdout
    return json.loads(text)


def row(what, value, unit, limit):
    say(f"  {what:<44} {value:9.3f} {unit:<5} limit {limit:7.2f} {unit:<5} {'ok' if value <= limit else 'OVER'}")


def evaluation():
    def medians(bundle):
        runs = [evaluate(bundle, "one", "1000") for _ in range(ROUNDS)]
        return {key: statistics.median(run[key] for run in runs) for key in runs[0]}

    every, default = medians(EVERY_RULE), medians("complete.anchore_default_bundle.0027")
    whitelist = medians("complete.large_whitelist.0000")
    scale = [evaluate(EVERY_RULE, "scale", "200") for _ in range(ROUNDS)]
    say(f"evaluation of the largest recorded image, CPU (median of {ROUNDS})")
    row("every rule", every["evaluate_ms"], "ms", 0.15)
    row("large whitelist", whitelist["evaluate_ms"], "ms", 2)
    row("loading the default bundle", default["load_ms"], "ms", 0.5)
    row("loading 10 MB", statistics.median(run["large"]["load_ms"] for run in scale), "ms", 1000)
    say(f"  (every rule with all ids and messages written, as the command line does: {every['with_words_ms']:.3f} ms; "
        f"{every['findings']:.0f} findings, {every['arena_bytes'] / 1024:.0f} KiB)")
    say(f"ten times as much, CPU as a ratio (median of {ROUNDS})")
    for part in ("rules", "packages", "whitelist_items", "mappings"):
        name = part.replace("_", " ")
        row(f"{name}: evaluating", statistics.median(run[part]["evaluate_ratio"] for run in scale), "x", 10)
        if part != "packages":
            row(f"{name}: loading", statistics.median(run[part]["load_ratio"] for run in scale), "x", 10)
    soak = evaluate(EVERY_RULE, "soak")
    say(f"memory over {soak['evaluations']} evaluations")
    row("resident memory grew by", soak["rss_after_kib"] - soak["rss_before_kib"], "KiB", SOAK_LIMIT_KIB)
    row("evaluations with other arena bytes", 0 if soak["same_arena_bytes"] else 1, "", 0)


def main():
    os.makedirs(CACHE, exist_ok=True)
    try:
        if "warm" in ONLY:
            warm()
        if "cold" in ONLY:
            cold()
        if "memory" in ONLY:
            memory()
        if "evaluation" in ONLY:
            evaluation()
    finally:
        for process in CHILDREN:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        shutil.rmtree(WORK, ignore_errors=True)


main()
