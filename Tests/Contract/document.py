#!/usr/bin/env python3
"""What openapi.yaml must keep to beyond the rules of OpenAPI; needs PyYAML.

python3 Tests/Contract/document.py [FILE]
"""

import os
import re
import sys

import yaml

# All that our schemas use. A comma without quotes makes the rest of a description a member, which no validator minds.
MEMBERS = {
    "$ref", "additionalProperties", "allOf", "anyOf", "const", "default", "description", "enum", "example", "examples",
    "format", "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "not", "oneOf",
    "pattern", "properties", "required", "title", "type", "uniqueItems", "x-enum-varnames",
}


def schemas(node, path=""):
    """Every schema of the document with its place."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from schemas(item, f"{path}/{index}")
    elif isinstance(node, dict):
        for name, value in node.items():
            place = f"{path}/{name}"
            if name == "schema" or path == "/components/schemas":
                yield from parts(value, place)
            elif name not in ("example", "examples") and not name.startswith("x-"):
                yield from schemas(value, place)


def parts(schema, path):
    """A schema and those inside it."""
    yield path, schema
    if not isinstance(schema, dict):
        return
    for name, value in schema.get("properties", {}).items():
        yield from parts(value, f"{path}/properties/{name}")
    for name in ("allOf", "anyOf", "oneOf"):
        for index, value in enumerate(schema.get(name, [])):
            yield from parts(value, f"{path}/{name}/{index}")
    for name in ("items", "additionalProperties"):
        if isinstance(schema.get(name), dict):
            yield from parts(schema[name], f"{path}/{name}")


def flaws(document):
    """One line for each."""
    for path, schema in schemas(document):
        if not isinstance(schema, dict):
            yield f"{path}: is no object"
            continue
        for member in schema.keys() - MEMBERS:
            yield f"{path}: has the unknown member '{member}'; quote a text that has a comma or a colon"
        types = schema.get("type")
        types = types if isinstance(types, list) else [types]
        if types == ["null"]:
            yield f"{path}: is null alone, which generators cannot take; give the type that it may have beside"
        largest = schema.get("maximum")
        if "integer" in types and "format" not in schema and not (isinstance(largest, int) and largest < 1 << 31):
            yield f"{path}: is an integer that a client may hold in 32 bits; say format: int64, or a maximum"
        if "enum" in schema and "type" not in schema:
            yield f"{path}: is an enum without a type"
        if "x-enum-varnames" in schema and len(schema["x-enum-varnames"]) != len(schema["enum"]):
            yield f"{path}: has {len(schema['enum'])} values and {len(schema['x-enum-varnames'])} names for them"
        if "properties" in schema and "additionalProperties" not in schema:
            yield f"{path}: does not say whether it may have more members; answers may, bodies may not"
        if "properties" in schema and "title" not in schema and re.search(r"/(properties/\w+|items|schema)$", path):
            yield f"{path}: is an object without a name, to which each generator gives another: say its title"
    yield from flaws_of_operations(document)


def flaws_of_operations(document):
    """What http_reference.py needs, and codes and statuses that do not go together."""
    codes, common = document["components"]["x-problem-codes"], document["components"]["x-common-codes"]
    never = codes.keys() - set(common)
    for methods in document["paths"].values():
        for operation in methods.values():
            name, own = operation["operationId"], operation.get("x-codes", [])
            for member in {"x-curl", "x-expect"} - operation.keys():
                yield f"{name}: has no {member}"
            documented = {status for status in operation["responses"] if "400" <= status < "600"}
            for code in own:
                if str(codes[code]["status"]) not in documented:
                    yield f"{name}: {code} has a status that is none of {sorted(documented)}"
            for status in documented - {str(codes[code]["status"]) for code in (*own, *common)}:
                yield f"{name}: {status} is documented, and no code has it"
            never -= set(own)
    for code in sorted(never):
        yield f"{code}: no operation may answer it"


def main():
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    path = sys.argv[1] if len(sys.argv) > 1 else os.path.join(root, "openapi.yaml")
    with open(path, encoding="utf-8") as file:
        found = list(flaws(yaml.safe_load(file)))
    for flaw in found:
        print(f"FAILED {flaw}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
