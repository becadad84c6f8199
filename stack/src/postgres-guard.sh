# Keeps PostgreSQL from outliving the process that started it. Run as
#   sh -c "$(cat postgres-guard.sh)" guard DRAIN_SECONDS STOP_SECONDS REMOVE_FOLDER postgres ARGS...
# Standard input is a pipe from the parent: the line "stop" stops PostgreSQL at once, the end of the
# pipe means that the parent is gone, and then services get DRAIN_SECONDS to finish first.
# REMOVE_FOLDER, when not empty, is removed after PostgreSQL ended (throw-away servers of tests).
drain_seconds=$1 stop_seconds=$2 remove_folder=$3
shift 3

exec 3<&0 </dev/null
# A signal to the group must not end the guard before its child.
trap '' INT HUP TERM
"$@" 3<&- &
postgres=$!

(
  trap - TERM
  read -r word <&3 || sleep "$drain_seconds"
  # SIGINT: roll back what is open, disconnect clients, checkpoint. SIGQUIT: recover at next start.
  kill -INT "$postgres"
  waited=0
  while kill -0 "$postgres" && [ "$waited" -lt "$stop_seconds" ]; do
    sleep 1
    waited=$((waited + 1))
  done
  kill -QUIT "$postgres"
) 2>/dev/null &
watcher=$!

wait "$postgres"
status=$?
kill "$watcher" 2>/dev/null
[ -z "$remove_folder" ] || rm -rf "$remove_folder"
exit "$status"
