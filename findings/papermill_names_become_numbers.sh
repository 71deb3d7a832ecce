#!/usr/bin/env bash
# papermill 2.7.0: `-p NAME VALUE` turns a value into a number wherever Python's int or float would take it, and these
# take more than digits: 2024_05 arrives as 202405, 007 as 7, 12e3 as 12000.0, nan and infinity as floats.
#
# So a folder, product or digest of such a name reaches the notebook as another one, without a warning. `-r NAME VALUE`
# hands the text on as it is.
#
# Source: papermill/cli.py of this version, _resolve_type; Python's language reference, "Numeric literals", for the
# underscores; `papermill --help` says of -r that it passes a raw string.
#
# Seen, with -p:   202405 7 12000.0 nan
#      with -r:    '2024_05' '007' '12e3' 'nan'
set -euo pipefail
folder=$(mktemp -d)
export TMPDIR=$folder
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install -qq papermill==2.7.0 ipykernel==7.4.0 nbformat==5.11.1
unset PYTHONPATH
export HOME=$folder PATH="$folder/env/bin:$PATH"

python - <<'PY'
from nbformat import v4, write

parameters = v4.new_code_cell("a = b = c = d = None", metadata={"tags": ["parameters"]})
write(v4.new_notebook(cells=[parameters, v4.new_code_cell("print(*map(repr, (a, b, c, d)))")]), "in.ipynb")
PY

seen() {
  papermill in.ipynb out.ipynb --kernel python3 --language python --no-progress-bar --log-level ERROR \
    "$1" a 2024_05 "$1" b 007 "$1" c 12e3 "$1" d nan > log 2>&1 || { cat log >&2; exit 1; }
  python -c 'import json; print(json.load(open("out.ipynb"))["cells"][-1]["outputs"][0]["text"][0].strip())'
}
inferred=$(seen -p)
raw=$(seen -r)
printf -- '-p: %s\n-r: %s\n' "$inferred" "$raw"
[[ $inferred == "202405 7 12000.0 nan" && $raw == "'2024_05' '007' '12e3' 'nan'" ]]
