"""Checks that openapi.yaml, the code and the tests name the same errors, operations and settings."""

import re

import project
from http_reference import made_of

TABLE = "Sources/LeaseholdHTTP/Answers/ProblemTable.swift"
TESTS = (".swift", ".py", ".sh", ".pl")
# Codes that no test can ask for, and why.
BEYOND_TESTS = {
    "internal": "is a mistake of the program",
    "starting": "the listeners open after the recovery; only a program that uses the library may see it",
}


def documented_codes(tree):
    """Code to status and title, as openapi.yaml has them."""
    section = re.search(r"^  x-problem-codes:\n((?:    .*\n|\n)+)", tree.text("openapi.yaml"), re.M)
    codes = {}
    for code, rest in re.findall(r"^    ([a-z-]+):\n((?:      .*\n)+)", section[1] if section else "", re.M):
        status, title = re.search(r"status: (\d+)", rest), re.search(r"title: (.*)", rest)
        codes[code] = (int(status[1]) if status else None, title[1].strip("\"'") if title else None)
    return codes


def served_codes(tree):
    """Code to status and title: the constants of every layer, with their rows in ProblemTable.swift."""
    sources = "\n".join(text for _, text in tree.matching(".swift", under=("Sources/",)))
    constants = r"extension LeaseholdError\.Code \{\n((?:  .*\n|\n)*)\}"
    names = {
        name: raw
        for block in re.findall(constants, sources)
        for name, raw in re.findall(r'^  (?:public )?static let (\w+) = Self\(rawValue: "([^"]+)"\)$', block, re.M)
    }
    rows = re.findall(r'^    \.(\w+): Row\(\s*(\d+), "([^"]*)"', tree.text(TABLE), re.M)
    found = {names[name]: (int(status), title) for name, status, title in rows if name in names}
    return {**{raw: (None, None) for raw in names.values()}, **found}


def documented_operations(tree):
    paths = tree.text("openapi.yaml").partition("\ncomponents:")[0]
    return re.findall(r"^      operationId: (\w+)$", paths, re.M)


def served_operations(tree):
    return re.findall(r'\bEndpoint\(\s*"(\w+)"', tree.text("Sources/LeaseholdHTTP/Routing/Endpoints.swift"))


def error_codes_are_documented(tree):
    documented, served = documented_codes(tree), served_codes(tree)
    if not served:
        yield f"{TABLE}: no codes found"
    for code in sorted(documented.keys() | served.keys()):
        if documented.get(code) != served.get(code):
            yield f"{code}: openapi.yaml says {documented.get(code)}, the table {served.get(code)}"


def operations_are_documented_in_order(tree):
    documented, served = documented_operations(tree), served_operations(tree)
    if not served or documented != served:
        yield f"openapi.yaml has {documented}, Endpoints.swift {served}"


def tested_names(tree):
    """What stands in quotes in the tests; the checks themselves do not count."""
    texts = [text for path, text in tree.matching(*TESTS, under=("Tests/",)) if not path.startswith("Tests/Tidy/")]
    return set(re.findall(r"""(?<=["'`])[A-Za-z][\w-]*(?=["'`])""", "\n".join(texts)))


def error_codes_are_tested(tree):
    names = tested_names(tree)
    for code in served_codes(tree):
        if code not in names and code not in BEYOND_TESTS:
            yield f"no test names the error code '{code}'"


def operations_are_tested(tree):
    names = tested_names(tree)
    for operation in served_operations(tree):
        if operation not in names:
            yield f"no test names the operation '{operation}'"


def the_project_is_named_alike(tree):
    for path, _, wrong in project.differences(tree.files):
        for what in wrong:
            yield f"{path} {what}; make project writes what {project.VALUES} and VERSION say"


def the_reference_is_of_today(tree):
    """docs/http.md and the page of GET /docs are what openapi.yaml makes."""
    source = tree.text("openapi.yaml")
    try:
        made = made_of(source) if "\nx-reference:" in source else {}
    except KeyError as error:
        yield f"openapi.yaml: {error} is missing, which Tools/http_reference.py needs"
        return
    for path, text in made.items():
        if tree.text(path) != text:
            yield f"{path} is stale: Tools/http_reference.py writes it anew"


def facts_of_problems_are_documented(tree):
    """What a problem says beside its sentence, in `facts`, stands in x-facts or among the members of Problem."""
    text = tree.text("openapi.yaml")
    documented = set(re.findall(r"^    (\w+): ", text.partition("\n  x-facts:\n")[2].partition("\n  x-")[0], re.M))
    members = set(re.findall(r"^ {8,12}(\w+):", text.partition("\n    Problem:\n      type:")[2], re.M))
    sources = tree.matching(".swift", under=("Sources/Leasehold/", "Sources/LeaseholdLocal/", "Sources/LeaseholdHTTP/"))
    given = {name for _, source in sources for name in re.findall(
        r'\("(\w+)", (?:\w+\.map \{ )?\.(?:text|number|texts|flag|none)\b(?!\(let)', source)}
    for name in sorted(given - documented - members):
        yield f"openapi.yaml: x-facts does not have {name}"
    words = set(re.findall(r'"(\w+)"', "".join(source for _, source in sources)))
    for name in sorted(documented - words):
        yield f"openapi.yaml: x-facts has {name}, which no source names"


CHECKS = [
    the_project_is_named_alike, the_reference_is_of_today, facts_of_problems_are_documented,
    error_codes_are_documented, operations_are_documented_in_order, error_codes_are_tested, operations_are_tested,
]
