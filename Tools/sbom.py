"""The bill of materials of a release, in SPDX 2.3 (https://spdx.github.io/spdx-spec/v2.3/).

Inside the program are Swift's own libraries, that of C++, and the Swift packages, with the revisions that were built;
beside it, in the tarball, are libraries of Debian packages, which the Debian package depends on instead.
"""

import datetime
import hashlib
import json
import os
import re
import subprocess

import project

FIELDS = ("Package", "Version", "Architecture", "source:Package", "source:Version", "Maintainer", "Homepage")


def debian_package(path):
    """The fields of the installed package that a file belongs to."""
    names = [path, os.path.realpath(path)]
    # Where /lib is a link to /usr/lib, packages may name files by either.
    names += [name[4:] if name.startswith("/usr/") else "/usr" + name for name in names]
    for name in names:
        found = subprocess.run(["dpkg-query", "-S", name], capture_output=True, text=True)
        if found.returncode == 0:
            package = found.stdout.partition(": ")[0]
            form = "".join(f"${{{field}}}\\n" for field in FIELDS)
            shown = subprocess.run(["dpkg-query", "-W", "-f", form, package], check=True, capture_output=True)
            return dict(zip(FIELDS, shown.stdout.decode().split("\n")))
    raise LookupError(f"no Debian package has {path}")


def identifier(*words):
    return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]+", "-", "-".join(words))


def package(spdx_id, name, version, location, purl, **more):
    return {
        "SPDXID": spdx_id, "name": name, "versionInfo": version, "downloadLocation": location, "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
        "externalRefs": [
            {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}],
    } | more


def digests(path):
    with open(path, "rb") as file:
        data = file.read()
    return [{"algorithm": name.upper(), "checksumValue": hashlib.new(name, data).hexdigest()}
            for name in ("sha1", "sha256")]


def swift_packages(tree, pins):
    """Packages of the dependencies, and who depends on whom."""
    packages, relations, found = [], [], [(identifier("leasehold"), tree)]
    while found:
        above, node = found.pop(0)
        for child in node["dependencies"]:
            spdx_id, pin = identifier("swift", child["identity"]), pins[child["identity"]]
            if (above, "STATIC_LINK", spdx_id) not in relations:
                relations.append((above, "STATIC_LINK", spdx_id))
            if any(one["SPDXID"] == spdx_id for one in packages):
                continue
            url, version = child["url"].removesuffix(".git"), pin["state"].get("version", pin["state"]["revision"])
            packages.append(package(
                spdx_id, child["name"], version, f"git+{url}@{pin['state']['revision']}",
                f"pkg:swift/{url.partition('://')[2]}@{version}", licenseDeclared="Apache-2.0",
                supplier="Organization: Apple Inc. and the Swift project authors"))
            found.append((spdx_id, child))
    return packages, relations


def swift_itself(said):
    """The standard library, concurrency, Foundation Essentials, which --static-swift-stdlib puts into the program."""
    version = re.search(r"Swift version (\S+)(?: \((\S+)\))?", said)
    tag = version[2] or f"swift-{version[1]}-RELEASE"
    return package(
        identifier("swift-runtime"), "swift", version[1], f"git+https://github.com/swiftlang/swift@{tag}",
        f"pkg:github/swiftlang/swift@{tag}", licenseDeclared="Apache-2.0 WITH Swift-exception",
        supplier="Organization: Apple Inc. and the Swift project authors")


def of_debian(path):
    """The package of Debian that a file belongs to."""
    fields = debian_package(path)
    return package(
        identifier("debian", fields["Package"]), fields["Package"], fields["Version"], "NOASSERTION",
        f"pkg:deb/debian/{fields['Package']}@{fields['Version'].replace('+', '%2B')}"
        f"?arch={fields['Architecture']}&distro=bookworm",
        sourceInfo=f"built from the Debian source package {fields['source:Package']} {fields['source:Version']}",
        supplier="Organization: Debian",
        **({"homepage": fields["Homepage"]} if fields["Homepage"] else {}))


def debian_packages(libraries, tarball):
    """Packages of the libraries, their files in the tarball, and who has which."""
    packages, files, relations = {}, [], []
    for name, path in sorted(libraries.items()):
        one = of_debian(path)
        spdx_id = one["SPDXID"]
        packages[spdx_id] = one
        files.append({"SPDXID": identifier("file", name), "fileName": f"./lib/{name}",
                      "checksums": digests(os.path.join(tarball, "lib", name)),
                      "licenseConcluded": "NOASSERTION", "copyrightText": "NOASSERTION"})
        relations.append((files[-1]["SPDXID"], "GENERATED_FROM", spdx_id))
    relations += [(identifier("leasehold"), "DYNAMIC_LINK", spdx_id) for spdx_id in packages]
    return list(packages.values()), files, relations


def document(release, tarball, dependencies, swift):
    """The text of the document.

    - release: a Release of Tools/release.py that is built.
    - tarball: its folder, as it is packed.
    - dependencies: what `swift package show-dependencies --format json` says.
    - swift: what `swift --version` says.
    """
    with open(os.path.join(release.source, "packaging", "project.env"), encoding="utf-8") as file:
        names = project.values(file.read(), release.version)
    with open(os.path.join(release.source, "Package.resolved"), encoding="utf-8") as file:
        pins = {pin["identity"]: pin for pin in json.load(file)["pins"]}
    supplier = "Organization: " + re.sub(r"<(.*)>", r"(\1)", names["MAINTAINER"])
    # An address that nobody has filled in is none.
    location = f"git+{names['REPOSITORY']}@{release.commit}" if ".invalid" not in names["REPOSITORY"] else "NOASSERTION"
    own = package(
        identifier("leasehold"), "leasehold", release.version, location,
        f"pkg:generic/leasehold@{release.version}", supplier=supplier, homepage=names["HOMEPAGE"],
        licenseConcluded="Apache-2.0", licenseDeclared="Apache-2.0", primaryPackagePurpose="APPLICATION",
        copyrightText=f"Copyright The {names['NAME']}")
    program = {"SPDXID": identifier("file", "leasehold"), "fileName": "./bin/leasehold", "fileTypes": ["BINARY"],
               "checksums": digests(os.path.join(tarball, "bin", "leasehold")),
               "licenseConcluded": "Apache-2.0", "copyrightText": "NOASSERTION"}
    runtime = swift_itself(swift)
    inside, below = swift_packages(json.loads(dependencies), pins)
    beside, files, linked = debian_packages(release.libraries(), tarball)
    archives = [of_debian(path) for path in release.archives]
    relations = [("SPDXRef-DOCUMENT", "DESCRIBES", own["SPDXID"]), (program["SPDXID"], "GENERATED_FROM", own["SPDXID"]),
                 (own["SPDXID"], "STATIC_LINK", runtime["SPDXID"]), *below, *linked,
                 *((own["SPDXID"], "STATIC_LINK", one["SPDXID"]) for one in archives)]
    created = datetime.datetime.fromtimestamp(release.epoch, datetime.timezone.utc)
    return json.dumps({
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"{release.name}-linux-{release.arch}",
        "documentNamespace": f"{names['REPOSITORY']}/spdx/{release.name}-linux-{release.arch}-{release.commit}",
        "creationInfo": {"created": created.strftime("%Y-%m-%dT%H:%M:%SZ"),
                         "creators": [supplier, f"Tool: leasehold-Tools-sbom-{release.version}"]},
        "packages": [own, runtime, *archives, *inside, *beside], "files": [program, *files],
        "relationships": [{"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
                          for one, kind, other in relations],
    }, indent=1) + "\n"
