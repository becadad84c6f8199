# Keeps a broker from outliving the process that started it. Run as
#   sh guard.sh DRAIN_SECONDS STOP_SECONDS PID_FILE REMOVE_FOLDER HELPER broker ARGS...
# Standard input is a pipe from the parent: the line "stop" stops the broker at once, the end of the
# pipe means that the parent is gone, and then services get DRAIN_SECONDS to finish first.
# A broker that does not end within STOP_SECONDS is killed.
# PID_FILE gets a line for the broker and one for the helper: id, and the moment of its start, which
# tells it from another process that got the id later (Linux only).
# REMOVE_FOLDER, when not empty, is removed after a stop (throw-away brokers of tests).
# HELPER, when not empty, is a command that runs beside the broker, no longer than it.
drain_seconds=$1 stop_seconds=$2 pid_file=$3 remove_folder=$4 helper_command=$5
shift 5

started() {
  echo "$1 $(cut -d ' ' -f 22 "/proc/$1/stat" 2>/dev/null)"
}

exec 3<&0 </dev/null
# A signal to the group must not end the guard before its child.
trap '' INT HUP TERM
helper=
if [ -n "$helper_command" ]; then
  $helper_command 3<&- &
  helper=$!
fi
(
  trap - INT HUP TERM
  exec "$@" 3<&-
) &
broker=$!
broker_started=$(started "$broker")
{
  echo "$broker_started"
  [ -z "$helper" ] || started "$helper"
} >"$pid_file"
rm -f "$pid_file.stop"

(
  trap - TERM
  read -r word <&3 || sleep "$drain_seconds"
  # This outlives a guard that was killed; by now the id may belong to another process.
  [ "$(started "$broker")" = "$broker_started" ] || exit
  : >"$pid_file.stop"
  kill -TERM "$broker"
  waited=0
  while kill -0 "$broker" && [ "$waited" -lt "$stop_seconds" ]; do
    sleep 1
    waited=$((waited + 1))
  done
  kill -KILL "$broker"
) 2>/dev/null &
watcher=$!

wait "$broker"
status=$?
kill "$watcher" 2>/dev/null
[ -z "$helper" ] || kill -KILL "$helper" 2>/dev/null
# After a crash the next start goes on with what is there.
[ -z "$remove_folder" ] || [ ! -e "$pid_file.stop" ] || rm -rf "$remove_folder"
exit "$status"
