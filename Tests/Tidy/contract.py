"""Checks that openapi.yaml, the code and the tests name the same errors, operations and settings."""

import re

import project

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
    return re.findall(r'operation: "(\w+)"', tree.text("Sources/LeaseholdHTTP/Endpoint.swift"))


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
        yield f"openapi.yaml has {documented}, Endpoint.swift {served}"


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


CHECKS = [
    the_project_is_named_alike,
    error_codes_are_documented, operations_are_documented_in_order, error_codes_are_tested, operations_are_tested,
]
