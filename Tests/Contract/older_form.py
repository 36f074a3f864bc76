#!/usr/bin/env python3
"""Checks that Tools/openapi30.py makes the same contract: it is OpenAPI 3.0, and its schemas take and refuse what those
of openapi.yaml do: every example of the document, and each with something changed in it.

python3 Tests/Contract/older_form.py; needs openapi-spec-validator.
"""

import copy
import json
import os
import subprocess
import sys
import tempfile

import yaml
from openapi_schema_validator import OAS30Validator, OAS31Validator

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.append(os.path.join(ROOT, "Tools"))

import openapi30  # noqa: E402

ODD = (None, "", "x" * 300, -1, 1.5, True, [], {})


def examples(node, place=""):
    """Places of schemas, and a value that the document shows for each."""
    if isinstance(node, list):
        for index, item in enumerate(node):
            yield from examples(item, f"{place}/{index}")
    elif isinstance(node, dict):
        if "schema" in node and ("example" in node or "examples" in node):
            shown = [node["example"]] if "example" in node else [one["value"] for one in node["examples"].values()]
            yield from ((f"{place}/schema", value) for value in shown if not isinstance(value, bytes))
        if place.startswith("/components/schemas/") and place.count("/") == 3:
            shown = node.get("examples", []) + ([node["example"]] if "example" in node else [])
            yield from ((place, value) for value in shown)
        for name, value in node.items():
            if name not in ("example", "examples") and not name.startswith("x-"):
                yield from examples(value, f"{place}/{name.replace('/', '~1')}")


def changed(value):
    """The value, with each of its parts replaced or taken out, and with one part too many."""
    yield value
    yield from ODD
    if isinstance(value, dict):
        yield {**value, "no-such-member": 1}
        for name, part in value.items():
            yield {each: copied for each, copied in value.items() if each != name}
            yield from ({**value, name: other} for other in changed(part))
    elif isinstance(value, list):
        for index, part in enumerate(value[:2]):
            yield from (value[:index] + [other] + value[index + 1:] for other in changed(part))


def at(document, place):
    for step in place.split("/")[1:]:
        document = document[int(step) if isinstance(document, list) else step.replace("~1", "/")]
    return document


def main():
    with open(os.path.join(ROOT, "openapi.yaml"), encoding="utf-8") as file:
        text = file.read()
    new, old = yaml.safe_load(text), json.loads(openapi30.text_of(text))
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        file.write(openapi30.text_of(text))
        file.flush()
        validator = os.path.join(os.path.dirname(sys.executable), "openapi-spec-validator")
        wrong = subprocess.run([validator, "--schema", "3.0", file.name], check=False).returncode
    taken = refused = 0
    for place, value in examples(new):
        judges = [judge({**copy.deepcopy(at(document, place)), "components": document["components"]})
                  for judge, document in ((OAS31Validator, new), (OAS30Validator, old))]
        for case in changed(value):
            one, other = (judge.is_valid(case) for judge in judges)
            taken, refused = taken + one, refused + (not one)
            if one != other:
                wrong += 1
                print(f"FAILED {place}: 3.1 says {one} and 3.0 {other} of {json.dumps(case)[:200]}")
    print(f"OpenAPI 3.0: {taken} values taken and {refused} refused, by both")
    return 1 if wrong or not taken or not refused else 0


if __name__ == "__main__":
    sys.exit(main())
