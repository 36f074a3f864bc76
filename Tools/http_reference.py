#!/usr/bin/env python3
"""Makes docs/http.md, and the page that GET /docs answers, of openapi.yaml.

Tools/http_reference.py            writes both
Tools/http_reference.py --check    fails when one of them is stale
"""

import json
import os
import re
import sys

from reference_text import as_markdown, as_page, slug, wrapped

try:
    import yaml
except ImportError:  # a Python of one's own beside Debian's, which has python3-yaml
    if sys.executable == "/usr/bin/python3" or not os.path.exists("/usr/bin/python3"):
        sys.exit("http_reference: PyYAML is missing; on Debian: apt-get install python3-yaml")
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE, MARKDOWN, PAGE = "openapi.yaml", "docs/http.md", "Sources/COpenAPI/reference.html"
LONG = 240  # what is longer is told once
# Headers that nearly every request takes are told once; so are the parameters of native names.
COMMON_HEADERS = ("X-Request-Id", "traceparent", "Prefer")
NATIVE = ("perm", "semaphore_key", "nsems", "project", "sem", "touch", "undo")


class Contract:
    """openapi.yaml with its references followed."""

    def __init__(self, text):
        self.whole = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        self.codes = self.whole["components"]["x-problem-codes"]
        self.common = self.whole["components"]["x-common-codes"]
        self.meanings = self.whole["components"]["x-members"]
        self.operations = {
            operation["operationId"]: (method.upper(), path, operation)
            for path, item in self.whole["paths"].items() for method, operation in item.items()}

    def follow(self, value):
        while "$ref" in value:
            found = self.whole
            for step in value["$ref"].split("/")[1:]:
                found = found[step]
            value = found
        return value

    def parameters(self, operation):
        return [self.follow(parameter) for parameter in operation.get("parameters", ())]

    def members(self, schema):
        """Name to schema, of an object and of all that it is made of."""
        schema, found = self.follow(schema), {}
        for part in schema.get("allOf", ()):
            found |= self.members(part)
        return found | schema.get("properties", {})

    def answers(self, operation):
        """Status, description, media type, schema and example of each answer that is no error."""
        for status, answer in operation["responses"].items():
            answer = self.follow(answer)
            if status < "400":
                kinds = answer.get("content") or {None: {}}
                kind = next(iter(kinds))
                examples = [each["value"] for each in kinds[kind].get("examples", {}).values()]
                example = kinds[kind].get("example", examples[0] if examples else None)
                yield status, answer["description"], kind, kinds[kind].get("schema", {}), example


def one_line(text):
    return " ".join(text.split())


def parted(description):
    """A description without its sentence about the default, and the default."""
    match = re.search(r"\s*\bDefault(?: is)? ([^.]+(?:\.\d[^.]*)*)\.(?=\s|$)", description)
    if not match:
        return description, ""
    return (description[:match.start()] + description[match.end():]).strip(), match[1].strip()


class Writer:
    """What the reference says, as a list of blocks: (kind, content); Markdown and HTML are made of it."""

    def __init__(self, contract):
        self.contract, self.blocks = contract, []
        # Where each schema, and each long meaning of a parameter, was told first.
        self.shown, self.told, self.place = {}, {}, ""

    def add(self, kind, content):
        self.blocks.append((kind, content))

    def range_of(self, schema):
        schema = self.contract.follow(schema)
        if "anyOf" in schema:
            return ", or ".join(filter(None, map(self.range_of, schema["anyOf"])))
        if "enum" in schema:
            return ", ".join(f"`{value}`" for value in schema["enum"])
        low, high = schema.get("minimum"), schema.get("maximum")
        if low is not None or high is not None:
            return f"`{low}..{high}`" if high is not None and low is not None else f"at least `{low}`"
        pattern = schema.get("pattern", "")
        if "(ms|s|m|h)" in pattern:
            return "a duration"
        if schema.get("type") == "boolean":
            return "`true`, `false`"
        if "minLength" in schema and "maxLength" in schema:
            return f"{schema['minLength']} to {schema['maxLength']} bytes"
        return schema.get("x-range", "")

    def kind_of(self, schema):
        schema = self.contract.follow(schema)
        kind = schema.get("type") or ("object" if "allOf" in schema else "")
        kind = " or ".join(kind) if isinstance(kind, list) else kind
        if kind == "array":
            return f"list of {self.kind_of(schema['items'])}".replace("object", "objects")
        return kind or "any"

    def parameter_table(self, parameters):
        rows = []
        for parameter in parameters:
            schema = parameter.get("schema", {})
            text, default = parted(parameter.get("description", ""))
            if "default" in self.contract.follow(schema):
                default = json.dumps(self.contract.follow(schema)["default"])
            default = f"`{default}`" if re.fullmatch(r"[\w\"]+", default) else default
            default = "required" if parameter.get("required") or re.search(r"\brequired\b", text, re.I) else default
            place = {"path": " (path)", "header": " (header)"}.get(parameter["in"], "")
            allowed = parameter.get("x-range") or self.range_of(schema)
            meaning = self.flat(text)
            if len(meaning) > LONG:
                told = self.told.setdefault(meaning, self.place)
                meaning = meaning if told == self.place else f"As [above](#{told})."
            rows.append([f"`{parameter['name']}`{place}", default, allowed, meaning])
        self.add("table", (["parameter", "default", "range", "meaning"], rows))

    def flat(self, text):
        """A description in one line, as a cell of a table takes it."""
        paragraphs = re.split(r"\n\s*\n", text.strip())
        return " ".join(one_line(re.sub(r"(?m)^- ", "• ", paragraph)) for paragraph in paragraphs)

    def text(self, description):
        for paragraph in re.split(r"\n\s*\n", (description or "").strip()):
            if paragraph.startswith("- "):
                self.add("list", [one_line(item) for item in re.split(r"(?m)^- ", paragraph)[1:]])
            elif paragraph:
                self.add("text", one_line(paragraph))

    def code_table(self, codes, groups=()):
        rows, codes = [], sorted(codes, key=lambda code: self.contract.codes[code]["status"])
        for group in groups:
            told = [code for code in codes if code in group["codes"]]
            if len(told) > 2:
                codes = [code for code in codes if code not in told]
                statuses = sorted({str(self.contract.codes[code]["status"]) for code in told})
                rows.append([", ".join(f"`{code}`" for code in told), ", ".join(statuses), group["title"],
                             f"see [there](#{slug(group['title'])})"])
        rows = [[f"`{code}`", str(self.contract.codes[code]["status"]), self.contract.codes[code]["title"],
                 one_line(self.contract.codes[code]["help"])] for code in codes] + rows
        self.add("table", (["code", "status", "when", "what to do"], rows))

    def member_table(self, schema, beside=()):
        """The members of an answer, and of the objects in it that were not told yet."""
        rows, inner = [], []
        for name, member in self.contract.members(schema).items():
            if name in beside:
                continue
            followed, kind = self.contract.follow(member), self.kind_of(member)
            meanings = self.contract.meanings
            meaning = followed.get("description") or meanings.get(f"{name} ({kind})") or meanings.get(name, "")
            within = member if "$ref" in member else followed
            within = self.contract.follow(within).get("items", within)
            if self.contract.members(within):
                inner.append((name, within))
            rows.append([f"`{name}`", kind, self.flat(meaning)])
        self.add("table", (["member", "type", "meaning"], rows))
        for name, within in inner:
            title = within.get("$ref", "").rpartition("/")[2]
            if title and title in self.shown:
                self.add("text", f"`{name}`: as [above](#{self.shown[title]}).")
                continue
            self.shown[title or None] = self.place
            self.add("text", f"In `{name}`:")
            self.member_table(within)

    def operation(self, name):
        method, path, operation = self.contract.operations[name]
        title = heading(method, path)
        self.place = slug(title)
        self.add("h3", title)
        self.add("text", one_line(operation["summary"]))
        self.add("code", operation["x-curl"].strip())
        if "x-cli" in operation:
            self.add("text", f"With the command: `{operation['x-cli'].strip()}`")
        self.text(operation.get("description"))
        parameters = self.contract.parameters(operation)
        own = [parameter for parameter in parameters
               if parameter["name"] not in COMMON_HEADERS
               and not (parameter["name"] in NATIVE and path.startswith(("/locks", "/keys")))
               and not parameter.get("description", "").startswith("Ignored")]
        if own:
            self.parameter_table(own)
        if any(parameter["name"] == "perm" for parameter in parameters):
            self.add("text", "Native names take [more](#native-names).")
        if self.body_has_more(operation, parameters):
            self.add("text", self.body_has_more(operation, parameters))
        self.answers(operation)
        if operation.get("x-codes"):
            self.add("text", "**Errors**, beside those that [any request](#errors) may get:")
            self.code_table(operation["x-codes"], self.contract.whole["x-reference"]["groups"])

    def body_has_more(self, operation, parameters):
        body = operation.get("requestBody", {}).get("content", {})
        if not body or "application/json" not in body:
            return f"The body is `{next(iter(body))}`." if body else ""
        example = self.contract.follow(body["application/json"]["schema"]).get("example")
        return f"As JSON: `{json.dumps(example)}`" if example and parameters else ""

    def answers(self, operation):
        for status, description, kind, schema, example in self.contract.answers(operation):
            as_text = "" if kind in (None, "application/json") else f" (`{kind}`)"
            self.add("text", f"**{status}**{as_text}: {one_line(description)}")
            if example is None:
                continue
            self.add("code", example.strip() if isinstance(example, str) else wrapped(example))
            title = schema.get("$ref", "").rpartition("/")[2]
            if title in self.shown:
                self.add("text", f"Its members are [above](#{self.shown[title]}).")
            elif self.contract.members(schema):
                self.shown[title] = self.place
                self.member_table(schema)

    def reference(self):
        whole = self.contract.whole
        self.add("h1", "HTTP reference")
        self.add("note", f"Made of {SOURCE} by Tools/http_reference.py; do not edit.")
        self.text(whole["x-reference"]["rules"])
        first = whole["x-reference"]["first"]
        rest = [name for name in self.contract.operations if name not in first]
        self.add("h2", "What there is")
        self.add("table", (["request", "does"], [
            [f"[{heading(method, path)}](#{slug(heading(method, path))})", one_line(operation["summary"])]
            for method, path, operation in (self.contract.operations[name] for name in [*first, *rest])]))
        self.add("h2", "What most people use")
        for name in first:
            self.operation(name)
        for tag in whole["tags"]:
            self.add("h2", f"The rest: {tag['name']}")
            for name in rest:
                if self.contract.operations[name][2]["tags"] == [tag["name"]]:
                    self.operation(name)
        self.everywhere()
        return self.blocks

    def everywhere(self):
        acquire = self.contract.parameters(self.contract.operations["acquireLock"][2])
        self.add("h2", "Everywhere")
        self.text(self.contract.whole["x-reference"]["everywhere"])
        self.parameter_table([parameter for parameter in acquire if parameter["name"] in COMMON_HEADERS])
        self.add("h3", "Native names")
        self.text(self.contract.whole["x-reference"]["native"])
        self.parameter_table([parameter for parameter in acquire if parameter["name"] in NATIVE])
        over, native = (group["codes"] for group in self.contract.whole["x-reference"]["groups"])
        self.code_table(native)
        self.add("h3", "A lease that is over")
        self.text(self.contract.whole["x-reference"]["over"])
        self.code_table(over)
        self.add("h3", "Errors")
        self.text(self.contract.whole["x-reference"]["errors"])
        components = self.contract.whole["components"]
        self.add("code", wrapped(components["responses"]["Locked"]["content"]["application/problem+json"]["example"]))
        self.member_table({"$ref": "#/components/schemas/Problem"})
        for status, name in self.contract.whole["x-reference"]["problems"].items():
            self.add("text", f"{status} also has:")
            self.member_table({"$ref": f"#/components/schemas/{name}"}, components["schemas"]["Problem"]["properties"])
        self.text(self.contract.whole["x-reference"]["facts"])
        self.add("table", (["member", "meaning"], [
            [f"`{name}`", meaning] for name, meaning in components["x-facts"].items()]))
        self.text(self.contract.whole["x-reference"]["common"])
        self.code_table(self.contract.common)


def heading(method, path):
    return f"{method} {path}" if path != "/" else f"{method} / (the index)"


def made_of(source):
    """Path to text of what is made of openapi.yaml."""
    blocks = Writer(Contract(source)).reference()
    return {MARKDOWN: as_markdown(blocks), PAGE: as_page(blocks)}


def main():
    with open(os.path.join(ROOT, SOURCE), encoding="utf-8") as file:
        made = made_of(file.read())
    stale = []
    for name, text in made.items():
        path = os.path.join(ROOT, name)
        if "--check" not in sys.argv[1:]:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        elif not os.path.exists(path) or open(path, encoding="utf-8").read() != text:
            stale.append(name)
    for name in stale:
        print(f"FAILED {name} is not what {SOURCE} says: Tools/http_reference.py writes it anew")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
