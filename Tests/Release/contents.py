#!/usr/bin/env python3
"""Compares an unpacked tarball with its bill of materials: Tests/Release/contents.py FOLDER SPDX"""

import hashlib
import json
import os
import sys


def main(folder, path):
    with open(path, encoding="utf-8") as file:
        bill = json.load(file)
    wrong, named = [], set()
    for entry in bill["files"]:
        name = entry["fileName"].removeprefix("./")
        named.add(name)
        with open(os.path.join(folder, name), "rb") as file:
            data = file.read()
        for checksum in entry["checksums"]:
            if hashlib.new(checksum["algorithm"].lower(), data).hexdigest() != checksum["checksumValue"]:
                wrong.append(f"{name}: another {checksum['algorithm']}")
    libraries = {f"lib/{name}" for name in os.listdir(os.path.join(folder, "lib")) if ".so." in name}
    wrong += [f"{name}: not in the bill of materials" for name in sorted((libraries | {"bin/leasehold"}) - named)]
    # Whoever is depended on is there, and somebody depends on each.
    related = {row[key] for row in bill["relationships"] for key in ("spdxElementId", "relatedSpdxElement")}
    known = {row["SPDXID"] for row in bill["packages"] + bill["files"]} | {"SPDXRef-DOCUMENT"}
    wrong += [f"{name}: in one place only" for name in sorted(related ^ known)]
    if len(libraries) < 2 or not any(row["name"] == "libmicrohttpd12" for row in bill["packages"]):
        wrong.append("libraries are missing")
    print("\n".join(wrong), end="\n" if wrong else "")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
