#!/usr/bin/env bash
# A private DHT of eight nodes on loopback, a seeder, and a downloader that knows
# only a bootstrap address and the magnet link.
#
#   demo/run.sh bin/node [MiB]
#
# The system chooses every port. At the end, all files are removed, and every process
# that was started here is ended by its id.
set -euo pipefail

node=$(realpath "${1:?usage: demo/run.sh NODE [MiB]}")
mebibytes=${2:-64}
nodes=8

work=$(mktemp -d)
pids=()
cleanup() {
  status=$?
  trap - EXIT INT TERM
  if [ "$status" -ne 0 ]; then
    for log in "$work"/*.log; do
      [ -s "$log" ] && { echo "--- $(basename "$log")"; tail -n 10 "$log"; } >&2
    done
  fi
  for pid in "${pids[@]}"; do kill -TERM "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The user's own state takes no part.
unset "${!SWARM_@}"
export XDG_CONFIG_HOME=$work/config XDG_STATE_HOME=$work/state XDG_CACHE_HOME=$work/cache

say() { printf '\n== %s\n' "$*"; }

# first_line FILE PID: prints the first line of FILE once it is complete. It waits for
# ten seconds at most, and no longer than the process PID, which writes it, lives.
first_line() {
  local line
  for _ in $(seq 200); do
    if { IFS= read -r line <"$1"; } 2>/dev/null; then
      printf '%s\n' "$line"
      return
    fi
    kill -0 "$2" 2>/dev/null || break
    sleep 0.05
  done
  echo "nothing in $(basename "$1")" >&2
  return 1
}

say "a private DHT of $nodes nodes on loopback"
bootstrap=
for i in $(seq "$nodes"); do
  if [ -n "$bootstrap" ]; then way=$bootstrap; else way=none; fi
  "$node" bootstrap --listen "127.0.0.1:0" --bootstrap "$way" --state-dir "$work/state-$i" \
    >"$work/bootstrap-$i.out" 2>"$work/bootstrap-$i.log" &
  pids+=($!)
  address=$(first_line "$work/bootstrap-$i.out" $!)
  echo "node $i: $address"
  [ -n "$bootstrap" ] || bootstrap=$address
done

say "a file of $mebibytes MiB of random bytes"
mkdir "$work/seed" "$work/add"
head -c "$((mebibytes << 20))" /dev/urandom >"$work/seed/demo.bin"
want=$(sha256sum <"$work/seed/demo.bin")
echo "${want%% *}  demo.bin"

say "node seed --no-lsd --bootstrap $bootstrap demo.bin"
"$node" seed --no-lsd --listen 127.0.0.1:0 --bootstrap "$bootstrap" --state-dir "$work/state-seed" \
  "$work/seed/demo.bin" >"$work/seed.out" 2>"$work/seed.log" &
pids+=($!)
magnet=$(first_line "$work/seed.out" $!)
echo "$magnet"

# A download limit, so that there is progress to see.
say "node add --no-lsd --down 20M --bootstrap $bootstrap '$magnet'"
start=$(date +%s%N)
path=$("$node" add --no-lsd --listen 127.0.0.1:0 --bootstrap "$bootstrap" --state-dir "$work/state-add" \
  --dir "$work/add" --timeout 50s --down 20M "$magnet")
took=$((($(date +%s%N) - start) / 1000000))

say "fetched in $((took / 1000)).$(printf %03d $((took % 1000))) s"
got=$(sha256sum <"$path")
echo "${got%% *}  $(basename "$path")"
if [ "$got" != "$want" ]; then
  echo "the files differ" >&2
  exit 1
fi
echo "both files are the same"
