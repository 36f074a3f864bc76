"""Checks of the sources: who may import what, and how long things may be."""

import re

import project
from tree import line_of, stored_properties, swift_functions, swift_imports, without_literals

FILE_LINES = 400
FUNCTION_LINES = 69
LINE_COLUMNS = 120
MARKDOWN_COLUMNS = 139
STORED_PROPERTIES = 20
# These only carry values: a record, a snapshot, options, figures.
VALUES = ("LeaseRecord", "LockSnapshot", "ServerOptions", "ServiceCounters")
CODE = (".swift", ".c", ".h", ".py", ".sh")


def imports_outside(tree, module, *folders):
    for path, text in tree.matching(".swift"):
        if not path.startswith(folders):
            for line, name in swift_imports(text):
                if name == module:
                    yield f"{path}:{line}: only {' and '.join(folders)} may import {module}"


def csysv_is_fenced(tree):
    return imports_outside(tree, "CSysV", "Sources/SysV/")


def libmicrohttpd_is_fenced(tree):
    return imports_outside(tree, "CMicroHTTPD", "Sources/LeaseholdHTTP/MicroHTTPD/")


def early_answers_are_fenced(tree):
    return imports_outside(tree, "CEarlyAnswer", "Sources/LeaseholdHTTP/MicroHTTPD/")


def gnutls_is_fenced(tree):
    return imports_outside(tree, "CGnuTLS", "Sources/LeaseholdHTTP/GnuTLS/", "Sources/HTTPExchange/TLS/")


def the_host_is_fenced(tree):
    return imports_outside(tree, "CHost", "Sources/LeaseholdHost/")


def the_build_is_fenced(tree):
    return imports_outside(tree, "CBuild", "Sources/leasehold/Version.swift")


def supervision_is_fenced(tree):
    return imports_outside(tree, "CSupervise", "Sources/leasehold/Run/")


# What a target may know beside Swift itself. Foundation makes the program several times as large.
SYSTEM = ("Glibc", "Synchronization")
IMPORTS = {
    "SysVTypes": (),
    "JSONText": (),
    "LeaseholdHost": (*SYSTEM, "CHost"),
    "SysV": (*SYSTEM, "CSysV", "SysVTypes", "SystemPackage"),
    "PHPVariables": ("JSONText",),
    "Leasehold": ("Synchronization", "SysVTypes"),
    "LeaseholdLocal": (*SYSTEM, "Leasehold", "LeaseholdHost", "PHPVariables", "SysV", "SysVTypes", "SystemPackage"),
    "LeaseholdHTTP": (*SYSTEM, "CDashboard", "CEarlyAnswer", "CGnuTLS", "CMicroHTTPD", "COpenAPI", "JSONText",
                      "Leasehold", "LeaseholdHost", "Logging", "PHPVariables", "SysVTypes"),
    "HTTPExchange": (*SYSTEM, "CGnuTLS", "LeaseholdHost"),
    "LeaseholdClient": (*SYSTEM, "HTTPExchange", "JSONText", "LeaseholdHost"),
    "EtcdGateway": (*SYSTEM, "HTTPExchange", "JSONText", "LeaseholdHost"),
    "LeaseholdQueue": ("JSONText",),
    "LeaseholdEtcd": ("Synchronization", "EtcdGateway", "HTTPExchange", "Leasehold", "LeaseholdHost", "LeaseholdQueue"),
    "LeaseholdDelays": ("Synchronization", "Leasehold", "LeaseholdHost"),
    "LeaseholdTestKit": ("Synchronization", "Leasehold", "SysVTypes"),
}


def imports_point_downwards(tree):
    for path, text in tree.matching(".swift", under=("Sources/",)):
        target = path.split("/")[1]
        for line, name in swift_imports(text):
            if name == "Foundation" or target != "leasehold" and name not in (*IMPORTS.get(target, ()), "Swift"):
                yield f"{path}:{line}: {target} must not know {name}"


def folders_of_the_domain_point_left(tree):
    """What lies in a folder of the domain uses what lies there or further left; "" are the files beside them."""
    order = ("Values", "Dialects", "Events", "Ports", "", "Ledger")
    files = [(path, path.split("/")[2] if path.count("/") > 2 else "", without_literals(text))
             for path, text in tree.matching(".swift", under=("Sources/Leasehold/",))]
    declared = r"\b(?:class|struct|enum|protocol|typealias|associatedtype) +(\w+)"
    home = {name: folder for _, folder, code in files
            for name in re.findall(rf"^(?:\w+ )*?{declared[2:]}", code, re.M)}
    for path, folder, code in files:
        own = set(re.findall(declared, code) + re.findall(r"<(\w+)[:>]", code))
        for match in re.finditer(r"(?<![.\w])[A-Z]\w+", code):
            there = home.get(match[0], folder)
            if match[0] not in own and order.index(there) > order.index(folder):
                where = f"{path}:{line_of(code, match.start())}"
                yield f"{where}: {folder or 'a service'} must not know {match[0]} of {there}"


def the_crash_order_is_fenced(tree):
    """Who stores or operates elsewhere could do so in another order."""
    for path, text in tree.matching(".swift", under=("Sources/Leasehold/Ledger/",)):
        if not re.search(r"/(Journal|LockTable|CrashOrder)[^/]*$", path):
            for number, line in enumerate(text.split("\n"), 1):
                if re.search(r"\b(storage|kernel)\.\w+\(", line) and not line.lstrip().startswith("//"):
                    yield f"{path}:{number}: only Journal, LockTable and CrashOrder may store or operate"


def only_paths_call_the_tables(tree):
    """The five structs of the ledger do not know each other: what a call does with them is for one path to say."""
    structs = "Journal|LockTable|LeaseTable|Queues|Observers"
    for path, text in tree.matching(".swift", under=("Sources/Leasehold/Ledger/",)):
        if "/Paths/" in path or path.endswith("/Ledger.swift"):
            continue
        own = re.search(rf"/({structs})\b", path)
        for number, line in enumerate(without_literals(text).split("\n"), 1):
            if re.search(r"\b(journal|lockTable|leaseTable|queues|observers)\.", line):
                yield f"{path}:{number}: only Ledger/Paths calls the ledger's structs"
            if own and set(re.findall(rf"\b({structs})\b", line)) - {own[1]}:
                yield f"{path}:{number}: {own[1]} knows no other of the ledger's structs"


def files_are_short(tree):
    for path, text in tree.matching(*CODE):
        if text.count("\n") > FILE_LINES:
            yield f"{path}: {text.count(chr(10))} lines, at most {FILE_LINES}"


def functions_are_short(tree):
    for path, text in tree.matching(".swift"):
        for name, line, count in swift_functions(text):
            if count > FUNCTION_LINES:
                yield f"{path}:{line}: {name} has {count} lines, at most {FUNCTION_LINES}"


def types_have_few_parts(tree):
    for path, text in tree.matching(".swift", under=("Sources/",)):
        for name, line, count in stored_properties(text):
            if count > STORED_PROPERTIES and name not in VALUES:
                yield f"{path}:{line}: {name} has {count} stored properties, at most {STORED_PROPERTIES}"


def lines_are_short(tree):
    for path, text in tree.matching(*CODE, "Makefile"):
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > LINE_COLUMNS:
                yield f"{path}:{number}: {len(line)} columns, at most {LINE_COLUMNS}"


def markdown_lines_are_short(tree):
    for path, text in tree.matching(".md"):
        for number, line in enumerate(text.split("\n"), 1):
            if len(line) > MARKDOWN_COLUMNS and not line.startswith("|"):
                yield f"{path}:{number}: {len(line)} columns, at most {MARKDOWN_COLUMNS}"


def lines_end_cleanly(tree):
    for path, text in tree.files.items():
        if text and not text.endswith("\n"):
            yield f"{path}: no newline at the end"
        for number, line in enumerate(text.split("\n"), 1):
            if line != line.rstrip():
                yield f"{path}:{number}: blanks at the end of the line"


def nothing_is_forced(tree):
    for path, text in tree.matching(".swift"):
        code = without_literals(text)
        for match in re.finditer(r"\btry!|\bas!|[\w)\]]!(?=[.\s)\],?(\[]|$)(?!=)", code):
            yield f"{path}:{line_of(code, match.start())}: '{match[0]}' ends the process where an error would do"


def text_from_outside_is_compared_as_bytes(tree):
    """Swift takes composed and decomposed letters for one; names, owners and prefixes are their bytes."""
    loose = re.compile(r"\bhas(Prefix|Suffix)\b(?!\(\")|\b(lease|head|request)\.owner [!=]= |key\.text [!=]= (?!\")")
    folders = ("Sources/Leasehold/", "Sources/LeaseholdHTTP/", "Sources/LeaseholdLocal/Paths/")
    for path, text in tree.matching(".swift", under=folders):
        for number, line in enumerate(text.split("\n"), 1):
            if loose.search(line) and not line.lstrip().startswith("//"):
                yield f"{path}:{number}: compares text as Swift does; use isExactly or begins(with:)"


def nothing_is_left_to_do(tree):
    marks = "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r"|fatalError\(\s*\"not " + "implemented"
    for path, text in tree.files.items():
        for match in re.finditer(rf"\b(?:{marks})\b", text):
            yield f"{path}:{line_of(text, match.start())}: '{match[0]}' belongs into an issue"


def nothing_names_one_machine(tree):
    folders = "|".join(("wo" + "rk/", "opt/sw" + "ift", "ro" + r"ot\b", r"home/\w"))
    hosts = "|".join(re.escape(".".join(parts)) for parts in (
        ("pypi", "org"), ("pythonhosted", "org"), ("npmjs", "org"), ("crates", "io"), ("docker", "io"), ("quay", "io"),
        ("ghcr", "io"), ("proxy", "golang", "org"), ("rubygems", "org")))
    own = project.image(tree.files)
    for path, text in tree.files.items():
        text = text.replace(own, " " * len(own)) if own else text
        for match in re.finditer(rf"(?<![\w.}}])/(?:{folders})|\b(?:{hosts})\b", text):
            yield f"{path}:{line_of(text, match.start())}: '{match[0]}' is of one machine or one registry"


def nothing_built_is_tracked(tree):
    for path in tree.tracked:
        if re.search(r"(^|/)(Package\.resolved|\.build[^/]*|__pycache__|\.venv)(/|$)", path):
            yield f"{path}: is made by a build and must not be tracked"


def mutants_have_their_places(tree):
    words = {"__name__": "mutants"}
    exec(tree.text("Tests/Mutants/mutants.py"), words)  # noqa: S102
    texts = [text for path, text in tree.files.items() if words.get("MUTANTS") and words["is_place"](path)]
    for mutant in words.get("MUTANTS", ()):
        count = sum(len(words["pattern"](mutant.old).findall(text)) for text in texts)
        if count != 1:
            yield f"Tests/Mutants/mutants.py: '{mutant.name}': its text is there {count} times: {mutant.old}"


CHECKS = [
    csysv_is_fenced, libmicrohttpd_is_fenced, early_answers_are_fenced, gnutls_is_fenced, the_host_is_fenced,
    supervision_is_fenced, the_build_is_fenced, imports_point_downwards, folders_of_the_domain_point_left,
    the_crash_order_is_fenced, only_paths_call_the_tables, files_are_short, functions_are_short, types_have_few_parts,
    lines_are_short, markdown_lines_are_short, lines_end_cleanly, nothing_is_forced,
    text_from_outside_is_compared_as_bytes, nothing_is_left_to_do, nothing_names_one_machine, nothing_built_is_tracked,
    mutants_have_their_places,
]
