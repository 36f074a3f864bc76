"""The files of the project as the checks see them: paths and texts, and nothing else."""

import os
import re
import subprocess

PICTURES = ".png"


class Tree:
    """`files`: path to text. `tracked`: what git knows. `paths`: every file, for links."""

    def __init__(self, files, tracked=None):
        self.files = files
        self.tracked = list(files) if tracked is None else tracked
        self.paths = set(files) | set(self.tracked)

    @classmethod
    def of_checkout(cls, root):
        def git(*words):
            command = ["git", "-C", root, "ls-files", "-z", *words]
            return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")[:-1]

        tree, tracked = {}, git()
        for path in sorted({*tracked, *git("--others", "--exclude-standard")}):
            whole = os.path.join(root, path)
            if os.path.isfile(whole) and not os.path.islink(whole) and not path.endswith(PICTURES):
                with open(whole, encoding="utf-8") as file:
                    tree[path] = file.read()
        found = cls(tree, tracked)
        found.paths |= {path for path in tracked if os.path.lexists(os.path.join(root, path))}
        return found

    def matching(self, *suffixes, under=("",)):
        """Paths and texts of files that end so, below one of the folders."""
        return [(path, text) for path, text in self.files.items()
                if path.endswith(suffixes) and path.startswith(tuple(under))]

    def text(self, path):
        """A file's text; empty when it is not there."""
        return self.files.get(path, "")


def swift_imports(text):
    """The modules that a Swift file imports, with their line numbers."""
    pattern = r"^[ \t]*(?:@\w+ )?(?:(?:public|package|internal|private) )?import (?:\w+ )?(\w+)"
    return [(line_of(text, match.start(1)), match[1]) for match in re.finditer(pattern, text, re.M)]


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


# Comments, and strings: raw ones first; no two parts match the same character, or a missing quote takes for ever.
LITERAL = re.compile(
    r'#+"""(?:.*?)"""#+|#+"[^\n]*?"#+|"""(?:\\.|[^\\])*?"""|"(?:\\.|[^"\\\n])*"|/\*.*?\*/|//[^\n]*', re.S)


def without_literals(text):
    """Swift source whose comments and strings are blanks; every other character keeps its place."""
    return LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match[0]), text)


def comments(text):
    """Offset and text of each comment of a source in Swift, C or JavaScript."""
    return [(match.start(), match[0]) for match in LITERAL.finditer(text) if match[0].startswith(("//", "/*"))]


def swift_functions(text):
    """Name, first line and number of lines of each function, initializer and subscript with a body."""
    code = without_literals(text)
    for match in re.finditer(r"\bfunc\s+([^\s(<]+)|\b(init)\b[?]?\s*[(<]|\b(deinit)\b|\b(subscript)\s*[(<]", code):
        body = body_start(code, match.start())
        if body is None:
            continue
        depth = 0
        for offset in range(body, len(code)):
            depth += {"{": 1, "}": -1}.get(code[offset], 0)
            if depth == 0:
                first, last = line_of(code, match.start()), line_of(code, offset)
                yield next(name for name in match.groups() if name), first, last - first + 1
                break


# A property of an instance: the word, its names, and the rest of its line.
STORED = re.compile(
    r"^(?![^\n]*\b(?:static|class) )[^\n={(]*(?:\([^)]*\) *)*\b(let|var) +\(?(\w+(?:, *\w+)*)\)?([^\n]*)", re.M)


def stored_properties(text):
    """Name, line and number of stored properties of each class and struct."""
    code = without_literals(text)
    for match in re.finditer(r"\b(?:class|struct|actor) +(?!func\b|var\b|let\b)(\w+)[^{};]*{", code):
        depth, own = 1, ""
        for offset in range(match.end(), len(code)):
            if code[offset] == "}" and (depth := depth - 1) == 0:
                break
            if depth == 1:
                own += code[offset]
            elif code.startswith(("didSet", "willSet"), offset):
                own += "="  # such a property is stored all the same
            depth += code[offset] == "{"
        found = STORED.findall(own)
        stored = [names for word, names, rest in found if word == "let" or "{" not in rest or "=" in rest]
        yield match[1], line_of(code, match.start()), sum(names.count(",") + 1 for names in stored)


def body_start(code, offset):
    """Where the body begins; None for a call of `init`, or a requirement of a protocol."""
    depth = 0
    while offset < len(code):
        char = code[offset]
        if char == "{" and depth == 0:
            return offset
        if char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth < 0:
                return None
        elif char == "\n" and depth == 0:
            if not re.compile(r"\s*(?:\{|->|throws|where|async|rethrows|\(|\)|:)").match(code, offset):
                return None
        elif char == "=" and depth == 0 and code[offset - 1] not in "=!<>":
            return None
        offset += 1
    return None
