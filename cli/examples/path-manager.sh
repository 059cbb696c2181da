#!/bin/sh
# A path manager in a few lines of shell: events in, commands out.
#
#   path-manager.sh server ADDRESS    announces ADDRESS, a second address of
#                                     this server, on each accepted connection
#   path-manager.sh client ADDRESS    opens a subflow from ADDRESS to each
#                                     address that a server announces
#
# Connections must be opened under the user-space path manager:
#
#   sysctl -w net.mptcp.path_manager=userspace    (pm_type=1 before Linux 6.15)
#
# Standard output shows what became of each command, one JSON object a line.
set -eu

role=$1 address=$2
tool=${IP_MPTCP:-ip-mptcp}
# The id that stands for the address on the wire: any from 1 to 255.
id=2

# Takes the member $1 of the JSON object in $event.
member() {
    value=${event#*\"$1\":}
    [ "$value" != "$event" ] || value=
    value=${value%%[,\}]*}
    value=${value#\"}
    value=${value%\"}
}

decide() {
    while read -r event; do
        member token
        token=$value
        case $role:$event in
        server:*'"event":"ESTABLISHED"'*'"server_side":true'*)
            echo "address announce $address token $token id $id"
            ;;
        client:*'"event":"ANNOUNCED"'*)
            member dport
            port=$value
            member daddr4
            [ -n "$value" ] || member daddr6
            echo "subflow create token $token id $id from $address to $value port $port"
            ;;
        esac
    done
}

"$tool" -j monitor | decide | "$tool" -j -answer -batch -
