"""Debian's packages for the boot tests: fetched by this machine's own apt and
unpacked into a folder of theirs, never installed."""

import os
import shutil
import subprocess
from pathlib import Path

CACHE = Path(os.environ.get("BOOT_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "/tmp") / "ip-mptcp-boot")


class CannotRun(Exception):
    """This kernel cannot be tried on this machine, and why."""


def command(*words, **options):
    """The output of a command; what it said, if it fails."""
    done = subprocess.run([str(word) for word in words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, **options)
    if done.returncode != 0:
        raise CannotRun(f"{words[0]}: {done.stderr.strip().splitlines()[-1:] or done.returncode}")
    return done.stdout


def mirror(label):
    """Where this machine's own apt gets the archive with that label."""
    if not shutil.which("apt-get"):
        raise CannotRun("no apt-get on this machine")
    for line in command("apt-get", "indextargets", "--format", "$(LABEL) $(REPO_URI)", "Created-By: Packages").splitlines():
        found, _, uri = line.rpartition(" ")
        if found == label:
            return uri
    raise CannotRun(f"apt's sources on this machine name no archive {label} (or need apt-get update)")


class Apt:
    """apt with a state of its own: other suites and architectures, nothing of the system touched."""

    def __init__(self, suites, arch, status=None, kind="deb"):
        self.folder = CACHE / "apt" / f"{suites[-1]}-{arch if kind == 'deb' else 'source'}"
        for part in ("lists/partial", "archives/partial"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        (self.folder / "status").touch()
        security = any(suite.endswith("-security") for suite in suites)
        uri = mirror("Debian-Security" if security else "Debian")
        keys = "/usr/share/keyrings/debian-archive-keyring.gpg"
        (self.folder / "sources.list").write_text(
            "".join(f"{kind} [arch={arch} signed-by={keys}] {uri} {suite} main\n" for suite in suites))
        self.options = [word for option in (
            f"Dir::Etc::sourcelist={self.folder}/sources.list", "Dir::Etc::sourceparts=-", "Dir::Etc::preferencesparts=-",
            f"Dir::State::lists={self.folder}/lists", f"Dir::State::status={status or self.folder / 'status'}",
            f"Dir::Cache={self.folder}", f"Dir::Cache::archives={self.folder}/archives",
            f"APT::Architecture={arch}", f"APT::Architectures={arch}", "APT::Sandbox::User=root", "Debug::NoLocking=true",
            "Acquire::Languages=none", "Acquire::Retries=3", "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled=false",
        ) for word in ("-o", option)]
        fresh = self.folder / "updated"
        if not fresh.exists():
            command("apt-get", "-q", *self.options, "update", "--error-on=any")
            fresh.touch()

    def get(self, *words):
        return command("apt-get", "-q", "-y", *self.options, *words, cwd=self.folder / "archives")

    def cache(self, *words):
        return command("apt-cache", "-q", *self.options, *words)

    def unpacked(self, package, into):
        """The package's files, in a folder."""
        mark = into / f".{package}"
        if not mark.exists():
            into.mkdir(parents=True, exist_ok=True)
            archives = self.folder / "archives"
            before = set(archives.glob("*.deb"))
            self.get("download", package)
            for deb in set(archives.glob("*.deb")) - before:
                command("dpkg-deb", "-x", deb, into)
                deb.unlink()
            mark.touch()
        return into


def tools(folder, packages, backports=False):
    """Programs for this machine with all that they need and it lacks, in a folder."""
    if (folder / ".done").exists():
        return folder
    release = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    codename = release.get("VERSION_CODENAME", "").strip('"')
    suites = [codename] + ([f"{codename}-backports"] if backports else [])
    apt = Apt(suites, command("dpkg", "--print-architecture").strip(), "/var/lib/dpkg/status")
    apt.get("install", "--download-only", "--no-install-recommends", "-t", suites[-1], *packages)
    for deb in (apt.folder / "archives").glob("*.deb"):
        command("dpkg-deb", "-x", deb, folder)
        deb.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".done").touch()
    return folder


def libraries(folder):
    """What LD_LIBRARY_PATH must hold to run programs unpacked there."""
    return ":".join(str(path) for place in ("lib", "usr/lib") for path in sorted(folder.glob(place + "/*-linux-gnu*")))
