"""Blocks of text, as Markdown and as one page of HTML: (kind, content), where a kind is h1, h2, h3, note, text, list,
code or table."""

import html
import json
import re

WIDTH = 112


def slug(heading):
    """The anchor that a heading gets on the usual forges."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def wrapped(example):
    """JSON in lines that end behind a comma, where they must."""
    lines, text = [""], json.dumps(example, ensure_ascii=False, separators=(",", ":"))
    quoted = r'"(?:\\.|[^"\\])*"'
    for piece in re.findall(rf"{quoted}(?::(?:{quoted}|[\w.+-]+)?)?,?|[^\"]", text):
        if len(lines[-1]) + len(piece) > WIDTH and lines[-1].endswith((",", "{", "[")):
            lines.append(" ")
        lines[-1] += piece
    return "\n".join(lines)


def filled(text, indent=""):
    lines = [""]
    for word in re.findall(r"(?:`[^`]*`|\[[^]]*\]\([^)]*\)|\S)+", text):
        if lines[-1] and len(indent) + len(lines[-1]) + 1 + len(word) > WIDTH:
            lines.append("")
        lines[-1] += (" " if lines[-1] else "") + word
    return ("\n" + indent).join(lines)


def as_markdown(blocks):
    parts = []
    for kind, content in blocks:
        if kind in ("h1", "h2", "h3"):
            parts.append("#" * int(kind[1]) + " " + content)
        elif kind == "note":
            parts.append(f"<!-- {content} -->")
        elif kind == "text":
            parts.append(filled(content))
        elif kind == "list":
            parts.append("\n".join("- " + filled(item, "  ") for item in content))
        elif kind == "code":
            parts.append(f"```{'sh' if content.startswith('curl') else ''}\n{content}\n```")
        else:
            header, rows = content
            lines = [header, ["---"] * len(header), *([cell.replace("|", "\\|") for cell in row] for row in rows)]
            parts.append("\n".join("| " + " | ".join(line).replace("|  |", "| |") + " |" for line in lines))
    return "\n\n".join(parts) + "\n"


def inline(text):
    """Markdown's code, links and bold, as HTML."""
    parts = []
    for piece in re.split(r"(`[^`]*`|\[[^]]*\]\([^)]*\)|\*\*[^*]*\*\*)", text):
        link = re.fullmatch(r"\[([^]]*)\]\(([^)]*)\)", piece)
        if link:
            parts.append(f'<a href="{html.escape(link[2])}">{inline(link[1])}</a>')
        elif piece.startswith("`") and len(piece) > 1:
            parts.append(f"<code>{html.escape(piece[1:-1], quote=False)}</code>")
        elif piece.startswith("**") and len(piece) > 3:
            parts.append(f"<b>{html.escape(piece[2:-2], quote=False)}</b>")
        else:
            parts.append(html.escape(piece, quote=False))
    return "".join(parts)


STYLE = """
:root{color-scheme:light dark;--line:#8884;--dim:#8881}
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem}
pre,code{font-family:ui-monospace,monospace;font-size:.9em}
pre{background:var(--dim);padding:.7rem;overflow-x:auto}
h2{border-top:1px solid var(--line);padding-top:1rem;margin-top:2.5rem}
h3{font-family:ui-monospace,monospace;margin-top:2.5rem}
div{overflow-x:auto}
table{border-collapse:collapse;font-size:.9em;margin:1rem 0}
th,td{border-bottom:1px solid var(--line);padding:.25rem .9rem .25rem 0;text-align:left;vertical-align:top}
"""


def as_page(blocks):
    parts = ['<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
             '<meta name="viewport" content="width=device-width,initial-scale=1">\n'
             f"<title>Leasehold: HTTP reference</title>\n<style>{STYLE}</style>\n<main>\n"]
    for kind, content in blocks:
        if kind in ("h1", "h2", "h3"):
            parts.append(f'<{kind} id="{slug(content)}">{html.escape(content, quote=False)}</{kind}>\n')
        elif kind == "text":
            parts.append(f"<p>{inline(content)}\n")
        elif kind == "list":
            parts.append("<ul>" + "".join(f"<li>{inline(item)}\n" for item in content) + "</ul>\n")
        elif kind == "code":
            parts.append(f"<pre>{html.escape(content, quote=False)}</pre>\n")
        elif kind == "table":
            header, rows = content
            # Ends that HTML lets out would be a tenth of the page.
            lines = "\n".join("<tr>" + "".join(f"<td>{inline(cell)}" for cell in row) for row in rows)
            names = "".join(f"<th scope=col>{name}" for name in header)
            parts.append(f"<div><table><tr>{names}\n{lines}</table></div>\n")
    return "".join(parts) + "</main>\n</html>\n"
