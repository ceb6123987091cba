#!/usr/bin/env bash
# Trains the bundled model on a GPU machine that takes 64 MiB along and runs 10 minutes a call.
#
#   train/reference/gpu.sh pack PLAIN        here: start and data into .gpu/pack.tar.xz (not in git);
#                                            PLAIN: the folder of the plain all-MiniLM-L6-v2
#   bash train/reference/gpu.sh run [MIN]    there, with .gpu/pack.tar.xz carried
#   train/reference/gpu.sh join DIR OUT      here: what came back in DIR into checkpoints below OUT
#
# `run` first tries settings side by side on sets that are not trained on, then trains with what
# helped: once with attribution sets alone, once with all (`trials.py` tells more).
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
data=${DATA:-../shared/data/train}
pattern=train/checkpoints/gliznet-minilm-l6
fitted=("$data"/{awesome_lists,clinc150,notes_digitalgov,medquad_health,notes_til,goemotions,github_topics}.jsonl.gz)

case ${1:-} in
pack)
    ignored=$(git rev-parse --git-path info/exclude)
    mkdir -p "$(dirname "$ignored")"
    touch "$ignored"
    grep -qx '/.gpu/' "$ignored" || echo '/.gpu/' >>"$ignored"
    rm -rf .gpu
    mkdir .gpu
    $python train/reference/start.py "$2" $pattern .gpu/start \
        --data "${fitted[@]}"
    $python train/reference/pack_data.py .gpu train/recipes/{attribution,everything}.toml \
        --characters 1300
    $python train/reference/dev_sets.py "$data" .gpu/dev
    cp train/reference/two-views.toml .gpu/
    tar -c -C .gpu . | xz -T0 -6 >.gpu.tar.xz
    mv .gpu.tar.xz .gpu/pack.tar.xz
    du -m .gpu/pack.tar.xz
    ;;
run)
    here=${GPU_FOLDER:-/tmp/gliznet-gpu}
    mkdir -p "$here"
    tar -xJf .gpu/pack.tar.xz -C "$here"
    $python train/reference/trials.py "$here" "$here/out" --until "${2:-9.3}" 2>&1 | tee "$OUT/log.txt"
    cp "$here/out/trials.json" "$OUT/"
    tar -czf "$OUT/metrics.tgz" -C "$here/out" --exclude model --exclude '*.safetensors' \
        --exclude state.pt .
    for moved in "$here"/out/*.moved.safetensors; do
        split -b 15M -d "$moved" "$OUT/$(basename "$moved")."
    done
    ;;
join)
    mkdir -p "$3"
    for first in "$2"/*.moved.safetensors.00; do
        name=$(basename "${first%.00}")
        cat "$2/$name".[0-9]* >"$3/$name"
        $python train/reference/join.py .gpu/start "$3/${name%.moved.safetensors}" "$3/$name"
    done
    ;;
*)
    sed -n '2,11p' "$0"
    exit 2
    ;;
esac
