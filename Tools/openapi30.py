#!/usr/bin/env python3
"""Makes OpenAPI 3.0 in JSON of openapi.yaml, which is 3.1, for tools that know no other.

Tools/openapi30.py [FILE [RESULT]]      the result goes to standard output when it is not named

What 3.0 says in another way is said so: `null` among the types is `nullable`, `const` an enum of one, the first of
`examples` of a schema its `example`; beside `$ref` nothing may stand, so a schema gets `allOf`. Whatever has no other
way ends the program with an error; nothing but the summary of `info` is left out. Tests/Contract/older_form.py checks
the result.
"""

import json
import os
import sys

try:
    import yaml
except ImportError:  # a Python of one's own beside Debian's, which has python3-yaml
    if sys.executable == "/usr/bin/python3" or not os.path.exists("/usr/bin/python3"):
        sys.exit("openapi30: PyYAML is missing; on Debian: apt-get install python3-yaml")
    os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Members of schemas that mean the same in both.
SAME = {
    "default", "description", "enum", "example", "format", "maxItems", "maxLength", "maximum", "minItems", "minLength",
    "minimum", "pattern", "required", "title", "uniqueItems", "x-enum-varnames",
}


def types_of(schema, place):
    """`type` and `nullable` as 3.0 has them."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    others = [name for name in types if name != "null"]
    if len(others) == 1:
        made = {"type": others[0]}
    elif others:
        made = {"anyOf": [{"type": name} for name in others]}
    else:
        sys.exit(f"openapi30: {place}: null alone cannot be said in 3.0")
    if "null" in types:
        made["nullable"] = True
    return made


def schema_of(schema, place):
    """A schema in 3.0."""
    if "$ref" in schema:
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        return {"allOf": [{"$ref": schema["$ref"]}], **schema_of(rest, place)} if rest else dict(schema)
    made = {}
    for name, value in schema.items():
        if name == "type":
            made |= types_of(schema, place)
        elif name == "const":
            made["enum"] = [value]
        elif name == "examples":
            made["example"] = value[0]
        elif name == "properties":
            made[name] = {each: schema_of(part, f"{place}/{each}") for each, part in value.items()}
        elif name in ("allOf", "anyOf", "oneOf"):
            made[name] = [schema_of(part, f"{place}/{name}") for part in value]
        elif name in ("items", "not") or name == "additionalProperties" and isinstance(value, dict):
            made[name] = schema_of(value, f"{place}/{name}")
        elif name in SAME or name == "additionalProperties":
            made[name] = value
        else:
            sys.exit(f"openapi30: {place}: '{name}' is not known to mean the same in 3.0")
    if made.get("nullable") and None not in made.get("enum", [None]):
        made["enum"] = [*made["enum"], None]
    return made


def document_of(node, place=""):
    """Any other part of the document."""
    if isinstance(node, list):
        return [document_of(item, f"{place}/{index}") for index, item in enumerate(node)]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    made = {}
    for name, value in node.items():
        where = f"{place}/{name}"
        if name == "schema":
            made[name] = schema_of(value, where)
        elif where == "/components/schemas":
            made[name] = {each: schema_of(part, f"{where}/{each}") for each, part in value.items()}
        elif name in ("example", "examples") or name.startswith("x-"):
            made[name] = value
        elif where == "/info/summary":  # 3.0 has none; the description says it all
            continue
        elif where == "/info/license":
            made[name] = {"name": value["name"], "url": f"https://spdx.org/licenses/{value['identifier']}.html"}
        elif where in ("/webhooks", "/jsonSchemaDialect", "/components/pathItems"):
            sys.exit(f"openapi30: {where} cannot be said in 3.0")
        else:
            made[name] = document_of(value, where)
    return made


def made_of(text):
    """The document of a text of openapi.yaml."""
    source = yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {**document_of(source), "openapi": "3.0.3"}


def text_of(text):
    """The same in JSON, as it is written."""
    return json.dumps(made_of(text), ensure_ascii=False, indent=1) + "\n"


def main(words):
    with open(words[0] if words else os.path.join(ROOT, "openapi.yaml"), encoding="utf-8") as file:
        made = text_of(file.read())
    if len(words) > 1:
        with open(words[1], "w", encoding="utf-8") as file:
            file.write(made)
    else:
        sys.stdout.write(made)


if __name__ == "__main__":
    main(sys.argv[1:])
