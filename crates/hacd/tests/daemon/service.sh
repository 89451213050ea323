#!/bin/sh
# A service for the tests: a process that sleeps. The nodes share one pid file; whose process it is stands beside it.
node=$OCF_RESKEY_CRM_meta_on_node
pidfile=$OCF_RESKEY_pidfile
echo "$1" >> "DIRECTORY/$node.actions"
running() {
    [ -s "$pidfile" ] && [ "$(cat "$pidfile.node")" = "$node" ] || return 1
    # A process that has ended may wait for its parent to take note.
    state=$(sed 's/.*) \(.\).*/\1/' "/proc/$(cat "$pidfile")/stat" 2>/dev/null)
    [ -n "$state" ] && [ "$state" != Z ]
}
case $1 in
start)
    running && exit 0
    [ -f "DIRECTORY/slow" ] && sleep 3
    setsid sleep 1000 >/dev/null 2>&1 </dev/null &
    echo "$node" > "$pidfile.node"
    echo $! > "$pidfile"
    echo started >> "DIRECTORY/$node.actions"
    ;;
stop)
    running && kill "$(cat "$pidfile")"
    exit 0
    ;;
monitor)
    running || exit 7
    ;;
meta-data)
    echo '<?xml version="1.0"?><resource-agent name="Service"><parameters><parameter name="pidfile"><content type="string"/></parameter></parameters><actions/></resource-agent>'
    ;;
*) exit 3 ;;
esac
