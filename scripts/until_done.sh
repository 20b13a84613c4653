#!/usr/bin/env bash
# Gives a command again for as long as it was stopped by a signal (3), lost
# another of its processes (6) or was killed; it goes on from its checkpoint.
#
#   scripts/until_done.sh --experiment=NAME [FLAG...]
#
# PAUSE: seconds between two tries (10).
set -u
cd "$(dirname "$0")/.." || exit
until python run_experiment.py "$@"; do
    code=$?
    case $code in
        3 | 6 | 129 | 13[0-9] | 14[0-9]) sleep "${PAUSE:-10}" ;;
        *) exit "$code" ;;
    esac
done
