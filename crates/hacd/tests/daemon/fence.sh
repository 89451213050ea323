#!/bin/sh
# A fence agent for the tests: writes down what it is given. It waits while there is a file "fence.hold", and fails with the text
# of "fence.fails" if there is one.
input=$(cat; echo .)
input=${input%.}
action=$(printf '%s' "$input" | sed -n 's/^action=//p')
if [ "$action" = metadata ]; then
    echo '<?xml version="1.0" ?><resource-agent name="fence_recorder" shortdesc="writes down what it is given"><parameters>
    <parameter name="plug" unique="0" required="1"><content type="string"/></parameter></parameters><actions>
    <action name="on" automatic="0"/><action name="off"/><action name="reboot"/><action name="status"/><action name="list"/>
    <action name="monitor"/><action name="metadata"/></actions></resource-agent>'
    exit 0
fi
{ echo "-- $# arguments, PCMK_service=$PCMK_service"; printf '%s' "$input"; } >> "DIRECTORY/fence.log"
[ "$action" != monitor ] || exit 0
while [ -e "DIRECTORY/fence.hold" ]; do sleep 0.1; done
if [ -e "DIRECTORY/fence.fails" ]; then cat "DIRECTORY/fence.fails" >&2; exit 1; fi
exit 0
