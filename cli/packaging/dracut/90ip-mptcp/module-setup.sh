#!/bin/bash
# dracut module: ip-mptcp in the initramfs, for a root file system that is
# reached over the network. It is asked for by name:
#
#   echo 'add_dracutmodules+=" ip-mptcp "' >/etc/dracut.conf.d/ip-mptcp.conf

check() {
    require_binaries ip-mptcp || return 1
    [[ -f "${dracutsysrootdir-}/etc/mptcp.state" ]] || return 1
    # Never without being asked for.
    return 255
}

depends() {
    return 0
}

install() {
    inst_multiple ip-mptcp
    inst_simple /etc/mptcp.state
    # moddir is dracut's.
    # shellcheck disable=SC2154
    inst_hook pre-trigger 50 "$moddir/start.sh"
    # shellcheck disable=SC2154
    inst_hook cleanup 50 "$moddir/stop.sh"
}
