#!/usr/bin/env python3
"""Checks the service against openapi.yaml, and openapi.yaml against the rules of OpenAPI.

python3 Tests/Contract/run.py --leasehold .build/debug/leasehold
"""

import argparse
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
DOCUMENT = os.path.join(ROOT, "openapi.yaml")
# How many of all generated cases run is bounded by time, so a busy machine checks less, but never hangs.
SERVER = ["--max-wait", "300ms", "--heartbeat", "100ms"]


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


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def start(program, port, directory):
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
        ],
        stdout=log,
        stderr=log,
    )
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and server.poll() is None:
        try:
            if get(port, "/readyz")[0] == 200:
                return server
        except OSError:
            time.sleep(0.02)
    server.kill()
    sys.exit(f"the service does not start:\n{open(log.name).read()}")


def documented_codes():
    """components.x-problem-codes, read without a YAML library: this program has none, and the section is plain."""
    with open(DOCUMENT, encoding="utf-8") as file:
        section = re.search(r"^  x-problem-codes:\n((?:    .*\n)+)", file.read(), re.M)[1]
    codes = {}
    for code, rest in re.findall(r"^    ([a-z-]+):\n((?:      .*\n)+)", section, re.M):
        codes[code] = (int(re.search(r"status: (\d+)", rest)[1]), re.search(r"title: (.*)", rest)[1])
    return codes


def served_as_documented(port):
    """What is wrong with the document and the error table that the service itself shows."""
    wrong = []
    with open(DOCUMENT, "rb") as file:
        if get(port, "/openapi.yaml") != (200, file.read()):
            wrong.append("GET /openapi.yaml is not openapi.yaml, byte for byte")
    for code, (status, title) in documented_codes().items():
        answered, body = get(port, f"/problems/{code}")
        explained = json.loads(body)
        if answered != 200 or (explained["code"], explained["status"], explained["title"]) != (code, status, title):
            wrong.append(f"/problems/{code}: documented {status} {title!r}, served {explained}")
    return wrong


def generated_requests_pass(tools, port, directory, options):
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
        "--max-time",
        str(options.seconds),
        "--generation-database",
        "none",
        "--no-color",
    ]
    variables = {**os.environ, "SCHEMATHESIS_HOOKS": os.path.join(HERE, "hooks.py"), "LEASEHOLD_OPENAPI": DOCUMENT}
    try:
        result = subprocess.run(command, env=variables, cwd=directory, check=False, timeout=options.seconds * 2 + 60)
    except subprocess.TimeoutExpired:
        print("FAILED a request never ends; the last lines of the service's log may tell which")
        return False
    return result.returncode == 0


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leasehold", default=os.path.join(ROOT, ".build", "debug", "leasehold"))
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--seconds", type=int, default=75, help="time for the generated requests; default 75")
    parser.add_argument("--venv", default=os.path.join(ROOT, ".build", "contract-venv"))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the daemon is stopped too
    tools = environment(options.venv)
    subprocess.run([os.path.join(tools, "openapi-spec-validator"), DOCUMENT], check=True)
    with tempfile.TemporaryDirectory(prefix="leasehold-") as directory:
        port = free_port()
        server = start(options.leasehold, port, directory)
        try:
            wrong = served_as_documented(port)
            for text in wrong:
                print(f"FAILED {text}")
            if not generated_requests_pass(tools, port, directory, options):
                wrong.append("generated requests")
            alive = server.poll() is None
        finally:
            server.terminate()
            server.wait(20)
        if not alive:
            print(f"FAILED the service died:\n{open(os.path.join(directory, 'log')).read()}")
    failed = bool(wrong) or not alive
    print("contract: FAILED" if failed else "contract: passed")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
