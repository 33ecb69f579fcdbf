#!/usr/bin/python3
"""What a node does for pods, where a test has an API server alone; and what watches over certificates meanwhile.

node.py mount  KUBECONFIG NAMESPACE SECRET DIR    the kubelet: tls.crt and tls.key in DIR, through a ..data link that is
                                                  swapped when the Secret changes
node.py proxy  ADDRESS:PORT DIR...                kube-proxy: connections go in turn to those servers that are ready; each
                                                  DIR is one that rig.sh started
node.py shakes KUBECONFIG NAME COUNTS DIR...      another API server: TLS handshakes with each, verified by the caBundle
                                                  that configuration NAME has, and by the one it had a second ago; the file
                                                  COUNTS gets "good bad serials" and the last fault
node.py admits KUBECONFIG COUNTS IMAGE            creations of pods, without end, dry; COUNTS gets "good bad" and the last
                                                  fault
"""
import base64, http.client, json, os, re, socket, ssl, sys, threading, time, urllib.request

PAUSE = 0.2


class Api:
    """One connection, as the kubeconfig's user; written by tests/cluster/start, so read without a YAML parser."""

    def __init__(self, kubeconfig):
        text = open(kubeconfig).read()
        self.host = re.search(r'server: "?https://([^"},\s]*)', text).group(1)
        self.token = re.search(r"token: ([^}\s]*)", text).group(1)
        ca = base64.b64decode(re.search(r"certificate-authority-data: ([^}\s]*)", text).group(1)).decode()
        self.trust = ssl.create_default_context(cadata=ca)
        self.connection = None

    def call(self, method, path, body=None):
        for last in (False, True):
            try:
                if self.connection is None:
                    self.connection = http.client.HTTPSConnection(self.host, context=self.trust, timeout=30)
                self.connection.request(method, path, body and json.dumps(body),
                                        {"Authorization": "Bearer " + self.token, "Content-Type": "application/json"})
                answer = self.connection.getresponse()
                return answer.status, json.loads(answer.read())
            except (OSError, http.client.HTTPException):
                self.connection = None
                if last:
                    raise


def write_counts(path, *values):
    with open(path + ".new", "w") as out:
        out.write(" ".join(str(value) for value in values) + "\n")
    os.rename(path + ".new", path)


def mount(kubeconfig, namespace, secret, folder):
    api, seen = Api(kubeconfig), None
    os.makedirs(folder, exist_ok=True)
    while True:
        status, document = api.call("GET", f"/api/v1/namespaces/{namespace}/secrets/{secret}")
        if status == 200 and document["metadata"]["resourceVersion"] != seen:
            seen = document["metadata"]["resourceVersion"]
            real = f"..{seen}"
            os.makedirs(os.path.join(folder, real), exist_ok=True)
            for name in ("tls.crt", "tls.key"):
                with open(os.path.join(folder, real, name), "wb") as out:
                    out.write(base64.b64decode(document["data"][name]))
            os.symlink(real, os.path.join(folder, "..new"))
            os.rename(os.path.join(folder, "..new"), os.path.join(folder, "..data"))
            for name in ("tls.crt", "tls.key"):
                if not os.path.lexists(os.path.join(folder, name)):
                    os.symlink(os.path.join("..data", name), os.path.join(folder, name))
        time.sleep(PAUSE)


def address_of(folder):
    host, port = json.load(open(os.path.join(folder, "serving")))["address"].rsplit(":", 1)
    return host, int(port)


def proxy(listen, *folders):
    ready = {}

    def watch(folder):
        while True:
            try:
                health = json.load(open(os.path.join(folder, "serving")))["health"]
                with urllib.request.urlopen(f"http://{health}/readyz", timeout=2) as answer:
                    ready[folder] = answer.status == 200
            except (OSError, ValueError):
                ready[folder] = False
            time.sleep(PAUSE)

    def copy(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        for end in (source, target):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    for folder in folders:
        threading.Thread(target=watch, args=(folder,), daemon=True).start()
    host, port = listen.rsplit(":", 1)
    turn = 0
    with socket.create_server((host, int(port))) as server:
        while True:
            client, _ = server.accept()
            turn += 1
            for i in range(len(folders)):
                folder = folders[(turn + i) % len(folders)]
                try:
                    backend = ready.get(folder) and socket.create_connection(address_of(folder), timeout=5)
                except OSError:
                    backend = None
                if backend:
                    backend.settimeout(None)
                    for pair in ((client, backend), (backend, client)):
                        threading.Thread(target=copy, args=pair, daemon=True).start()
                    break
            else:
                client.close()


def shakes(kubeconfig, name, counts, *folders):
    api, good, bad, fault, serials, bundles = Api(kubeconfig), 0, 0, "", set(), []
    while True:
        _, document = api.call("GET", f"/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/{name}")
        bundle = base64.b64decode(document["webhooks"][0]["clientConfig"]["caBundle"]).decode()
        bundles = [pair for pair in bundles if time.monotonic() - pair[0] < 1] + [(time.monotonic(), bundle)]
        for folder in folders:
            for trusted in {bundles[0][1], bundle}:
                try:
                    with socket.create_connection(address_of(folder), timeout=10) as plain:
                        context = ssl.create_default_context(cadata=trusted)
                        with context.wrap_socket(plain, server_hostname="breakwater.breakwater.svc") as connection:
                            serials.add(connection.getpeercert()["serialNumber"])
                    good += 1
                except OSError as e:
                    bad, fault = bad + 1, f"{folder}: {e}"
        write_counts(counts, good, bad, len(serials), fault)
        time.sleep(PAUSE)


def admits(kubeconfig, counts, image):
    api, good, bad, fault = Api(kubeconfig), 0, 0, ""
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"generateName": "p-"},
           "spec": {"containers": [{"name": "c", "image": image}]}}
    while True:
        status, document = api.call("POST", "/api/v1/namespaces/shop/pods?dryRun=All", pod)
        if status == 201:
            good += 1
        else:
            bad, fault = bad + 1, f"{status} {document.get('message')}"
        write_counts(counts, good, bad, fault)
        time.sleep(PAUSE / 2)


{"mount": mount, "proxy": proxy, "shakes": shakes, "admits": admits}[sys.argv[1]](*sys.argv[2:])
