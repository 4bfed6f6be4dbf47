# shellcheck shell=bash
# The checks of `unslow deploy terraform`, for check-deploy: Terraform's own tests, checkov and its
# waivers, and the scripts and cloud-init documents as an instance would get them.
# Where Terraform's provider registry cannot be reached, TFCHECK may name a command that is given the
# folder and runs init, validate and test there by other means; TF_CLI_ARGS_test has to reach the
# last one.
# shellcheck disable=SC2154 # work, tools and the words for results are check-deploy's

# Terraform would ask for a newer version of itself.
export CHECKPOINT_DISABLE=1

CHECKOV='checkov>=3.2,<4'

# What `terraform test -json` says of each run, and what each instance would get as user data.
# usage: results OUTPUT FOLDER
results() {
  python3 - "$1" "$2" <<'PYTHON'
import base64, json, pathlib, sys

output, folder = sys.argv[1], pathlib.Path(sys.argv[2])
summary, documents = None, set()
for line in open(output, encoding="utf-8"):
    try:
        said = json.loads(line)
    except ValueError:
        continue
    kind = said.get("type")
    if kind == "test_run" and said["test_run"].get("status") not in (None, "pass"):
        print("run", said["@testfile"], said["@testrun"], said["test_run"]["status"])
    elif kind == "diagnostic" and said["diagnostic"]["severity"] == "error":
        diagnostic = said["diagnostic"]
        print(diagnostic["summary"] + ":", diagnostic.get("detail", ""))
    elif kind == "test_summary":
        summary = said["test_summary"]
    elif kind == "test_state":
        for resource in said["test_state"].get("root_module", {}).get("resources", []):
            values = resource["values"]
            text = {
                "aws_launch_template": values.get("user_data"),
                "aws_instance": values.get("user_data_base64"),
            }.get(resource["type"])
            if text:
                documents.add((resource["name"], base64.b64decode(text).decode()))
for number, (name, text) in enumerate(sorted(documents)):
    (folder / f"{name}-{number}.yaml").write_text(text, encoding="utf-8")
if summary is None:
    sys.exit("the tests said nothing: " + pathlib.Path(output).read_text(encoding="utf-8")[-2000:])
print(f"{summary['passed']} passed, {summary['failed']} failed, {len(documents)} documents of user data")
sys.exit(0 if summary["status"] == "pass" and summary["passed"] and len(documents) > 1 else 1)
PYTHON
}

# The files that a cloud-init document has written, into a folder.
unpack() {
  "$tools/venv/bin/python" - "$1" "$2" <<'PYTHON'
import pathlib, sys, yaml

document, folder = yaml.safe_load(open(sys.argv[1], encoding="utf-8")), pathlib.Path(sys.argv[2])
for file in document["write_files"]:
    path = folder / file["path"].lstrip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(file["content"], encoding="utf-8")
PYTHON
}

# What checkov refuses, and waivers for what it does not.
judge() {
  python3 - "$1" "$2" <<'PYTHON'
import json, pathlib, re, sys

found, folder = json.load(open(sys.argv[1], encoding="utf-8")), pathlib.Path(sys.argv[2])
results, wrong = found["results"], 0
for check in results["failed_checks"] + [{"check_id": "cannot be read", "file_path": path, "resource": ""} for path in results.get("parsing_errors", [])]:
    print(check["check_id"], check["file_path"], check["resource"], check.get("check_name", ""))
    wrong += 1
used = {(check["file_path"].lstrip("/"), check["check_id"]) for check in results["skipped_checks"]}
for path in sorted(folder.glob("*.tf")):
    for waiver, reason in re.findall(r"checkov:skip=(\w+):?(.*)", path.read_text(encoding="utf-8")):
        if (path.name, waiver) not in used:
            print(f"{path.name}: the waiver of {waiver} waives nothing")
            wrong += 1
        if len(reason.strip()) < 10:
            print(f"{path.name}: the waiver of {waiver} has no reason")
            wrong += 1
if not results["passed_checks"]:
    print("nothing was checked")
    wrong += 1
sys.exit(1 if wrong else 0)
PYTHON
}

# Python's tools in a folder of their own.
venv() {
  [ -x "$tools/venv/bin/checkov" ] && return 0
  python3 -m venv "$tools/venv" && "$tools/venv/bin/pip" install --quiet "$CHECKOV" pyyaml
}

# cloud-init, without installing a package that would want to set up this machine at its next boot:
# Debian's, unpacked.
cloud_init() {
  if have cloud-init; then
    cloud-init "$@"
  else
    PYTHONPATH=$tools/cloud-init/usr/lib/python3/dist-packages /usr/bin/python3 -m cloudinit.cmd.main "$@"
  fi
}
get_cloud_init() {
  cloud_init --version >/dev/null 2>&1 && return 0
  have apt-get && have dpkg || return 1
  local sudo=() packages
  [ "$(id -u)" = 0 ] || sudo=(sudo)
  packages=$(apt-cache depends cloud-init 2>/dev/null | sed -n 's/.*Depends: \(python3-[a-z0-9]*\)$/\1/p')
  [ -n "$packages" ] || { "${sudo[@]}" apt-get update -qq && packages=$(apt-cache depends cloud-init | sed -n 's/.*Depends: \(python3-[a-z0-9]*\)$/\1/p'); }
  # shellcheck disable=SC2086 # several packages
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $packages &&
    (cd "$work" && apt-get download -qq cloud-init) && dpkg -x "$work"/cloud-init_*.deb "$tools/cloud-init"
  cloud_init --version >/dev/null 2>&1
}

# terraform test in the folder, by the provider registry or by TFCHECK; its JSON to a file.
terraform_tests() {
  local folder=$1 output=$2
  export TF_CLI_ARGS_test='-json -verbose'
  if (cd "$folder" && timeout 300 terraform init -backend=false -input=false -no-color) >"$work/init" 2>&1; then
    check 'terraform validate' terraform -chdir="$folder" validate -no-color
    # What init leaves behind stands beside the files, as it would for a user.
    terraform -chdir="$folder" test -no-color >"$output" 2>&1
  elif [ -n "${TFCHECK:-}" ]; then
    # shellcheck disable=SC2086 # it may have arguments
    if $TFCHECK "$folder" >"$output" 2>&1; then ok "terraform validate (by TFCHECK)"; fi
  else
    skip "terraform validate and test: the provider registry cannot be reached, and TFCHECK names no other way"
    sed 's/^/        /' "$work/init" | tail -n 5
    return 1
  fi
}

check_terraform() {
  local folder=$1 document name
  if have shellcheck; then
    check 'shellcheck: scripts' shellcheck -x -P "$folder/scripts" "$folder"/scripts/*.sh
  else
    skip 'shellcheck: it is not installed (apt-get install shellcheck)'
  fi

  if ! have python3 || ! venv >"$work/venv" 2>&1; then
    skip "checkov: it cannot be installed (python3 with venv, PyPI)"
  else
    (cd "$folder" && "$tools/venv/bin/checkov" -d . --framework terraform -o json 2>/dev/null) >"$work/checkov.json"
    check 'checkov, and no waiver without need or reason' judge "$work/checkov.json" "$folder"
  fi

  if ! have terraform || ! have python3; then
    skip 'terraform: it, or python3 to read its results, is not installed (1.11 or later)'
    return
  fi
  check 'terraform fmt' terraform fmt -check -recursive -diff "$folder" || return
  mkdir -p "$work/user-data"
  terraform_tests "$folder" "$work/tests.json" || return
  check 'terraform test' results "$work/tests.json" "$work/user-data" || return
  sed 's/^/        /' "$work/said"

  get_cloud_init >"$work/cloud-init" 2>&1 || skip 'cloud-init schema: cloud-init is not here, and Debian'\''s package cannot be had'
  for document in "$work"/user-data/*.yaml; do
    name=$(basename "$document" .yaml)
    if cloud_init --version >/dev/null 2>&1; then
      check "cloud-init schema: $name" cloud_init schema -c "$document"
    fi
    if have shellcheck && [ -x "$tools/venv/bin/python" ]; then
      unpack "$document" "$work/unpacked/$name"
      # shellcheck disable=SC2046 # the scripts of the document
      check "shellcheck as rendered: $name" shellcheck -x -P SCRIPTDIR \
        $(find "$work/unpacked/$name/usr/local/libexec/unslow" -name '*.sh')
    fi
  done
}
