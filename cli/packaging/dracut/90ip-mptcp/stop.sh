#!/bin/sh
# At the end of the initramfs nothing of it may keep running; the endpoints
# stay. Sourced by dracut.
if [ -f /run/ip-mptcp.pid ]; then
    read -r ip_mptcp_watch </run/ip-mptcp.pid
    # It may have ended by itself; its log says why.
    kill "$ip_mptcp_watch" 2>/dev/null || :
    rm -f /run/ip-mptcp.pid
    unset ip_mptcp_watch
fi
