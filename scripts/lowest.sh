#!/usr/bin/env bash
# Install the lowest versions that pyproject.toml allows into an environment of their own, and run the
# contract suite, the client, and a SQLite store on them: a bound that is too low fails here.
set -euo pipefail
cd "$(dirname "$0")/.."
tools="$PWD/.venv/bin"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
"$tools/uv" venv --quiet --python "$tools/python" "$folder/venv"
VIRTUAL_ENV="$folder/venv" "$tools/uv" pip install --quiet --resolution lowest-direct '.[all]'
cd "$folder" # where the checkout is not seen
PATH="$folder/venv/bin:$PATH"
vimmerse-mock check
VIMMERSE_MOCK_STORE="sqlite:///$folder/mock.db" vimmerse-mock run -- \
  vimmerse create http://images.example/1.jpg
