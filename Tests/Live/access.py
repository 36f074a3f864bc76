"""Tokens, certificates and daemons that want them, for the tests of who may do what."""

import http.client
import os
import ssl
import subprocess

from harness import PROGRAM, Client, Server


def make_token(name, *options):
    """The token and its line for the file, as `leasehold token` prints them."""
    printed = subprocess.run([PROGRAM, "token", name, *options], check=True, capture_output=True, text=True).stdout
    token, line = printed.splitlines()
    return token, line


def make_certificate(folder):
    """A certificate that nobody but the test trusts, and its key."""
    certificate, key = os.path.join(folder, "certificate.pem"), os.path.join(folder, "key.pem")
    subprocess.run(
        [
            *["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"],
            *["-keyout", key, "-out", certificate, "-days", "2", "-subj", "/CN=localhost"],
            *["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
        ],
        check=True,
        capture_output=True,
    )
    os.chmod(key, 0o600)
    return certificate, key


def write_private(path, text, mode=0o600):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


class TokenClient(Client):
    """A client that shows a token, over TLS where a certificate to trust is given."""

    def __init__(self, address, token=None, trusted=None):
        super().__init__(address)
        self.token, self.trusted = token, trusted

    def connection(self, timeout=20):
        if not self.trusted:
            return super().connection(timeout)
        context = ssl.create_default_context(cafile=self.trusted)
        return http.client.HTTPSConnection("localhost", self.address, timeout=timeout, context=context)

    def request(self, method, target, body=None, headers=None, **more):
        headers = dict(headers or {})
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        return super().request(method, target, body, headers, **more)


class TokenServer(Server):
    """A daemon with a file of tokens: `admin`, `lock`, `other`, `read`, and `part`, which may use app- and php: names.

    `narrow` and `sets` are administrators of app- and of raw sets, `letter` reads names that begin with p, `short` is
    one whose leases end soon.
    """

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.token_file = os.path.join(self.directory, "tokens")
        made = {
            "admin": make_token("admin", "--role", "admin"),
            "lock": make_token("lock", "--role", "lock"),
            "other": make_token("other", "--role", "lock"),
            "read": make_token("read", "--role", "read"),
            "part": make_token("part", "--role", "lock", "--keys", "app-,php:", "--ttl-max", "1m"),
            "narrow": make_token("narrow", "--role", "admin", "--keys", "app-"),
            "letter": make_token("letter", "--role", "read", "--keys", "p"),
            "sets": make_token("sets", "--role", "admin", "--keys", "sysv:"),
            "short": make_token("short", "--role", "admin", "--ttl-max", "2s"),
        }
        self.tokens = {name: token for name, (token, _) in made.items()}
        self.lines = {name: line for name, (_, line) in made.items()}
        self.write_tokens("# who may\n\n" + "\n".join(self.lines.values()) + "\n")
        self.arguments += ["--token-file", self.token_file]

    def over_unix_ready(self):
        """For daemons whose port speaks TLS."""
        try:
            return self.over_unix.get("/readyz", timeout=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def write_tokens(self, text, mode=0o600):
        """Puts a new file in the place of the old one."""
        write_private(self.token_file + ".new", text, mode)
        os.rename(self.token_file + ".new", self.token_file)

    def with_token(self, name, **more):
        return TokenClient(self.port, self.tokens[name], **more)
