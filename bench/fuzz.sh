#!/bin/sh
# A recorded fuzz run: bench/fuzz.sh EXECUTIONS [DIR FuzzTarget]...
#
# Runs the fuzz targets of the decoder, the session and the receipt parser, one worker each, at the lowest
# priority, for EXECUTIONS inputs, and prints a table: executions done, inputs that reached new code, time, and
# the resident memory of the worker early on, at the end and at its highest (KiB). A crash, a hang (one input
# for more than 10 s) or a failed check ends the run with exit code 1; go test then keeps the input in testdata/fuzz.
set -eu
cd "$(dirname "$0")/.."
count=$1
shift
[ $# -gt 0 ] || set -- ./pdu FuzzStream ./pdu FuzzReceiptText ./pdu/session FuzzFeed ./pdu/session FuzzLife
log=$(mktemp)
trap 'rm -f "$log" "$log.rss"' EXIT

echo "$(go version), commit $(git rev-parse --short HEAD), $(nproc) cores, begun $(date -u +%FT%TZ)"
echo
echo "| target | executions | new inputs | seconds | KiB at 1 min | KiB at end | KiB at most |"
echo "|---|---|---|---|---|---|---|"
while [ $# -gt 0 ]; do
	dir=$1 name=$2
	shift 2
	: >"$log.rss"
	began=$(date +%s)
	nice -n 19 go test -run '^$' -fuzz "^$name\$" -fuzztime "${count}x" -fuzzminimizetime 1000x -parallel 1 "$dir" >"$log" 2>&1 &
	run=$!
	while kill -0 $run 2>/dev/null; do
		# The worker is the test binary's own child: go test, binary, worker.
		for binary in $(pgrep -P $run || true); do
			for worker in $(pgrep -P "$binary" || true); do
				awk -v at=$(($(date +%s) - began)) '/^VmRSS/ {print at, $2}' "/proc/$worker/status" 2>/dev/null >>"$log.rss" || true
			done
		done
		sleep 5
	done
	if ! wait $run; then
		echo "$dir $name failed:" >&2
		tail -40 "$log" >&2
		exit 1
	fi
	last=$(grep -o 'execs: [0-9]*' "$log" | tail -1 | cut -d' ' -f2)
	new=$(grep -o 'new interesting: [0-9]*' "$log" | tail -1 | cut -d' ' -f3)
	rss=$(awk '$1 <= 60 || !early {early = $2} {end = $2; if ($2 > most) most = $2} END {print early+0 " | " end+0 " | " most+0}' "$log.rss")
	echo "| $dir $name | $last | $new | $(($(date +%s) - began)) | $rss |"
done
