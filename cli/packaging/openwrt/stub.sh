#!/bin/sh
# shellcheck shell=dash
# For tests: as much of OpenWrt's shell library (rc.common, functions.sh,
# network.sh, procd.sh) as an init script here needs, with the behaviour that
# uci, netifd and procd have. It stands for those only: the program, the kernel
# and the interfaces are real.
#
#   stub.sh INIT_SCRIPT start|stop|reload|restart|enable|disable|enabled
#
# UCI_CONFIG_DIR has the configuration. STUB has what netifd knows,
#
#   net/NAME    the layer-3 device of a network that is up
#   phys/NAME   the device below it, as Ethernet below PPPoE, also while it is down
#   addr/NAME   its addresses; where there is no such file, all of its device
#   proto/NAME  its protocol, "dhcp" where there is no such file
#
# and takes what procd would know: pid, command, triggers, and in log what
# syslog would have.
set -u

# ---- uci --------------------------------------------------------------------

unquote() {
	value=$1
	case $value in
	"'"*) value=${value#?} && value=${value%%"'"*} ;;
	'"'*) value=${value#?} && value=${value%%'"'*} ;;
	*) value=${value%%[ 	#]*} ;;
	esac
}

config_load() {
	local kind rest value number=0

	sections='' section=''
	[ -f "$UCI_CONFIG_DIR/$1" ] || return 1
	while read -r kind rest || [ -n "$kind" ]; do
		case $kind in
		config)
			number=$((number + 1))
			case $rest in
			*[\ \	]*) unquote "$(echo "${rest#*[ 	]}" | sed 's/^[ 	]*//')" ;;
			# A section without a name gets one of this form.
			*) value=$(printf 'cfg%02x%04x' $number $((number * 8191 % 65536))) ;;
			esac
			unquote_type=${rest%%[ 	]*}
			section=$value
			sections="$sections $section"
			eval "type_$section=$(echo "$unquote_type" | tr -d "\"'") options_$section=''"
			;;
		option | list)
			unquote "$(echo "${rest#*[ 	]}" | sed 's/^[ 	]*//')"
			rest=$(echo "${rest%%[ 	]*}" | tr -d "\"'")
			eval "case \" \$options_$section \" in
				*' $rest '*) ;;
				*) options_$section=\"\$options_$section $rest\" ${section}_$rest='' ;;
			esac"
			# The values of a list come with blanks between them.
			if [ "$kind" = list ]; then
				eval "value=\"\${${section}_$rest:-}\${${section}_$rest:+ }\$value\""
			fi
			eval "${section}_$rest=\$value"
			;;
		esac
	done <"$UCI_CONFIG_DIR/$1"
}

config_get() { # variable, section, option, default
	eval "case \" \${options_$2-} \" in *' $3 '*) $1=\$${2}_$3 ;; *) $1='' ;; esac"
	eval "[ -n \"\$$1\" ] || $1=\${4-}"
}

config_get_bool() {
	config_get "$@"
	eval "case \$$1 in 1 | on | true | yes | enabled) $1=1 ;; 0 | off | false | no | disabled) $1=0 ;; *) $1=$4 ;; esac"
}

config_foreach() { # function, type, its arguments
	local each type call="$1" wanted_type="$2"

	shift 2
	for each in $sections; do
		eval "type=\$type_$each"
		[ "$type" != "$wanted_type" ] || "$call" "$each" "$@"
	done
}

# ---- syslog -----------------------------------------------------------------

logger() {
	local too=''

	while :; do
		case ${1-} in
		-s) too=1 && shift ;;
		-[pt]) shift 2 ;;
		*) break ;;
		esac
	done
	if [ $# -gt 0 ]; then echo "$*"; else cat; fi | if [ -n "$too" ]; then tee -a "$STUB/log" >&2; else cat >>"$STUB/log"; fi
}

# ---- netifd -----------------------------------------------------------------

network_flush_cache() { :; }
network_is_up() { [ -f "$STUB/net/$1" ]; }
network_get_device() { [ -f "$STUB/net/$2" ] && read -r "$1" <"$STUB/net/$2"; }
network_get_physdev() {
	if [ -f "$STUB/phys/$2" ]; then read -r "$1" <"$STUB/phys/$2"; else network_get_device "$1" "$2"; fi
}
network_get_protocol() {
	eval "$1=dhcp"
	[ ! -f "$STUB/proto/$2" ] || read -r "$1" <"$STUB/proto/$2"
}
network_family() { # variable, network, family
	local device list=''

	if [ -f "$STUB/addr/$2" ]; then
		case $3 in
		4) list=$(grep -v : "$STUB/addr/$2") ;;
		6) list=$(grep : "$STUB/addr/$2") ;;
		esac
	elif [ -f "$STUB/net/$2" ]; then
		read -r device <"$STUB/net/$2"
		list=$(ip -o "-$3" address show dev "$device" scope global 2>/dev/null | sed 's|.* inet6* \([^ /]*\).*|\1|')
	fi
	# Blanks, not newlines.
	eval "$1=\$(echo \$list)"
	[ -n "$list" ]
}
network_get_ipaddrs() { network_family "$1" "$2" 4; }
network_get_ipaddrs6() { network_family "$1" "$2" 6; }

# ---- procd ------------------------------------------------------------------

procd_open_instance() { command='' pause='' output=''; }
procd_set_param() {
	case $1 in
	command) shift && command="$*" ;;
	# Threshold, pause, retries: 0 is for ever.
	respawn) pause=${3:-5} retries=${4:-5} ;;
	stdout | stderr) output="$output $1" ;;
	reload_signal | term_timeout | user | group | file | env | nice | limits) ;;
	*) echo "procd knows no parameter $1" >&2 && exit 1 ;;
	esac
}
procd_append_param() { shift && command="$command $*"; }
procd_close_instance() { wanted=$command; }
procd_add_reload_trigger() { echo "$*" >"$STUB/triggers"; }
procd_running() { [ -f "$STUB/pid" ] && kill -0 "$(cat "$STUB/pid")" 2>/dev/null; }
procd_send_signal() { kill "-$3" "$(cat "$STUB/pid")"; }

# Runs a command, and again when it ends by itself. What takes the file with its
# process id away does not want it any more.
supervise() {
	local pid tries=0

	while [ -d "$STUB" ]; do
		"$@" >>"$STUB/log" 2>&1 &
		pid=$!
		echo $pid >"$STUB/pid.new" && mv "$STUB/pid.new" "$STUB/pid"
		wait $pid
		if [ -z "$pause" ] || [ "$(cat "$STUB/pid" 2>/dev/null)" != "$pid" ]; then break; fi
		tries=$((tries + 1))
		if [ "$retries" -gt 0 ] && [ "$tries" -gt "$retries" ]; then
			echo "Instance ip-mptcp::watch s in a crash loop $tries crashes" >>"$STUB/log"
			break
		fi
		sleep "$pause"
		[ "$(cat "$STUB/pid" 2>/dev/null)" = "$pid" ] || break
	done
}

terminate() {
	local pid

	[ -f "$STUB/pid" ] || return 0
	pid=$(cat "$STUB/pid")
	rm -f "$STUB/pid"
	kill "$pid" 2>/dev/null || return 0
	while kill -0 "$pid" 2>/dev/null; do sleep 0.05; done
}

# What has the same command goes on, what is not wanted ends.
start() {
	wanted=''
	start_service
	service_triggers
	if procd_running && [ "$wanted" = "$(cat "$STUB/command")" ]; then return; fi
	terminate
	[ -n "$wanted" ] || return 0
	case $output in
	' stdout stderr' | ' stderr stdout') ;;
	*) echo 'what it says would not come into syslog' >&2 && exit 1 ;;
	esac
	echo "$wanted" >"$STUB/command"
	# shellcheck disable=SC2086
	supervise $wanted </dev/null >/dev/null 2>&1 &
	until [ -f "$STUB/pid" ]; do sleep 0.01; done
}

# ---- rc.common --------------------------------------------------------------

stop() { terminate; }
reload() { reload_service; }
restart() { stop && start; }
enable() { mkdir -p "$IPKG_INSTROOT/etc/rc.d" && ln -sf "../init.d/$service" "$IPKG_INSTROOT/etc/rc.d/S$START$service"; }
disable() { rm -f "$IPKG_INSTROOT/etc/rc.d/S$START$service"; }
enabled() { [ -x "$IPKG_INSTROOT/etc/rc.d/S$START$service" ]; }

action=$2 service=${1##*/}
# shellcheck source=/dev/null
. "$1"
"$action"
