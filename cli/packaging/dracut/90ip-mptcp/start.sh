#!/bin/sh
# Before interfaces appear: endpoints come with the addresses that they name.
# Sourced by dracut.
if [ -f /etc/mptcp.state ]; then
    ip-mptcp watch /etc/mptcp.state >/run/ip-mptcp.log 2>&1 &
    echo $! >/run/ip-mptcp.pid
fi
