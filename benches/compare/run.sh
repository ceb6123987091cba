#!/usr/bin/env bash
# Our engine beside ONNX Runtime and PyTorch on this machine's CPU; writes docs/performance.md.
#
#   benches/compare/run.sh [options of contest.py]     such as --n-notes 100 --rounds 5
#
# Wants cargo, python3 with venv, and about 6 GB of disk for PyTorch, in a cache folder
# (GLIZNET_COMPARE names another). NOTES and LABELS name other evaluation data: rows with a `text`
# as gzipped JSON Lines, and a JSON array of labels. Takes about half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/../.."
parts=benches/compare
cache=${GLIZNET_COMPARE:-${XDG_CACHE_HOME:-$HOME/.cache}/gliznet-compare}
data=../shared/data/eval/notes_tags
notes=${NOTES:-$data.jsonl.gz} labels=${LABELS:-$data.labels.json}
checkpoint=train/checkpoints/gliznet-minilm-l6
for file in "$notes" "$labels"; do
    [ -e "$file" ] || { echo "$file is not there; NOTES and LABELS name the data" >&2; exit 2; }
done

mkdir -p "$cache"
if ! cmp -s "$parts/requirements.txt" "$cache/installed.txt"; then
    python3 -m venv "$cache/venv"
    "$cache/venv/bin/pip" install --quiet -r "$parts/requirements.txt"
    cp "$parts/requirements.txt" "$cache/installed.txt"
fi
# The exported model is made anew when the checkpoint or the way to export it changes.
made_of=$(cat "$checkpoint"/*.safetensors "$parts/twin.py" | sha256sum | cut -c1-16)

cargo build --release --bin gliznet --bench compare
built=${CARGO_TARGET_DIR:-target}/release
program=$(find "$built/deps" -name 'compare-*' -type f -perm -u+x -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)

"$cache/venv/bin/python" "$parts/contest.py" --compare "$program" --gliznet "$built/gliznet" \
    --checkpoint "$checkpoint" --notes "$notes" --labels "$labels" \
    --work "$cache/onnx-$made_of" --out "$cache/figures.json" "$@"
"$cache/venv/bin/python" "$parts/report.py" "$cache/figures.json" docs/performance.md
