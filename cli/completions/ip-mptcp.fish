# fish completion for ip-mptcp: commands, actions, keywords, options, and what there is at
# the moment: interfaces, endpoint ids and addresses, tokens, namespaces.

# Prints what `ip-mptcp WORDS` says, in the namespace of the command line.
function __ip_mptcp_ask
    set -l words (commandline -opc)
    set -l netns
    for at in (seq 2 (math (count $words) - 1))
        if contains -- $words[$at] -n -netns --netns
            set netns -n $words[(math $at + 1)]
        end
    end
    $words[1] $netns $argv 2>/dev/null
end

function __ip_mptcp_interfaces
    string match -rg '^ *([^ |:]+):' </proc/net/dev
end

function __ip_mptcp_ids
    __ip_mptcp_ask endpoint show | string match -rg ' id (\d+)'
end

function __ip_mptcp_addresses
    __ip_mptcp_ask endpoint show | string match -rg '^(\S+)'
end

function __ip_mptcp_tokens
    __ip_mptcp_ask connection show | string match -rg '^token (\S+)'
end

# The first of the words that $argv[1] shortens.
function __ip_mptcp_whole
    for word in $argv[2..]
        if string match -q -- "$argv[1]*" $word
            echo $word
            return
        end
    end
end

# Prints the candidates for the word at the cursor.
function __ip_mptcp
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l previous $words[-1]
    set -l commands endpoint limits connection address subflow monitor status counters \
        paths doctor save apply watch help
    set -l flags signal subflow laminar backup fullmesh
    set -l used
    set -l command ''
    set -l action ''
    set -l value no
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
        else if test -z "$action"
            set action $word
        end
        set -a used $word
    end

    set -l actions
    switch "$command"
        case endpoint
            set actions add change delete show flush replace
        case limits
            set actions set show
        case connection
            set actions show
        case address
            set actions announce remove
        case subflow
            set actions show create delete change
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
                printf '%s\n' --json --pretty --oneline --color --timestamp --tshort --netns \
                    --stats --human-readable --iec --batch --force --answer --rcvbuf --ipv4 \
                    --ipv6 --version --help \
                    -j -p -o -c -t -n -s -h -b -4 -6 -V
            else
                printf '%s\n' $commands
            end
            return
        case monitor/--event
            printf '%s\n' CREATED ESTABLISHED CLOSED ANNOUNCED REMOVED SF_ESTABLISHED \
                SF_CLOSED SF_PRIO LISTENER_CREATED LISTENER_CLOSED
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
        case subflow/from connection/local paths/local
            __ip_mptcp_addresses
            return
        case '*/subflows' '*/add_addr_accepted'
            seq 0 8
            return
        case '*/id' '*/port' '*/sport' '*/dport' subflow/to connection/remote paths/remote
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
        set candidates $actions
    else
        switch "$command/$action"
            case endpoint/add endpoint/replace
                set candidates dev id port $flags
            case endpoint/change
                set candidates id dev port $flags nosignal nosubflow nolaminar nobackup \
                    nofullmesh (__ip_mptcp_addresses)
            case endpoint/delete endpoint/flush
                set candidates id port dev $flags implicit -4 -6 (__ip_mptcp_addresses)
            case endpoint/show
                set candidates id port dev token $flags implicit -4 -6 (__ip_mptcp_addresses)
            case limits/set
                set candidates subflows add_addr_accepted
            case connection/show
                set candidates token dev local remote sport dport fallback listen -4 -6
            case address/announce
                set candidates token id port dev (__ip_mptcp_addresses)
            case address/remove
                set candidates token id
            case subflow/show
                set candidates token
            case subflow/create
                set candidates token id from dev to port backup fullmesh
            case subflow/delete
                set candidates token from to port
            case subflow/change
                set candidates token from to port backup nobackup
            case 'monitor/*'
                set candidates --snapshot --resync --event --token --dev --count --timeout \
                    --buffer --all-netns --time --no-gather
            case 'status/*'
                set candidates --prometheus
            case 'paths/*'
                set candidates token dev local remote sport dport fallback -4 -6 --interval \
                    --count --by
            case 'counters/*'
                set candidates --all --interval --prometheus
            case 'apply/*'
                set candidates --dry-run --keep --wait
            case 'watch/*'
                set candidates --keep --remove-on-exit
        end
        if contains -- $command save apply watch; and not string match -q -- '-*' $current
            __fish_complete_path $current
            return
        end
    end
    # Once is enough for all but a few.
    for word in $candidates
        contains -- $word $used; and not contains -- $word port --event; or echo $word
    end
    string match -q -- '-*' $current; and echo --help
end

complete -c ip-mptcp -f -k -a '(__ip_mptcp)'
