#!/usr/bin/python3
"""An API server that has its troubles: what runs through here to a real one is answered as a file says.

api_faults.py --cert FILE --key FILE --ca FILE --target PORT --state DIR [--port N]

Listens on 127.0.0.1 with that certificate. DIR/mode is read for each request; `--list` prints the modes. DIR gets `port`
once it listens and `access.log`: one line `MODE METHOD PATH STATUS` for each request. Its end cuts all connections.
"""
import argparse, http.client, http.server, json, os, ssl, sys, threading

MODES = {
    "none": "as the API server answers",
    "busy": "429 with Retry-After: 1 for everything",
    "broken": "500 with a Status for everything",
    "page": "502 with a web page for everything",
    "cut": "the first event of a watch ends in its middle, and with it the connection; so do lists",
    "crumbs": "watches arrive byte by byte",
    "expired": "410 in a watch, as its first event",
    "refused": "410 when a watch is opened",
    "nonsense": "an event of a watch that is no JSON, then the end",
}


def status(code, reason, message):
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "reason": reason,
            "code": code}


EXPIRED = status(410, "Expired", "too old resource version: 1 (2)")


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    options = context = None
    lock = threading.Lock()

    def log_message(self, *_):
        pass

    def mode(self):
        path = os.path.join(self.options.state, "mode")
        return open(path).read().strip() if os.path.exists(path) else "none"

    def log(self, mode, code):
        with self.lock, open(os.path.join(self.options.state, "access.log"), "a") as log:
            log.write(f"{mode} {self.command} {self.path} {code}\n")

    def answer(self, mode, code, body, kind="application/json", **headers):
        body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.log(mode, code)
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def chunk(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        mode = self.mode()
        if mode == "busy":
            return self.answer(mode, 429, status(429, "TooManyRequests", "too many requests"), Retry_After="1")
        if mode == "broken":
            return self.answer(mode, 500, status(500, "InternalError", "etcdserver: no leader"))
        if mode == "page":
            return self.answer(mode, 502, b"<html><body>Bad Gateway</body></html>", "text/html")
        watch = "watch=" in self.path
        if watch and mode == "refused":
            return self.answer(mode, 410, EXPIRED)
        upstream = http.client.HTTPSConnection("127.0.0.1", self.options.target, context=self.context)
        skipped = ("host", "connection", "accept-encoding", "content-length")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in skipped}
        try:
            upstream.request(self.command, self.path, body or None, headers)
            response = upstream.getresponse()
            if watch and response.status == 200:
                self.watch(mode, response)
            else:
                self.whole(mode, response)
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            upstream.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = serve

    def whole(self, mode, response):
        body = response.read()
        if mode == "cut" and response.status == 200:
            self.log(mode, 200)
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:len(body) // 2])
            self.close_connection = True
            return
        more = {"Retry_After": response.headers["Retry-After"]} if response.headers["Retry-After"] else {}
        self.answer(mode, response.status, body, response.headers.get("Content-Type", "application/json"), **more)

    def watch(self, mode, response):
        self.log(mode, 200)
        self.send_response(200)
        self.send_header("Content-Type", response.headers["Content-Type"])
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        if mode == "expired":
            self.chunk(json.dumps({"type": "ERROR", "object": EXPIRED}).encode() + b"\n")
        if mode == "nonsense":
            self.chunk(b'{"type":"ADDED","object":nonsense}\n')
        if mode in ("expired", "nonsense"):
            return self.chunk(b"")
        while line := response.readline():
            if mode == "cut":
                self.chunk(line[:len(line) // 2])
                self.close_connection = True
                return
            for at in range(0, len(line), 1 if mode == "crumbs" else len(line)):
                self.chunk(line[at:at + 1] if mode == "crumbs" else line)
        self.chunk(b"")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        request = Handler.serving.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, *_):
        pass


def main():
    if "--list" in sys.argv:
        for name, what in MODES.items():
            print(f"{name:10} {what}")
        return
    options = argparse.ArgumentParser()
    for name in ("--cert", "--key", "--ca", "--state"):
        options.add_argument(name, required=True)
    options.add_argument("--target", required=True, type=int)
    options.add_argument("--port", type=int, default=0)
    Handler.options = options = options.parse_args()
    Handler.context = ssl.create_default_context(cafile=options.ca)
    Handler.serving = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    Handler.serving.load_cert_chain(options.cert, options.key)
    server = Server(("127.0.0.1", options.port), Handler)
    with open(os.path.join(options.state, "port.new"), "w") as port:
        port.write(str(server.server_address[1]))
    os.rename(os.path.join(options.state, "port.new"), os.path.join(options.state, "port"))
    server.serve_forever()


main()
