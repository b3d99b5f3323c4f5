#!/usr/bin/env bash
# Runs the notebooks of samples/notebooks by the real kernel, on the packages of this checkout, and writes what they show into the files.
#   eng/notebooks.sh [--check] [--small] [--html FOLDER] [NAME...]
#   --check         leaves the files alone: says only whether every cell runs
#   --small         small numbers, as in the tests; only with --check
#   --html FOLDER   writes the notebooks as HTML too
#   NAME...         such as 1-two-moons; all if there is none
# It packs to a folder of artifacts/notebooks, installs the kernel there as a local tool, and changes nothing else: no kernel of yours, no tool manifest,
# no packages in the cache but the kernel's and TorchSharp's. Where Jupyter is missing it says so and does nothing. On Debian and Ubuntu this is enough of it:
#   apt-get install --no-install-recommends jupyter-client jupyter-nbconvert python3-nbclient python3-nbformat
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
root=$PWD

kernel_version=1.0.712001
check=false small="" html="" names=()
while [ $# -gt 0 ]; do
  case $1 in
    --check) check=true ;;
    --small) small=1 ;;
    --html) html=$(realpath -m "$2"); shift ;;
    -h|--help) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;;
    -*) echo "There is no option $1; --help lists all." >&2; exit 2 ;;
    *) names+=("$(basename "$1" .ipynb)") ;;
  esac
  shift
done
if [ -n "$small" ] && ! $check; then echo "--small is for --check: the committed notebooks show full sizes." >&2; exit 2; fi
if [ ${#names[@]} = 0 ]; then for file in samples/notebooks/*.ipynb; do names+=("$(basename "$file" .ipynb)"); done; fi

skip() { echo "Skipped: $1. $(sed -n '10s/^# *//p' "$root/eng/notebooks.sh")"; exit 0; }
command -v jupyter-nbconvert >/dev/null || skip "there is no Jupyter with nbconvert here"
# the Python that Jupyter itself runs on has its libraries, and need not be the first on the PATH
python=$(sed -n '1s/^#! *//p' "$(command -v jupyter-nbconvert)")
$python -c 'import nbclient, nbformat' 2>/dev/null || skip "this Jupyter has no nbclient"

work=$PWD/artifacts/notebooks
rm -rf "$work"
mkdir -p "$work/feed" "$work/kernels/kernels" "$work/run" "$work/.config"
export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_INTERACTIVE_CLI_TELEMETRY_OPTOUT=1 MSBUILDDISABLENODEREUSE=1
export JUPYTER_PATH=$work/kernels REALNVP_NOTEBOOK_SMALL=$small

# a version that no cache holds from before
version=$(sed -n 's|.*<VersionPrefix>\(.*\)</VersionPrefix>.*|\1|p' eng/Library.props)
packed=$version-notebooks.$(date +%s)
packages=${NUGET_PACKAGES:-$HOME/.nuget/packages}
trap 'rm -rf "$packages/realnvp/$packed" "$packages/realnvp.plotting/$packed"' EXIT
for project in RealNvp RealNvp.Plotting; do
  dotnet pack "src/$project" -v q -c Release -o "$work/feed" "-p:Version=$packed" -p:RunAnalyzers=false </dev/null
done

cd "$work"
echo '{ "version": 1, "isRoot": true, "tools": {} }' >.config/dotnet-tools.json
dotnet tool install --local Microsoft.dotnet-interactive --version $kernel_version </dev/null
dotnet interactive jupyter install --path kernels/kernels >/dev/null
# the kernel listens on this machine alone
$python - <<'PYTHON'
import json, pathlib
path = pathlib.Path("kernels/kernels/.net-csharp/kernel.json")
kernel = json.loads(path.read_text())
if "--http-local-only" not in kernel["argv"]: kernel["argv"].append("--http-local-only")
kernel["env"] = {"DOTNET_gcServer": "0", "DOTNET_INTERACTIVE_CLI_TELEMETRY_OPTOUT": "1", "Logging__LogLevel__Default": "Warning"}
path.write_text(json.dumps(kernel))
PYTHON

failed=()
for name in "${names[@]}"; do
  source=../../samples/notebooks/$name.ipynb
  [ -f "$source" ] || { echo "There is no notebook $name." >&2; exit 2; }
  $python - "$source" "run/$name.ipynb" "$work/feed" "$version" "$packed" <<'PYTHON'
import re, sys, nbformat
source, target, feed, version, packed = sys.argv[1:]
notebook = nbformat.read(source, 4)
for cell in notebook.cells:
    if cell.cell_type == "code" and '#r "nuget' in cell.source:
        cell.source = f'#i "nuget:{feed}"\n' + re.sub(rf'(#r "nuget: *RealNvp[^,"]*, *){re.escape(version)}"', rf'\g<1>{packed}"', cell.source)
nbformat.write(notebook, target)
PYTHON
  started=$(date +%s)
  if ! jupyter nbconvert --to notebook --execute --inplace --ExecutePreprocessor.timeout=900 --log-level WARN "run/$name.ipynb" </dev/null; then
    failed+=("$name")
    continue
  fi
  # the outputs go to the committed cells, without what the kernel says of this machine
  $python - "$source" "run/$name.ipynb" "$packed" "$version" <<'PYTHON'
import html, re, sys, nbformat
source, ran, packed, version = sys.argv[1:]
committed, executed = nbformat.read(source, 4), nbformat.read(ran, 4)
for cell, done in zip(committed.cells, executed.cells, strict=True):
    if cell.cell_type != "code": continue
    # the cell that restores packages prints addresses, folders and a script
    outputs = [] if '#r "nuget' in cell.source else done.outputs
    # a compiler's word on the kernel's own libraries: TorchSharp was built against an older System.Runtime.Numerics
    outputs = [o for o in outputs if not (o.get("name") == "stderr" and "warning CS1701" in o.text)]
    for output in outputs:
        if "metadata" in output: output.metadata = {}
        plain = re.match(r'<div class="dni-plaintext"><pre>(.*?)</pre></div><style>', output.get("data", {}).get("text/html", ""), re.S)
        # a number or a text needs no page of styles
        if plain: output.data = {"text/plain": html.unescape(plain[1])}
        for kind, text in list(output.get("data", {}).items()):
            if isinstance(text, str) and kind != "image/png": output.data[kind] = text.replace(packed, version)
    cell.outputs, cell.execution_count = outputs, done.execution_count
    cell.metadata = {}
committed.metadata.pop("widgets", None)
nbformat.write(committed, ran)
PYTHON
  $check || cp "run/$name.ipynb" "$source"
  if [ -n "$html" ]; then mkdir -p "$html"; jupyter nbconvert --to html --log-level WARN "run/$name.ipynb" --output-dir "$html"; fi
  echo "$name: every cell ran, $(($(date +%s) - started)) s"
done
[ ${#failed[@]} = 0 ] || { echo "Failed: ${failed[*]}" >&2; exit 1; }
$check || echo "Written. Twins: REALNVP_WRITE_TWINS=1 dotnet test --project tests/RealNvp.ProgramTests --filter-class '*NotebookTests'"
