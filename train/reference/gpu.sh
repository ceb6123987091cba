#!/usr/bin/env bash
# Trains the bundled model on a GPU machine that takes 64 MiB along and runs 10 minutes a call.
#
#   train/reference/gpu.sh pack              here: the data into .gpu/ (ignored by git)
#   bash train/reference/gpu.sh run [MIN]    there, with .gpu carried: trains, goes on where it was
#   train/reference/gpu.sh join DIR OUT      here: the returned parts into a checkpoint folder
#
# The working tree brings the bundled checkpoint, which is what training starts from.
# `run` keeps its state beside the tree, so calls that follow at once go on exactly; a fresh
# machine starts from the checkpoint again.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
start=train/checkpoints/gliznet-minilm-l6
state=${GPU_STATE:-/tmp/gliznet-state}

case ${1:-} in
pack)
    ignored=$(git rev-parse --git-path info/exclude)
    mkdir -p "$(dirname "$ignored")"
    touch "$ignored"
    grep -qx '/.gpu/' "$ignored" || echo '/.gpu/' >>"$ignored"
    rm -rf .gpu
    $python train/reference/pack_data.py train/recipes/attribution.toml .gpu --cap 5000 --characters 1000
    du -sm .gpu
    ;;
run)
    $python train/reference/trainer.py --recipe .gpu/recipe.toml \
        --extras train/reference/two-views.toml --init "$start" --out "$state" --resume \
        --minutes "${2:-8}" --save-minutes 2 --set 'precision="bf16"' --set schedule.steps=6000 \
        --set schedule.warmup=200 --set text.tokens=128 --set text.long_tokens=256 \
        --set optimizer.learning_rate=1e-4 --set batch.pool=64 \
        --set extras.batch_tokens=16000 --set extras.average=0.998
    cp "$state/metrics.jsonl" "$OUT/"
    split -b 15M -d "$state/model/model.safetensors" "$OUT/model.safetensors."
    ;;
join)
    mkdir -p "$3"
    cp "$start"/{config.json,tokenizer.json,tokenizer_config.json} "$3/"
    cat "$2"/model.safetensors.[0-9]* >"$3/model.safetensors"
    ;;
*)
    sed -n '2,10p' "$0"
    exit 2
    ;;
esac
