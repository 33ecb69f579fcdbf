"""Packs the program, the libraries that it loads and Mozilla's CA certificates into an OCI layout, and tells in an SBOM
from which Debian packages they came. Called by hack/image. Every byte follows from the input: names are sorted, times are
SOURCE_DATE_EPOCH, and nothing is taken from this machine but files that packages own."""

import argparse
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import time
import zlib

USER = 65532
EPOCH = int(os.environ["SOURCE_DATE_EPOCH"])
CREATED = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(EPOCH))
HOME = "https://breakwater.io"
OCI = "application/vnd.oci.image."


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def read(path):
    with open(path, "rb") as file:
        return file.read()


def libraries(program):
    """The loader and every library: (path under /usr where the loader looks, file here)."""
    found = {}
    for line in output("ldd", program).splitlines():
        match = re.search(r"(/\S+) \(0x", line)
        if match:
            real = os.path.realpath(match.group(1))
            folder = os.path.dirname(real)
            found[os.path.join(folder, os.path.basename(match.group(1)))] = real
        elif "not found" in line:
            raise SystemExit("ldd:" + line)
    return found


def owners(paths):
    """The packages that own these files, which may be registered by their paths before /usr was merged."""
    names = [name for path in paths for name in (path, path.removeprefix("/usr"))]
    lines = subprocess.run(["dpkg-query", "-S", *names], capture_output=True, text=True).stdout.splitlines()
    package_of = {"/usr" + name.removeprefix("/usr"): package for package, name in (line.split(": ") for line in lines)}
    for path in paths:
        if path not in package_of:
            raise SystemExit(f"{path} comes from no Debian package: its origin and licence cannot be told")
    return set(package_of.values())


class Package:
    def __init__(self, name):
        fields = "${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Homepage}"
        (self.name, self.version, self.architecture, self.source, self.source_version, self.homepage) = output(
            "dpkg-query", "-W", "-f", fields, name).split("\t")
        self.stanza = output("dpkg-query", "-s", name)

    def purl(self):
        version = self.version.replace("+", "%2B").replace("~", "%7E").replace(":", "%3A")
        return f"pkg:deb/debian/{self.name}@{version}?arch={self.architecture}&distro=debian-12"


class Layer:
    """A tar of files with all their folders from the root on, written in the order of its names."""

    def __init__(self):
        self.entries = {}

    def add(self, path, data=None, mode=0o644, link=None, owner_id=0):
        entry = tarfile.TarInfo(path.lstrip("/") or ".")
        entry.mtime, entry.mode, entry.uid = EPOCH, mode, owner_id
        if link is not None:
            entry.type, entry.linkname, entry.mode = tarfile.SYMTYPE, link, 0o777
        elif data is None:
            entry.type = tarfile.DIRTYPE
        else:
            entry.size = len(data)
        parent = os.path.dirname(entry.name) or "."
        if parent != entry.name and parent not in self.entries:
            self.add(parent, mode=0o755)
        self.entries[entry.name] = (entry, data)

    def tar(self):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for _, (entry, data) in sorted(self.entries.items()):
                tar.addfile(entry, io.BytesIO(data) if data is not None else None)
        return out.getvalue()


def licences(layer, packages):
    """What the licences of the libraries ask of those who pass them on: their texts."""
    common = set()
    for package in packages:
        text = read(f"/usr/share/doc/{package.name}/copyright")
        layer.add(f"/usr/share/doc/{package.name}/copyright", text)
        common |= set(re.findall(rb"/usr/share/common-licenses/([A-Za-z0-9.-]*[A-Za-z0-9])", text))
    for name in sorted(common):
        path = os.path.realpath(os.path.join(b"/usr/share/common-licenses", name)).decode()
        if os.path.isfile(path):
            layer.add("/usr/share/common-licenses/" + name.decode(), read(path))


def base_layer(program):
    layer = Layer()
    loaded = libraries(program)
    for path, real in loaded.items():
        layer.add(path, read(real), mode=0o755)
    # what the packages ship, not what update-ca-certificates made of it: that may hold CAs of this machine alone
    bundle = b"".join(read(path) for path in sorted(output("dpkg-query", "-L", "ca-certificates").split("\n"))
                      if path.startswith("/usr/share/ca-certificates/") and path.endswith(".crt"))
    layer.add("/etc/ssl/certs/ca-certificates.crt", bundle)
    packages = [Package(name) for name in sorted(owners(loaded.values()) | {"ca-certificates", "base-files"})]
    for package in packages:  # scanners, breakwater among them, read these
        layer.add(f"/var/lib/dpkg/status.d/{package.name}", package.stanza.encode())
    licences(layer, packages)
    layer.add("/usr/lib/os-release", read("/usr/lib/os-release"))
    layer.add("/etc/os-release", link="../usr/lib/os-release")
    layer.add("/etc/nsswitch.conf", b"hosts: files dns\n")
    for name in ("lib", "lib64"):
        layer.add(name, link="usr/" + name)
    loader = next(path for path in layer.entries if os.path.basename(path).startswith("ld-linux"))
    if not os.path.dirname(loader).endswith("lib64"):
        layer.add("/usr/lib64/" + os.path.basename(loader), link=os.path.relpath("/" + loader, "/usr/lib64"))
    return layer, packages


def program_layer(program):
    layer = Layer()
    layer.add("/usr/bin/breakwater", read(program), mode=0o755)
    for name in ("LICENSE", "NOTICE"):
        layer.add("/usr/share/doc/breakwater/" + name, read(name))
    # any uid with group 0 may write here when no volume is mounted
    layer.add("/var/cache/breakwater", mode=0o775, owner_id=USER)
    return layer


def sbom(version, revision, digest, packages):
    def spdx_id(text):
        return "SPDXRef-" + re.sub(r"[^A-Za-z0-9.-]", "-", text)

    listed = [{
        "SPDXID": "SPDXRef-breakwater", "name": "breakwater", "versionInfo": version, "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False, "licenseConcluded": "Apache-2.0", "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION", "sourceInfo": "commit " + revision, "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest.removeprefix("sha256:")}],
    }]
    for package in packages:
        listed.append({
            "SPDXID": spdx_id("deb-" + package.name), "name": package.name, "versionInfo": package.version,
            "supplier": "Organization: Debian", "downloadLocation": "NOASSERTION", "filesAnalyzed": False,
            "licenseConcluded": "NOASSERTION", "licenseDeclared": "NOASSERTION", "copyrightText": "NOASSERTION",
            "sourceInfo": f"built from Debian's source package {package.source} {package.source_version}",
            **({"homepage": package.homepage} if package.homepage else {}),
            "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl",
                              "referenceLocator": package.purl()}],
        })
    relations = [{"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
                  "relatedSpdxElement": "SPDXRef-breakwater"}]
    relations += [{"spdxElementId": "SPDXRef-breakwater", "relationshipType": "CONTAINS",
                   "relatedSpdxElement": spdx_id("deb-" + package.name)} for package in packages]
    return {
        "spdxVersion": "SPDX-2.3", "dataLicense": "CC0-1.0", "SPDXID": "SPDXRef-DOCUMENT", "name": "breakwater " + version,
        "documentNamespace": f"{HOME}/sbom/{digest.replace(':', '-')}",
        "creationInfo": {"created": CREATED, "creators": ["Tool: hack/image"]},
        "packages": listed, "relationships": relations,
    }


def write_json(path, document):
    with open(path, "w") as file:
        json.dump(document, file, indent=1)
        file.write("\n")


class Layout:
    def __init__(self, path):
        self.path = path
        os.makedirs(os.path.join(path, "blobs", "sha256"))

    def blob(self, media_type, data, **more):
        name = hashlib.sha256(data).hexdigest()
        with open(os.path.join(self.path, "blobs", "sha256", name), "wb") as file:
            file.write(data)
        return {"mediaType": media_type, "digest": "sha256:" + name, "size": len(data), **more}

    def layer(self, tar):
        squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)  # gzip, without name and time
        return self.blob(OCI + "layer.v1.tar+gzip", squeeze.compress(tar) + squeeze.flush())


def main():
    parser = argparse.ArgumentParser()
    for name in ("--program", "--revision", "--out"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    version = re.search(r"project\(breakwater VERSION (\S+)", read("CMakeLists.txt").decode()).group(1)
    architecture = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    labels = {"org.opencontainers.image." + key: value for key, value in (
        ("created", CREATED), ("description", "Admission control by the content of container images"),
        ("documentation", HOME), ("licenses", "Apache-2.0"), ("revision", options.revision), ("title", "breakwater"),
        ("url", HOME), ("vendor", "breakwater"), ("version", version))}

    base, packages = base_layer(options.program)
    tars = [base.tar(), program_layer(options.program).tar()]
    layout = Layout(os.path.join(options.out, "layout"))
    config = layout.blob(OCI + "config.v1+json", json.dumps({
        "created": CREATED, "architecture": architecture, "os": "linux",
        "config": {"User": f"{USER}:0", "Entrypoint": ["/usr/bin/breakwater"], "Cmd": ["--help"],
                   "WorkingDir": "/", "Env": ["PATH=/usr/bin"], "Labels": labels,
                   "ExposedPorts": {f"{port}/tcp": {} for port in (8080, 8081, 8443)}},
        "rootfs": {"type": "layers", "diff_ids": ["sha256:" + hashlib.sha256(tar).hexdigest() for tar in tars]},
        "history": [{"created": CREATED, "created_by": made} for made in ("Debian's libraries", "breakwater")],
    }, sort_keys=True).encode())
    manifest = layout.blob(OCI + "manifest.v1+json", json.dumps({
        "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": config,
        "layers": [layout.layer(tar) for tar in tars], "annotations": labels,
    }, sort_keys=True).encode(), platform={"architecture": architecture, "os": "linux"},
        annotations={"org.opencontainers.image.ref.name": version})
    write_json(os.path.join(layout.path, "oci-layout"), {"imageLayoutVersion": "1.0.0"})
    write_json(os.path.join(layout.path, "index.json"),
               {"schemaVersion": 2, "mediaType": OCI + "index.v1+json", "manifests": [manifest]})
    write_json(os.path.join(options.out, "sbom.spdx.json"), sbom(version, options.revision, manifest["digest"], packages))
    with open(os.path.join(options.out, "digest"), "w") as file:
        file.write(manifest["digest"] + "\n")


main()
