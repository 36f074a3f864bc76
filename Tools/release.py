#!/usr/bin/env python3
"""Fills dist/ with what a release has: Tools/release.py, or Tools/release.py --again to see whether it is reproducible

What is built is what git has: a tree with changes is refused. The sources are packed, unpacked in a folder of their own
and built there. With --again all that is done in another folder, and compared with what is in dist/: what differs is
named, and the exit status is 1. Debian 12 only; Tools/need names what is missing.
"""

import gzip
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile

import man
import sbom

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SWIFT = os.environ.get("SWIFT") or "swift"
JOBS = ["-j", os.environ["JOBS"]] if os.environ.get("JOBS") else []
# Of the C library, which every system has itself: the tarball runs with this version of glibc or a newer one.
GLIBC = re.compile(r"(linux-vdso|ld-linux|libc|libm|libdl|libpthread|librt|libresolv)[-.]")
# Beside bin/, lib/ and the manual pages: paths in the sources, and where they go.
BESIDE = {
    "LICENSE": "LICENSE", "README.md": "README.md", "CHANGELOG.md": "CHANGELOG.md", "docs": "docs",
    "packaging/leasehold.json": "packaging/leasehold.json", "packaging/systemd": "packaging/systemd",
    "packaging/sysusers.d": "packaging/sysusers.d", "packaging/tmpfiles.d": "packaging/tmpfiles.d",
    "packaging/leasehold.8": "share/man/man8/leasehold.8",
}
COMPLETIONS = {"bash": "share/bash-completion/completions/leasehold", "zsh": "share/zsh/site-functions/_leasehold",
               "fish": "share/fish/vendor_completions.d/leasehold.fish"}


def said(*command, cwd=ROOT, **more):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=cwd, **more).stdout


def run(*command, cwd=ROOT, **more):
    subprocess.run(command, check=True, cwd=cwd, **more)


def write(path, text):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def pack(path, folder, epoch):
    """A folder as a .tar.gz that is the same whenever and by whomever it is made."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.GNU_FORMAT) as tar:
        parent = os.path.dirname(folder)
        names = [folder] + [os.path.join(where, name) for where, folders, files in os.walk(folder)
                            for name in folders + files]
        for name in sorted(names):
            entry = tar.gettarinfo(name, os.path.relpath(name, parent))
            entry.uid = entry.gid = 0
            entry.uname = entry.gname = ""
            entry.mtime, entry.mode = epoch, 0o755 if entry.mode & 0o100 else 0o644
            if entry.isreg():
                with open(name, "rb") as file:
                    tar.addfile(entry, file)
            else:
                tar.addfile(entry)
    with open(path, "wb") as file, gzip.GzipFile(fileobj=file, mode="wb", mtime=0, filename="") as zipped:
        zipped.write(packed.getvalue())


def blank(program, section):
    """Fills a section with zeros, where there is one.

    That of the Swift compiler has hashes of its command lines, which name folders; nothing reads them in a program. It
    is not taken out: objcopy would take the sealing of the tables (GNU_RELRO) with it.
    """
    row = re.search(rf" {re.escape(section)} +PROGBITS +\w+ (\w+) (\w+) ", said("readelf", "-SW", program))
    if row:
        with open(program, "r+b") as file:
            file.seek(int(row[1], 16))
            file.write(bytes(int(row[2], 16)))


class Release:
    def __init__(self, work, dist):
        self.version, self.deb_version, release, self.commit, epoch = (
            said("Tools/version", what).strip() for what in ("program", "deb", "release", "commit", "epoch"))
        if said("git", "status", "--porcelain"):
            sys.exit("release: there are changes that are in no commit, so nobody could build this again: git status")
        if re.fullmatch(r"[0-9.]+", self.version) and self.version != release:
            sys.exit(f"release: the tag says {self.version} and VERSION {release}: the documents name the latter")
        self.epoch, self.work, self.dist = int(epoch), work, dist
        self.arch = said("dpkg", "--print-architecture").strip()
        self.name = f"leasehold-{self.version}"
        self.source = os.path.join(work, self.name)
        self.environment = {**os.environ, "SOURCE_DATE_EPOCH": epoch, "SWIFT": SWIFT}

    def unpack(self):
        """The sources as git has them, with the version and the revisions of the dependencies, which it has not."""
        for folder in (self.work, self.dist):
            shutil.rmtree(folder, ignore_errors=True)
            os.makedirs(folder)
        archive = os.path.join(self.work, "git.tar")
        run("git", "archive", f"--prefix={self.name}/", "-o", archive, "HEAD")
        run("tar", "-xf", archive, "-C", self.work)
        os.remove(archive)
        run("Tools/version", "write", env=self.environment)
        shutil.copy(os.path.join(ROOT, "Sources", "CBuild", "build.h"), os.path.join(self.source, "Sources", "CBuild"))
        document = os.path.join(self.source, "openapi.yaml")
        write(document, re.sub(r"^  version: .*$", f"  version: {self.version}", read(document), count=1, flags=re.M))
        run(SWIFT, "package", "resolve", cwd=self.source)
        # Not what the package manager keeps beside it.
        shutil.move(os.path.join(self.source, ".build"), os.path.join(self.work, "build"))
        pack(os.path.join(self.dist, f"{self.name}-source.tar.gz"), self.source, self.epoch)

    def build(self):
        """The program with Swift's libraries inside; no path of this machine is in it."""
        build, maps = os.path.join(self.work, "build"), []
        for folder, name in ((self.source, "/usr/src/leasehold"), (build, "/usr/src/leasehold-build")):
            maps += ["-Xswiftc", "-file-prefix-map", "-Xswiftc", f"{folder}={name}",
                     "-Xcc", f"-ffile-prefix-map={folder}={name}"]
        # The linker's own build id is a hash of what is left out below: the commit is a better one.
        static, dense = (said(tool, build, cwd=self.source, env=self.environment).split()
                         for tool in ("Tools/static", "Tools/dense"))
        run(SWIFT, "build", *JOBS, "-c", "release", "--product", "leasehold", *static, *dense, "-Xlinker", "-s",
            "-Xlinker", f"--build-id=0x{self.commit}", "--scratch-path", build, *maps, cwd=self.source,
            env=self.environment)
        folder = os.path.join(build, "static")
        self.archives = [os.path.realpath(os.path.join(folder, name)) for name in os.listdir(folder)]
        self.program = os.path.join(self.work, "leasehold")
        shutil.copy(os.path.join(build, "release", "leasehold"), self.program)
        blank(self.program, ".swift_modhash")

    def package(self):
        folder = os.path.join(self.work, "deb")
        run("packaging/build-deb", self.program, folder, cwd=self.source, env=self.environment)
        name = f"leasehold_{self.deb_version}_{self.arch}.deb"
        shutil.copy(os.path.join(folder, name), self.dist)

    def libraries(self):
        """Name to file of each library that the program loads, at once or later, but for those of the C library."""
        known = dict(re.findall(r"^\s*(\S+) \(libc6,.*\) => (\S+)", said("/sbin/ldconfig", "-p"), re.M))
        found = {name: known[name] for name in self.loaded_later()}
        for path in (self.program, *found.values()):
            found |= dict(re.findall(r"^\s*(\S+) => (\S+)", said("ldd", path), re.M))
        return {name: path for name, path in found.items() if not GLIBC.match(name)}

    def loaded_later(self):
        """Names of the libraries that no loader sees: the sources open them."""
        folder = os.path.join(self.source, "Sources")
        texts = (read(os.path.join(folder, target, "forward.c")) for target in ("CGnuTLS", "CMicroHTTPD"))
        return [re.search(r'LEASEHOLD_LAZY\("([^"]+)"', text)[1] for text in texts]

    def tarball(self):
        """The program with the libraries that it needs, to be unpacked anywhere."""
        top = os.path.join(self.work, "tarball", self.name)
        for folder in ("bin", "lib"):
            os.makedirs(os.path.join(top, folder))
        program = os.path.join(top, "bin", "leasehold")
        shutil.copy(self.program, program)
        # DT_RPATH and not RUNPATH: it counts for what the libraries need, too, so that they stay as Debian has them.
        run("patchelf", "--force-rpath", "--set-rpath", "$ORIGIN/../lib", program)
        os.symlink("bin/leasehold", os.path.join(top, "leasehold"))
        for name, path in self.libraries().items():
            shutil.copy(path, os.path.join(top, "lib", name))
        for path in (*self.libraries().values(), *self.archives):
            package = sbom.debian_package(path)["Package"]
            shutil.copy(f"/usr/share/doc/{package}/copyright", os.path.join(top, "lib", f"{package}.copyright"))
        for path, place in BESIDE.items():
            source, place = os.path.join(self.source, path), os.path.join(top, place)
            os.makedirs(os.path.dirname(place), exist_ok=True)
            shutil.copytree(source, place) if os.path.isdir(source) else shutil.copy(source, place)
        shutil.rmtree(os.path.join(top, "docs", "man"))
        for name, text in man.pages(self.program, self.version).items():
            write(os.path.join(top, "share", "man", "man1", name), text)
        for shell, path in COMPLETIONS.items():
            write(os.path.join(top, path), said(self.program, "completions", shell))
        shutil.copy(os.path.join(self.source, "openapi.yaml"), top)
        shutil.copy(os.path.join(self.source, "openapi.yaml"), self.dist)
        run("Tools/openapi30.py", "openapi.yaml", os.path.join(self.dist, "openapi-3.0.json"), cwd=self.source)
        pack(os.path.join(self.dist, f"{self.name}-linux-{self.arch}.tar.gz"), top, self.epoch)
        return top

    def bill_of_materials(self, tarball):
        """What is in the program and what it is linked with, in SPDX 2.3."""
        dependencies = said(SWIFT, "package", "--scratch-path", os.path.join(self.work, "build"), "show-dependencies",
                            "--format", "json", cwd=self.source)
        text = sbom.document(self, tarball, dependencies, said(SWIFT, "--version", stderr=subprocess.DEVNULL))
        write(os.path.join(self.dist, f"{self.name}-linux-{self.arch}.spdx.json"), text)

    def python(self):
        """Wheel and sdist of the Python client."""
        run("clients/python/build", self.dist, cwd=self.source, env=self.environment)

    def sums(self):
        lines = []
        for name in sorted(os.listdir(self.dist)):
            os.chmod(os.path.join(self.dist, name), 0o644)
            with open(os.path.join(self.dist, name), "rb") as file:
                lines.append(f"{hashlib.sha256(file.read()).hexdigest()}  {name}\n")
        write(os.path.join(self.dist, "SHA256SUMS"), "".join(lines))

    def make(self):
        self.unpack()
        self.build()
        self.package()
        self.bill_of_materials(self.tarball())
        self.python()
        self.sums()


def compare(one, other):
    """Names what differs between two folders; the number of files that do."""
    wrong = 0
    for name in sorted((set(os.listdir(one)) | set(os.listdir(other))) - {"SHA256SUMS"}):
        texts = []
        for folder in (one, other):
            path = os.path.join(folder, name)
            with open(path, "rb") if os.path.exists(path) else io.BytesIO() as file:
                texts.append(file.read())
        same = texts[0] == texts[1]
        wrong += not same
        first = next((at for at, (a, b) in enumerate(zip(*texts)) if a != b), min(map(len, texts)))
        print(f"{'same' if same else 'DIFFERS'}  {name}" + ("" if same else f": from byte {first} on"))
    return wrong


def main(words):
    dist = os.path.join(ROOT, "dist")
    if words == ["--again"]:
        # Another folder, and one of another length.
        again = os.path.join(ROOT, ".build_release", "in-another-folder")
        Release(again, os.path.join(ROOT, ".build_release", "dist-again")).make()
        return 1 if compare(dist, os.path.join(ROOT, ".build_release", "dist-again")) else 0
    if words:
        sys.exit("usage: Tools/release.py [--again]")
    made = Release(os.path.join(ROOT, ".build_release", "first"), dist)
    made.make()
    if ".invalid" in read(os.path.join(ROOT, "packaging", "project.env")):
        print("release: packaging/project.env is not filled in: addresses end in .invalid", file=sys.stderr)
    print(read(os.path.join(dist, "SHA256SUMS")), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
