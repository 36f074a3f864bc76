#!/usr/bin/env python3
"""Shows for each check a tree that it accepts and one that it refuses: a check that cannot fail is none."""

import unittest

import tidy
import units
from tree import Tree, swift_functions

CODE = "Sources/LeaseholdHTTP/Answers/ProblemTable.swift"
ENDPOINTS = "Sources/LeaseholdHTTP/Routing/Endpoints.swift"
GOOD = {
    "openapi.yaml":
    "info:\n  version: 1.2.0\n  contact:\n    name: A\n    url: https://b.invalid\n"
    "paths:\n  /a:\n    get:\n      operationId: readA\n    put:\n      operationId: writeA\n"
    "components:\n  x-problem-codes:\n    too-bad:\n      status: 400\n      title: It is bad\n",
    CODE: 'static let rows = [\n    .tooBad: Row(\n      400, "It is bad"),\n  ]\n',
    "Sources/LeaseholdHTTP/A.swift": "extension LeaseholdError.Code {\n"
    '  static let tooBad = Self(rawValue: "too-bad")\n}\n',
    ENDPOINTS: 'x = [Endpoint("readA"),\n  Endpoint(\n"writeA")]\n',
    "README.md": "# Hello there\n\n`make run`, `make test` [here](#hello-there)\n\n```sh\necho hi\n```\n",
    "Tests/Live/test_a.py": "def test_a():\n    for name in ('readA', 'writeA', 'too-bad'):\n        pass\n",
    "docs/a.md": '`Sources/SysV/A.swift`, `A.swift`, `Sources/SysV/`, [x](../Tests/Live/test_a.py "test_a")\n',
    units.UNIT: "[Service]\n" + "\n".join(units.MUST_SAY) + "\n",
    "Sources/SysV/A.swift": 'import CSysV\nlet a = "whoever"  // a user reads it\n',
    **{f"Sources/{name}/DESIGN.md": "Invariants\n" for name in ("SysV", "Leasehold", "LeaseholdHTTP")},
    "Sources/Leasehold/A.swift": "import Synchronization\n",
    "VERSION": "1.2.0-dev\n",
    "packaging/project.env": "MAINTAINER='A <a@b.invalid>'\nREPOSITORY=https://b.invalid/c\n"
    "HOMEPAGE=https://b.invalid\nSECURITY=https://b.invalid/hole\nIMAGE=b.invalid/leasehold\n",
    "docs/install.md": "curl -LO $R/leasehold_1.2.0_amd64.deb\n\ndocker run b.invalid/leasehold:1.2.0\n",
}
# Check to the files that make it fail.
BAD = {
    "csysv_is_fenced": {"Sources/Leasehold/B.swift": "internal import CSysV\n"},
    "libmicrohttpd_is_fenced": {"Sources/LeaseholdHTTP/B.swift": "import CMicroHTTPD\n"},
    "early_answers_are_fenced": {"Sources/LeaseholdHTTP/B.swift": "import CEarlyAnswer\n"},
    "gnutls_is_fenced": {"Sources/LeaseholdHTTP/B.swift": "import CGnuTLS\n"},
    "the_host_is_fenced": {"Sources/LeaseholdHTTP/B.swift": "import CHost\n"},
    "the_build_is_fenced": {"Sources/LeaseholdHTTP/B.swift": "import CBuild\n"},
    "supervision_is_fenced": {"Sources/leasehold/B.swift": "import CSupervise\n"},
    "imports_point_downwards": {"Sources/LeaseholdHTTP/B.swift": "public import struct SysV.SemaphoreSet\n"},
    "folders_of_the_domain_point_left": {
        "Sources/Leasehold/Ledger/B.swift": "final class Bee {}\n", "Sources/Leasehold/Values/C.swift": "let c: Bee\n"},
    "the_crash_order_is_fenced": {"Sources/Leasehold/Ledger/B.swift": "    kernel.operate(set, list)\n"},
    "only_paths_call_the_tables": {"Sources/Leasehold/Ledger/Queues.swift": "var a: Journal\n"},
    "files_are_short": {"Sources/SysV/B.swift": "// line\n" * 401},
    "functions_are_short": {"Sources/SysV/B.swift": "func long() {\n" + "  a()\n" * 70 + "}\n"},
    "types_have_few_parts": {
        "Sources/SysV/B.swift": "struct S {\n  let a, b: Int\n  var c: Int { a }\n" + "  var d = 1\n" * 19 + "}\n"},
    "lines_are_short": {"Sources/SysV/B.swift": "// " + "x" * 120 + "\n"},
    "markdown_lines_are_short": {"docs/b.md": "x" * 140 + "\n"},
    "lines_end_cleanly": {"docs/b.md": "x \n"},
    "nothing_is_forced": {"Sources/SysV/B.swift": "let a = b!.c\n"},
    "text_from_outside_is_compared_as_bytes": {"Sources/Leasehold/B.swift": "let a = b.hasPrefix(c)\n"},
    "doc_comments_begin_with_the_subject": {"Sources/SysV/B.swift": "\n/// Whether it is.\nlet a = true\n"},
    "comments_name_the_actor": {"Sources/SysV/B.swift": "let a = true  // whoever asks\n"},
    "throwing_functions_say_what": {"Sources/SysV/B.swift": "/// A.\npublic func a(\n  b: Int\n) throws(Errno) {}\n"},
    "links_of_comments_lead_somewhere": {"Sources/SysV/B.swift": "/// ``give(_:c:)``.\nfunc give(_ b: [I: I]) {}\n"},
    "nothing_is_left_to_do": {"Sources/SysV/B.swift": "// TO" + "DO: more\n"},
    "nothing_names_one_machine": {"docs/b.md": "see /wo" + "rk/x\n"},
    "nothing_built_is_tracked": {"Package.resolved": "{}\n"},
    "mutants_have_their_places": {
        "Tests/Mutants/mutants.py": "import re, types\nMUTANTS = [types.SimpleNamespace(name='a', old='none')]\n"
        "pattern, is_place = re.compile, re.compile('Sources').match\n"},
    "the_project_is_named_alike": {"docs/install.md": "docker run leasehold:1.1.9\n"},
    "error_codes_are_documented": {"openapi.yaml": GOOD["openapi.yaml"].replace("400", "401")},
    "operations_are_documented_in_order": {"openapi.yaml": GOOD["openapi.yaml"].replace("readA", "seeA")},
    "the_reference_is_of_today": {"openapi.yaml": GOOD["openapi.yaml"] + "x-reference: {rules: none}\n"},
    "facts_of_problems_are_documented": {"Sources/Leasehold/B.swift": 'facts: [("new", .text("x"))])\n'},
    "error_codes_are_tested": {"Tests/Live/test_a.py": "'readA', 'writeA', too-bad\n"},
    "operations_are_tested": {"Tests/Live/test_a.py": "'readA', 'too-bad'\n"},
    "proofs_are_tests": {"docs/b.md": '[x](../Tests/Live/test_a.py "test_that_is_not_there")\n'},
    "sources_in_documents_exist": {"docs/b.md": "`Sources/SysV/A.swift`, `B.swift`\n"},
    "links_lead_somewhere": {"docs/b.md": "[x](../README.md#nowhere)\n"},
    "shell_snippets_are_shell": {"README.md": GOOD["README.md"].replace("echo hi", "if; then")},
    "readme_has_both_commands": {"README.md": "make run\n"},
    "targets_say_what_they_are_for": {"Sources/B/b.c": "int b;\n"},
    "the_list_of_behaviours_is_of_today": {"Tests/Interop/rows.txt": "A1 | a | b\n"},
    "the_unit_keeps_semaphores": {units.UNIT: GOOD[units.UNIT].replace("PrivateIPC=no", "PrivateIPC=yes")},
}


class EveryCheck(unittest.TestCase):
    def test_accepts_what_is_right(self):
        for check in tidy.CHECKS:
            with self.subTest(check.__name__):
                self.assertEqual(list(check(Tree(GOOD))), [])

    def test_refuses_what_is_wrong(self):
        self.assertEqual(set(BAD), {check.__name__ for check in tidy.CHECKS})
        for check in tidy.CHECKS:
            with self.subTest(check.__name__):
                self.assertNotEqual(list(check(Tree({**GOOD, **BAD[check.__name__]}))), [])

    def test_sees_an_empty_project(self):
        empty = [check.__name__ for check in tidy.CHECKS if list(check(Tree({})))]
        self.assertEqual(empty, ["error_codes_are_documented", "operations_are_documented_in_order",
                                 "readme_has_both_commands"])


class Functions(unittest.TestCase):
    def test_are_measured_from_their_name_to_their_brace(self):
        text = ('init(\n  _ a: Int = 1\n) throws(Errno) {\n  let s = "}"  // }\n  if a { b() }\n}\n'
                "protocol P { func none() throws }\nfunc one<T>(_ f: (T) -> T) -> [T] where T: P { [] }\n")
        self.assertEqual(list(swift_functions(text)), [("init", 1, 6), ("one", 8, 1)])


if __name__ == "__main__":
    unittest.main()
