# bash completion for ip-mptcp: commands, actions, keywords, options, and what there is at
# the moment: interfaces, endpoint ids and addresses, addresses of this host and of
# connections, tokens, namespaces.

# Prints what `ip-mptcp WORDS` says, in the namespace of the command line.
_ip_mptcp_ask() {
    if [[ -n $_ip_mptcp_netns ]]; then
        "$_ip_mptcp_program" -n "$_ip_mptcp_netns" "$@" 2>/dev/null
    else
        "$_ip_mptcp_program" "$@" 2>/dev/null
    fi
}

_ip_mptcp_interfaces() {
    local name
    while IFS=: read -r name _; do
        [[ $name == *"|"* ]] || echo $name
    done </proc/net/dev
}

_ip_mptcp_ids() {
    local line
    _ip_mptcp_ask endpoint show | while read -r line; do
        [[ $line =~ \ id\ ([0-9]+) ]] && echo "${BASH_REMATCH[1]}"
    done
}

_ip_mptcp_addresses() {
    local address _
    _ip_mptcp_ask endpoint show | while read -r address _; do
        echo "$address"
    done
}

# Addresses of this host.
_ip_mptcp_hosts() {
    local address _
    ip ${_ip_mptcp_netns:+-n "$_ip_mptcp_netns"} -o address show scope global 2>/dev/null |
        while read -r _ _ _ address _; do
            echo "${address%%/*}"
        done
}

# Those that are no endpoints yet.
_ip_mptcp_new_addresses() {
    local known address
    known=" $(_ip_mptcp_addresses | tr '\n' ' ')"
    for address in $(_ip_mptcp_hosts); do
        [[ $known == *" $address "* ]] || echo "$address"
    done
}

# Addresses of connections and subflows, local or remote.
_ip_mptcp_ends() {
    local address
    for address in $(_ip_mptcp_ask -j connection show | grep -o "\"$1_address\":\"[^\"]*\""); do
        address=${address%\"}
        echo "${address##*\"}"
    done
}

_ip_mptcp_tokens() {
    local word token _
    _ip_mptcp_ask connection show | while read -r word token _; do
        [[ $word == token ]] && echo "$token"
    done
}

_ip_mptcp_namespaces() {
    local path
    for path in /run/netns/*; do
        [[ -e $path ]] && echo "${path##*/}"
    done
}

# Offers names of files; bash quotes them.
_ip_mptcp_files() {
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$1")
}

# The first of the words that $1 shortens.
_ip_mptcp_whole() {
    local short=$1 word
    shift
    for word; do
        [[ $word == "$short"* ]] && echo "$word" && return
    done
}

_ip_mptcp() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local _ip_mptcp_program=${COMP_WORDS[0]} _ip_mptcp_netns=''
    local groups="endpoint limits connection address subflow"
    local commands="$groups monitor status counters paths doctor save apply watch help"
    local command='' action='' actions='' at candidates=''
    local flags="signal subflow laminar backup fullmesh"
    COMPREPLY=()

    # A colon is a word of its own there, unless taken out of COMP_WORDBREAKS: the words
    # are needed for keywords only, which have none.
    for ((at = 1; at < COMP_CWORD; at++)); do
        if [[ -z $command ]]; then
            case ${COMP_WORDS[at]} in
            -n | -netns | --netns) _ip_mptcp_netns=${COMP_WORDS[++at]} ;;
            -b | -batch | --batch | -rcvbuf | --rcvbuf) ((at++)) ;;
            -* | = | always | auto | never | mptcp) ;;
            *) command=$(_ip_mptcp_whole "${COMP_WORDS[at]}" $commands) ;;
            esac
        elif [[ -z $action ]]; then
            action=${COMP_WORDS[at]}
        fi
    done
    # Its value is still to come.
    ((at > COMP_CWORD)) && command=''

    case $command in
    endpoint) actions="add change delete show flush replace" ;;
    limits) actions="set show" ;;
    connection) actions="show" ;;
    address) actions="announce remove" ;;
    subflow) actions="show create delete change" ;;
    esac
    [[ -n $actions && -n $action ]] && action=$(_ip_mptcp_whole "$action" $actions)

    case $command/$previous in
    /-n | /-netns | /--netns) candidates=$(_ip_mptcp_namespaces) ;;
    /-b | /-batch | /--batch)
        _ip_mptcp_files "$word"
        return
        ;;
    /-c | /-color | /--color | /=) candidates="always auto never" ;;
    /-rcvbuf | /--rcvbuf) ;;
    /*)
        candidates="$commands"
        [[ $word == -* ]] && candidates="--json --pretty --oneline --color --timestamp --tshort
            --netns --stats --human-readable --iec --batch --force --answer --rcvbuf --ipv4
            --ipv6 --version --help
            -j -p -o -c -t -n -s -h -b -4 -6 -V"
        ;;
    monitor/--event)
        candidates="CREATED ESTABLISHED CLOSED ANNOUNCED REMOVED SF_ESTABLISHED SF_CLOSED
            SF_PRIO LISTENER_CREATED LISTENER_CLOSED"
        ;;
    */dev | monitor/--dev) candidates=$(_ip_mptcp_interfaces) ;;
    */token | monitor/--token) candidates=$(_ip_mptcp_tokens) ;;
    endpoint/id)
        [[ $action == add || $action == replace ]] || candidates=$(_ip_mptcp_ids)
        ;;
    subflow/id | address/id) candidates=$(_ip_mptcp_ids) ;;
    subflow/from) candidates="$(_ip_mptcp_addresses) $(_ip_mptcp_hosts)" ;;
    connection/local | paths/local) candidates=$(_ip_mptcp_ends local) ;;
    subflow/to | connection/remote | paths/remote) candidates=$(_ip_mptcp_ends remote) ;;
    */id | */port | */sport | */dport) ;;
    */subflows | */add_addr_accepted) candidates="0 1 2 3 4 5 6 7 8" ;;
    monitor/--count | monitor/--timeout | monitor/--buffer) ;;
    counters/--interval | apply/--wait | paths/--interval | paths/--count) ;;
    paths/--by) candidates="path connection subflow" ;;
    *)
        if [[ -n $actions && -z $action ]]; then
            candidates="$actions"
        else
            case $command/$action in
            endpoint/add)
                candidates="dev id port $flags $(_ip_mptcp_new_addresses)"
                ;;
            endpoint/replace)
                candidates="dev id port $flags $(_ip_mptcp_addresses)
                    $(_ip_mptcp_new_addresses)"
                ;;
            endpoint/change)
                candidates="id dev port $flags nosignal nosubflow nolaminar nobackup nofullmesh
                    $(_ip_mptcp_addresses)"
                ;;
            endpoint/delete | endpoint/flush)
                candidates="id port dev $flags implicit -4 -6 $(_ip_mptcp_addresses)"
                ;;
            endpoint/show)
                candidates="id port dev token $flags implicit -4 -6 $(_ip_mptcp_addresses)"
                ;;
            limits/set) candidates="subflows add_addr_accepted" ;;
            connection/show)
                candidates="token dev local remote sport dport fallback listen -4 -6"
                ;;
            address/announce) candidates="token id port dev $(_ip_mptcp_addresses)" ;;
            address/remove) candidates="token id" ;;
            subflow/show) candidates="token" ;;
            subflow/create) candidates="token id from dev to port backup fullmesh" ;;
            subflow/delete) candidates="token from to port" ;;
            subflow/change) candidates="token from to port backup nobackup" ;;
            monitor/*)
                candidates="--snapshot --resync --event --token --dev --count --timeout
                    --buffer --all-netns --time --no-gather"
                ;;
            status/*) candidates="--prometheus" ;;
            counters/*) candidates="--all --interval --prometheus" ;;
            paths/*)
                candidates="token dev local remote sport dport fallback -4 -6 --interval
                    --count --by"
                ;;
            save/*) ;;
            apply/*) candidates="--dry-run --keep --wait" ;;
            watch/*) candidates="--keep --remove-on-exit" ;;
            esac
            if [[ $command == @(save|apply|watch) && $word != -* ]]; then
                _ip_mptcp_files "$word"
                return
            fi
        fi
        # Once is enough for all but a few.
        for at in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
            [[ $at == port || $at == --event || $at == subflow || $at == address ]] && continue
            candidates=" ${candidates//[[:space:]]/ } "
            candidates=${candidates/" $at "/ }
        done
        [[ $word == -* ]] && candidates+=" --help"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
}

complete -F _ip_mptcp ip-mptcp
