#!/usr/bin/python3
"""A registry that does what a good registry never does.

fault_registry.py --layout OCIDIR --state DIR [--port N]

Serves the images of an OCI layout over plain HTTP as FAULT/NAME:TAG, where NAME-TAG is the image's name in the layout, so
that localhost:PORT/cut/shop:1.4 is the image shop-1.4 whose layers are cut off half way. `--list` prints the faults.
DIR gets `port` once it listens and `access.log`: one line `METHOD PATH STATUS [authorized]` for each request, those to
the second port, where redirects lead, beginning with `elsewhere`.
"""
import argparse, collections, hashlib, http.server, json, os, re, socket, struct, sys, threading, time

FAULTS = {
    "none": "nothing is wrong",
    "absent": "404 for the manifest",
    "lost": "404 for every layer",
    "forbidden": "403 for everything",
    "unauthorized": "401 with a Basic challenge whatever is sent",
    "grudging": "401 with a Bearer challenge whatever is sent; its token server gives a token each time",
    "riddle": "401 with a challenge that nobody can read",
    "broken": "500 for everything",
    "flaky-N": "503 for the first N requests of every path, then right",
    "limited": "429 with Retry-After: 30 for everything",
    "limited-N": "429 with Retry-After: 1 for the first N requests of every path, then right",
    "late-N": "the manifest comes after N seconds",
    "hang": "the manifest never comes",
    "stall": "half of a layer, then silence",
    "dribble": "layers at 2 KiB a second",
    "cut": "half of a layer, then the connection is closed",
    "cut-N": "the first N requests of every layer are cut, then right",
    "reset": "half of a layer, then the connection is reset",
    "flip": "one byte of every layer is another",
    "flip-manifest": "one byte of the manifest is another",
    "flip-config": "one byte of the config is another",
    "header": "Docker-Content-Digest names another digest",
    "short": "layers end early, and say so in Content-Length",
    "long": "layers are longer than the manifest says",
    "endless": "layers never end",
    "endless-manifest": "the manifest never ends",
    "huge": "the manifest says that it has 10^12 bytes",
    "page": "the manifest is a web page",
    "signed": "the manifest is of schema 1",
    "redirect": "307 for blobs, to another port",
    "loop": "307 for blobs, to the same place",
    "guarded": "307 for blobs, to 127.0.0.2, which an address guard that allows 127.0.0.1/32 must not touch",
    "file": "307 for blobs, to a file: URL",
    "nonsense": "the answer is not HTTP",
    "silence": "the connection is closed without an answer",
}
CHUNK = 1 << 16


class Layout:
    def __init__(self, folder):
        self.folder = folder
        index = json.load(open(os.path.join(folder, "index.json")))
        self.names = {entry["annotations"]["org.opencontainers.image.ref.name"]: entry for entry in index["manifests"]}

    def blob(self, digest):
        algorithm, _, text = digest.partition(":")
        if algorithm != "sha256" or not re.fullmatch("[0-9a-f]{64}", text):
            return None
        path = os.path.join(self.folder, "blobs", algorithm, text)
        return open(path, "rb").read() if os.path.exists(path) else None


class State:
    def __init__(self, options):
        self.layout = Layout(options.layout)
        self.log_path = os.path.join(options.state, "access.log")
        self.lock = threading.Lock()
        self.seen = collections.Counter()
        self.elsewhere, self.last = 0, {}

    def log(self, *words):
        with self.lock, open(self.log_path, "a") as log:
            log.write(" ".join(str(word) for word in words if word != "") + "\n")

    def times(self, path):
        with self.lock:
            self.seen[path] += 1
            return self.seen[path]


class Hangup(Exception):
    pass


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state = None

    def log_message(self, *_):
        pass

    def authorized(self):
        return "authorized" if self.headers.get("Authorization") else ""

    def answer(self, status, body=b"", kind="application/json", log=True, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(headers.pop("length", len(body))))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
        if log:
            self.state.log(self.command, self.path, status, self.authorized())

    def refuse(self, status, code, **headers):
        body = json.dumps({"errors": [{"code": code, "message": "the test wants it so"}]}).encode()
        self.answer(status, body, **headers)

    def endless(self, kind, first=b""):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.state.log(self.command, self.path, 200, self.authorized())
        if self.command == "HEAD":
            return
        for data in [first] if first else []:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        filler = b"%x\r\n%s\r\n" % (CHUNK, b" " * CHUNK)
        for _ in range(1 << 16):  # 4 GiB: nobody may wait for that
            self.wfile.write(filler)

    do_HEAD = do_GET = lambda self: self.serve()

    def serve(self):
        try:
            self.route()
        except Hangup:
            self.close_connection = True
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def route(self):
        if self.path == "/v2/":
            return self.answer(200, b"{}")
        if self.path.startswith("/token"):
            return self.answer(200, json.dumps({"token": "t" + str(time.time()), "expires_in": 300}).encode())
        found = re.fullmatch(r"/v2/([a-z]+(?:-[a-z]+)?)(?:-(\d+))?/([a-z0-9/._-]+)/(manifests|blobs)/([^/]+)", self.path)
        if not found:
            return self.refuse(404, "NAME_UNKNOWN")
        fault, number, name, what, which = found.groups()
        if fault not in FAULTS and f"{fault}-N" not in FAULTS:
            return self.refuse(404, "NAME_UNKNOWN")
        self.fault, self.number = fault, int(number or 0)
        self.early()
        if what == "manifests":
            self.manifest(name, which)
        else:
            self.blob(which)

    def early(self):
        """Faults of the whole registry."""
        fault, times = self.fault, self.state.times(self.path + self.command)
        realm = f"http://{self.headers['Host']}/token"
        if fault == "nonsense":
            self.wfile.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
            self.state.log(self.command, self.path, "-")
            raise Hangup
        if fault == "silence":
            self.state.log(self.command, self.path, "-")
            raise Hangup
        refusals = {
            "forbidden": (403, "DENIED", {}),
            "unauthorized": (401, "UNAUTHORIZED", {"WWW_Authenticate": 'Basic realm="test"'}),
            "grudging": (401, "UNAUTHORIZED", {"WWW_Authenticate": f'Bearer realm="{realm}",service="test",'
                                               'scope="repository:x:pull",error="insufficient_scope"'}),
            "riddle": (401, "UNAUTHORIZED", {"WWW_Authenticate": 'Bearer realm="no end, ,,==;'}),
            "broken": (500, "UNKNOWN", {}),
        }
        if fault in refusals:
            status, code, headers = refusals[fault]
        elif fault == "limited" and (not self.number or times <= self.number):
            status, code, headers = 429, "TOOMANYREQUESTS", {"Retry_After": "1" if self.number else "30"}
        elif fault == "flaky" and times <= self.number:
            status, code, headers = 503, "UNAVAILABLE", {}
        else:
            return
        self.refuse(status, code, **headers)
        raise Hangup

    def manifest(self, name, which):
        fault, layout = self.fault, self.state.layout
        entry = layout.names.get(f"{name.rpartition('/')[2]}-{which}", {"digest": which})
        if fault in ("header", "signed"):  # also by the digest that the tag was said to have
            entry = self.state.last.get(self.fault + name, entry) if which.startswith("sha256:") else entry
            self.state.last[self.fault + name] = entry
        body = layout.blob(entry["digest"])
        if fault == "absent" or body is None:
            return self.refuse(404, "MANIFEST_UNKNOWN")
        if fault == "hang" or fault == "late":
            self.state.log(self.command, self.path, "waits")
            self.wait(self.number or 3600)
        digest = entry["digest"]
        kind = json.loads(body).get("mediaType", "application/vnd.oci.image.manifest.v1+json")
        if fault == "endless-manifest":
            return self.endless(kind, body[:-1])
        if fault == "page":
            return self.answer(200, b"<html><body>Sign in to the hotel's network</body></html>", "text/html")
        if fault == "signed":
            body = json.dumps({"schemaVersion": 1, "name": name, "tag": "1", "architecture": "amd64", "fsLayers": [],
                               "history": [], "signatures": []}).encode()
            digest = "sha256:" + hashlib.sha256(body).hexdigest()
            kind = "application/vnd.docker.distribution.manifest.v1+prettyjws"
        if fault == "header":
            digest = "sha256:" + "0" * 64
        if fault == "flip-manifest":
            body = body.replace(b'"schemaVersion":2', b'"schemaVersion":3')
        self.answer(200, body, kind, Docker_Content_Digest=digest, length=10**12 if fault == "huge" else len(body))
        if fault == "huge":
            raise Hangup

    def blob(self, digest):
        fault = self.fault
        body = self.state.layout.blob(digest)
        layer = body is not None and not body.startswith(b"{")
        if body is None or (fault == "lost" and layer):
            return self.refuse(404, "BLOB_UNKNOWN")
        half = len(body) // 2
        kind = "application/octet-stream"
        elsewhere = {"redirect": f"http://127.0.0.1:{self.state.elsewhere}/{digest}", "loop": self.path,
                     "guarded": f"http://127.0.0.2:{self.state.elsewhere}/{digest}", "file": "file:///etc/passwd"}
        if fault in elsewhere:
            return self.answer(307, Location=elsewhere[fault])
        if fault == ("flip" if layer else "flip-config"):
            body = body[:half] + bytes([body[half] ^ 1]) + body[half + 1:]
        if not layer:
            return self.answer(200, body, kind)
        if fault in ("cut", "stall", "reset") and (not self.number or self.state.times("layer" + self.path) <= self.number):
            self.answer(200, body[:half], kind, length=len(body))
            self.wfile.flush()
            if fault == "stall":
                self.wait(3600)
            if fault == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            raise Hangup
        if fault == "dribble":
            self.answer(200, b"", kind, length=len(body))
            for start in range(0, len(body), 2048):
                self.wfile.write(body[start:start + 2048])
                self.wait(1)
            return
        if fault == "endless":
            return self.endless(kind, body)
        if fault == "short":
            body = body[:half]
        if fault == "long":
            body += b"\0" * 1000
        self.answer(200, body, kind)

    def wait(self, seconds):
        """Until the time is over or the client has gone."""
        until = time.monotonic() + seconds
        self.connection.settimeout(0.2)
        while time.monotonic() < until:
            try:
                if not self.connection.recv(1, socket.MSG_PEEK):
                    raise Hangup
                time.sleep(0.2)
            except TimeoutError:
                pass
        self.connection.settimeout(None)


class Elsewhere(Handler):
    """Where redirects lead: storage that refuses the registry's credentials, as real storage does."""

    def route(self):
        body = self.state.layout.blob(self.path.lstrip("/"))
        status = 400 if self.authorized() else 200 if body is not None else 404
        self.answer(status, body if status == 200 else b"", "application/octet-stream", log=False)
        self.state.log("elsewhere", self.connection.getsockname()[0], self.command, self.path, status, self.authorized())


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):
        pass


def main():
    if "--list" in sys.argv:
        for name, what in FAULTS.items():
            print(f"{name:18} {what}")
        return
    options = argparse.ArgumentParser()
    options.add_argument("--layout", required=True)
    options.add_argument("--state", required=True)
    options.add_argument("--port", type=int, default=0)
    options = options.parse_args()
    Handler.state = state = State(options)
    second = Server(("127.0.0.1", 0), Elsewhere)
    state.elsewhere = second.server_address[1]
    for server in (second, Server(("127.0.0.2", state.elsewhere), Elsewhere)):
        threading.Thread(target=server.serve_forever, daemon=True).start()
    first = Server(("127.0.0.1", options.port), Handler)
    with open(os.path.join(options.state, "port.new"), "w") as port:
        port.write(str(first.server_address[1]))
    os.rename(os.path.join(options.state, "port.new"), os.path.join(options.state, "port"))
    first.serve_forever()


main()
