#!/usr/bin/env bash
# Measurements that take hours on two cores, one after the other:
# DATA=path bench/overnight.sh [NAME ...]
#
# DATA has one folder a dataset (movielens, anime, books); a part that needs it is left out without. Every part
# writes $OUT/NAME.txt; one that has ended well is not run again, one that was cut short goes on where its
# program can. `bench/overnight.sh list` says what there is, what was run, and when.
#   OUT     folder of the figures (default: runs/overnight)
#   PYTHON  the interpreter (default: .venv/bin/python)
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 2
PYTHON=${PYTHON:-.venv/bin/python}
OUT=${OUT:-runs/overnight}
DATA=${DATA:-}
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} PYTHONUNBUFFERED=1
unset PYTHONDONTWRITEBYTECODE
mkdir -p "$OUT"
failed=0

# NAME | needs DATA | command
PARTS="served | data | bench.served
sequences | data | bench.sequences --seeds 7,11
cold_start | data | bench.cold_start --runs $OUT/cold_start --picture $OUT/cold-start.png
sequence_parts | data | bench.sequences --parts 5 --out $OUT/sequence_parts.jsonl
sequence_choice | data | bench.sequence_choice
hybrid_knn | data | bench.hybrid_knn --runs $OUT/hybrid_knn
allmrec | data | bench.allmrec --seeds 7,11 --runs $OUT/allmrec
learning_curve | data | bench.learning_curve --forms list reason_first --sizes 400 1600 6400 --seeds 7 11 --runs $OUT/learning_curve
learning_forms | data | bench.learning_curve --sizes 400 --seeds 7 11 --runs $OUT/learning_curve
learning_known | data | bench.learning_curve --forms list reason_first --sizes 400 --seeds 7 11 --rows all known unknown --written 300 --runs $OUT/learning_curve
learning_system | data | bench.learning_curve --forms list reason_first --sizes 400 --seeds 7 11 --systems own thinking --written 300 --runs $OUT/learning_curve
learning_few | data | bench.learning_curve --forms list --sizes 400 --seeds 7 11 --learn-from 64 --domains anime movies --runs $OUT/learning_curve
learning_settings | data | bench.learning_settings --size 400 --runs $OUT/learning_settings
allmrec_llm | data | bench.allmrec_llm --cases 5000 --epochs 3 --soft allmrec allmrec_list mlp_llm tallrec llmsrec --cross --runs $OUT/allmrec_llm
allmrec_popular | data | bench.allmrec_llm --protocol popularity --runs $OUT/allmrec_llm
allmrec_history | data | bench.allmrec_llm --history 3 --runs $OUT/allmrec_llm
allmrec_sizes | data | bench.allmrec_llm --train-users 1/8,1/4,1/2,all --runs $OUT/allmrec_llm
allmrec_few | data | bench.allmrec_llm --train-users 64,256 --runs $OUT/allmrec_llm
allmrec_cross | data | bench.allmrec_llm --fitted anime,books --cross --runs $OUT/allmrec_llm
allmrec_reasons | data | bench.allmrec_reasons --runs $OUT/allmrec_reasons
allmrec_wishes | | bench.allmrec_wishes
text_length | | bench.text_length
picks | data | bench.picks
rectools | data | bench.rectools_rival
persona_rerank | | bench.persona_rerank --runs $OUT/persona_rerank
chat | | bench.chat --runs $OUT/chat
chat_speed | | bench.chat_speed
kill | | bench.kill_serve
serve | | bench.serve --json $OUT/serve.json
query_fits | | bench.query_fits"

state() { # NAME: run at ..., cut short, or not run
  if [ -e "$OUT/$1.done" ]; then
    echo "run, $(cat "$OUT/$1.done")"
  elif [ -e "$OUT/$1.txt" ]; then
    echo "cut short"
  else
    echo "not run"
  fi
}

part() { # NAME NEEDS MODULE ARGUMENTS
  local name=$1 needs=$2
  shift 2
  [ -e "$OUT/$name.done" ] && return
  if [ "$needs" = data ] && [ -z "$DATA" ]; then
    echo "== $name: left out, needs DATA"
    return
  fi
  echo "== $name: since $(date -u +%FT%TZ)"
  [ "$needs" = data ] && set -- "$@" --data "$DATA"
  if "$PYTHON" -m "$@" 2>&1 | tee -a "$OUT/$name.txt"; then
    date -u +%FT%TZ >"$OUT/$name.done"
  else
    echo "$name: failed, see $OUT/$name.txt"
    failed=1
  fi
}

while IFS='|' read -r name needs command; do
  name=${name// /} needs=${needs// /}
  if [ "${1:-}" = list ]; then
    printf '%-18s%s\n' "$name" "$(state "$name")"
    continue
  fi
  case " $* " in
  "  " | *" $name "*) ;;
  *) continue ;;
  esac
  # shellcheck disable=SC2086  # the words of a command
  part "$name" "${needs:-none}" $command </dev/null
done <<<"$PARTS"
exit "$failed"
