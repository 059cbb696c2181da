#!/bin/sh
# Exercises the packaging, as far as this machine allows; what cannot be tried
# says SKIPPED and why.
#
#   cli/packaging/test.sh [scripts|recipes|prometheus|networkmanager|openwrt|system]...
#
#   scripts   shellcheck
#   recipes   of Buildroot, Yocto, Alpine, RPM and Nix: by their own checkers as
#             far as this machine can have them, and by their own commands with
#             something in the place of cargo that has built the program already
#   prometheus
#             alert rules, dashboard, and what is written for the textfile
#             collector
#   networkmanager
#             what the README says of it
#   openwrt   the Makefile, with stub-sdk in the place of OpenWrt's build system;
#             the init script and the hotplug hook that it installs, in a network
#             namespace, with stub.sh in the place of OpenWrt's shell library
#   system    on a copy of this Debian system that is thrown away (an overlay):
#             the .deb comes and goes, its units, images of initramfs-tools and
#             dracut, and one that boots
#
# IP_MPTCP_BIN is the program, target/release/ip-mptcp where it is not set. For
# the image to be booted, QEMU and KERNEL name an emulator of this machine and a
# kernel with MPTCP.
set -eu

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
top=$(CDPATH='' cd -- "$here/../.." && pwd)
IP_MPTCP_BIN=${IP_MPTCP_BIN:-$top/target/release/ip-mptcp}
export IP_MPTCP_BIN

step() { printf '\n=== %s\n' "$*"; }
skip() { printf 'SKIPPED %s\n' "$*"; }
fail() { printf 'FAILED %s\n' "$*" >&2 && exit 1; }
installed() { command -v "$1" >/dev/null; }

# Waits until a command prints this.
expect() { # text, command…
	wanted=$1 tries=200
	shift
	while got=$("$@" 2>&1) && [ "$got" = "$wanted" ] && return || [ $((tries -= 1)) -gt 0 ]; do
		sleep 0.05
	done
	printf '%s\nwanted: %s\ngot:    %s\n' "FAILED $*" "$wanted" "$got" >&2
	[ ! -f "${work-}/log" ] || cat "$work/log" "$work/ip-mptcp.state" >&2
	exit 1
}

# ---- scripts ----------------------------------------------------------------

scripts() {
	step shellcheck
	installed shellcheck || { skip 'shellcheck: it is not installed' && return; }
	(cd "$here" && shellcheck test.sh yocto/update-crates openwrt/stub.sh openwrt/ip-mptcp/files/ip-mptcp.init openwrt/ip-mptcp/files/ip-mptcp.hotplug debian/p* \
		buildroot/package/ip-mptcp/S45ip-mptcp alpine/ip-mptcp.initd \
		initramfs-tools/hooks/* initramfs-tools/scripts/*/* dracut/*/*.sh)
}

# ---- recipes of image builders ----------------------------------------------

# Stands in for cargo: the program has been built before.
stand_in() {
	mkdir -p "$scratch/bin"
	cat >"$scratch/bin/cargo" <<-'CARGO'
		#!/bin/sh
		# Takes note of what it is asked for.
		echo "cargo $*" >>"$CARGO_LOG"
		case " $* " in
		*' build '*' --profile dist '*)
			install -D "$IP_MPTCP_BIN" "target/${CARGO_BUILD_TARGET:+$CARGO_BUILD_TARGET/}dist/ip-mptcp"
			;;
		*' vendor '*) echo '[source.crates-io]' ;;
		esac
	CARGO
	chmod +x "$scratch/bin/cargo"
	CARGO_LOG=$scratch/cargo.log
	export CARGO_LOG
}
asked() { # what cargo should have been asked for, once
	grep -qxF -- "cargo $1" "$CARGO_LOG" || { cat "$CARGO_LOG" && fail "cargo was not asked for: $1"; }
	: >"$CARGO_LOG"
}
built_files() { (cd "$1" && find . -type f -printf '%M %P\n' | LC_ALL=C sort -k 2); }

# Of the sources what an archive of them has.
sources() { # where to
	mkdir -p "$1"
	(cd "$top" && tar -c --exclude='*/target' --exclude=.git Cargo.toml Cargo.lock LICENSE-MIT LICENSE-APACHE README.md cli codec tests) | tar -x -C "$1"
}

recipes() {
	scratch=$(mktemp -d)
	version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
	stand_in
	recipe_buildroot
	recipe_yocto
	recipe_alpine
	recipe_rpm
	recipe_nix
	rm -rf "$scratch"
}

recipe_buildroot() {
	step 'Buildroot'
	here_package=$here/buildroot/package/ip-mptcp
	grep -qx "IP_MPTCP_VERSION = $version" "$here_package/ip-mptcp.mk" || fail 'another version'
	sed -n 's/^sha256  //p' "$here_package/ip-mptcp.hash" | (cd "$top" && sha256sum -c --quiet -) || fail 'ip-mptcp.hash'
	# Of check-package, which is part of Buildroot alone, what is plain.
	! grep -nE '[ 	]$|^ +[^ ]' "$here_package"/* "$here"/buildroot/[Ce]* || fail 'blanks'
	! grep -nE '^.{81}' "$here_package/ip-mptcp.mk" || fail 'long lines'
	# Help is 62 characters wide after a tab and two spaces.
	! sed -n '/^	help/,$p' "$here_package/Config.in" | grep -nE '^	  .{63}' || fail 'long lines'
	installed make || { skip "Buildroot's own commands: make is not installed" && return; }
	sources "$scratch/buildroot/build"
	cat >"$scratch/buildroot/Makefile" <<'MAKEFILE'
INSTALL = install
RUSTC_TARGET_NAME = mips-unknown-linux-musl
PKG_CARGO_ENV = CARGO_BUILD_TARGET="$(RUSTC_TARGET_NAME)"
IP_MPTCP_PKGDIR = $(BR2_EXTERNAL_IP_MPTCP_PATH)/package/ip-mptcp
# As inner-cargo-package calls what a package defines.
define cargo-package
all: $(IP_MPTCP_SITE)/Cargo.toml $(BUILD)/.stamp
$(BUILD)/.stamp:
	$$(foreach hook,$$(IP_MPTCP_POST_RSYNC_HOOKS),$$(call $$(hook))$$(newline))
	$$(IP_MPTCP_BUILD_CMDS)
	$$(IP_MPTCP_INSTALL_TARGET_CMDS)
	$$(IP_MPTCP_INSTALL_INIT_SYSV)
	$$(IP_MPTCP_INSTALL_INIT_SYSTEMD)
endef
include $(BR2_EXTERNAL_IP_MPTCP_PATH)/external.mk
MAKEFILE
	env PATH="$scratch/bin:$PATH" make -s -C "$scratch/buildroot" BR2_EXTERNAL_IP_MPTCP_PATH="$here/buildroot" BUILD="$scratch/buildroot/build" \
		TARGET_DIR="$scratch/buildroot/root" || fail "Buildroot's own commands"
	expect '-rwxr-xr-x etc/init.d/S45ip-mptcp
-rw-r--r-- usr/lib/systemd/system/ip-mptcp-watch.service
-rw-r--r-- usr/lib/systemd/system/ip-mptcp.service
-rwxr-xr-x usr/sbin/ip-mptcp' built_files "$scratch/buildroot/root"
	grep -q 'source.crates-io' "$scratch/buildroot/build/.cargo/config.toml" || fail 'no crates for a build without network'
	asked 'build --offline --locked --profile dist --package ip-mptcp'
	echo ok
	skip 'check-package and a build: Buildroot is not to be had here'
}

recipe_yocto() {
	step 'Yocto'
	recipe=$here/yocto/recipes-connectivity/ip-mptcp
	[ -f "$recipe/ip-mptcp_$version.bb" ] || fail 'another version'
	sed -n 's,^ *file://\(.*\);md5=\([0-9a-f]*\).*,\2  \1,p' "$recipe/ip-mptcp_$version.bb" | (cd "$top" && md5sum -c --quiet -) || fail 'LIC_FILES_CHKSUM'
	# The crates are those of Cargo.lock, with their sums.
	"$here/yocto/update-crates" "$scratch/crates.inc"
	diff "$recipe/ip-mptcp-crates.inc" "$scratch/crates.inc" || fail 'the crates are not those of Cargo.lock: cli/packaging/yocto/update-crates'
	echo ok
	if ! python_tool oelint-adv oelint-adv==9.11.2; then
		skip "oelint-adv: it is not installed, and PyPI gives none: $(tail -n 1 "$scratch/pip.log")"
		return
	fi
	# The address is a placeholder; nothing builds with the tool of a target.
	oelint-adv --quiet --release=scarthgap --suppress=oelint.vars.homepageping --suppress=oelint.var.bbclassextend "$recipe"/*.bb || fail oelint-adv
	echo 'ok: oelint-adv'
}

# Where it is missing it is installed once, below the target folder.
python_tool() { # program, package
	installed "$1" && return
	venv=${CARGO_TARGET_DIR:-$top/target}/tools/python
	[ -x "$venv/bin/$1" ] || { python3 -m venv "$venv" && "$venv/bin/pip" install -q "$2"; } >"$scratch/pip.log" 2>&1 || return
	PATH=$PATH:$venv/bin
}

recipe_alpine() {
	step 'Alpine'
	sources "$scratch/alpine/src/ip-mptcp-$version"
	cp "$here"/alpine/ip-mptcp.* "$scratch/alpine/src/"
	cat >"$scratch/alpine/run" <<'RUN'
set -e
. "$1/APKBUILD"
[ "$pkgver" = "$2" ] || { echo 'another version' && exit 1; }
# Every file that is named exists.
for file in $source; do
	case $file in *://*) ;; *) [ -f "$1/$file" ] ;; esac
done
cd "$srcdir/$pkgname-$pkgver"
build
package
RUN
	env PATH="$scratch/bin:$PATH" srcdir="$scratch/alpine/src" pkgdir="$scratch/alpine/pkg" sh "$scratch/alpine/run" "$here/alpine" "$version" ||
		fail 'the functions of the APKBUILD'
	asked 'auditable build --frozen --profile dist --package ip-mptcp'
	expect '-rw-r--r-- etc/conf.d/ip-mptcp
-rwxr-xr-x etc/init.d/ip-mptcp
-rwxr-xr-x usr/sbin/ip-mptcp
-rw-r--r-- usr/share/bash-completion/completions/ip-mptcp
-rw-r--r-- usr/share/fish/vendor_completions.d/ip-mptcp.fish
-rw-r--r-- usr/share/licenses/ip-mptcp/LICENSE-MIT
-rw-r--r-- usr/share/licenses/ip-mptcp/argh.BSD-3-Clause
-rw-r--r-- usr/share/man/man8/ip-mptcp.8
-rw-r--r-- usr/share/zsh/site-functions/_ip-mptcp' built_files "$scratch/alpine/pkg"
	echo ok
	skip 'apkbuild-lint, abuild, OpenRC: not to be had here'
}

recipe_rpm() {
	step RPM
	if installed rpmlint; then
		rpmlint -r "$here/rpm/ip-mptcp.rpmlintrc" "$here/rpm/ip-mptcp.spec" >"$scratch/rpmlint" 2>&1 || { cat "$scratch/rpmlint" && fail rpmlint; }
		grep -q ' 0 errors, 0 warnings' "$scratch/rpmlint" || { cat "$scratch/rpmlint" && fail rpmlint; }
		echo 'ok: rpmlint'
	else
		skip 'rpmlint: it is not installed'
	fi
	installed rpmbuild || { skip 'building the RPM: no rpmbuild' && return; }
	mkdir -p "$scratch/rpm/SOURCES"
	sources "$scratch/rpm/ip-mptcp-$version"
	tar -C "$scratch/rpm" -czf "$scratch/rpm/SOURCES/ip-mptcp-$version.tar.gz" "ip-mptcp-$version"
	# The macros of systemd, which Debian does not have.
	env PATH="$scratch/bin:$PATH" rpmbuild -bb --quiet --nodeps -D "_topdir $scratch/rpm" -D '_unitdir /usr/lib/systemd/system' \
		-D 'systemd_post() : %*' -D 'systemd_preun() : %*' -D 'systemd_postun() : %*' "$here/rpm/ip-mptcp.spec" >"$scratch/rpm.log" 2>&1 ||
		{ cat "$scratch/rpm.log" && fail rpmbuild; }
	asked 'build --locked --profile dist --package ip-mptcp'
	rpm -qp --queryformat '[%{FILENAMES}\n]' "$scratch"/rpm/RPMS/*/*.rpm 2>/dev/null >"$scratch/rpm.files"
	for file in /usr/sbin/ip-mptcp /usr/lib/systemd/system/ip-mptcp.service /usr/lib/systemd/system/ip-mptcp-watch.service \
		/usr/share/bash-completion/completions/ip-mptcp /usr/lib/dracut/modules.d/90ip-mptcp/start.sh; do
		grep -qxF "$file" "$scratch/rpm.files" || { cat "$scratch/rpm.files" && fail "the RPM has no $file"; }
	done
	grep -q argh.BSD-3-Clause "$scratch/rpm.files" || fail 'no notice of argh'
	echo 'ok: rpmbuild'
}

recipe_nix() {
	step Nix
	installed nix-instantiate || { skip 'the derivation and the module: no nix-instantiate' && return; }
	nix_value() { nix-instantiate --eval --strict --json "$here/nix/test.nix" -A "$1" 2>"$scratch/nix.log" || { cat "$scratch/nix.log" && fail "$1"; }; }
	expect "\"$version\"" nix_value version
	expect '"dist"' nix_value buildType
	expect true nix_value exists
	expect true nix_value asserts
	# Its service is the one that is shipped.
	nix_value unit | sed 's/^"//; s/"$//; s/\\n/\n/g' | grep -v '^Exec' >"$scratch/nix.unit"
	sed -n '/^\[Service\]/,/^\[Install\]/s/^\([A-Za-z]*=.*\)/\1/p' "$here/systemd/ip-mptcp-watch.service" | grep -v '^Exec' |
		sed 's/^SystemCallFilter=@.*/& ~@resources @privileged/; /^SystemCallFilter=~/d' >"$scratch/our.unit"
	expect "$(LC_ALL=C sort "$scratch/our.unit")" env LC_ALL=C sort "$scratch/nix.unit"
	echo ok
	skip 'a build and a machine of it: nixpkgs is not to be had here'
}

# ---- Prometheus -------------------------------------------------------------

prometheus() {
	step 'Prometheus: alert rules, dashboard, textfile collector'
	scratch=$(mktemp -d)
	PATH=$PATH:${CARGO_TARGET_DIR:-$top/target}/prometheus/usr/bin
	# Of a large package only the judge; unpacked, not installed.
	installed promtool || { (cd "$scratch" && apt-get -q download prometheus && dpkg-deb -x prometheus_*.deb .) >/dev/null 2>&1 && PATH=$PATH:$scratch/usr/bin; }
	if ! installed promtool; then
		skip 'rules and dashboard: no promtool, and apt-get download gives none'
		return
	fi
	(cd "$here/prometheus" && promtool check rules ip-mptcp.rules.yml && promtool test rules ip-mptcp.test.yml)
	if ! installed python3 || ! unshare -n true 2>/dev/null; then
		skip 'whether rules and dashboard ask for what is written: needs python3 and the right to make a network namespace'
		return
	fi
	# shellcheck disable=SC2016
	unshare -n sh -ec '
		ip link set lo up
		"$IP_MPTCP_BIN" endpoint add 127.0.0.1 dev lo subflow
		"$IP_MPTCP_BIN" status --prometheus
	' >"$scratch/metrics"
	promtool check metrics <"$scratch/metrics" || fail 'metrics that Prometheus does not want'
	python3 - "$here/prometheus" "$scratch/metrics" "$scratch/dashboard.yml" <<'PYTHON' || fail 'rules or dashboard'
import json, re, sys

folder, metrics, rules = sys.argv[1:]
text = open(metrics).read()
written = set(re.findall(r"^# TYPE (\S+)", text, re.M))
counters = set(re.findall(r'^mptcp_events_total\{counter="(\w+)"', text, re.M))
labels = {"job", "instance", "file", "dev"} | set(re.findall(r'[{,](\w+)="', text))
board = json.load(open(folder + "/ip-mptcp.dashboard.json"))
queries = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
assert len(queries) >= 15 and len({panel["id"] for panel in board["panels"]}) == len(board["panels"])
legends = [target["legendFormat"] for panel in board["panels"] for target in panel["targets"]]
variables = {each["name"] for each in board["templating"]["list"]} | {"__rate_interval", "__all"}
wrong = [name for name in re.findall(r"\$\{?(\w+)", json.dumps(board)) if name not in variables]
alerts = re.findall(r"expr: (?:>-\n)?((?:.*\n)(?:          .*\n)*)", open(folder + "/ip-mptcp.rules.yml").read())
assert len(alerts) == 8, alerts
for query in queries + alerts:
    wrong += [name for name in re.findall(r"(?<![\w:])mptcp_\w+", query) if name not in written]
    wrong += [name for name in re.findall(r"[{,] *(\w+)=", query) if name not in labels]
    # Each counter that is asked for exists on this kernel.
    for pattern in re.findall(r'counter=~?"([^"]*)"', query):
        depth, start = 0, 0
        for at, char in enumerate(pattern + "|"):
            depth += {"(": 1, ")": -1}.get(char, 0)
            if char == "|" and depth == 0:
                one, start = pattern[start:at], at + 1
                if not any(re.fullmatch(one, name) for name in counters):
                    wrong.append(one)
for legend in legends:
    wrong += [name for name in re.findall(r"{{(\w+)}}", legend) if name not in labels]
if wrong:
    sys.exit("not written by ip-mptcp: %s" % ", ".join(wrong))
# What Grafana puts in, so that Prometheus can read the queries.
with open(rules, "w") as out:
    out.write("groups:\n  - name: dashboard\n    rules:\n")
    for number, query in enumerate(queries):
        query = query.replace("$__rate_interval", "5m").replace("$", "")
        out.write("      - record: q%d\n        expr: %s\n" % (number, json.dumps(query)))
PYTHON
	promtool check rules "$scratch/dashboard.yml"
	rm -rf "$scratch"
	echo ok
}

# ---- NetworkManager ---------------------------------------------------------

# What the README says of it, with the real one in a namespace.
networkmanager() {
	step 'NetworkManager beside ip-mptcp'
	if ! installed NetworkManager || ! installed nmcli || ! installed dbus-daemon || ! installed ip; then
		skip 'NetworkManager: it, nmcli, dbus-daemon and ip are not all installed'
		return
	fi
	if [ "$(id -u)" != 0 ] || ! unshare -m -n -p -f true 2>/dev/null; then
		skip 'NetworkManager: needs root and the right to make namespaces'
		return
	fi
	# By default, switched off for all, and with flags for one connection.
	for how in default off flags; do
		how=$how timeout -k 5 120 unshare -m -n -p -f --kill-child --mount-proc "$0" in-networkmanager
	done
}

in_networkmanager() {
	mount --make-rprivate /
	mount -t sysfs -o ro sysfs /sys
	for folder in /run /var/lib/NetworkManager /etc/NetworkManager; do
		mkdir -p "$folder"
		mount -t tmpfs none "$folder"
	done
	mkdir -p /run/dbus /etc/NetworkManager/conf.d /etc/NetworkManager/system-connections
	: >/etc/NetworkManager/NetworkManager.conf
	[ "$how" != off ] || printf '[connection]\nconnection.mptcp-flags=1\n' >/etc/NetworkManager/conf.d/ip-mptcp.conf
	ip link set lo up
	number=1
	for device in wan0 lte0; do
		ip link add "$device" type veth peer name "$device-peer"
		ip link set "$device" up
		ip link set "$device-peer" up
		printf '[connection]\nid=%s\ntype=ethernet\ninterface-name=%s\n' $device $device
		[ "$how $device" != 'flags lte0' ] || printf 'mptcp-flags=98\n'
		printf '[ipv4]\nmethod=manual\naddress1=10.0.%s.2/24,10.0.%s.1\n[ipv6]\nmethod=disabled\n' $number $number
		number=$((number + 1))
	done >/run/connections
	for device in wan0 lte0; do
		awk -v id="id=$device" -v RS='\\[connection\\]\n' -v ORS='' 'index($0, id) { print "[connection]\n" $0 }' /run/connections \
			>/etc/NetworkManager/system-connections/$device.nmconnection
	done
	chmod 600 /etc/NetworkManager/system-connections/*
	dbus-daemon --system --fork --nopidfile 2>/dev/null
	NetworkManager -n >/run/log 2>&1 &
	expect running nmcli -t -f RUNNING general
	for device in wan0 lte0; do
		# Ethernet of this kind it leaves to others.
		expect '' nmcli device set $device managed yes
		expect_connected $device
	done
	case $how in
	default)
		expect '10.0.1.2 subflow dev wan0
10.0.2.2 subflow dev lte0' addresses
		expect 'add_addr_accepted 0 subflows 2' limits
		# What is set here is undone when the other uplink is activated.
		printf 'endpoint add dev wan0 subflow\nendpoint add dev lte0 subflow backup\n' | "$IP_MPTCP_BIN" apply -
		expect '10.0.1.2 subflow dev wan0
10.0.2.2 subflow backup dev lte0' addresses
		nmcli connection up wan0 >/dev/null
		expect '10.0.1.2 subflow dev wan0
10.0.2.2 subflow dev lte0' addresses
		# With --keep its endpoints are left alone, and limits are set.
		echo 'limits set subflows 4 add_addr_accepted 4' | "$IP_MPTCP_BIN" apply --keep -
		expect 'add_addr_accepted 4 subflows 4' limits
		expect '10.0.1.2 subflow dev wan0
10.0.2.2 subflow dev lte0' addresses
		;;
	off) expect '' addresses ;;
	flags)
		expect '10.0.1.2 subflow dev wan0
10.0.2.2 subflow backup dev lte0' addresses
		nmcli connection up wan0 >/dev/null
		expect '10.0.1.2 subflow dev wan0
10.0.2.2 subflow backup dev lte0' addresses
		;;
	esac
	echo "ok: $how"
}
expect_connected() { # device
	nmcli connection up "$1" >/dev/null 2>&1 || :
	expect "$1:connected" connected "$1"
}
connected() {
	nmcli -t -f DEVICE,STATE device | grep "^$1:connected" || { nmcli connection up "$1" >/dev/null 2>&1 || :; }
}

# ---- OpenWrt ----------------------------------------------------------------

openwrt() {
	scratch=$(mktemp -d)
	openwrt_package
	openwrt_service
	rm -rf "$scratch"
}

# What a feed is scanned for, and what the package would hold.
openwrt_package() {
	step 'OpenWrt: the Makefile'
	installed make || { skip 'the Makefile, and all that follows from it: make is not installed' && return; }
	version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$top/Cargo.toml" | head -n 1)
	common="Build-Depends: none
Maintainer: Your Name <you@example.org>
License: (MIT OR Apache-2.0) AND BSD-3-Clause
LicenseFiles: LICENSE-MIT LICENSE-APACHE cli/packaging/licenses/argh.BSD-3-Clause"
	expect "Package: ip-mptcp
Version: $version-1
Depends: @KERNEL_MPTCP
Variant: full (default)
Provides: 
Conflicts: 
$common
Conffiles: /etc/config/ip-mptcp /etc/mptcp.state
Package: ip-mptcp-router
Version: $version-1
Depends: @KERNEL_MPTCP
Variant: router
Provides: ip-mptcp
Conflicts: ip-mptcp
$common
Conffiles: /etc/config/ip-mptcp /etc/mptcp.state
Package: ip-mptcp-mini
Version: $version-1
Depends: @KERNEL_MPTCP
Variant: mini
Provides: ip-mptcp
Conflicts: ip-mptcp ip-mptcp-router
$common
Conffiles: " makefile DUMP=1 IP_MPTCP_BINARY="$IP_MPTCP_BIN"
	for file in LICENSE-MIT LICENSE-APACHE cli/packaging/licenses/argh.BSD-3-Clause; do
		[ -s "$top/$file" ] || fail "no $file"
	done
	# Of cli/static.sh the sets are beside each other.
	for set in mips mips-router mips-mini; do
		mkdir -p "$scratch/static/$set"
		echo "$set" >"$scratch/static/$set/ip-mptcp"
	done
	makefile IP_MPTCP_BINARY="$scratch/static/mips/ip-mptcp" PACKAGE=ip-mptcp-mini
	expect '-rwxr-xr-x usr/sbin/ip-mptcp' installed_files
	expect mips-mini cat "$scratch/root/usr/sbin/ip-mptcp"
	makefile IP_MPTCP_BINARY="$scratch/static/mips/ip-mptcp" PACKAGE=ip-mptcp-router
	expect "$openwrt_files" installed_files
	expect mips-router cat "$scratch/root/usr/sbin/ip-mptcp"
	makefile IP_MPTCP_BINARY="$IP_MPTCP_BIN" >/dev/null
	expect "$openwrt_files" installed_files
	cmp "$IP_MPTCP_BIN" "$scratch/root/usr/sbin/ip-mptcp"
	echo "ok, of a program made before"

	if ! installed cargo; then
		skip 'the package built from the sources: no cargo'
		return
	fi
	makefile DUMP=1 | grep -x 'Build-Depends: rust/host' >/dev/null || fail 'no Rust asked for'
	mv "$scratch/root" "$scratch/made-before"
	CARGO_TARGET_DIR=$scratch/target makefile >"$scratch/log" 2>&1 || { cat "$scratch/log" && fail 'the package built from the sources'; }
	expect "$openwrt_files" installed_files
	# In the profile that is shipped, whatever the environment says of others.
	[ -d "$scratch/target/dist" ] || fail 'another profile than dist'
	ours=$(grep -- '--crate-name ip_mptcp ' "$scratch/log")
	case $ours in *'overflow-checks=on'* | *'debug-assertions=on'*) fail "the build environment changes the profile: $ours" ;; esac
	case $ours in *'-C panic=abort'*) ;; *) fail "the build environment changes the profile: $ours" ;; esac
	"$scratch/root/usr/sbin/ip-mptcp" -V
	full=$(wc -c <"$scratch/root/usr/sbin/ip-mptcp")
	for set in router mini; do
		CARGO_TARGET_DIR=$scratch/target makefile PACKAGE=ip-mptcp-$set >"$scratch/log" 2>&1 || { cat "$scratch/log" && fail "ip-mptcp-$set built from the sources"; }
		size=$(wc -c <"$scratch/root/usr/sbin/ip-mptcp")
		[ "$size" -lt "$full" ] || fail "ip-mptcp-$set is not smaller: $size, $full"
		"$scratch/root/usr/sbin/ip-mptcp" endpoint show >/dev/null || fail "ip-mptcp-$set"
		full=$size
	done
	# The last, mini, has no state files, and says so.
	printf '' | "$scratch/root/usr/sbin/ip-mptcp" apply - 2>&1 | grep -q 'built without' || fail 'mini applies state files'
	rm -rf "$scratch/root" "$scratch/target"
	mv "$scratch/made-before" "$scratch/root"
	echo 'ok, from the sources'
}

openwrt_files='-rw------- etc/config/ip-mptcp
-rw-r--r-- etc/hotplug.d/iface/90-ip-mptcp
-rwxr-xr-x etc/init.d/ip-mptcp
-rw-r--r-- lib/upgrade/keep.d/ip-mptcp
-rwxr-xr-x usr/sbin/ip-mptcp'
makefile() { make -s -r -C "$here/openwrt/ip-mptcp" TOPDIR="$here/openwrt/stub-sdk" BUILD_DIR="$scratch" "$@"; }
installed_files() { (cd "$scratch/root" && find . -type f -printf '%M %P\n' | LC_ALL=C sort -k 2); }

openwrt_service() {
	step 'OpenWrt: the init script and the hotplug hook'
	if ! installed ip || ! unshare -n true 2>/dev/null; then
		skip 'the init script: needs ip and the right to make a network namespace'
		return
	fi
	[ -d "$scratch/root" ] || { skip 'the init script: nothing has put it in its place' && return; }
	# The shell of a router; where it is not installed it is only unpacked.
	installed busybox || { (cd "$scratch" && apt-get -q download busybox-static && dpkg-deb -x busybox-static_*.deb .) >/dev/null 2>&1 || true; }
	for shell in sh 'busybox sh'; do
		if PATH=$PATH:$scratch/bin installed "${shell%% *}"; then
			echo "with $shell"
			PATH=$PATH:$scratch/bin in_shell=$shell openwrt_root=$scratch/root unshare -n "$0" in-netns
		else
			skip "with $shell: it is not installed, and apt-get download gives none"
		fi
	done
}

service() {
	# shellcheck disable=SC2086
	STUB=$work UCI_CONFIG_DIR=$work/root/etc/config IPKG_INSTROOT=$work/root IP_MPTCP_STATE=$work/ip-mptcp.state \
		IP_MPTCP_BIN=$work/root/usr/sbin/ip-mptcp ${in_shell:-sh} "$here/openwrt/stub.sh" "$work/root/etc/init.d/ip-mptcp" "$1"
}
hotplug() { # action, network
	# The hook calls the service by its place on a router.
	sed 's,/etc/init.d/ip-mptcp,service,g' "$work/root/etc/hotplug.d/iface/90-ip-mptcp" >"$work/hook"
	# shellcheck disable=SC2034
	ACTION=$1 INTERFACE=$2
	# shellcheck source=/dev/null
	. "$work/hook"
}
endpoints() { "$IP_MPTCP_BIN" endpoint show | sed 's/ *$//'; }
limits() { "$IP_MPTCP_BIN" limits show | sed 's/ *$//'; }
# Addresses and flags, without the ids that the kernel chose.
addresses() { endpoints | sed 's/ id [0-9]*//' | LC_ALL=C sort; }
log_has() { grep -qF -- "$1" "$work/log" || { cat "$work/log" && fail "the log has no: $1"; }; }

in_netns() {
	work=$(mktemp -d)
	trap 'service stop; rm -rf "$work"' EXIT
	mkdir -p "$work/net" "$work/phys" "$work/addr" "$work/proto"
	cp -a "${openwrt_root:?}" "$work/root"
	mkdir -p "$work/root/lib/functions"
	config=$work/root/etc/config/ip-mptcp
	: >"$work/root/lib/functions/network.sh"
	cp "$config" "$work/shipped"
	ip link set lo up
	for device in wan0 lte0 eth1; do
		ip link add "$device" type veth peer name "$device-peer"
		ip link set "$device" up
		ip link set "$device-peer" up
	done
	ip address add 192.0.2.10/24 dev wan0
	ip address add 2001:db8::10/64 dev wan0 nodad
	ip address add fd12:3456::10/64 dev wan0 nodad
	ip address add 198.51.100.5/24 dev lte0
	ip address add 192.168.100.2/24 dev eth1
	echo wan0 >"$work/net/wan"
	foreign='203.0.113.1 id 1 signal'
	"$IP_MPTCP_BIN" endpoint add 203.0.113.1 id 1 signal
	"$IP_MPTCP_BIN" limits set subflows 7 add_addr_accepted 6

	openwrt_changes_nothing
	openwrt_networks
	openwrt_mistakes
	openwrt_same_device
	openwrt_layer_3
	openwrt_multipath
	openwrt_alone
	echo ok
}

# Installed, enabled at boot and called by hotplug, as it is shipped and with
# nothing to do: what others made stays.
openwrt_changes_nothing() {
	hotplug ifup wan || true
	service enable
	service start
	hotplug ifup wan
	sed "s/enabled '0'/enabled '1'/" "$work/shipped" >"$config"
	grep -q "enabled '1'" "$config" || fail 'what is shipped is not off'
	service reload
	hotplug ifdown wan
	[ ! -f "$work/pid" ] || fail 'it runs although nothing is configured'
	expect "$foreign" endpoints
	expect 'add_addr_accepted 6 subflows 7' limits
	expect 'ip-mptcp network' cat "$work/triggers"
	# A section that is not enabled is none.
	printf "config endpoint\n\toption disabled '1'\n\toption interface 'wan'\n" >>"$config"
	service reload
	[ ! -f "$work/pid" ] || fail 'it runs although no section is enabled'
	expect "$foreign" endpoints
}

openwrt_networks() {
	cat >"$config" <<'CONFIG'
config globals 'globals'
	option enabled '1'
	option subflows '3'
	option add_addr_accepted "2"

config endpoint 'wan'
	option interface 'wan'
	option family 'ipv4'
	option id '11'
	list flag 'subflow'
	list flag 'fullmesh'

config endpoint 'lte'
	option interface 'lte'
	option id '12'
	option flag 'subflow backup'

config endpoint 'mail'
	option address '2001:db8::10'
	option id '17'
	option port '8080'
	list flag 'signal'

config endpoint 'spare'
	option disabled '1'
	option address '192.0.2.77'
CONFIG
	one='192.0.2.10 id 11 subflow fullmesh dev wan0'
	two='198.51.100.5 id 12 subflow backup dev lte0'
	seven='2001:db8::10 port 8080 id 17 signal'
	service reload
	expect "$foreign
$one
$seven" endpoints
	expect 'add_addr_accepted 2 subflows 3' limits
	follower=$(cat "$work/pid")

	# A network comes up, loses its carrier, has it again, goes down.
	echo lte0 >"$work/net/lte"
	hotplug ifup lte
	expect "$foreign
$one
$two
$seven" endpoints
	ip link set lte0 down
	expect "$foreign
$one
$seven" endpoints
	ip link set lte0 up
	ip address replace 198.51.100.5/24 dev lte0
	expect "$foreign
$one
$two
$seven" endpoints
	rm "$work/net/lte"
	hotplug ifdown lte
	expect "$foreign
$one
$seven" endpoints
	# Another lease.
	ip address add 192.0.2.20/24 dev wan0
	ip address delete 192.0.2.10/24 dev wan0
	ip address replace 192.0.2.20/24 dev wan0
	hotplug ifupdate wan
	expect "$foreign
192.0.2.20 id 11 subflow fullmesh dev wan0
$seven" endpoints
	ip address add 192.0.2.10/24 dev wan0
	ip address delete 192.0.2.20/24 dev wan0
	ip address replace 192.0.2.10/24 dev wan0
	hotplug ifupdate wan
	expect "$foreign
$one
$seven" endpoints
	[ "$(cat "$work/pid")" = "$follower" ] || fail 'the follower was started again by a reload'
	# A follower that ends by itself comes back, five seconds later.
	kill -KILL "$follower"
	expect revived revived
	follower=$(cat "$work/pid")
}

revived() { [ "$(cat "$work/pid")" = "$follower" ] || ! kill -0 "$(cat "$work/pid")" || echo revived; }

# Each mistake is named by the section that has it, as uci names that, and the
# other sections work.
openwrt_mistakes() {
	cp "$config" "$work/good"
	cat >>"$config" <<'CONFIG'

config endpoint
	option address '192.0.2.11 backup'

config endpoint
	option interface 'wan'
	option family 'ipv5'

config endpoint 'far'
	option address '198.51.100.77'
	option id '300'

config endpoint
	option address '198.51.100.78'
	option id '11'

config endpoint
	option address '198.51.100.79'
	list flag 'sub$flow'

config endpoint
	list flag 'subflow'

config endpoint
	option address '198.51.100.80'
	list flag 'signal'
	option id '20'
CONFIG
	service reload 2>/dev/null
	log_has 'ip-mptcp.@endpoint[4]: address: "192.0.2.11 backup"'
	log_has 'ip-mptcp.@endpoint[5]: family: "ipv5"'
	log_has 'ip-mptcp.far: argument "300" is wrong'
	log_has 'ip-mptcp.@endpoint[7]: argument "11" is wrong'
	# shellcheck disable=SC2016
	log_has 'ip-mptcp.@endpoint[8]: flag: "sub$flow"'
	log_has 'ip-mptcp.@endpoint[9]: an address, an interface or a device is needed'
	[ "$(cat "$work/pid")" = "$follower" ] || fail 'a mistake ended the follower'
	ip address add 198.51.100.80/24 dev lte0
	expect "$foreign
$one
$seven
198.51.100.80 id 20 signal" endpoints
	# The follower still lives, and follows.
	ip address delete 198.51.100.80/24 dev lte0
	ip address delete 192.0.2.10/24 dev wan0
	cp "$work/good" "$config"
	service reload
	expect "$foreign
$seven" endpoints
	ip address add 192.0.2.10/24 dev wan0
	hotplug ifupdate wan
	expect "$foreign
$one
$seven" endpoints
	service stop
	expect "$foreign
$one
$seven" endpoints
	"$IP_MPTCP_BIN" endpoint flush
}

# wan and wan6 are one device: each section means the addresses of its network,
# of aliases too, and two that mean the same do no harm.
openwrt_same_device() {
	: >"$work/log"
	echo wan0 >"$work/net/wan6"
	echo 192.0.2.10 >"$work/addr/wan"
	printf '2001:db8::10\nfd12:3456::10\nfe80::1\n' >"$work/addr/wan6"
	cat >"$work/hook.sh" <<-HOOK
		#!/bin/sh
		echo "\$ACTION \$ADDRESS \$INTERFACE" >>"$work/hook.log"
	HOOK
	chmod +x "$work/hook.sh"
	cat >"$config" <<CONFIG
config globals 'globals'
	option enabled '1'
	option keep_flags '1'
	option heal '0'
	option exec '$work/hook.sh'
config endpoint
	option interface 'wan'
	list flag 'subflow'
config endpoint
	option interface 'wan6'
	list flag 'subflow'
	list flag 'backup'
CONFIG
	service start
	expect '192.0.2.10 subflow dev wan0
2001:db8::10 subflow backup dev wan0' addresses
	# With rules and tables before each of them.
	expect 'add 192.0.2.10 wan0
add 2001:db8::10 wan0' env LC_ALL=C sort "$work/hook.log"
	case $(cat "$work/command") in
	*' --keep-flags --no-heal --exec '*) ;;
	*) fail "not the options of watch: $(cat "$work/command")" ;;
	esac
	# netifd may know both addresses for both.
	rm "$work/addr/wan" "$work/addr/wan6"
	service reload
	expect '192.0.2.10 subflow dev wan0
2001:db8::10 subflow dev wan0' addresses
	# An alias on the same device, and one of a device that is named as such.
	ip address add 198.18.0.1/24 dev wan0
	ip address add 198.18.1.1/24 dev wan0
	echo wan0 >"$work/net/alias"
	echo 198.18.0.1 >"$work/addr/alias"
	echo 192.0.2.10 >"$work/addr/wan"
	echo 2001:db8::10 >"$work/addr/wan6"
	printf "config endpoint\n\toption interface 'alias'\n\tlist flag 'signal'\nconfig endpoint\n\toption device 'wan0'\n\toption family 'ipv4'\n" >>"$config"
	service reload
	expect '192.0.2.10 subflow dev wan0
198.18.0.1 signal dev wan0
198.18.1.1 dev wan0
2001:db8::10 subflow backup dev wan0' addresses
	[ -f "$work/pid" ] || fail 'the follower has ended'
	! grep 'is wrong' "$work/log" || fail 'two sections for one address are no mistake'
	ip address delete 198.18.0.1/24 dev wan0
	ip address delete 198.18.1.1/24 dev wan0
	rm "$work/net/alias" "$work/addr/"*
	service stop
	"$IP_MPTCP_BIN" endpoint flush
}

# Of PPPoE, modems and tunnels the layer-3 device or nothing: never the Ethernet
# below, whatever addresses that has.
openwrt_layer_3() {
	rm "$work/net/wan" "$work/net/wan6"
	echo eth1 >"$work/phys/wan"
	cat >"$config" <<'CONFIG'
config globals 'globals'
	option enabled '1'
	option remove_on_stop '1'
config endpoint 'wan'
	option interface 'wan'
	option id '1'
	list flag 'subflow'
config endpoint 'wwan'
	option interface 'wwan'
	list flag 'subflow'
config endpoint 'vpn'
	option interface 'vpn'
	option family 'ipv4'
	list flag 'backup'
CONFIG
	service start
	ip link add pppoe-wan type veth peer name ppp-peer
	ip link set ppp-peer up
	ip link set pppoe-wan up
	ip address add 203.0.113.7/32 peer 203.0.113.254 dev pppoe-wan
	expect '' endpoints
	echo pppoe-wan >"$work/net/wan"
	hotplug ifup wan
	expect '203.0.113.7 id 1 subflow dev pppoe-wan' endpoints
	# All networks are down.
	rm "$work/net/wan"
	hotplug ifdown wan
	expect '' endpoints
	[ -f "$work/pid" ] || fail 'a configuration whose networks are all down ended the follower'
	# A device by a pattern.
	printf "config endpoint 'any'\n\toption device 'ppp*'\n\tlist flag 'subflow'\n" >>"$config"
	service reload
	expect '203.0.113.7 subflow dev pppoe-wan' addresses
	# A modem's network has no addresses, those that netifd adds to it have.
	echo lte0 >"$work/net/wwan"
	echo lte0 >"$work/net/wwan_4"
	: >"$work/addr/wwan"
	# netifd does not know what OpenVPN does.
	echo wan0 >"$work/net/vpn"
	echo none >"$work/proto/vpn"
	: >"$work/addr/vpn"
	hotplug ifup wwan_4
	expect '192.0.2.10 backup dev wan0
198.51.100.5 subflow dev lte0
203.0.113.7 subflow dev pppoe-wan' addresses
	service stop
	expect '' endpoints
	rm "$work/net/"* "$work/addr/"* "$work/proto/"*
}

# The words that OpenWrt's wiki, OpenMPTCProuter and OverTheBox have for it.
openwrt_multipath() {
	echo wan0 >"$work/net/wan"
	echo lte0 >"$work/net/lte"
	printf "config globals 'globals'\n\toption enabled '1'\n" >"$config"
	cat >"$work/root/etc/config/network" <<'CONFIG'
config globals 'globals'
	option ula_prefix 'fd12:3456::/48'
	option multipath 'disable'
config interface 'wan'
	option proto 'dhcp'
	option multipath 'master'
config interface 'lte'
	option proto 'qmi'
	option multipath 'backup'
config interface 'lan'
	option multipath 'off'
config interface 'guest'
CONFIG
	service start
	[ ! -f "$work/pid" ] || fail 'it runs although multipath is disabled'
	sed -i 's/disable/enable/' "$work/root/etc/config/network"
	service reload
	expect '192.0.2.10 subflow dev wan0
198.51.100.5 subflow backup dev lte0
2001:db8::10 subflow dev wan0' addresses
	sed -i 's/master/signal/; s/backup/maybe/' "$work/root/etc/config/network"
	service reload 2>/dev/null
	expect '192.0.2.10 signal dev wan0
2001:db8::10 signal dev wan0' addresses
	log_has 'network.lte.multipath: "maybe"'
	# A section for a network takes the place of its word.
	printf "config endpoint\n\toption interface 'wan'\n\toption family 'ipv4'\n\tlist flag 'backup'\n" >>"$config"
	service reload 2>/dev/null
	expect '192.0.2.10 backup dev wan0' addresses
	service stop
	rm "$work/root/etc/config/network"
	"$IP_MPTCP_BIN" endpoint flush
}

# Without a follower: immediately, and again when hotplug calls. Without "keep",
# and with a state file.
openwrt_alone() {
	sed "s/enabled '1'/&\n\toption follow '0'\n\toption keep '0'/" "$work/good" >"$config"
	printf "config endpoint 'wrong'\n\toption address '192.0.2.66'\n\toption id '999'\n" >>"$config"
	"$IP_MPTCP_BIN" endpoint add 203.0.113.1
	rm -f "$work/net/lte"
	service reload 2>/dev/null
	[ ! -f "$work/pid" ] || fail 'a follower although follow is 0'
	expect "$one
$seven" endpoints
	log_has 'ip-mptcp.wrong: argument "999" is wrong'
	echo lte0 >"$work/net/lte"
	hotplug ifup lte 2>/dev/null
	expect "$one
$two
$seven" endpoints

	# With "keep", what others made stays and what this service made does not.
	sed -i "s/option keep '0'/option keep '1'/; /endpoint 'mail'/,/signal/d" "$config"
	"$IP_MPTCP_BIN" endpoint add 203.0.113.1 id 1 signal
	rm -f "$work/net/lte"
	hotplug ifdown lte 2>/dev/null
	expect "$foreign
$one" endpoints
	# What a follower that has ended leaves behind does not stay either.
	sed -i "s/option follow '0'/option follow '1'/" "$config"
	service reload 2>/dev/null
	service stop
	sed -i "s/interface 'wan'/interface 'lte'/" "$config"
	service start 2>/dev/null
	expect "$foreign" endpoints
	service stop
	"$IP_MPTCP_BIN" endpoint flush

	# A plain state file, and its end with the service.
	echo 'endpoint add 198.51.100.5 id 9 subflow' >"$work/plain"
	printf "config globals 'globals'\n\toption enabled '1'\n\toption remove_on_stop '1'\n\toption keep '0'\n\toption state '%s'\n" \
		"$work/plain" >"$config"
	service reload
	expect '198.51.100.5 id 9 subflow' endpoints
	service stop
	expect '' endpoints
}

# ---- a whole system ---------------------------------------------------------

system() {
	step 'a system that is thrown away'
	if [ "$(id -u)" != 0 ] || ! installed dpkg-deb; then
		skip 'system: needs root on a Debian system'
		return
	fi
	# shellcheck disable=SC2016
	if ! unshare -m sh -c 'mount -t tmpfs none /mnt && mkdir /mnt/u /mnt/w /mnt/r &&
		mount -t overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w none /mnt/r' 2>/dev/null; then
		skip 'system: the kernel allows no overlay here'
		return
	fi
	unshare -m "$0" in-overlay
}

image_has() { # listing, names…
	listing=$1
	shift
	for name; do
		grep -qE "(^|[ /])$name\$" "$listing" || fail "the image has no $name"
	done
}

inside() { chroot "$root" env PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive "$@"; }

in_overlay() {
	mount -t tmpfs none /mnt
	mkdir /mnt/upper /mnt/work /mnt/root
	mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work none /mnt/root
	root=/mnt/root
	mount -t proc none "$root/proc"
	mount --rbind /dev "$root/dev"
	# Nothing of the real system may be seen or started from in there.
	mount -t tmpfs none "$root/run"
	first=''
	trap '[ -z "$first" ] || boots_end' EXIT
	mkdir -p "$root/run/lock"
	printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
	chmod +x "$root/usr/sbin/policy-rc.d"
	rm -f "$root/etc/mptcp.state"

	deb
	units
	boots
	printf 'limits set subflows 3\nendpoint add 10.0.2.15 id 4 subflow\n' >"$root/etc/mptcp.state"
	mkdir -p "$root/etc/initramfs-tools"
	initramfs_tools
	dracut_module
	dpkg --root="$root" --purge ip-mptcp >"$root/tmp/dpkg.log" 2>&1 || fail 'dpkg --purge'
}

# Where it is missing it is built once, below the target folder.
cargo_deb() {
	cargo deb --version >/dev/null 2>&1 && return
	tools=${CARGO_TARGET_DIR:-$top/target}/tools
	PATH=$PATH:$tools/bin
	cargo deb --version >/dev/null 2>&1 && return
	cargo install -q --locked --debug --no-default-features --root "$tools" --target-dir "/mnt/target" \
		cargo-deb@3.8.0 >/mnt/cargo-deb.log 2>&1
}

deb() {
	step 'the .deb: built, installed, removed, purged'
	if ! cargo_deb; then
		skip "the .deb: cargo-deb is not there: $(tail -n 1 /mnt/cargo-deb.log); what follows has files in their places without it"
		place
		return
	fi
	# Of the program as it is: it need not be built for this.
	mkdir -p /mnt/target/release
	cp "$IP_MPTCP_BIN" /mnt/target/release/ip-mptcp
	(cd "$top" && CARGO_TARGET_DIR=/mnt/target cargo deb -q -p ip-mptcp --no-build -o "$root/tmp/ip-mptcp.deb")
	dpkg-deb --info "$root/tmp/ip-mptcp.deb"
	dpkg-deb --contents "$root/tmp/ip-mptcp.deb"
	if installed lintian; then
		lintian --fail-on error,warning --allow-root "$root/tmp/ip-mptcp.deb" || fail lintian
	else
		skip 'lintian: it is not installed'
	fi
	# What is linked into the program asks for its notice beside it.
	dpkg-deb --fsys-tarfile "$root/tmp/ip-mptcp.deb" | tar -xO ./usr/share/doc/ip-mptcp/copyright | grep -q 'The Fuchsia Authors' ||
		fail 'no notice of argh'
	files() { (cd "$root" && find etc usr lib var -xdev \( -type f -o -type l \) ! -path 'var/lib/dpkg/*' ! -path 'var/log/*' ! -path 'var/cache/*' | sort); }
	files >/mnt/before
	dpkg --root="$root" --install "$root/tmp/ip-mptcp.deb"
	[ -x "$root/usr/sbin/ip-mptcp" ] || fail 'no /usr/sbin/ip-mptcp'
	inside ip-mptcp -V
	# Beside iproute2, which has a page of the same name.
	inside gzip -dc /usr/share/man/man8/ip-mptcp.8.gz | cmp - "$top/cli/ip-mptcp.8"
	[ -L "$root/etc/systemd/system/multi-user.target.wants/ip-mptcp.service" ] || skip 'whether the unit is enabled: no deb-systemd-helper'
	dpkg --root="$root" --verify ip-mptcp
	dpkg --root="$root" --remove ip-mptcp
	dpkg --root="$root" --purge ip-mptcp
	files >/mnt/after
	diff /mnt/before /mnt/after || fail 'something stays behind'
	new_initramfs
	dpkg --root="$root" --install "$root/tmp/ip-mptcp.deb" >/dev/null
	echo ok
}

# The images of an initramfs are made again where the program is in one. In the
# place of what would make them, something that takes note.
new_initramfs() {
	probe=/mnt/probe
	mkdir -p "$probe/DEBIAN" "$root/etc/initramfs-tools"
	printf 'Package: probe\nVersion: 1\nArchitecture: all\nMaintainer: none\nDescription: none\n' >"$probe/DEBIAN/control"
	echo 'interest-noawait update-initramfs' >"$probe/DEBIAN/triggers"
	# shellcheck disable=SC2016
	printf '#!/bin/sh\n[ "$1" != triggered ] || echo "$2" >>/tmp/triggered\n' >"$probe/DEBIAN/postinst"
	chmod +x "$probe/DEBIAN/postinst"
	dpkg-deb --build "$probe" "$root/tmp/probe.deb" >/dev/null
	dpkg --root="$root" --install "$root/tmp/probe.deb" >/dev/null
	dpkg --root="$root" --install "$root/tmp/ip-mptcp.deb" >/dev/null
	[ ! -f "$root/tmp/triggered" ] || fail 'a new initramfs although the old one does not have the program'
	: >"$root/etc/initramfs-tools/mptcp.state"
	dpkg --root="$root" --install "$root/tmp/ip-mptcp.deb" >/dev/null
	dpkg --root="$root" --remove ip-mptcp >/dev/null
	[ "$(cat "$root/tmp/triggered")" = 'update-initramfs
update-initramfs' ] || fail 'no new initramfs with and without it'
	dpkg --root="$root" --purge probe >/dev/null
	rm "$root/etc/initramfs-tools/mptcp.state"
}

# The files in their places, where there is no package.
place() {
	install -D "$IP_MPTCP_BIN" "$root/usr/sbin/ip-mptcp"
	install -D -m 644 -t "$root/lib/systemd/system" "$here"/systemd/*
	install -d "$root/usr/share/initramfs-tools" "$root/usr/lib/dracut/modules.d"
	cp -r "$here"/initramfs-tools/* "$root/usr/share/initramfs-tools/"
	cp -r "$here"/dracut/* "$root/usr/lib/dracut/modules.d/"
}

units() {
	step 'the units: systemd-analyze verify'
	installed systemd-analyze || { skip 'units: no systemd-analyze' && return; }
	install -m 644 -t "$root/lib/systemd/system" "$here"/prometheus/*.service "$here"/prometheus/*.timer
	for unit in ip-mptcp.service ip-mptcp-watch.service ip-mptcp-textfile.service ip-mptcp-textfile.timer; do
		inside systemd-analyze verify --man=no "/lib/systemd/system/$unit" 2>"$root/tmp/verify" || { cat "$root/tmp/verify" && fail "$unit"; }
		! grep "$unit" "$root/tmp/verify" || fail "$unit"
	done
	echo ok
	# What it does at boot, without systemd: with ExecStart's own words.
	ip netns list >/dev/null 2>&1 || return 0
	printf 'limits set subflows 3\nendpoint add 10.0.2.15 id 4 subflow\n' >"$root/etc/mptcp.state"
	words=$(sed -n 's/^ExecStart=//p' "$here/systemd/ip-mptcp.service")
	# shellcheck disable=SC2086
	[ "$(unshare -n chroot "$root" sh -c "ip address add 10.0.2.15/32 dev lo && $words && ip-mptcp endpoint show")" = '10.0.2.15 id 4 subflow ' ] || fail "$words"
	echo "ok: $words"
}

# ---- systemd as PID 1 -------------------------------------------------------

# A container of this system's own copy in namespaces of its own, with systemd
# as its first process, booted with both units enabled and an uplink that is
# dead: what `systemd-analyze` cannot know.
boots() {
	step 'the units: under systemd as PID 1'
	[ -x "$root/lib/systemd/systemd" ] || { skip 'booting with the units: no systemd' && return; }
	for cgroup in /sys/fs/cgroup /sys/fs/cgroup/unified ''; do
		[ "$(stat -f -c %T "$cgroup" 2>/dev/null)" != cgroup2fs ] || break
	done
	cgroup=${cgroup:+$cgroup/ip-mptcp-test-$$}
	if [ -z "$cgroup" ] || ! mkdir "$cgroup" 2>/dev/null; then
		skip 'booting with the units: no cgroup v2 to put systemd into'
		return
	fi
	# Nothing of this machine but what systemd itself needs.
	rm -rf "$root"/etc/systemd/system/*.wants
	for unit in systemd-udevd.service systemd-udevd-kernel.socket systemd-udevd-control.socket systemd-udev-trigger.service \
		systemd-logind.service console-getty.service getty.target dbus.service dbus.socket systemd-binfmt.service \
		proc-sys-fs-binfmt_misc.automount systemd-timesyncd.service systemd-networkd.service; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done
	mkdir -p "$root/etc/systemd/system/multi-user.target.wants" "$root/etc/systemd/system/ip-mptcp.service.d"
	for unit in ip-mptcp ip-mptcp-watch; do
		ln -s "/lib/systemd/system/$unit.service" "$root/etc/systemd/system/multi-user.target.wants/"
	done
	printf '[Service]\nExecStart=\nExecStart=/usr/sbin/ip-mptcp apply --wait 1 /etc/mptcp.state\nRestartSec=1\n' \
		>"$root/etc/systemd/system/ip-mptcp.service.d/sooner.conf"
	printf 'endpoint add 192.0.2.10 dev wan0 port 443 id 1 signal\nendpoint add dev lte0 id 2 subflow\n' >"$root/etc/mptcp.state"
	# Root reads that by hand.
	chown nobody "$root/etc/mptcp.state"
	chmod 600 "$root/etc/mptcp.state"

	# shellcheck disable=SC2016
	sh -c 'echo $$ >"$1/cgroup.procs"; shift; exec unshare -C -p -f -n -m -u -i --kill-child "$@"' sh "$cgroup" "$0" as-pid-1 \
		</dev/null >/mnt/boot.log 2>&1 &
	container=$!
	expect 1 pgrep -c -P $container
	first=$(pgrep -P $container)
	# It has its own /proc by then.
	expect systemd cat "/proc/$first/comm"
	boot_failed=''
	boots_both
	boots_once
	boots_reload
	boots_textfile
	within systemd-analyze security --no-pager --threshold=25 ip-mptcp.service ip-mptcp-watch.service >/mnt/security || { cat /mnt/security && fail 'the units are exposed'; }
	grep Overall /mnt/security
	boot_failed=no
	boots_end
	echo ok
}
boots_end() {
	[ -n "${boot_failed-x}" ] || { within systemctl status --no-pager -l -n 20 ip-mptcp ip-mptcp-watch || :; within journalctl --no-pager -q -n 30 || :; } >&2
	kill -KILL "$first" 2>/dev/null || :
	wait "$container" 2>/dev/null || :
	find "$cgroup" -depth -type d -exec rmdir {} + 2>/dev/null || :
	first=''
}

as_pid_1() {
	mount --make-rprivate /
	mount -t proc proc "$root/proc"
	mount -t sysfs sysfs "$root/sys"
	mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
	mount -t tmpfs tmpfs "$root/run"
	mount -t tmpfs tmpfs "$root/tmp"
	mkdir /mnt/dev
	mount -t tmpfs tmpfs /mnt/dev
	for node in null zero full random urandom tty; do
		: >"/mnt/dev/$node"
		mount --bind "/dev/$node" "/mnt/dev/$node"
	done
	mkdir /mnt/dev/pts /mnt/dev/shm
	mount -t devpts -o newinstance,ptmxmode=666 devpts /mnt/dev/pts
	ln -s pts/ptmx /mnt/dev/ptmx
	: >/mnt/dev/console
	mount --rbind /mnt/dev "$root/dev"
	hostname ip-mptcp-test
	ip link set lo up
	for device in wan0 lte0; do
		ip link add "$device" type veth peer name "$device-peer"
		ip link set "$device" up
		ip link set "$device-peer" up
	done
	ip address add 192.0.2.10/24 dev wan0
	exec chroot "$root" env -i container=ip-mptcp PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --unit=multi-user.target
}
within() { nsenter -t "$first" -a -r -w "$@"; }
property() { within systemctl show -P "$2" "$1.service"; }
state() { within systemctl is-active "$1" || :; }
boot_endpoints() { within ip-mptcp endpoint show | sed 's/ *$//'; }

# The boot ends with an uplink that is dead, and one unit of both runs.
boots_both() {
	expect running within systemctl is-system-running
	expect active state multi-user.target
	expect active state ip-mptcp-watch.service
	expect '192.0.2.10 port 443 id 1 signal dev wan0' boot_endpoints
	expect inactive state ip-mptcp.service
	# It comes in later.
	within ip address add 198.51.100.5/24 dev lte0
	expect '192.0.2.10 port 443 id 1 signal dev wan0
198.51.100.5 id 2 subflow dev lte0' boot_endpoints
	# As often as a program ends, it comes back.
	within systemctl kill -s KILL ip-mptcp-watch.service
	expect 1 property ip-mptcp-watch NRestarts
	expect active state ip-mptcp-watch.service
	# A signal that asks it to end is no reason to stay away either.
	within systemctl kill -s HUP ip-mptcp-watch.service
	echo 'ok: both are enabled, ip-mptcp-watch runs'
}

tried() { [ "$(property ip-mptcp NRestarts)" -lt 2 ] || echo tried; }

# The other unit takes its place; it holds nothing up and does not fail, and the
# dead uplink comes in later too.
boots_once() {
	within ip address delete 198.51.100.5/24 dev lte0
	expect '192.0.2.10 port 443 id 1 signal dev wan0' boot_endpoints
	within timeout 30 systemctl start ip-mptcp.service
	expect inactive state ip-mptcp-watch.service
	# What there is comes without the one that is dead.
	within ip-mptcp endpoint flush
	expect '192.0.2.10 port 443 id 1 signal dev wan0' boot_endpoints
	expect tried tried
	! within systemctl -q is-failed ip-mptcp.service || fail 'ip-mptcp.service has failed'
	within ip address add 198.51.100.5/24 dev lte0
	expect '192.0.2.10 port 443 id 1 signal dev wan0
198.51.100.5 id 2 subflow dev lte0' boot_endpoints
	expect active state ip-mptcp.service
	expect exited property ip-mptcp SubState
	within sed -i 's/ id 2/ id 3/' /etc/mptcp.state
	within systemctl reload ip-mptcp.service
	expect '192.0.2.10 port 443 id 1 signal dev wan0
198.51.100.5 id 3 subflow dev lte0' boot_endpoints
	expect active state ip-mptcp.service
	echo 'ok: ip-mptcp'
}

# Metrics come into a folder of another user.
boots_textfile() {
	within install -d -o nobody /var/lib/prometheus/node-exporter
	within systemctl start ip-mptcp-textfile.timer
	expect 1 within grep -c '^mptcp_enabled ' /var/lib/prometheus/node-exporter/mptcp.prom
	expect mptcp.prom within ls /var/lib/prometheus/node-exporter
	echo 'ok: ip-mptcp-textfile'
}

# A reload that comes right after the start reaches the program.
boots_reload() {
	for time in 1 2 3 4 5 6 7 8 9 10; do
		within systemctl restart ip-mptcp-watch.service
		within systemctl reload ip-mptcp-watch.service
	done
	expect active state ip-mptcp-watch.service
	[ "$(property ip-mptcp-watch NRestarts)" = 0 ] || fail "a reload right after the start ended it ($time)"
	within sed -i 's/ id 3/ id 4/' /etc/mptcp.state
	within systemctl reload ip-mptcp-watch.service
	expect '192.0.2.10 port 443 id 1 signal dev wan0
198.51.100.5 id 4 subflow dev lte0' boot_endpoints
	within systemctl stop ip-mptcp-watch.service
	echo 'ok: ip-mptcp-watch is reloaded right after its start'
}

get() { # packages
	inside sh -c 'apt-get -q update && apt-get -q -y --no-install-recommends install "$@"' sh "$@" >"$root/tmp/apt.log" 2>&1 </dev/null
}

initramfs_tools() {
	step 'initramfs-tools: an image'
	get initramfs-tools-core busybox-static cpio || { skip "initramfs-tools cannot be installed: $(tail -n 1 "$root/tmp/apt.log")" && return; }
	mkdir -p "$root/lib/modules/0-test"
	: >"$root/lib/modules/0-test/modules.order"
	: >"$root/lib/modules/0-test/modules.builtin"
	# It asks what the kernel can unpack.
	echo CONFIG_RD_GZIP=y >"$root/boot/config-0-test"
	printf 'MODULES=list\nCOMPRESS=gzip\n' >"$root/etc/initramfs-tools/conf.d/test"
	inside mkinitramfs -o /tmp/without.img 0-test 2>"$root/tmp/mkinitramfs.log" || { cat "$root/tmp/mkinitramfs.log" && fail mkinitramfs; }
	inside lsinitramfs /tmp/without.img >/mnt/without
	! grep -q 'sbin/ip-mptcp' /mnt/without || fail 'in the image without being asked for'
	cp "$root/etc/mptcp.state" "$root/etc/initramfs-tools/mptcp.state"
	inside mkinitramfs -o /tmp/with.img 0-test 2>"$root/tmp/mkinitramfs.log" || { cat "$root/tmp/mkinitramfs.log" && fail mkinitramfs; }
	inside lsinitramfs /tmp/with.img >/mnt/with
	image_has /mnt/with usr/sbin/ip-mptcp etc/mptcp.state scripts/init-premount/ip-mptcp scripts/init-bottom/ip-mptcp
	inside unmkinitramfs /tmp/with.img /tmp/with
	for part in "$root/tmp/with" "$root/tmp/with/main"; do
		[ ! -x "$part/usr/sbin/ip-mptcp" ] || main=$part
	done
	# With all libraries that it needs: it runs from there, in a namespace.
	chroot "$main" /usr/sbin/ip-mptcp -V
	mount --bind "$root/proc" "$main/proc" 2>/dev/null || { mkdir -p "$main/proc" && mount --bind "$root/proc" "$main/proc"; }
	# shellcheck disable=SC2016
	unshare -n chroot "$main" sh -ec '
		mkdir -p /run /dev; [ -c /dev/null ] || mknod /dev/null c 1 3
		/scripts/init-premount/ip-mptcp
		read -r pid </run/ip-mptcp.pid
		tries=200
		until ip-mptcp endpoint show | grep -q "^10.0.2.15 id 4 subflow" || [ $((tries -= 1)) = 0 ]; do sleep 0.05; done
		ip-mptcp endpoint show
		/scripts/init-bottom/ip-mptcp
		tries=200
		while kill -0 $pid 2>/dev/null && [ $((tries -= 1)) -gt 0 ]; do sleep 0.05; done
		[ $tries -gt 0 ]
		ip-mptcp endpoint show | grep -q "^10.0.2.15 id 4 subflow"
	' || { cat "$main/run/ip-mptcp.log" && fail 'the scripts of the image'; }
	umount "$main/proc"
	echo ok
	boot
}

boot() {
	step 'initramfs-tools: the image boots'
	if [ -z "${QEMU-}" ] || [ -z "${KERNEL-}" ]; then
		skip 'booting it: QEMU and KERNEL are not set'
		return
	fi
	# A second archive after the first: what the real init runs when it is done
	# with premount, instead of looking for a root file system.
	mkdir -p /mnt/more/scripts/init-premount
	cat >/mnt/more/scripts/local <<'LOCAL'
# In the place of the script that mounts the root file system.
mountroot() {
	ip link set lo up 2>/dev/null || ifconfig lo up
	tries=100
	until ip-mptcp endpoint show | grep -q 'id 4' || [ $((tries -= 1)) = 0 ]; do sleep 0.1; done
	echo
	echo "BOOTED: $(uname -r): $(ip-mptcp endpoint show) $(ip-mptcp limits show)"
	/scripts/init-bottom/ip-mptcp
	echo "ENDED: $(ip-mptcp endpoint show)"
	poweroff -f
}
mount_top() { :; }
mount_premount() { :; }
mount_bottom() { :; }
LOCAL
	cp -r /mnt/more "$root/tmp/more"
	inside sh -c 'cd /tmp/more && find . | cpio -o -H newc --quiet | gzip' >/mnt/more.img
	cat "$root/tmp/with.img" /mnt/more.img >/mnt/boot.img
	# shellcheck disable=SC2086
	timeout 200 $QEMU -m 512 -nographic -no-reboot -nic none -kernel "$KERNEL" -initrd /mnt/boot.img \
		-append 'console=ttyS0 panic=-1 root=/dev/none boot=local' </dev/null >/mnt/console 2>&1 || true
	tr -d '\r' </mnt/console | grep -E '^(BOOTED|ENDED):' || { tail -n 30 /mnt/console && fail 'it did not boot as far as that'; }
	tr -d '\r' </mnt/console | grep -q '^BOOTED: .*10.0.2.15 id 4 subflow  *add_addr_accepted [0-9]* subflows 3' || fail 'the state was not applied'
	tr -d '\r' </mnt/console | grep -q '^ENDED: 10.0.2.15 id 4 subflow' || fail 'the endpoint is gone'
	echo ok
}

dracut_module() {
	step 'dracut: an image'
	# dracut and initramfs-tools exclude each other as packages.
	get dracut-core busybox-static cpio kmod || { skip "dracut cannot be installed: $(tail -n 1 "$root/tmp/apt.log")" && return; }
	mkdir -p "$root/lib/modules/0-test"
	inside dracut --quiet --force --no-kernel --no-early-microcode --add ip-mptcp --modules 'base ip-mptcp' /tmp/dracut.img 0-test >"$root/tmp/dracut.log" 2>&1 ||
		{ cat "$root/tmp/dracut.log" && fail dracut; }
	inside lsinitrd /tmp/dracut.img >/mnt/dracut 2>/dev/null
	image_has /mnt/dracut usr/sbin/ip-mptcp etc/mptcp.state 'hooks/pre-trigger/50-start.sh' 'hooks/cleanup/50-stop.sh'
	echo ok
}

case ${1-} in
in-netns) in_netns; exit ;;
in-networkmanager) in_networkmanager; exit ;;
in-overlay) in_overlay; exit ;;
as-pid-1) root=/mnt/root && as_pid_1 ;;
esac
[ -x "$IP_MPTCP_BIN" ] || fail "no program $IP_MPTCP_BIN: build it, or name it in IP_MPTCP_BIN"
# What it is given to works in other folders.
IP_MPTCP_BIN=$(CDPATH='' cd -- "$(dirname -- "$IP_MPTCP_BIN")" && pwd)/${IP_MPTCP_BIN##*/}
[ $# -gt 0 ] || set -- scripts recipes prometheus networkmanager openwrt system
for part; do
	case $part in
	scripts | recipes | prometheus | networkmanager | openwrt | system) "$part" ;;
	*) echo "unknown part \"$part\": scripts, recipes, prometheus, networkmanager, openwrt, system" >&2 && exit 2 ;;
	esac
done
