# Checked with oelint-adv; never built, because BitBake was not at hand.
SUMMARY = "Configure and watch Multipath TCP"
DESCRIPTION = "All of 'ip mptcp' of iproute2, endpoints that follow interfaces as \
               the state file /etc/mptcp.state says, live connections and events, in \
               one small program."
HOMEPAGE = "https://example.org/ip-mptcp"
BUGTRACKER = "https://example.org/ip-mptcp/issues"
SECTION = "net"
CVE_PRODUCT = "ip-mptcp"
LICENSE = "(MIT | Apache-2.0) & BSD-3-Clause"
LIC_FILES_CHKSUM = "\
    file://LICENSE-APACHE;md5=22a53954e4e0ec258dfce4391e905dac \
    file://LICENSE-MIT;md5=9f70f5a8c88205016f0f506e825e55fd \
    file://cli/packaging/licenses/argh.BSD-3-Clause;md5=b250d14fc7456481876836ddff991108 \
"

# For the packager to fill in: the repository and the commit.
SRC_URI = "git://example.org/ip-mptcp.git;protocol=https;branch=main"
SRCREV = "0000000000000000000000000000000000000000"

inherit cargo
inherit cargo-update-recipe-crates
inherit systemd

require ${BPN}-crates.inc

# The profile that is shipped instead of "release", which is larger.
BUILD_MODE = "--profile dist"
BUILD_DIR = "dist"
CARGO_BUILD_FLAGS:append = " --package ip-mptcp"
# BitBake strips it.
export CARGO_PROFILE_DIST_STRIP = "none"

SYSTEMD_SERVICE:${PN} = "ip-mptcp.service ip-mptcp-watch.service"
# They do nothing before there is /etc/mptcp.state; one of them is enough.
SYSTEMD_AUTO_ENABLE = "disable"

do_install() {
    install -D -m 0755 ${B}/target/${CARGO_TARGET_SUBDIR}/ip-mptcp ${D}${sbindir}/ip-mptcp
    install -D -m 0644 ${S}/cli/ip-mptcp.8 ${D}${mandir}/man8/ip-mptcp.8
    if ${@bb.utils.contains('DISTRO_FEATURES', 'systemd', 'true', 'false', d)}; then
        install -D -m 0644 ${S}/cli/packaging/systemd/ip-mptcp.service \
            ${D}${systemd_system_unitdir}/ip-mptcp.service
        install -D -m 0644 ${S}/cli/packaging/systemd/ip-mptcp-watch.service \
            ${D}${systemd_system_unitdir}/ip-mptcp-watch.service
    fi
}
