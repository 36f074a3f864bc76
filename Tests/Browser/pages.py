"""A web server of somebody else, and a Chromium that visits it."""

import contextlib
import http.client
import http.server
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading

HERE = os.path.dirname(os.path.abspath(__file__))
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Attacker(http.server.ThreadingHTTPServer):
    """Serves the page and takes its report; as a proxy, stands for a name that now leads to the service."""

    daemon_threads = True

    def __init__(self, service_port=None):
        super().__init__(("127.0.0.1", 0), AttackerHandler)
        self.port = self.server_address[1]
        self.service_port = service_port
        self.reported, self.report = threading.Event(), None
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class AttackerHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, body, content_type):
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def serve(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        is_proxied = self.path.startswith("http://")
        path = self.path[7:].partition("/")[2] if is_proxied else self.path[1:]
        if path.startswith("attack.html"):
            with open(os.path.join(HERE, "attack.html"), "rb") as file:
                self.answer(file.read(), "text/html; charset=utf-8")
        elif path == "report":
            self.server.report = json.loads(body)
            self.answer(b"", "text/plain")
            self.server.reported.set()
        elif self.server.service_port and is_proxied:
            self.pass_on("/" + path, body)
        else:
            self.send_error(404)

    def pass_on(self, path, body):
        """To the service, as if the name in Host led there, which it does after a change in DNS."""
        connection = http.client.HTTPConnection("127.0.0.1", self.server.service_port, timeout=10)
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        connection.request(self.command, path, body or None, headers)
        answer = connection.getresponse()
        text = answer.read()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("connection", "transfer-encoding", "date"):
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)
        connection.close()

    do_GET = do_POST = do_DELETE = do_PUT = do_OPTIONS = serve


class Naive(http.server.ThreadingHTTPServer):
    """A service without a guard, which notes what reaches it: shows that the attacks are attacks."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), NaiveHandler)
        self.port = self.server_address[1]
        self.reached = set()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        self.shutdown()
        self.server_close()


class NaiveHandler(AttackerHandler):
    def serve(self):
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.server.reached.add(f"{self.command} {self.path}")
        self.send_response(200)
        self.send_header("Access-Control-Allow-Origin", "*")
        self.send_header("Access-Control-Allow-Headers", "*")
        self.send_header("Access-Control-Allow-Methods", "*")
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"secret")

    do_GET = do_POST = do_DELETE = do_PUT = do_OPTIONS = serve


@contextlib.contextmanager
def visiting(url, *flags):
    """A Chromium with a fresh profile that has the page open."""
    profile = tempfile.mkdtemp(prefix="leasehold-browser-")
    command = [
        *[CHROMIUM, "--headless=new", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage"],
        *["--disable-background-networking", "--disable-component-update", f"--user-data-dir={profile}"],
        # Its sandbox does not work for root, and the pages are our own.
        *(["--no-sandbox"] if os.geteuid() == 0 else []),
        *[*flags, url],
    ]
    with open(os.path.join(profile, "log"), "wb") as log:
        browser = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            env={**os.environ, "HOME": profile})
    try:
        yield browser
    finally:
        os.killpg(browser.pid, signal.SIGKILL)
        browser.wait()
        shutil.rmtree(profile, ignore_errors=True)
