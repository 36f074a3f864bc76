"""Checks of comments: the subject comes first, the actor has a name, and a public function names all that it throws."""

import re

from tree import comments, line_of, without_literals

# Doubles throw what a test tells them to.
DOUBLES = ("Sources/LeaseholdTestKit/", "Sources/LeaseholdDelays/")
WRONG = ("What", "Whether", "Who", "Whoever", "Whatever", "How", "Somebody", "No")
# Strings may say so to users, who need not know the field's words.
NAMELESS = re.compile(r"\b(?:somebody|someone|anybody|whoever|who wants)\b", re.I)
DECLARATION = re.compile(r"^[ \t]*(?:@[^\n]*[ \t])?((?:\w+(?:\(set\))?[ \t]+)*)(?:func|init|subscript|var)\b", re.M)
PROTOCOL = re.compile(r"^public protocol \w+[^{]*\{.*?^\}", re.M | re.S)


def doc_comments_begin_with_the_subject(tree):
    for path, text in tree.matching(".swift", under=("Sources/",)):
        for match in re.finditer(rf"(?<!///)(?<!///.)\n[ \t]*/// ({'|'.join(WRONG)})\b(?! one )", text):
            before = text[:match.start()].rpartition("\n")[2].strip()
            if not before.startswith("///"):
                yield f"{path}:{line_of(text, match.start(1))}: say what it is, and not '{match[1]} …'"


def comments_name_the_actor(tree):
    for path, text in tree.matching(".swift", ".c", ".h", ".js", under=("Sources/",)):
        for offset, comment in comments(text):
            for match in NAMELESS.finditer(comment):
                yield (f"{path}:{line_of(text, offset + match.start())}: say which holder, waiter, caller, operator, "
                       f"user, thread or program it is, and not '{match[0]}'")


def effects(code, offset):
    """The part of a declaration behind its parameters, up to the body or to the end of a requirement."""
    depth, at, begin = 0, offset, None
    while at < len(code):
        if code[at] in "([":
            depth += 1
        elif code[at] in ")]":
            depth -= 1
            begin = at + 1 if begin is None and depth == 0 and code[at] == ")" else begin
        elif depth == 0 and code[at] in "{=":
            break
        elif depth == 0 and code[at] == "\n" and not re.compile(r"\s*(?:->|throws|where|async)").match(code, at):
            break
        at += 1
    return code[begin or offset:at].partition("->")[0]


def doc_comment(lines, number):
    """The lines of the comment above a line, attributes between them left out."""
    found = []
    while number > 0 and lines[number - 1].lstrip().startswith(("///", "@")):
        number -= 1
        found.insert(0, lines[number].strip())
    return found


def throwing(text):
    """Line, name and error of each public function that throws, requirements of public protocols among them."""
    code = without_literals(text)
    protocols = [match.span() for match in PROTOCOL.finditer(code)]
    for match in DECLARATION.finditer(code):
        words = match[1].split()
        if "public" not in words and (words or not any(one <= match.start() < end for one, end in protocols)):
            continue
        said = re.search(r"\bthrows\b(?:\(([\w.]+)\))?", effects(code, match.end()))
        if said:
            yield line_of(code, match.end()), said[1]


def throwing_functions_say_what(tree):
    codes = set(re.findall(r"^    ([a-z][a-z-]+):$", tree.text("openapi.yaml").partition("x-problem-codes:")[2], re.M))
    for path, text in tree.matching(".swift", under=("Sources/",)):
        if path.startswith(DOUBLES):
            continue
        lines = text.split("\n")
        for line, error in throwing(text):
            doc = doc_comment(lines, line - 1)
            said = re.search(r"/// - Throws: (.*)", "\n".join(doc), re.S)
            if not said:
                yield f"{path}:{line}: no '- Throws:' says what it throws"
                continue
            named = re.findall(r"(?<!`)`([a-z-]+)`(?!`)", said[1])
            if error == "LeaseholdError" and not named and "``" not in said[1]:
                yield f"{path}:{line}: '- Throws:' names no code"
            for code in named:
                if error == "LeaseholdError" and "-" in code and code not in codes:
                    yield f"{path}:{line}: there is no code {code}"


def names(code):
    """The declarations of a source as links name them; functions with their labels."""
    yield from re.findall(r"\b(?:let|var|class|struct|enum|protocol|typealias|actor)\s+(\w+)", code)
    for cases in re.findall(r"^\s*(?:indirect )?case\s+(\w.*)", code, re.M):
        yield from re.findall(r"(?:^|,\s*)(\w+)", cases)
    for match in re.finditer(r"\b(?:func\s+(\w+)|(init)\??|(subscript))\s*(?:<[^(]*>)?\s*\(", code):
        depth, parameters = 1, [""]
        for char in re.sub(r"@\w+(\(\w*\))?", "", code[match.end():match.end() + 2000]):
            depth += (char in "([{") - (char in ")]}")
            if depth == 0:
                break
            if depth == 1 and char == ",":
                parameters.append("")
            else:
                parameters[-1] += char
        labels = (parameter.partition(":")[0].split() for parameter in parameters if ":" in parameter)
        yield f"{next(filter(None, match.groups()))}({''.join(label[0] + ':' for label in labels)})"


def links_of_comments_lead_somewhere(tree):
    known = {path.split("/")[1] for path in tree.files if path.startswith("Sources/")}
    for _, text in tree.matching(".swift", under=("Sources/",)):
        known.update(names(without_literals(text).replace("`", "")))
    for path, text in tree.matching(".swift", under=("Sources/",)):
        for match in re.finditer(r"(?<!`)``([^`\n]+)``(?!`)", text):
            for part in match[1].split("/"):
                if part not in known and part.partition("(")[0] not in known:
                    yield f"{path}:{line_of(text, match.start())}: there is no {match[1]}"


CHECKS = [doc_comments_begin_with_the_subject, comments_name_the_actor, throwing_functions_say_what,
          links_of_comments_lead_somewhere]
