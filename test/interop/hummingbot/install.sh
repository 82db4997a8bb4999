#!/usr/bin/env bash
# Make an environment with one complete Hummingbot from the Python package index.
#   install.sh ERA DIR      ERA: 2.13 (commlib bridge) or 2.18 (aiomqtt bridge); DIR: where the environment goes
# Needs Python 3.11 with venv and headers, a C++ compiler, and the package index. A finished DIR is left as it is.
set -euo pipefail

era=${1:?usage: install.sh 2.13|2.18 DIR}
dir=${2:?usage: install.sh 2.13|2.18 DIR}
python=${PYTHON:-python3.11}
pins=$(dirname "$0")/requirements-$era.txt
[ -e "$pins" ] || { echo "unknown era $era (2.13 or 2.18)" >&2; exit 2; }

version=$(sed -n 's/^hummingbot==//p' "$pins")
done_mark=$dir/.hummingbot-$version
if [ -e "$done_mark" ]; then
  echo "$dir has Hummingbot $era ($version) already"
  exit 0
fi

[ -x "$dir/bin/python" ] || "$python" -m venv "$dir"
pip() { "$dir/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

# The pins are complete, so nothing is resolved (--no-deps). They have to be: two exchange SDKs of 2.18 ask for
# contradictory versions of the same packages, and pandas-ta has left the index (pandas-ta-classic stands in, see run.py).
# Hummingbot itself comes last: only its source is published, and its setup.py wants numpy and Cython already there.
grep -v '^hummingbot==' "$pins" > "$dir/requirements-others.txt"
pip install --no-deps -r "$dir/requirements-others.txt"
WITHOUT_CYTHON_OPTIMIZATIONS=1 pip install --no-deps --no-build-isolation "hummingbot==$version"

touch "$done_mark"
echo "Hummingbot $era ($version) is in $dir"
