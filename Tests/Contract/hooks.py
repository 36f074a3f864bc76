"""What the document promises beyond its schemas, as checks of every answer; and data that makes sense together."""

import os
import re
import urllib.parse
import zlib

import schemathesis
import yaml

with open(os.environ["LEASEHOLD_OPENAPI"], encoding="utf-8") as file:
    DOCUMENT = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
CODES = DOCUMENT["components"]["x-problem-codes"]
COMMON = set(DOCUMENT["components"]["x-common-codes"])

# With these, data that fits the schema may be refused. `invalid-parameter`: see `may_be_invalid`.
STATE = {
    "no-such-lock",
    "no-such-lease",
    "no-such-set",
    "no-such-path",
    "path-not-allowed",
    "no-such-semaphore",
    "own-set",
    "exists",
    "nsems-mismatch",
    "no-such-process",
    "no-such-segment",
    "no-such-variable",
    "not-representable",
    "corrupt-segment",
    "stale-fence",
    "precondition-failed",
    "objects-refused",
    "segment-full",
    "bad-serialized",
    "limit-mismatch",
    "kind-mismatch",
    "in-use",
    "superseded",
    "canceled",
    "deadlock",
    "expired",
    "released",
    "broken",
    "rewritten",
    "undelivered",
    "set-removed",
    "lock-removed",
    "count-exceeds-limit",
    "same-lock-twice",
    "idempotency-mismatch",
    "locked",
    "wait-timeout",
    "queue-full",
    "too-many-waiters",
    "too-many-subscribers",
    "too-many-connections",
    "caller-limit",
    "permission-denied",
    "forbidden",
    "caller-limit",
    "kernel-limit",
    "ledger-full",
    "too-many-processes",
    "native-count-full",
    "too-many-native-handles",
}
RANGES = {"out-of-range"}
REQUIRED = ("lease", "owner", "key", "nsems", "values", "value", "ops", "mode", "want", "leases", "ID", "note")
LEASE_ID = re.compile(r"[0-9a-f]{32}\Z")
DURATION = re.compile(r"\d+(\.\d+)?([eE][+-]?\d+)?(ms|s|m|h)?\Z")
SCALARS = (str, int, float)  # what is sent of a query or form; an empty list or null is not
DURATIONS = {"ttl", "wait", "cooldown", "hold_at_least", "grace"}
# These go with native names of their own kind; which is the path's, and no schema can say that.
NATIVE = {"perm", "semaphore_key", "nsems", "project", "sem", "touch", "undo", "create", "value", "limit"}
NAMED = {"slots", "slot"}
BINDING = NATIVE | {"count", "mode", "ttl", "bind"}


# What the document allows is wider than what leads somewhere: of four cases three are narrowed to this.
FEW_NAMES = ("a", "b", "deploy-web", "c/d", "\u00fcber", "a b", "php", "x:y")
OF_DIALECT = {
    "php": {"perm", "limit"},
    "apache": {"perm", "semaphore_key", "nsems"},
    "sharelite": {"perm"},
    "path": {"perm", "project", "nsems", "sem", "touch", "undo", "limit"},
    "sysv": {"undo", "create", "value", "nsems", "perm"},
}
FEW = {
    "ttl": ("100ms", "0.2s", "1", "0.01m"),
    "wait": ("0", "1ms", "0.02s"),
    "cooldown": ("0", "1ms"),
    "after": ("0", "10ms"),
    "bind": ("connection",),
    "count": (1, 2),
}
LISTS = {"listLocks", "getLock"}  # here `limit` is how many are listed


def narrowed(case):
    """Leaves out what does not go with the name of the lock, and takes few names, so that requests meet."""
    body = case.body if isinstance(case.body, dict) else {}
    if zlib.crc32(repr((case.path_parameters, case.query, body)).encode()) % 4 == 0:
        return
    name = str((case.path_parameters or {}).get("key", ""))
    known = OF_DIALECT.get(name.partition(":")[0] if ":" in name else "", {"limit"})
    if case.operation.definition.raw.get("operationId") in LISTS:
        known = known | {"limit"}
    if case.path.startswith("/locks/"):
        for given in (case.query or {}, body):
            for parameter in NATIVE - known:
                given.pop(parameter, None)
    for index, want in enumerate(body["want"] if isinstance(body.get("want"), list) else []):
        if isinstance(want, dict):
            want["key"] = FEW_NAMES[(zlib.crc32(repr(want).encode()) + index) % len(FEW_NAMES)]
            for parameter in NATIVE - {"limit"}:
                want.pop(parameter, None)
    for given in (case.query or {}, body):
        if isinstance(given.get("want"), str):
            given["want"] = ",".join(FEW_NAMES[: 1 + len(given["want"]) % 4])
        for parameter, few in FEW.items():
            if parameter in given:
                given[parameter] = few[zlib.crc32(repr(given[parameter]).encode()) % len(few)]
        if "limit" in given and case.path.startswith("/locks/"):
            given.pop("mode", None)  # slots of a counting lock are alike


@schemathesis.hook
def map_case(context, case):
    """The same name in the query and in the body with two values is a duplicate: keep one, unless that is the test."""
    mode = case.meta.generation.mode if case.meta else None
    if mode is not None and mode.is_positive:
        narrowed(case)
        if case.meta.phase.name == "stateful":  # what follows takes the id out of JSON
            for given in (case.query, case.body):
                if isinstance(given, dict):
                    given.pop("format", None)
    if isinstance(case.body, dict) and case.query:
        if mode is None or mode.is_positive:
            case.query = {name: value for name, value in case.query.items() if name not in case.body}
    if case.query and "cursor" in case.query and case.meta and case.meta.generation.mode.is_positive:
        case.query.pop("cursor")  # opaque: only the service makes good ones
    return case


@schemathesis.hook
def before_call(context, case, **kwargs):
    """A hold lasts until its lease ends: give it a short ttl, or the tool reads heartbeats for ever; so do events."""
    # In place of a header's text the tool may put a number that an answer had, and then cannot send it.
    for name, value in (case.headers or {}).items():
        if not isinstance(value, (str, bytes)):
            case.headers[name] = str(value)
    # No body at all, as PHP and generated clients say it: the document need not have that, and it is not refused.
    if case.media_type == "application/json" and case.body in (None, []) and not case.path.startswith("/shm"):
        case.body = {} if case.meta and case.meta.generation.mode.is_positive else 0
    if case.operation.definition.raw.get("operationId") == "events":
        case.query = {**(case.query or {}), "wait": "0"}
    if case.operation.definition.raw.get("operationId") not in ("holdLock", "holdLease"):
        return
    body = case.body if isinstance(case.body, dict) else {}
    query, is_json = case.query or {}, case.media_type == "application/json"
    given = [query[name] for name in ("ttl",) if name in query and isinstance(query[name], SCALARS)]
    given += [body[name] for name in ("ttl",) if name in body and (is_json or isinstance(body[name], SCALARS))]
    if all(DURATION.match(str(value)) for value in given):  # else it is refused anyway
        case.query = {**query, "ttl": "100ms"}
        body.pop("ttl", None)


def problem_of(response):
    if response.status_code < 400 or not response.headers.get("content-type", [""])[0].startswith(
        "application/problem+json"
    ):
        return None
    return response.json()


@schemathesis.check
def problems_are_those_of_the_table(ctx, response, case):
    """The document lists every code with its status and title; the service's own table must agree."""
    problem = problem_of(response)
    if problem is None:
        if response.status_code >= 400:
            kind = response.headers.get("content-type", [""])[0]
            assert kind.startswith("text/plain"), f"an error as {kind}"
        return
    entry = CODES.get(problem["code"])
    assert entry, f"{problem['code']} is not documented"
    assert problem["status"] == response.status_code == entry["status"], (
        f"{problem['code']} with {response.status_code}"
    )
    assert problem["title"] == entry["title"], f"title: {problem['title']!r}"
    assert problem["request_id"] == response.headers["x-request-id"][0]


@schemathesis.check
def problems_are_those_of_the_operation(ctx, response, case):
    """`x-codes` lists for each operation what else than the common codes it may answer."""
    problem, operation = problem_of(response), case.operation.definition.raw
    if problem is not None and problem["code"] not in COMMON:
        assert problem["code"] in operation.get("x-codes", ()), f"{problem['code']} is not in its x-codes"


def follow(schema):
    while "$ref" in schema:
        found = DOCUMENT
        for step in schema["$ref"].split("/")[1:]:
            found = found[step]
        schema = found
    return schema


def members_of(schema):
    """Name to schema of all members that the document knows; None where any may be."""
    schema, found = follow(schema), {}
    for part in (*schema.get("allOf", ()), *schema.get("anyOf", ())):
        found |= members_of(part) or {}
    found |= schema.get("properties", {})
    return found if found and not isinstance(schema.get("additionalProperties"), dict) else None


def undocumented(value, schema, path=""):
    """Members of an answer that the document does not have."""
    if isinstance(value, list):
        items = follow(schema).get("items")
        for each in value if items else ():
            yield from undocumented(each, items, path)
    known = members_of(schema)
    if isinstance(value, dict) and known is not None:
        for name, member in value.items():
            if name not in known:
                yield f"{path}/{name}"
            else:
                yield from undocumented(member, known[name], f"{path}/{name}")


@schemathesis.check
def answers_have_no_member_that_is_not_documented(ctx, response, case):
    kind = response.headers.get("content-type", [""])[0].partition(";")[0]
    answers = case.operation.definition.raw["responses"]
    answer = follow(answers.get(str(response.status_code), answers["default"]))
    schema = answer.get("content", {}).get(kind, {}).get("schema")
    is_json = kind in ("application/json", "application/problem+json")
    if schema and is_json and case.method != "HEAD" and response.content:
        found = list(undocumented(response.json(), schema))
        if kind == "application/problem+json":
            found = [path for path in found if path[1:] not in DOCUMENT["components"]["x-facts"]]
        assert not found, f"members that openapi.yaml does not have: {found}"


@schemathesis.check
def every_answer_has_the_common_headers(ctx, response, case):
    assert response.headers.get("cache-control") == ["no-store"]
    assert response.headers.get("x-content-type-options") == ["nosniff"]
    assert response.headers.get("x-request-id"), "no X-Request-Id"
    assert response.headers.get("cross-origin-resource-policy") == ["same-origin"]
    assert "access-control-allow-origin" not in response.headers


@schemathesis.check
def a_json_answer_is_one_object_and_a_newline(ctx, response, case):
    kind = response.headers.get("content-type", [""])[0]
    if kind.startswith(("application/json", "application/problem+json")) and case.method != "HEAD":
        if case.operation.definition.raw.get("operationId") == "getVariable" and response.status_code == 200:
            return  # the value itself, of whatever kind
        assert response.content.startswith(b"{") and response.content.endswith(b"}\n"), response.content[-40:]


@schemathesis.check
def valid_data_is_refused_only_for_what_a_schema_cannot_say(ctx, response, case):
    if not (case.meta and case.meta.generation.mode.is_positive):
        return
    problem = problem_of(response)
    if problem is None or problem["code"] in STATE | RANGES:
        return
    body = case.body if isinstance(case.body, dict) else {}
    given = {**(case.query or {}), **body}
    assert may_be_invalid(problem, given, case), f"valid data was refused: {problem}"


def key_of(case, given):
    """The name of the lock as the service reads it; the tool escapes what it puts into the path."""
    in_path = (case.path_parameters or {}).get("key")
    return str(given.get("key", "")) if in_path is None else urllib.parse.unquote(str(in_path))


def may_be_invalid(problem, given, case):
    code, parameter = problem["code"], problem.get("parameter")
    if parameter in ("id", "lease") and not LEASE_ID.match(str({**case.path_parameters, **given}.get(parameter))):
        return True  # made by the tool from an answer without a lease, not from the schema
    if code == "bad-key":  # bytes are counted, not characters
        if case.path.startswith(("/shm", "/segments")):
            return parameter in ("var", "segment", "key")  # control characters; numbers beyond 32 bits
        name = key_of(case, given)
        # Of `want`, the names are in the detail alone. What stands behind a prefix, "..", and the classes of Unicode
        # that a new name may not have, no pattern says.
        is_special = name in (".", "..") or "want" in problem
        is_special = is_special or name.startswith(("php:", "apache:", "sharelite:", "path:", "sysv:"))
        is_special = is_special or "characters that nobody sees" in problem["detail"]
        return parameter == "set" or is_special or len(name.encode()) > 255 or case.path.startswith("/keys")
    if code == "missing-parameter":  # required in the query or in the body, which a schema cannot say
        return parameter not in given and (parameter in REQUIRED or (parameter == "limit" and "resize" in given))
    if code == "invalid-parameter":
        return (
            " NUL" in problem["detail"]  # a name made by the tool from an earlier answer, or random bytes
            or (parameter == "mode" and "limit" in given)
            or parameter in ("cursor", "If-Match", "If-None-Match", "since")
            or (parameter in BINDING and (BINDING & set(given) or "want" in problem))
            or (parameter == "values" and "nsems" in given)
            or parameter in ("stop", "grace")  # they go with a process, and one with the other
            or (parameter == "resize" and ":" in key_of(case, given))  # natives set theirs
            or (parameter == "pinned" and "goes with resize=true" in problem["detail"])
            or parameter in NAMED  # which names a lock's slots have, and how many may be wanted, no schema says
            or (parameter in ("mode", "limit", "count") and (NAMED & set(given) or "want" in problem))
            or (parameter == "key" and "Idempotency-Key" in problem["detail"] and case.path == "/leases")
            or (parameter in ("ttl", "owner") and "ops" in given and "undo" not in str(given["ops"]))
            # JSON numbers with an exponent; and text that is longer than the document says: the tool bounds each `+` of
            # a pattern apart.
            or (parameter in DURATIONS and re.search("e|.{33}", str(given.get(parameter))))
        )
    if code == "not-found":
        return case.operation.path == "/"
    return code == "duplicate-parameter" and set(case.query or {}) & set(given)
