#!/usr/bin/python3
"""A registry's token server (the distribution project's token authentication), for tests.

token_server.py --state DIR --cert FILE --key FILE --signer-cert FILE --signer-key FILE --accounts FILE [options]

GET /token?service=S&scope=repository:NAME:pull,push answers with a JWT signed RS256 by the openssl command, its
certificate in x5c. Accounts: {"": {"grants": {"public/*": ["pull"]}}, "alice": {"password": ..., "grants": {...}}},
"" being nobody. An account without the grant gets a token that holds none. DIR gets `port` once the server listens and
`access.log`, one line for each token given or refused.
"""
import argparse, base64, fnmatch, http.server, json, os, ssl, subprocess, threading, time, urllib.parse, uuid

options = argparse.ArgumentParser()
for name in ("state", "cert", "key", "signer-cert", "signer-key", "accounts"):
    options.add_argument("--" + name, required=True)
options.add_argument("--issuer", default="test-issuer")
options.add_argument("--port", type=int, default=0)
options.add_argument("--lifetime", type=int, default=300, help="seconds that a token says it lives")
options.add_argument("--backdate", type=int, default=0, help="seconds by which tokens are already too old")
options.add_argument("--field", choices=("both", "token", "access_token"), default="both", help="where the answer has it")
options = options.parse_args()

accounts = json.load(open(options.accounts))
log_lock = threading.Lock()


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign(claims):
    der = "".join(line for line in open(options.signer_cert).read().split("-----BEGIN CERTIFICATE-----")[1]
                  .split("-----END")[0].split())
    header = {"typ": "JWT", "alg": "RS256", "x5c": [der]}
    text = ".".join(base64url(json.dumps(part).encode()) for part in (header, claims))
    signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", options.signer_key], input=text.encode(),
                               stdout=subprocess.PIPE, check=True).stdout
    return text + "." + base64url(signature)


def granted(account, scopes):
    access = []
    for scope in scopes:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        # who has an account may do what nobody may, and more
        allowed = {action for grants in (accounts.get("", {}).get("grants", {}), account["grants"])
                   for pattern, actions in grants.items() if fnmatch.fnmatch(name, pattern) for action in actions}
        access.append({"type": kind, "name": name, "actions": [a for a in actions.split(",") if a in allowed]})
    return access


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body, note):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
        with log_lock, open(os.path.join(options.state, "access.log"), "a") as log:
            log.write(f"{status} {note}\n")

    def do_GET(self):
        url = urllib.parse.urlsplit(self.path)
        query = urllib.parse.parse_qs(url.query)
        if url.path != "/token":
            return self.answer(404, {"details": "no such page"}, url.path)
        name, password = "", None
        authorization = self.headers.get("Authorization", "")
        if authorization.startswith("Basic "):
            name, _, password = base64.b64decode(authorization[6:]).decode().partition(":")
        account = accounts.get(name)
        if account is None or account.get("password") != password:
            return self.answer(401, {"details": "incorrect username or password"}, f"{name or 'nobody'} refused")
        scopes = [scope for given in query.get("scope", []) for scope in given.split()]
        begins = int(time.time()) - options.backdate
        token = sign({"iss": options.issuer, "sub": name, "aud": query.get("service", [""])[0], "iat": begins,
                      "nbf": begins - 5, "exp": begins + options.lifetime, "jti": str(uuid.uuid4()),
                      "access": granted(account, scopes)})
        body = {"expires_in": options.lifetime, "issued_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begins))}
        body.update({field: token for field in ("token", "access_token") if options.field in ("both", field)})
        self.answer(200, body, f"{name or 'nobody'} {' '.join(scopes) or '-'}")

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_):  # a client that hangs up is no news
        pass


server = Server(("127.0.0.1", options.port), Handler)
tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
tls.load_cert_chain(options.cert, options.key)
server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
with open(os.path.join(options.state, "port.new"), "w") as port:
    port.write(str(server.server_address[1]))
os.rename(os.path.join(options.state, "port.new"), os.path.join(options.state, "port"))
server.serve_forever()
