#!/usr/bin/python3
"""Real AdmissionReviews, sent to a webhook as the API server sends them.

The bodies are recordings of a Kubernetes 1.35 API server (tests/data/reviews) with other images put in.

admissions.py post  --url URL --ca FILE REVIEW CHANGE…   one review; prints the response as JSON
admissions.py run   --url URL --ca FILE --registry HOST --access-log FILE   the cases below, as a table
admissions.py run   --kubectl FILE --registry HOST --access-log FILE        the same through a real API server
admissions.py yaml  --registry HOST CASE     the manifest that a developer would apply

REVIEW is a file name of tests/data/reviews without .json. A CHANGE is image=REF (the first container), init=REF,
volume=REF, ephemeral=REF (where the recording has such), name=NAME, namespace=NAME, arch=ARCH, user=NAME, group=NAME,…, or a
dotted path in the review=JSON.
"""
import argparse, http.client, json, os, re, ssl, subprocess, sys, textwrap, time, urllib.parse, uuid

HERE = os.path.dirname(os.path.abspath(__file__))
REVIEWS = os.path.join(HERE, "../data/reviews")
WEBHOOK = "pods.breakwater.io"

# name, what it is, the recording, its images by place, and more; the first column is also the object's name
CASES = [
    ("shop-old", "Pod", "pod-create", {"image": "shop/web:1.4"}, {}),
    ("shop-new", "Pod", "pod-create", {"image": "shop/web:1.5"}, {}),
    ("shop-again", "Pod, an image seen before", "pod-create", {"image": "shop/web:1.5"}, {}),
    ("report", "Deployment, zstd layers", "deployment-create", {"image": "shop/report:2.0"}, {}),
    ("nightly", "CronJob, an index of two platforms", "cronjob-create", {"image": "shop/tool:3.1"}, {}),
    ("nightly-arm", "Pod for arm64 nodes, same image", "pod-create", {"image": "shop/tool:3.1"}, {"arch": "arm64"}),
    ("migrate", "Pod with an init container", "pod-create-sidecar-init",
     {"image": "shop/hello:1.0", "init": "public/debian:12"}, {}),
    ("debug", "kubectl debug: ephemeral container", "pod-ephemeralcontainers-kubectl-debug",
     {"image": "shop/web:1.5", "ephemeral": "shop/web:1.4"}, {}),
    ("settings", "Pod with an image volume", "pod-create-image-volume",
     {"image": "shop/hello:1.0", "volume": "shop/settings:1"}, {}),
    ("edge", "Pod, Alpine-style", "pod-create", {"image": "public/edge:3.18"}, {}),
    ("legacy", "Pod, Alpine-style", "pod-create", {"image": "public/legacy:3.9"}, {}),
    ("typo", "Pod, no such image", "pod-create", {"image": "shop/web:1.55"}, {}),
]


def pod_spec(thing):
    """Of an object; None where it has none, as a Scale."""
    spec = thing.get("spec", {})
    if "jobTemplate" in spec:
        spec = spec["jobTemplate"]["spec"]
    if "template" in spec:
        spec = spec["template"]["spec"]
    return spec if "containers" in spec else None


def set_path(thing, path, value):
    *parents, last = path.split(".")
    for key in parents:
        thing = thing[int(key)] if isinstance(thing, list) else thing.setdefault(key, {})
    if value is None:
        thing.pop(last, None)
    else:
        thing[int(last) if isinstance(thing, list) else last] = value


def build(recording, changes):
    with open(os.path.join(REVIEWS, recording + ".json")) as file:
        review = json.load(file)
    request = review["request"]
    request["uid"] = str(uuid.uuid4())
    objects = [request[name] for name in ("object", "oldObject") if request.get(name)]
    for place, value in changes:
        for thing in objects:
            spec = pod_spec(thing)
            if place == "name":
                thing["metadata"]["name"] = request["name"] = value
            elif place == "namespace":
                thing["metadata"]["namespace"] = request["namespace"] = value
            elif spec is None:
                continue
            elif place == "image":
                spec["containers"][0]["image"] = value
            elif place in ("init", "ephemeral"):
                for container in spec.get(place + "Containers", []):
                    container["image"] = value
            elif place == "volume":
                for volume in spec.get("volumes", []):
                    if "image" in volume:
                        volume["image"]["reference"] = value
            elif place == "arch":
                spec["nodeSelector"] = {"kubernetes.io/arch": value}
        if place == "user":
            request["userInfo"]["username"] = value
        elif place == "group":
            request["userInfo"]["groups"] = value.split(",")
        elif place not in ("name", "namespace", "image", "init", "ephemeral", "volume", "arch"):
            set_path(review, place, json.loads(value))
    return review


def post(url, ca, review, timeout_s=10):
    """Returns (HTTP status, decoded body or text, seconds)."""
    parts = urllib.parse.urlsplit(url)
    tls = ssl.create_default_context(cafile=ca)
    connection = http.client.HTTPSConnection(parts.hostname, parts.port, context=tls, timeout=timeout_s + 5)
    began = time.monotonic()
    connection.request("POST", f"{parts.path}?timeout={timeout_s}s", json.dumps(review),
                       {"Content-Type": "application/json", "Accept": "application/json, */*",
                        "User-Agent": "kube-apiserver-admission"})
    answer = connection.getresponse()
    text = answer.read().decode()
    seconds = time.monotonic() - began
    connection.close()
    try:
        return answer.status, json.loads(text), seconds
    except ValueError:
        return answer.status, text, seconds


def post_as_client(url, ca, review, timeout_s):
    """As kubectl sees it: an answer that says when to come again is followed ten times, in silence."""
    seconds = 0
    for attempt in range(11):
        status, body, spent = post(url, ca, review, timeout_s)
        seconds += spent
        if status != 200:
            sys.exit(f"admissions.py: HTTP {status}: {body}")
        response = body["response"]
        again = response.get("status", {}).get("details", {}).get("retryAfterSeconds")
        if response["allowed"] or not again or attempt == 10:
            return response, seconds
        time.sleep(again)
        seconds += again


def as_kubectl(response, what):
    lines = ["Warning: " + warning for warning in response.get("warnings", [])]
    if not response["allowed"]:
        status = response.get("status", {})
        reason = f" ({status['reason']})" if status.get("reason") else ""
        lines.append(f'Error from server{reason}: {what}admission webhook "{WEBHOOK}" denied the request: '
                     f'{status.get("message", "")}')
    return "\n".join(lines)


def case_named(name):
    return next((case for case in CASES if case[0] == name), None) or sys.exit(f"admissions.py: no case {name}")


def full(images, registry):
    return {place: f"{registry}/{image}" for place, image in images.items()}


def manifest(case, registry):
    name, _, recording, images, more = case
    images = full(images, registry)
    container = [{"name": "main", "image": images["image"]}]
    spec = {"containers": container}
    if "init" in images:
        spec["initContainers"] = [{"name": "init", "image": images["init"]}]
    if "volume" in images:
        spec["volumes"] = [{"name": "files", "image": {"reference": images["volume"]}}]
        container[0]["volumeMounts"] = [{"name": "files", "mountPath": "/files"}]
    if "arch" in more:
        spec["nodeSelector"] = {"kubernetes.io/arch": more["arch"]}
    labels = {"app": name}
    thing = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
    if recording.startswith("deployment"):
        thing.update({"apiVersion": "apps/v1", "kind": "Deployment"})
        thing["spec"] = {"replicas": 2, "selector": {"matchLabels": labels},
                         "template": {"metadata": {"labels": labels}, "spec": spec}}
    elif recording.startswith("cronjob"):
        thing.update({"apiVersion": "batch/v1", "kind": "CronJob"})
        spec["restartPolicy"] = "Never"
        thing["spec"] = {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": {"spec": spec}}}}
    return thing


def requests(path):
    """Manifest and blob requests that a registry has answered, by its access log."""
    with open(path, errors="replace") as log:
        return sum(bool(re.search(r'"(GET|HEAD) /v2/\S+/(manifests|blobs)/\S+ HTTP', line)) for line in log)


def row(*columns):
    return "{:<12} {:<36} {:<32} {:<8} {:>7} {:>9}".format(*columns)


def by_webhook(options, case):
    """Verdict, what kubectl would print, seconds."""
    name, _, recording, images, more = case
    changes = [("name", name), *full(images, options.registry).items(), *more.items()]
    response, seconds = post_as_client(options.url, options.ca, build(recording, changes), options.timeout)
    said = as_kubectl(response, "" if "ephemeral" in images else f'error when creating "{name}.yaml": ')
    return response["allowed"], said, seconds


def by_kubectl(options, case):
    name, _, _, images, _ = case
    images = full(images, options.registry)
    command, stdin = ["apply", "-f", "-"], json.dumps(manifest(case, options.registry))
    if "ephemeral" in images:
        command, stdin = ["debug", "shop-new", "--profile=general", "--container=debug", "--image=" + images["ephemeral"]], ""
    began = time.monotonic()
    done = subprocess.run([options.kubectl, *command], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True)
    return done.returncode == 0, done.stdout.strip().replace('"STDIN"', f'"{name}.yaml"'), time.monotonic() - began


def run(options):
    messages = []
    print(row("object", "what", "images", "verdict", "seconds", "requests"))
    for case in CASES:
        name, what, _, images, _ = case
        before = requests(options.access_log)
        allowed, said, seconds = (by_kubectl if options.kubectl else by_webhook)(options, case)
        time.sleep(0.1)  # the registry writes its log after it has answered
        made = requests(options.access_log) - before
        verdict = "refused" if not allowed else "warned" if "Warning: breakwater" in said else "admitted"
        first, *others = [image if place == "image" else f"{image} ({place})" for place, image in images.items()]
        print(row(name, what, first, verdict, f"{seconds:.2f}", made))
        for other in others:
            print(row("", "", "+ " + other, "", "", "").rstrip())
        sys.stdout.flush()
        if said:
            command = f"debug shop-new --image={images['ephemeral']}" if "ephemeral" in images else f"apply -f {name}.yaml"
            messages.append(f"$ kubectl {command}\n{said}")
    print("\nWhat the developer reads:\n" if not options.kubectl else "\nWhat kubectl printed:\n")
    print(textwrap.indent("\n\n".join(messages), "    "))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("post")
    many = commands.add_parser("run")
    for command in (one, many):
        command.add_argument("--url")
        command.add_argument("--ca")
        command.add_argument("--timeout", type=int, default=10)
    one.add_argument("--raw", action="store_true", help="print HTTP status and body, whatever they are")
    one.add_argument("--print", action="store_true", help="print the review instead of sending it")
    one.add_argument("review")
    one.add_argument("changes", nargs="*")
    many.add_argument("--registry", required=True)
    many.add_argument("--access-log", required=True)
    many.add_argument("--kubectl")
    yaml = commands.add_parser("yaml")
    yaml.add_argument("--registry", required=True)
    yaml.add_argument("case")
    options = parser.parse_args()
    if options.command == "post":
        review = build(options.review, [change.split("=", 1) for change in options.changes])
        if options.print:
            return print(json.dumps(review))
        status, body, seconds = post(options.url, options.ca, review, options.timeout)
        if options.raw or status != 200:
            print(status, body if isinstance(body, str) else json.dumps(body))
            sys.exit(0 if options.raw else 1)
        print(json.dumps({**body["response"], "seconds": round(seconds, 3)}))
    elif options.command == "run":
        run(options)
    else:
        print(json.dumps(manifest(case_named(options.case), options.registry), indent=1))


main()
