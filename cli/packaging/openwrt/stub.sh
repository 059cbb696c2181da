#!/bin/sh
# shellcheck shell=dash
# For tests: as much of OpenWrt's shell library (rc.common, functions.sh,
# network.sh, procd.sh) as an init script here needs. It stands for that library
# only: the program, the kernel and the interfaces are real.
#
#   stub.sh INIT_SCRIPT start|stop|reload|enable|enabled
#
# UCI_CONFIG_DIR has the configuration. STUB has "net/NAME", the device of the
# network NAME that is up, "phys/NAME" that of one that may be down, and takes
# what procd would know.
set -u

unquote() {
	value=$1
	case $value in
	"'"*) value=${value#?} && value=${value%%"'"*} ;;
	*) value=${value%%[ 	#]*} ;;
	esac
}

config_load() {
	local kind rest value

	sections='' section=''
	while read -r kind rest; do
		case $kind in
		config)
			value=${rest#* }
			[ "$value" != "$rest" ] || value="'anonymous$((${#sections}))'"
			unquote "$value"
			section=$value
			sections="$sections $section"
			eval "type_$section=\${rest%% *}"
			;;
		option | list)
			unquote "${rest#* }"
			rest=${rest%% *}
			if [ "$kind" = list ]; then
				eval "value=\"\${${section}_$rest:-}\${${section}_$rest:+ }\$value\""
			fi
			eval "${section}_$rest=\$value"
			;;
		esac
	done <"$UCI_CONFIG_DIR/$1"
}

config_get() { eval "$1=\"\${${2}_$3:-${4-}}\""; }

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; 0 | off | false | no | disabled) $1=0 ;; *) $1=$4 ;; esac"
}

config_foreach() {
	local each type

	for each in $sections; do
		eval "type=\$type_$each"
		[ "$type" != "$2" ] || "$1" "$each"
	done
}

logger() {
	while :; do
		case ${1-} in
		-s) shift ;;
		-[pt]) shift 2 ;;
		*) break ;;
		esac
	done
	if [ $# -gt 0 ]; then echo "$*"; else cat; fi >&2
}
network_flush_cache() { :; }
network_get_device() { [ -f "$STUB/net/$2" ] && read -r "$1" <"$STUB/net/$2"; }
network_get_physdev() { [ -f "$STUB/phys/$2" ] && read -r "$1" <"$STUB/phys/$2"; }

procd_open_instance() { command=''; }
procd_set_param() {
	[ "$1" = command ] || return 0
	shift
	command="$*"
}
procd_append_param() { shift && command="$command $*"; }
procd_close_instance() { wanted=$command; }
procd_add_reload_trigger() { echo "$*" >"$STUB/triggers"; }
procd_running() { [ -f "$STUB/pid" ] && kill -0 "$(cat "$STUB/pid")" 2>/dev/null; }
procd_send_signal() { kill "-$3" "$(cat "$STUB/pid")"; }
terminate() {
	procd_running || return 0
	kill "$(cat "$STUB/pid")"
	while procd_running; do sleep 0.05; done
	rm -f "$STUB/pid"
}

# As procd: what has the same command goes on, what is not wanted ends.
start() {
	wanted=''
	start_service
	service_triggers
	if procd_running && [ "$wanted" = "$(cat "$STUB/command")" ]; then return; fi
	terminate
	[ -n "$wanted" ] || return 0
	echo "$wanted" >"$STUB/command"
	$wanted >>"$STUB/log" 2>&1 &
	echo $! >"$STUB/pid"
}
stop() { terminate; }
reload() { reload_service; }
enable() { mkdir -p "$IPKG_INSTROOT/etc/rc.d" && ln -sf "../init.d/$service" "$IPKG_INSTROOT/etc/rc.d/S$START$service"; }
enabled() { [ -x "$IPKG_INSTROOT/etc/rc.d/S$START$service" ]; }

action=$2 service=${1##*/}
# shellcheck source=/dev/null
. "$1"
"$action"
