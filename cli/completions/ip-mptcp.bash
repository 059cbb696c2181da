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
    local name _
    if [[ -n $_ip_mptcp_netns ]]; then
        ip -n "$_ip_mptcp_netns" -o link show 2>/dev/null | while read -r _ name _; do
            name=${name%:}
            echo "${name%%@*}"
        done
        return
    fi
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

# Written by `IP_MPTCP_WRITE=1 cargo test -p ip-mptcp-tests --test completions`.
# words
_ip_mptcp_words() {
    case $1 in
    commands) echo "endpoint limits connection address subflow monitor status
        counters paths doctor save apply watch help" ;;
    groups) echo "endpoint limits connection address subflow" ;;
    options) echo "--json --pretty --oneline --color --timestamp --tshort
        --netns --stats --human-readable --iec --batch --force --answer --rcvbuf --ipv4
        --ipv6 --version --help -j -p -o -c -t -n -s -h -b -4 -6 -V -ts -iec" ;;
    endpoint/add) echo "dev id port signal subflow backup fullmesh laminar" ;;
    endpoint/change) echo "id port dev signal nosignal subflow nosubflow backup
        nobackup fullmesh nofullmesh laminar nolaminar" ;;
    endpoint/delete) echo "id port dev signal subflow backup fullmesh laminar implicit
        -4 -6" ;;
    endpoint/show) echo "id port dev signal subflow backup fullmesh laminar implicit
        -4 -6 token" ;;
    endpoint/flush) echo "id port dev signal subflow backup fullmesh laminar implicit
        -4 -6" ;;
    endpoint/replace) echo "id dev port signal subflow backup fullmesh laminar" ;;
    endpoint) echo "add change delete show flush replace" ;;
    limits/set) echo "subflows add_addr_accepted" ;;
    limits) echo "set show" ;;
    connection/show) echo "token dev local remote sport dport fallback listen -4 -6" ;;
    connection) echo "show" ;;
    address/announce) echo "token id port dev" ;;
    address/remove) echo "token id" ;;
    address) echo "announce remove" ;;
    subflow/show) echo "token" ;;
    subflow/create) echo "token id from dev to port backup fullmesh" ;;
    subflow/delete) echo "token from port to" ;;
    subflow/change) echo "token from port to backup nobackup" ;;
    subflow) echo "show create delete change" ;;
    monitor) echo "--snapshot --resync --time --no-gather --event --token --dev
        --count --timeout --buffer --all-netns --help" ;;
    status) echo "--prometheus --help" ;;
    counters) echo "--prometheus --all --interval --help" ;;
    paths) echo "token dev local remote sport dport fallback -4 -6 --count
        --interval --by --help" ;;
    doctor) echo "--since --help" ;;
    save) echo "--help" ;;
    apply) echo "--dry-run --keep --allow-empty --wait --help" ;;
    watch) echo "--keep --allow-empty --keep-flags --exec --no-heal
        --remove-on-exit --help" ;;
    --event) echo "CREATED ESTABLISHED CLOSED ANNOUNCED REMOVED SF_ESTABLISHED
        SF_CLOSED SF_PRIO LISTENER_CREATED LISTENER_CLOSED" ;;
    esac
}
# end of words

# Those of the words after $1 that the help of $1, a command and its action, shows: what a
# small build lacks is not offered. All of them where the program says nothing.
_ip_mptcp_present() {
    local help word
    # Words are split on purpose.
    # shellcheck disable=SC2086
    help=$("$_ip_mptcp_program" $1 --help 2>/dev/null)
    for word in "${@:2}"; do
        [[ -z $help || $help == *[[:space:]]"$word"[[:space:],]* || $word == help || $word == no* ]] &&
            printf '%s\n' "$word"
    done
}

_ip_mptcp() {
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local _ip_mptcp_program=${COMP_WORDS[0]} _ip_mptcp_netns=''
    local commands command='' action='' actions='' at candidates='' addressed='' file=''
    commands=$(_ip_mptcp_words commands)
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
        else
            [[ -n $action ]] || action=${COMP_WORDS[at]}
            case ${COMP_WORDS[at - 1]}/${COMP_WORDS[at]} in
            --wait/* | --exec/* | --since/* | =/* | */-* | */=) ;;
            */*[.:]*) addressed=1 file=1 ;;
            *) file=1 ;;
            esac
        fi
    done
    # Its value is still to come.
    ((at > COMP_CWORD)) && command=''

    # The words after a group are actions.
    [[ -n $command && " $(_ip_mptcp_words groups) " == *" $command "* ]] &&
        actions=$(_ip_mptcp_words "$command")
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
        candidates=$(_ip_mptcp_present '' $commands)
        [[ $word == -* ]] && candidates=$(_ip_mptcp_present '' $(_ip_mptcp_words options))
        ;;
    monitor/--event) candidates=$(_ip_mptcp_words --event) ;;
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
    */subflows | */add_addr_accepted) candidates="0 1 2 3 4 5 6 7 8 max" ;;
    monitor/--count | monitor/--timeout | monitor/--buffer) ;;
    counters/--interval | apply/--wait | paths/--interval | paths/--count) ;;
    paths/--by) candidates="path connection subflow" ;;
    *)
        if [[ -n $actions && -z $action ]]; then
            candidates=$(_ip_mptcp_present "$command" $actions)
        else
            candidates=$(_ip_mptcp_words "$command${actions:+/$action}")
            candidates=$(_ip_mptcp_present "$command${actions:+ $action}" $candidates)
            [[ -n $addressed ]] || case $command/$action in
            endpoint/add) candidates+=" $(_ip_mptcp_new_addresses)" ;;
            endpoint/replace) candidates+=" $(_ip_mptcp_addresses) $(_ip_mptcp_new_addresses)" ;;
            endpoint/change | endpoint/delete | endpoint/flush | endpoint/show | address/announce)
                candidates+=" $(_ip_mptcp_addresses)"
                ;;
            esac
            if [[ $command == @(save|apply|watch) && -z $file && $word != -* || $previous == --@(since|exec) ]]; then
                _ip_mptcp_files "$word"
                return
            fi
        fi
        # Once is enough for all but a few.
        for at in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
            [[ $at == port || $at == --event || $at == subflow || $at == address ]] && continue
            candidates=" ${candidates//[[:space:]]/ } "
            candidates=${candidates/" $at "/ }
            # Of the two families one.
            [[ $at != -[46] ]] || candidates=${candidates/ -[46] / }
        done
        [[ $word == -* && " $candidates " != *" --help "* ]] && candidates+=" --help"
        ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$candidates" -- "$word")
}

complete -F _ip_mptcp ip-mptcp
