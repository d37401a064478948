#!/bin/bash
# Tries the archive of `cargo xtask dist` under a real systemd, on a machine to spare: installs it as its INSTALL.md says,
# word for word, and does to the service what happens to services. As root:
#
#     unit.sh sluice-VERSION-ARCH-linux.tar.gz
#
# `cargo xtask machine` does that in a virtual machine of its own. Ends with 0 when all was as it should be.
set -uo pipefail

archive=$(realpath "$1")
work=$(mktemp -d)
secret=$(openssl rand -hex 32)
operator=$(openssl rand -hex 16)
here=http://127.0.0.1:3000
admin=http://127.0.0.1:9090
# Emulated processors are slow.
patience=${PATIENCE:-120}

step() { printf '%4ds  %s\n' "$SECONDS" "$*"; }

fail() {
    printf 'FAILED after %d s: %s\n' "$SECONDS" "$*"
    SYSTEMD_COLORS=0 SYSTEMD_URLIFY=0 systemctl status sluice --no-pager --lines 0
    journalctl --unit sluice --output cat --no-pager --lines 40 | cut --characters -300
    exit 1
}

# expect WHAT COMMAND…: it succeeds.
expect() {
    local what=$1
    shift
    "$@" > "$work/out" 2>&1 || fail "$what: \`$*\`: $(tail -n 20 "$work/out")"
}

# refuse WHAT COMMAND…: it does not.
refuse() {
    local what=$1
    shift
    ! "$@" > "$work/out" 2>&1 || fail "$what: \`$*\` is possible: $(tail -n 20 "$work/out")"
}

# eventually WHAT COMMAND…: within the patience.
eventually() {
    local what=$1 until=$((SECONDS + patience))
    shift
    until "$@" > "$work/out" 2>&1; do
        ((SECONDS < until)) || fail "$what: never: \`$*\`: $(tail -n 20 "$work/out")"
        sleep 0.2
    done
}

# The value of a property of the unit.
is() { systemctl show sluice --property "$1" --value; }

same() { [[ "$1" == "$2" ]] || fail "$3: $1 is not $2"; }

# Whether the journal has a line with this since the last `mark`.
logged() { journalctl --unit sluice --output cat --after-cursor "$cursor" | grep --quiet -- "$1"; }

mark() {
    journalctl --sync
    cursor=$(journalctl --unit sluice --lines 1 --show-cursor --output cat | sed -n 's/^-- cursor: //p')
}

# The blocks of commands of INSTALL.md, from this one to that one.
blocks() {
    awk -v from="$1" -v to="$2" \
        '/^```sh/ { n++; inside = 1; next } /^```/ { inside = 0 } inside && n >= from && n <= to' INSTALL.md
}

base64url() { openssl base64 -A | tr '+/' '-_' | tr -d =; }

# A token for this user.
token() {
    local text
    text=$(printf '{"alg":"HS256","typ":"JWT"}' | base64url).$(printf '{"sub":"%s"}' "$1" | base64url)
    printf '%s.%s' "$text" "$(printf %s "$text" | openssl dgst -sha256 -hmac "$secret" -binary | base64url)"
}

# Clients that poll, by name: their sessions.
declare -A sessions

poll() {
    local client=$1
    shift
    curl --silent --fail --max-time 40 "$here/socket.io/?EIO=4&transport=polling&sid=${sessions[$client]}" "$@"
}

enter() {
    local opened
    opened=$(curl --silent --fail --max-time 10 "$here/socket.io/?EIO=4&transport=polling") || return
    sessions[$1]=$(sed -n 's/.*"sid":"\([^"]*\)".*/\1/p' <<< "$opened")
    : > "$work/$1"
    says "$1" "40{\"token\":\"$(token "$1")\"}" && hears "$1" '40{"sid"'
}

says() { poll "$1" --data-binary "$2" > /dev/null; }

# Whether a client has been told this, perhaps beside other things.
hears() {
    grep --quiet --fixed-strings -- "$2" "$work/$1" && return
    local told
    told=$(poll "$1" | tr '\036' '\n') || return
    printf '%s\n' "$told" >> "$work/$1"
    # The heartbeat.
    ! grep --quiet --line-regexp 2 <<< "$told" || says "$1" 3
    grep --quiet --fixed-strings -- "$2" "$work/$1"
}

# Two clients come in, and what one says is judged, routed and delivered.
converse() {
    for client in ada grace; do
        expect "$client comes in" enter $client
        expect "$client joins" says $client '421["join","hall"]'
        eventually 'the join is acknowledged' hears $client '431[{"ok":true'
    done
    speak 'good evening'
}

speak() {
    expect 'grace speaks' says grace "422[\"message\",\"hall\",\"$1\"]"
    eventually 'ada hears it' hears ada "42[\"message\",\"hall\",\"$1\"]"
}

asked() { curl --silent --fail --max-time 10 --header "Authorization: Bearer $operator" "$admin$1"; }

metric() { asked /metrics | awk -v name="$1" '$1 == name { print $2 }'; }

serves() { curl --silent --fail --max-time 5 "$here/readyz"; }

# As the service's process may write: its user, in its view of the files.
inside() {
    nsenter --target "$(is MainPID)" --mount setpriv --reuid "$uid" --regid "$gid" --clear-groups "$@"
}

# Started again, at least so often.
restarted() { (($(is NRestarts) >= $1)) && [[ $(is ActiveState) == active ]]; }

step "installing $(basename "$archive") as its INSTALL.md says"
cd "$work" || exit 1
expect 'the archive' tar --extract --gzip --strip-components=1 --file "$archive"
blocks 1 1 > "$work/first.sh"
blocks 2 9 > "$work/second.sh"
expect 'the first block' bash -eu "$work/first.sh"
# What the text in between asks for.
sed -i "s/^JWT_SECRET=.*/JWT_SECRET=$secret/; s/^ADMIN_TOKEN=.*/ADMIN_TOKEN=$operator/" /etc/sluice/sluice.env
mandb --quiet 2> /dev/null
expect 'the manual' man --where sluice-run

step 'started when it serves, and not before'
refuse 'nobody listens yet' serves
expect 'the other blocks' bash -eu "$work/second.sh"
expect 'it serves when `systemctl enable --now` returns' serves
same "$(is ActiveState)/$(is SubState)/$(is Type)" active/running/notify 'state'
same "$(systemctl is-enabled sluice)" enabled 'at the next boot'
eventually 'the status text' grep --quiet '^Serving: 0 connections$' <(is StatusText)

step 'what it may use'
pid=$(is MainPID)
same "$(awk '/^Max open files/ { print $4 "/" $5 }' "/proc/$pid/limits")" 65536/65536 'descriptors'
same "$(awk '/^Max core file size/ { print $5 "/" $6 }' "/proc/$pid/limits")" 0/0 'core files'
group=/sys/fs/cgroup$(is ControlGroup)
same "$(cat "$group/memory.max")/$(cat "$group/memory.high")" 1073741824/1006632960 'memory'
same "$(printf %.0f "$(metric process_memory_limit_bytes)")" 1073741824 'memory, as the broker knows it'
same "$(printf %.0f "$(metric process_max_fds)")" 65536 'descriptors, as the broker knows them'

step 'what it may do'
uid=$(stat --format %u "/proc/$pid") gid=$(stat --format %g "/proc/$pid")
((uid >= 61184 && uid <= 65519)) || fail "user $uid is none of DynamicUser's"
status=$(cat "/proc/$pid/status")
for line in 'CapEff:	0000000000000000' 'CapBnd:	0000000000000000' 'NoNewPrivs:	1' 'Seccomp:	2'; do
    grep --quiet --fixed-strings "$line" <<< "$status" || fail "no $line in $status"
done
expect 'security' systemd-analyze security --no-pager --threshold=20 sluice
sed -n 's/^.*Overall exposure/       exposure/p' "$work/out"
compgen -G '/var/cache/sluice/modules/*' > /dev/null || fail 'compiled policies are not kept'
expect 'its cache' inside touch /var/cache/sluice/written
expect 'its own temporary files' inside touch /tmp/written
[[ ! -e /tmp/written ]] || fail 'its temporary files are those of all'
for path in /etc/sluice /usr/lib/sluice/policies /var/lib /var/tmp/.. /run /root /home /etc /usr/bin; do
    refuse "writing to $path" inside touch "$path/written"
done
refuse 'reading its secrets' inside cat /etc/sluice/sluice.env

step 'clients'
converse

step 'reloads, and stays when it should not'
mark
sed -i 's/"100 per minute"/"90 per minute"/' /etc/sluice/sluice.toml
expect 'reload' systemctl reload sluice
eventually 'reloaded' logged 'reload applied'
sed -i.good 's/^max_connections = .*/max_connections = "many"/' /etc/sluice/sluice.toml
expect 'reload of nonsense' systemctl reload sluice
eventually 'what is wrong is told' logged 'server.max_connections'
mv /etc/sluice/sluice.toml.good /etc/sluice/sluice.toml
eventually 'it serves on' serves
same "$(is ActiveState)/$(is NRestarts)/$(is MainPID)" "active/0/$pid" 'the same process'
speak 'and good night'

step 'killed: started again'
mark
kill -KILL "$pid"
eventually 'started again' restarted 1
expect 'it serves' serves
logged "code=killed, status=9" || fail 'no word of it in the journal'

step 'hung: the watchdog ends it, and it is started again'
mark
hung=$SECONDS
kill -STOP "$(is MainPID)"
eventually 'started again' restarted 2
logged 'Watchdog timeout' || fail 'no word of it in the journal'
expect 'it serves' serves
step "  $((SECONDS - hung)) s after it hung"

step 'out of memory: started again'
mark
expect 'less memory' systemctl set-property --runtime sluice MemoryHigh=infinity MemoryMax=8M
eventually 'ended' logged 'oom-kill'
expect 'more memory' systemctl set-property --runtime sluice MemoryMax=1G
eventually 'started again' restarted 3
expect 'it serves' serves

step 'stopped: clients are sent elsewhere first, and nobody is killed'
converse
mark
stopped=$SECONDS
# They poll as clients do: always, until there is no answer.
for client in ada grace; do
    (while poll $client; do echo; done | tr '\036' '\n' > "$work/last-$client") &
done
sleep 3
systemctl stop sluice
wait
# A packet of Socket.IO's that disconnects, or of Engine.IO's that closes. One of them may have been between two polls.
grep --quiet --extended-regexp '^(41|1)' "$work"/last-* || fail "nobody was told to go: $(tail "$work"/last-*)"
same "$(is ActiveState)/$(is Result)/$(is ExecMainCode)/$(is ExecMainStatus)" inactive/success/1/0 'a clean end'
! logged 'SIGKILL\|timed out' || fail 'it was killed'
logged 'draining' || fail 'no word of the drain'
step "  after $((SECONDS - stopped)) s"

step 'a configuration that is wrong: told, and not tried again'
mark
sed -i.good 's/^listen = .*/listen = "nowhere"/' /etc/sluice/sluice.toml
refuse 'start' systemctl start sluice
same "$(is ActiveState)/$(is Result)/$(is ExecMainStatus)/$(is NRestarts)" failed/exit-code/78/0 'failed'
logged 'server.listen' || fail 'the journal does not say what is wrong'
sleep 5
same "$(is ActiveState)/$(is NRestarts)" failed/0 'not tried again'
mv /etc/sluice/sluice.toml.good /etc/sluice/sluice.toml
expect 'put right' systemctl start sluice
expect 'it serves' serves

step 'all is as it should be'
