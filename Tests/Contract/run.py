#!/usr/bin/env python3
"""Checks the service against openapi.yaml, and openapi.yaml against the rules of OpenAPI; see README.md beside this.

python3 Tests/Contract/run.py --leasehold .build/debug/leasehold [--full]
"""

import argparse
import http.client
import itertools
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DOCUMENT, PAGE = os.path.join(ROOT, "openapi.yaml"), os.path.join(ROOT, "Sources", "COpenAPI", "reference.html")
sys.path += [os.path.join(ROOT, "Tools"), os.path.join(ROOT, "Tests", "Live")]

from harness import free_port  # noqa: E402
from http_reference import Contract  # noqa: E402

# How many of all generated cases run is bounded by time, so a busy machine checks less, but never hangs.
SERVER = ["--max-wait", "300ms", "--heartbeat", "100ms"]
# How a request may come, and its percent of the time.
WAYS = [(("tcp", None), 50), (("unix", None), 20), (("tcp", "admin"), 15), (("unix", "lock"), 15)]
EXAMPLES = 400  # of each operation, with --full
LONGEST = 3600  # seconds that one way may take with --full


def environment(directory, requirements="requirements.txt"):
    """The tools, pinned, in a venv that is made once."""
    stamp = os.path.join(directory, "installed")
    with open(os.path.join(HERE, requirements), encoding="utf-8") as file:
        wanted = file.read()
    if not os.path.exists(stamp) or open(stamp).read() != wanted:
        venv.create(directory, with_pip=True, clear=True)
        subprocess.run(
            [
                os.path.join(directory, "bin", "pip"),
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
                os.path.join(HERE, requirements),
            ],
            check=True,
        )
        with open(stamp, "w") as file:
            file.write(wanted)
    return os.path.join(directory, "bin")


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def start(program, port, directory, *more):
    """The daemon in an IPC namespace of its own; it shares nothing with the host."""
    apart = ["unshare", "-i"] if os.getuid() == 0 else ["unshare", "-Uri"]
    log = open(os.path.join(directory, "log"), "wb")
    server = subprocess.Popen(
        [
            *apart,
            program,
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--unix",
            os.path.join(directory, "socket"),
            *SERVER,
            *more,
        ],
        stdout=log,
        stderr=log,
    )
    log.close()
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if get(port, "/readyz")[0] == 200:
                return server
        except OSError:
            time.sleep(0.02)
    server.kill()
    sys.exit(f"the service does not start:\n{open(log.name).read()}")


def ask(port, method, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request(method, path)
        answer = connection.getresponse()
        return answer, json.loads(answer.read() or b"{}")
    finally:
        connection.close()


def served_paths(contract, port):
    """Methods and parameters as the service tells them: by Allow, and by what is `known` beside an unknown name."""
    in_path = {"key": "php:1", "id": "0" * 32, "set": "0x10", "n": "0", "var": "a", "seg": "0x10", "code": "locked",
               "state": "a", "owner": "a"}
    rows = sorted(contract.operations.items(), key=lambda row: row[1][1])
    for path, of_path in itertools.groupby(rows, key=lambda row: row[1][1]):
        of_path, asked = list(of_path), path.format(**in_path)
        allowed = {word.strip() for word in ask(port, "OPTIONS", asked)[0].headers["Allow"].split(",")}
        documented = {method for _, (method, _, _) in of_path}
        # The document has no way to name LOCK and UNLOCK, which are POST and DELETE under /terraform.
        if allowed - {"HEAD", "OPTIONS", "LOCK", "UNLOCK"} != documented:
            yield f"{path}: documented {sorted(documented)}, served {sorted(allowed)}"
        for name, (method, _, operation) in of_path:
            documented = {each["name"] for each in contract.parameters(operation) if each["in"] == "query"}
            answer = ask(port, method, f"{asked}?no-such-parameter=1")[1]
            if answer.get("code") != "unknown-parameter" or set(answer["known"]) != documented:
                yield f"{name}: documented are the parameters {sorted(documented)}, served {answer}"


def served_as_documented(port):
    """What is wrong with the document and the error table that the service itself shows."""
    version = json.loads(get(port, "/version")[1])["version"]
    with open(DOCUMENT, encoding="utf-8") as document, open(PAGE, encoding="utf-8") as page:
        text = document.read()
        contract = Contract(text)
        served = {"/docs": page.read(), "/openapi.yaml": re.sub(
            r"^  version: .*$", f"  version: {version}", text, count=1, flags=re.M)}
    for path, expected in served.items():
        if get(port, path) != (200, expected.encode()):
            yield f"GET {path} is not the file, byte for byte, but for the version of the program: build it anew"
    for code, row in contract.codes.items():
        answered, body = get(port, f"/problems/{code}")
        explained = json.loads(body)
        if answered != 200 or (explained["code"], explained["status"], explained["title"]) != (
                code, row["status"], row["title"]):
            yield f"/problems/{code}: documented {row}, served {explained}"
    yield from served_paths(contract, port)


class Relay(threading.Thread):
    """A port that leads to a Unix socket, for tools that know none."""

    def __init__(self, path):
        super().__init__(daemon=True)
        self.path, self.listening = path, socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.start()

    def run(self):
        while True:
            caller = self.listening.accept()[0]
            service = socket.socket(socket.AF_UNIX)
            service.connect(self.path)
            for source, sink in ((caller, service), (service, caller)):
                threading.Thread(target=self.copy, args=(source, sink), daemon=True).start()

    def copy(self, source, sink):
        """Until either side is done; then both are."""
        try:
            while piece := source.recv(65536):
                sink.sendall(piece)
        except OSError:
            pass
        for sock in (source, sink):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


def token(program, directory, role):
    """A token of this role, and the file that has it."""
    made = subprocess.run([program, "token", role, "--role", role], text=True, capture_output=True, check=True).stdout
    path = os.path.join(directory, "tokens")
    with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600), encoding="utf-8") as file:
        file.write(made.split("\n")[1].strip() + "\n")
    return made.split("\n")[0].strip(), path


def generated_requests_pass(tools, port, directory, options, seconds, header):
    command = [
        os.path.join(tools, "schemathesis"),
        "--config-file",
        os.path.join(HERE, "schemathesis.toml"),
        "run",
        DOCUMENT,
        "--url",
        f"http://127.0.0.1:{port}",
        "--seed",
        str(options.seed),
        *(["--max-examples", str(EXAMPLES)] if options.full else ["--max-time", str(seconds)]),
        *(["--header", header] if header else []),
        "--generation-database",
        "none",
        "--no-color",
    ]
    variables = {**os.environ, "SCHEMATHESIS_HOOKS": os.path.join(HERE, "hooks.py"), "LEASEHOLD_OPENAPI": DOCUMENT}
    limit = LONGEST if options.full else seconds * 2 + 60
    try:
        result = subprocess.run(command, env=variables, cwd=directory, check=False, timeout=limit, text=True,
                                stdout=subprocess.PIPE)
    except subprocess.TimeoutExpired as late:
        print((late.stdout or b"").decode(errors="replace"))
        print("FAILED a request never ends; the last lines of the service's log may tell which")
        return False
    print(result.stdout, flush=True)
    # A request that the tool could not make is an error there, without a word, and does not count in its status.
    if errors := re.findall("\N{NO ENTRY SIGN} +[1-9][0-9]* errors?", result.stdout):
        print(f"FAILED {errors[0]}: the tool could not make what it wanted to send; see before_call in hooks.py")
    return result.returncode == 0 and not errors


def passes(tools, options, door, role, seconds):
    """One daemon and one run of the tool over one door; whether nothing was wrong."""
    print(f"contract: over {door}, {f'with a token of the role {role}' if role else 'without tokens'}", flush=True)
    with tempfile.TemporaryDirectory(prefix="leasehold-") as directory:
        port, header, more = free_port(), None, []
        if role:
            secret, path = token(options.leasehold, directory, role)
            header, more = f"Authorization: Bearer {secret}", ["--token-file", path, "--unix-needs-token"]
        server = start(options.leasehold, port, directory, *more)
        try:
            wrong = list(served_as_documented(port)) if not role else []
            for text in wrong:
                print(f"FAILED {text}")
            asked = Relay(os.path.join(directory, "socket")).port if door == "unix" else port
            if not generated_requests_pass(tools, asked, directory, options, seconds, header):
                wrong.append("generated requests")
                with open(os.path.join(directory, "log"), encoding="utf-8") as log:
                    print("".join(log.readlines()[-20:]))
            alive = server.poll() is None
        finally:
            server.terminate()
            server.wait(20)
        if not alive:
            with open(os.path.join(directory, "log"), encoding="utf-8") as log:
                print(f"FAILED the service died:\n{log.read()}")
    return alive and not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leasehold", default=os.path.join(ROOT, ".build", "debug", "leasehold"))
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--seconds", type=int, default=75, help="time for the generated requests; default 75")
    parser.add_argument("--full", action="store_true", help=f"{EXAMPLES} examples of each operation, in each way")
    parser.add_argument("--venv", default=os.path.join(ROOT, ".build", "contract-venv"))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the daemon is stopped too
    tools = environment(options.venv)
    subprocess.run([os.path.join(tools, "openapi-spec-validator"), DOCUMENT], check=True)
    rules = sum(subprocess.run([os.path.join(tools, "python"), os.path.join(HERE, name)], check=False).returncode
                for name in ("document.py", "older_form.py"))
    # Each way gets its part of the time; the first is the one that most callers take.
    results = [passes(tools, options, *way, max(5, options.seconds * part // 100)) for way, part in WAYS]
    failed = rules != 0 or not all(results)
    print("contract: FAILED" if failed else "contract: passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
