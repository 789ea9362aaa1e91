#!/usr/bin/env bash
# Run COMMAND with a SLURM of this one machine, from Debian's packages, and end it afterwards.
#
#     tests/cluster/slurm.sh COMMAND...
#
# As root it installs what is missing. The exit status is COMMAND's, or 77 where there is no SLURM and none can be
# installed. Everything lies in a temporary folder; a SLURM that the machine may have otherwise is left alone.
set -euo pipefail
PATH=$PATH:/usr/sbin

folder=$(mktemp -d "${TMPDIR:-/tmp}/cohear-slurm.XXXXXX")
conf=$folder/slurm.conf

processes() { # all that were begun with our configuration, jobs included
    grep --files-with-matches --null-data --no-messages --line-regexp --fixed-strings "SLURM_CONF=$conf" \
        /proc/[0-9]*/environ | cut -d/ -f3 || true
}

end() {
    local status=$? pids
    trap '' INT TERM HUP
    exec 2>/dev/null # the shell would say of each that it was killed
    unset SLURM_CONF
    for tries in {0..50}; do
        pids=$(processes)
        [ -n "$pids" ] || break
        # shellcheck disable=SC2086 # one word for each process
        if [ "$tries" = 0 ]; then
            kill $pids || true
        elif [ "$tries" -ge 20 ]; then
            kill -s KILL $pids || true
        fi
        sleep 0.1
    done
    rm -rf "$folder"
    exit "$status"
}
trap end EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
trap 'exit 129' HUP

missing() {
    local program
    for program in munged slurmctld slurmd sinfo sbatch srun scontrol; do
        command -v "$program" >/dev/null || return 0
    done
    return 1
}

if missing && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    (
        export DEBIAN_FRONTEND=noninteractive
        apt-get update && apt-get install --yes --no-install-recommends munge slurm-wlm
    ) >"$folder/apt.log" 2>&1 || true
fi
if missing; then
    echo "There is no SLURM here, and Debian's packages slurm-wlm and munge could not be installed:" \
        "$(tail -n 1 "$folder/apt.log" 2>/dev/null || echo 'that takes root and apt-get')" >&2
    exit 77
fi

free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 10000))
        if ! (: <"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
            echo "$port"
            return
        fi
    done
}

host=${HOSTNAME%%.*} user=$(id -un)
mkdir -m 700 "$folder/secret" "$folder/state"
mkdir -m 755 "$folder/munge" "$folder/spool"
chmod 711 "$folder"
head -c 1024 /dev/urandom >"$folder/secret/munge.key"
chmod 600 "$folder/secret/munge.key"
# A job that is requeued waits for `cred_expire`, two minutes otherwise, before it begins again.
cat >"$conf" <<END
ClusterName=cohear
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$(free_port)
SlurmdPort=$(free_port)
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd.pid
SlurmctldLogFile=$folder/slurmctld.log
SlurmdLogFile=$folder/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_interval=1,bf_interval=1
ReturnToService=2
JobRequeue=1
KillWait=10
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
END
export SLURM_CONF=$conf

munged --foreground --force --key-file "$folder/secret/munge.key" --socket "$folder/munge/socket" \
    --pid-file "$folder/munge/pid" --seed-file "$folder/secret/munge.seed" --log-file "$folder/munge/log" \
    >"$folder/munge.out" 2>&1 &
for _ in {1..50}; do
    [ ! -S "$folder/munge/socket" ] || break
    sleep 0.1
done
slurmctld -D >/dev/null 2>"$folder/slurmctld.out" &
slurmd -D >/dev/null 2>"$folder/slurmd.out" &
for _ in {1..60}; do
    state=$(timeout 5 sinfo --noheader --format %T 2>/dev/null || true)
    [ "$state" != idle ] || break
    sleep 0.5
done
if [ "$state" != idle ]; then
    echo "SLURM does not come up here ('$state'):" >&2
    tail -n 5 "$folder"/*.out "$folder"/*.log "$folder/munge/log" >&2 || true
    exit 1
fi

COHEAR_SLURM=1 "$@" & # in the background, so that a signal does not wait for it
wait $!
