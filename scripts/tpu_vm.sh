#!/usr/bin/env bash
# A Cloud TPU VM, of one host or of several: made, installed, run, watched and
# deleted. Not run in a cloud.
#
#   scripts/tpu_vm.sh create
#   scripts/tpu_vm.sh install
#   scripts/tpu_vm.sh run --experiment=NAME [FLAG...]
#   scripts/tpu_vm.sh watch
#   scripts/tpu_vm.sh delete
#
# NAME, ZONE, RUNS (gs://BUCKET/runs) and REPOSITORY (what git clones) must be
# set; TYPE (v4-8), VERSION (tpu-ubuntu2204-base) and SPOT (empty, or 1) may be.
set -euo pipefail

: "${NAME:?wanted the name of the TPU}" "${ZONE:?wanted its zone}"
TYPE=${TYPE:-v4-8}
VERSION=${VERSION:-tpu-ubuntu2204-base}

on_all() {
    gcloud compute tpus tpu-vm ssh "$NAME" --zone="$ZONE" --worker=all \
        --command="$1"
}

what=${1:-}
[ $# -eq 0 ] || shift
case $what in
    create)
        gcloud compute tpus tpu-vm create "$NAME" --zone="$ZONE" \
            --accelerator-type="$TYPE" --version="$VERSION" ${SPOT:+--spot}
        ;;
    install)
        : "${REPOSITORY:?wanted the address that git clones}"
        on_all "git clone $(printf %q "$REPOSITORY") ls_tf && cd ls_tf &&
            python3.11 -m venv .venv &&
            .venv/bin/pip install -e '.[tensorflow,jax-tpu]'"
        ;;
    run)
        : "${RUNS:?wanted where records go, as gs://BUCKET/runs}"
        words=$(printf ' %q' --flagfile=flags/machine/tpu_v4_8.flags \
            --runs_dir="$RUNS" "$@")
        # It outlives the connection; each host writes its own log.
        on_all "cd ls_tf && source .venv/bin/activate &&
            (nohup scripts/until_done.sh$words >log.txt 2>&1 &)"
        ;;
    watch)
        on_all "tail -n 5 ls_tf/log.txt"
        ;;
    delete)
        gcloud compute tpus tpu-vm delete "$NAME" --zone="$ZONE"
        ;;
    *)
        echo "wanted create, install, run, watch or delete, got '$what'" >&2
        exit 2
        ;;
esac
