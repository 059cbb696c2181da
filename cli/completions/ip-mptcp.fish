# fish completion for ip-mptcp: commands, actions, keywords, options, and what there is at
# the moment: interfaces, endpoint ids and addresses, addresses of this host and of
# connections, tokens, namespaces.

# What a word means: COMMAND/WORD, with no command for commands and general options.
# Written by `IP_MPTCP_WRITE=1 cargo test -p ip-mptcp-tests --test completions`.
function __ip_mptcp_about
    switch $argv[1]
        # descriptions
        case '/--answer'
            echo 'answer each line of a batch on standard output, and go on after failures'
        case '/--batch'
            echo 'read commands from FILE, - for standard input'
        case '/--color'
            echo 'colours WHEN: always, auto or never'
        case '/--force'
            echo 'continue a batch after a command that failed'
        case '/--help'
            echo 'display usage information'
        case '/--human-readable'
            echo 'amounts in units: 1.23k'
        case '/--iec'
            echo 'the same in multiples of 1024: 1.21ki'
        case '/--ipv4'
            echo 'select IPv4'
        case '/--ipv6'
            echo 'select IPv6'
        case '/--json'
            echo 'JSON output, also of errors'
        case '/--netns'
            echo 'work in network namespace NETNS: a name or a path; monitor takes several'
        case '/--oneline'
            echo 'one line: a backslash for each newline'
        case '/--pretty'
            echo 'indent JSON'
        case '/--rcvbuf'
            echo 'receive buffer of the sockets: BYTES'
        case '/--stats'
            echo 'show every counter'
        case '/--timestamp'
            echo 'put the time before each event'
        case '/--tshort'
            echo 'the same in a short form'
        case '/--version'
            echo 'print the version'
        case '/-4'
            echo 'select IPv4'
        case '/-6'
            echo 'select IPv6'
        case '/-V'
            echo 'print the version'
        case '/-b'
            echo 'read commands from FILE, - for standard input'
        case '/-c'
            echo 'colours WHEN: always, auto or never'
        case '/-h'
            echo 'amounts in units: 1.23k'
        case '/-iec'
            echo 'the same in multiples of 1024: 1.21ki'
        case '/-j'
            echo 'JSON output, also of errors'
        case '/-n'
            echo 'work in network namespace NETNS: a name or a path; monitor takes several'
        case '/-o'
            echo 'one line: a backslash for each newline'
        case '/-p'
            echo 'indent JSON'
        case '/-s'
            echo 'show every counter'
        case '/-t'
            echo 'put the time before each event'
        case '/-ts'
            echo 'the same in a short form'
        case '/address'
            echo 'Announced addresses of a connection with a user-space path manager'
        case '/always'
            echo 'colours in any case'
        case '/apply'
            echo 'Make endpoints, limits and settings those of a state file'
        case '/auto'
            echo 'colours on a terminal'
        case '/connection'
            echo 'MPTCP connections, with their subflows'
        case '/counters'
            echo 'Show the kernel\'s counters of MPTCP that are not 0'
        case '/doctor'
            echo 'Find out why subflows do not appear'
        case '/endpoint'
            echo 'Addresses that are used for subflows or announced to peers'
        case '/help'
            echo 'display usage information'
        case '/limits'
            echo 'How many subflows and announced addresses a connection may have'
        case '/monitor'
            echo 'Print events as they happen'
        case '/never'
            echo 'no colours'
        case '/paths'
            echo 'Show what each path carries, as it changes'
        case '/save'
            echo 'Print endpoints, limits and settings as a state file'
        case '/status'
            echo 'Show the settings and the state of MPTCP at a glance'
        case '/subflow'
            echo 'Subflows of one connection; with a user-space path manager, open and close them'
        case '/watch'
            echo 'Keep endpoints as a state file says while interfaces and addresses change'
        case 'address/announce'
            echo 'Announce an address to the peer (ADD_ADDR)'
        case 'address/dev'
            echo 'the interface that has it'
        case 'address/id'
            echo 'of the address, 1-255; 0 is that of the first subflow'
        case 'address/port'
            echo 'announce this port too'
        case 'address/remove'
            echo 'Withdraw an announced address (RM_ADDR) and close its subflows'
        case 'address/token'
            echo 'the connection, hexadecimal, as monitor prints it'
        case 'apply/--allow-empty'
            echo 'an empty state deletes all endpoints'
        case 'apply/--dry-run'
            echo 'print the changes and make none; exit status 3 if there are any'
        case 'apply/--help'
            echo 'display usage information'
        case 'apply/--keep'
            echo 'leave endpoints not named in the file alone'
        case 'apply/--wait'
            echo 'wait this long for MPTCP, the interfaces and addresses named; then apply what there is'
        case 'connection/-4'
            echo 'IPv4'
        case 'connection/-6'
            echo 'IPv6'
        case 'connection/dev'
            echo 'interface of a subflow'
        case 'connection/dport'
            echo 'on the other side'
        case 'connection/fallback'
            echo 'fallen back to TCP'
        case 'connection/listen'
            echo 'listening sockets instead'
        case 'connection/local'
            echo 'on this side'
        case 'connection/remote'
            echo 'on the other side'
        case 'connection/show'
            echo 'Show connections: all, or those that match all words, or a subflow does'
        case 'connection/sport'
            echo 'on this side'
        case 'connection/token'
            echo 'hexadecimal; none: fallen back before there was one'
        case 'counters/--all'
            echo 'also show those that are 0, after the others'
        case 'counters/--help'
            echo 'display usage information'
        case 'counters/--interval'
            echo 'report every this many seconds'
        case 'counters/--prometheus'
            echo 'write in the text format of Prometheus, all counters'
        case 'doctor/--help'
            echo 'display usage information'
        case 'doctor/--since'
            echo 'earlier output of counters: look at what is new since'
        case 'endpoint/-4'
            echo 'only selects: IPv4'
        case 'endpoint/-6'
            echo 'only selects: IPv6'
        case 'endpoint/add'
            echo 'Add an endpoint'
        case 'endpoint/backup'
            echo 'its subflows carry data only when others cannot'
        case 'endpoint/change'
            echo 'Change an endpoint: what is named and nothing else'
        case 'endpoint/delete'
            echo 'Delete the endpoints that match all words'
        case 'endpoint/dev'
            echo 'the interface that it is on'
        case 'endpoint/flush'
            echo 'Delete all endpoints, or those that match all words'
        case 'endpoint/fullmesh'
            echo 'subflows to all addresses of the peer'
        case 'endpoint/id'
            echo 'its id, up to 255; for a new endpoint the kernel can choose'
        case 'endpoint/implicit'
            echo 'made by the kernel itself; only selects'
        case 'endpoint/laminar'
            echo 'use it for subflows to announced addresses'
        case 'endpoint/port'
            echo 'the port announced and listened on; with signal'
        case 'endpoint/replace'
            echo 'Add an endpoint, or turn the present one into what is given'
        case 'endpoint/show'
            echo 'Show endpoints: all, or those that match all words'
        case 'endpoint/signal'
            echo 'announce the address to peers'
        case 'endpoint/subflow'
            echo 'open further subflows from it'
        case 'endpoint/token'
            echo 'those of this connection, with a user-space path manager'
        case 'limits/add_addr_accepted'
            echo 'addresses accepted from the peer'
        case 'limits/set'
            echo 'Set limits; what is not named stays'
        case 'limits/show'
            echo 'Show the limits'
        case 'limits/subflows'
            echo 'subflows beyond the first'
        case 'monitor/--all-netns'
            echo 'all named network namespaces'
        case 'monitor/--buffer'
            echo 'bytes kept for a slow reader (32 MiB)'
        case 'monitor/--count'
            echo 'end after N reports'
        case 'monitor/--dev'
            echo 'only what is bound to this interface, or has an address of it'
        case 'monitor/--event'
            echo 'only events of this name; may be repeated'
        case 'monitor/--help'
            echo 'display usage information'
        case 'monitor/--no-gather'
            echo 'print each event as it comes, not a millisecond\'s worth at a time'
        case 'monitor/--resync'
            echo 'take a new snapshot after events were lost'
        case 'monitor/--snapshot'
            echo 'begin with a SNAPSHOT record for each connection and subflow'
        case 'monitor/--time'
            echo 'begin each record with its time, as 2026-11-23T19:54:08.698703+01:00'
        case 'monitor/--timeout'
            echo 'end after this many seconds, as 0.5'
        case 'monitor/--token'
            echo 'only this connection'
        case 'paths/--by'
            echo 'a row for each path, connection or subflow'
        case 'paths/--count'
            echo 'end after N reports'
        case 'paths/--help'
            echo 'display usage information'
        case 'paths/--interval'
            echo 'report every this many seconds'
        case 'paths/-4'
            echo 'IPv4'
        case 'paths/-6'
            echo 'IPv6'
        case 'paths/connection'
            echo 'a row for each path of each connection'
        case 'paths/dev'
            echo 'interface of a subflow'
        case 'paths/dport'
            echo 'on the other side'
        case 'paths/fallback'
            echo 'fallen back to TCP'
        case 'paths/local'
            echo 'on this side'
        case 'paths/path'
            echo 'a row for each interface and local address'
        case 'paths/remote'
            echo 'on the other side'
        case 'paths/sport'
            echo 'on this side'
        case 'paths/subflow'
            echo 'a row for each subflow'
        case 'paths/token'
            echo 'hexadecimal; none: fallen back before there was one'
        case 'save/--help'
            echo 'display usage information'
        case 'status/--help'
            echo 'display usage information'
        case 'status/--prometheus'
            echo 'write in the text format of Prometheus, all counters'
        case 'subflow/backup'
            echo 'it carries data only when others cannot'
        case 'subflow/change'
            echo 'Make a subflow a backup, or an ordinary one again (MP_PRIO)'
        case 'subflow/create'
            echo 'Open a subflow; it exists once monitor reports SF_ESTABLISHED'
        case 'subflow/delete'
            echo 'Close a subflow'
        case 'subflow/dev'
            echo 'leave through this interface'
        case 'subflow/from'
            echo 'on this side'
        case 'subflow/fullmesh'
            echo 'a flag of the address on this side'
        case 'subflow/id'
            echo 'of the address on this side, 1-255'
        case 'subflow/nobackup'
            echo 'it carries data as others do'
        case 'subflow/port'
            echo 'of the address before it'
        case 'subflow/show'
            echo 'Show one connection and its subflows, as connection show does'
        case 'subflow/to'
            echo 'on the other side'
        case 'subflow/token'
            echo 'the connection, hexadecimal, as monitor prints it'
        case 'watch/--allow-empty'
            echo 'an empty state deletes all endpoints'
        case 'watch/--exec'
            echo 'call this program before an endpoint is added and after one is deleted'
        case 'watch/--help'
            echo 'display usage information'
        case 'watch/--keep'
            echo 'leave endpoints not named in the file alone'
        case 'watch/--keep-flags'
            echo 'leave backup and fullmesh alone where others changed them'
        case 'watch/--no-heal'
            echo 'do not reopen subflows that died'
        case 'watch/--remove-on-exit'
            echo 'delete the endpoints of the file on exit'
        # end of descriptions
    end
end

# The option -n of the command line.
function __ip_mptcp_netns
    set -l words (commandline -opc)
    for at in (seq 2 (math (count $words) - 1))
        if contains -- $words[$at] -n -netns --netns
            printf '%s\n' -n $words[(math $at + 1)]
        end
    end
end

# Prints what `ip-mptcp WORDS` says, in the namespace of the command line.
function __ip_mptcp_ask
    set -l words (commandline -opc)
    $words[1] (__ip_mptcp_netns) $argv 2>/dev/null
end

function __ip_mptcp_interfaces
    set -l netns (__ip_mptcp_netns)
    if set -q netns[1]
        command ip $netns -o link show 2>/dev/null | string match -rg '^\d+: ([^@:]+)'
    else
        string match -rg '^ *([^ |:]+):' </proc/net/dev
    end
end

function __ip_mptcp_ids
    __ip_mptcp_ask endpoint show | string match -rg ' id (\d+)'
end

function __ip_mptcp_addresses
    __ip_mptcp_ask endpoint show | string match -rg '^(\S+)'
end

# Addresses of this host.
function __ip_mptcp_hosts
    command ip (__ip_mptcp_netns) -o address show scope global 2>/dev/null |
        string match -rg ' inet6? ([^ /]+)'
end

# Those that are no endpoints yet.
function __ip_mptcp_new_addresses
    set -l known (__ip_mptcp_addresses)
    for address in (__ip_mptcp_hosts)
        contains -- $address $known; or echo $address
    end
end

# Addresses of connections and subflows, local or remote.
function __ip_mptcp_ends
    __ip_mptcp_ask -j connection show | string match -arg "\"$argv[1]_address\":\"([^\"]*)"
end

function __ip_mptcp_tokens
    __ip_mptcp_ask connection show | string match -rg '^token (\S+)'
end

# The first of the words that $argv[1] shortens.
function __ip_mptcp_whole
    for word in $argv[2..]
        if string match -q -- "$argv[1]*" $word
            printf '%s\n' $word
            return
        end
    end
end

# Written by `IP_MPTCP_WRITE=1 cargo test -p ip-mptcp-tests --test completions`.
# words
function __ip_mptcp_words
    switch $argv[1]
        case commands
            printf '%s\n' endpoint limits connection address subflow monitor status \
                counters paths doctor save apply watch help
        case groups
            printf '%s\n' endpoint limits connection address subflow
        case options
            printf '%s\n' --json --pretty --oneline --color --timestamp --tshort \
                --netns --stats --human-readable --iec --batch --force --answer --rcvbuf \
                --ipv4 --ipv6 --version --help -j -p -o -c -t -n -s -h -b -4 -6 -V -ts \
                -iec
        case endpoint/add
            printf '%s\n' dev id port signal subflow backup fullmesh laminar
        case endpoint/change
            printf '%s\n' id port dev signal nosignal subflow nosubflow backup \
                nobackup fullmesh nofullmesh laminar nolaminar
        case endpoint/delete
            printf '%s\n' id port dev signal subflow backup fullmesh laminar implicit \
                -4 -6
        case endpoint/show
            printf '%s\n' id port dev signal subflow backup fullmesh laminar implicit \
                -4 -6 token
        case endpoint/flush
            printf '%s\n' id port dev signal subflow backup fullmesh laminar implicit \
                -4 -6
        case endpoint/replace
            printf '%s\n' id dev port signal subflow backup fullmesh laminar
        case endpoint
            printf '%s\n' add change delete show flush replace
        case limits/set
            printf '%s\n' subflows add_addr_accepted
        case limits
            printf '%s\n' set show
        case connection/show
            printf '%s\n' token dev local remote sport dport fallback listen -4 -6
        case connection
            printf '%s\n' show
        case address/announce
            printf '%s\n' token id port dev
        case address/remove
            printf '%s\n' token id
        case address
            printf '%s\n' announce remove
        case subflow/show
            printf '%s\n' token
        case subflow/create
            printf '%s\n' token id from dev to port backup fullmesh
        case subflow/delete
            printf '%s\n' token from port to
        case subflow/change
            printf '%s\n' token from port to backup nobackup
        case subflow
            printf '%s\n' show create delete change
        case monitor
            printf '%s\n' --snapshot --resync --time --no-gather --event --token --dev \
                --count --timeout --buffer --all-netns --help
        case status
            printf '%s\n' --prometheus --help
        case counters
            printf '%s\n' --prometheus --all --interval --help
        case paths
            printf '%s\n' token dev local remote sport dport fallback -4 -6 --count \
                --interval --by --help
        case doctor
            printf '%s\n' --since --help
        case save
            printf '%s\n' --help
        case apply
            printf '%s\n' --dry-run --keep --allow-empty --wait --help
        case watch
            printf '%s\n' --keep --allow-empty --keep-flags --exec --no-heal \
                --remove-on-exit --help
        case --event
            printf '%s\n' CREATED ESTABLISHED CLOSED ANNOUNCED REMOVED SF_ESTABLISHED \
                SF_CLOSED SF_PRIO LISTENER_CREATED LISTENER_CLOSED
    end
end
# end of words

# Of the words on standard input those that the help of the arguments, a command and its
# action, shows: what a small build lacks is not offered. All of them where the program says
# nothing.
function __ip_mptcp_present
    set -l words (commandline -opc)
    set -l help ($words[1] $argv --help 2>/dev/null | string collect)
    while read -l word
        if test -z "$help"; or contains -- $word help; or string match -q 'no*' -- $word
            printf '%s\n' $word
        else if string match -qr -- '(^|\s)'(string escape --style=regex -- $word)'[\s,]' $help
            printf '%s\n' $word
        end
    end
end

# Prints the candidates for the word at the cursor.
function __ip_mptcp
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l previous $words[-1]
    set -l commands (__ip_mptcp_words commands)
    set -l used
    set -l command ''
    set -l action ''
    set -l value no
    set -l before ''
    set -l addressed no
    set -l file no
    for word in $words[2..]
        if test $value = yes
            set value no
        else if test -z "$command"
            switch $word
                case -n -netns --netns -b -batch --batch -rcvbuf --rcvbuf
                    set value yes
                case '-*' mptcp
                case '*'
                    set command (__ip_mptcp_whole $word $commands)
            end
            continue
        else
            test -n "$action"; or set action $word
            if not contains -- "$before" --wait --exec --since; and not string match -q -- '-*' $word
                set file yes
                string match -qr '[.:]' -- $word; and set addressed yes
            end
        end
        set before $word
        set -a used $word
    end
    # Of the two families one.
    set -l families
    if contains -- -4 $used; or contains -- -6 $used
        set families -4 -6
    end

    # For what the candidates mean.
    set -g __ip_mptcp_place "$command"

    # The words after a group are actions.
    set -l actions
    if contains -- "$command" (__ip_mptcp_words groups)
        set actions (__ip_mptcp_words $command)
    end
    if set -q actions[1]; and test -n "$action"
        set action (__ip_mptcp_whole $action $actions)
    end

    switch "$command/$previous"
        case /-n /-netns /--netns
            path basename /run/netns/* 2>/dev/null
            return
        case /-b /-batch /--batch
            __fish_complete_path $current
            return
        case /-c /-color /--color
            printf '%s\n' always auto never
            return
        case /-rcvbuf /--rcvbuf
            return
        case '/*'
            if string match -q -- '-*' $current
                __ip_mptcp_words options | __ip_mptcp_present
            else
                __ip_mptcp_words commands | __ip_mptcp_present
            end
            return
        case monitor/--event
            __ip_mptcp_words --event
            return
        case '*/dev' monitor/--dev
            __ip_mptcp_interfaces
            return
        case '*/token' monitor/--token
            __ip_mptcp_tokens
            return
        case endpoint/id
            contains -- "$action" add replace; or __ip_mptcp_ids
            return
        case subflow/id address/id
            __ip_mptcp_ids
            return
        case subflow/from
            __ip_mptcp_addresses
            __ip_mptcp_hosts
            return
        case connection/local paths/local
            __ip_mptcp_ends local
            return
        case subflow/to connection/remote paths/remote
            __ip_mptcp_ends remote
            return
        case '*/subflows' '*/add_addr_accepted'
            seq 0 8
            echo max
            return
        case '*/id' '*/port' '*/sport' '*/dport'
            return
        case monitor/--count monitor/--timeout monitor/--buffer counters/--interval apply/--wait \
            paths/--interval paths/--count
            return
        case paths/--by
            printf '%s\n' path connection subflow
            return
    end

    set -l candidates
    if set -q actions[1]; and test -z "$action"
        set candidates (__ip_mptcp_words $command | __ip_mptcp_present $command)
    else
        if set -q actions[1]
            set candidates (__ip_mptcp_words $command/$action | __ip_mptcp_present $command $action)
        else
            set candidates (__ip_mptcp_words $command | __ip_mptcp_present $command)
        end
        test $addressed = yes; or switch "$command/$action"
            case endpoint/add
                set -a candidates (__ip_mptcp_new_addresses)
            case endpoint/replace
                set -a candidates (__ip_mptcp_addresses) (__ip_mptcp_new_addresses)
            case endpoint/change endpoint/delete endpoint/flush endpoint/show address/announce
                set -a candidates (__ip_mptcp_addresses)
        end
        if contains -- $command save apply watch; and test $file = no
            and not string match -q -- '-*' $current
            or contains -- "$before" --since --exec
            __fish_complete_path $current
            return
        end
    end
    # Once is enough for all but a few.
    for word in $candidates
        contains -- $word $used $families; and not contains -- $word port --event
        or printf '%s\n' $word
    end
    string match -q -- '-*' $current; and not contains -- --help $candidates; and echo --help
end

# The same, each with what it means.
function __ip_mptcp_described
    set -l candidates (__ip_mptcp)
    for word in $candidates
        set -l about (__ip_mptcp_about "$__ip_mptcp_place/$word")
        if test -n "$about"
            printf '%s\t%s\n' $word $about
        else
            printf '%s\n' $word
        end
    end
end

complete -c ip-mptcp -f -k -a '(__ip_mptcp_described)'
