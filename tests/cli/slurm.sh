# A batch script of jobs/ under SLURM itself: a cluster of one node is started here, on the loopback interface, with daemons that belong
# to this test alone. A job that is told to stop before its time limit writes a checkpoint, is requeued by its script, goes on, and ends
# with the bits of one that was left alone. Skips where SLURM (slurm-wlm, munge) is not installed or the user is not root.
. "$(dirname "$0")/support.sh"
PATH=$PATH:/usr/sbin
for program in slurmctld slurmd munged sbatch scontrol; do
    command -v $program >/dev/null || { echo "no $program here: install slurm-wlm and munge to run this test" >&2; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "daemons of SLURM are started by root only" >&2; exit 77; }
box=$(mktemp -d /tmp/lw-slurm-XXXXXX) # sockets want short paths
mkdir -p "$box/run" "$box/log" "$box/state" "$box/munge" "$box/spool/n1" "$box/tmp/n1"
chmod 700 "$box/munge"
host=$(hostname -s)
alive() { # a daemon nobody waits for stays as a zombie
    [ -r "/proc/$1/stat" ] && ! grep -q ') Z ' "/proc/$1/stat"
}
stop() {
    for job in $(squeue -h -o %i 2>/dev/null); do scancel "$job"; done
    for daemon in slurmd.n1 slurmctld munged; do
        [ -r "$box/run/$daemon.pid" ] || continue
        pid=$(cat "$box/run/$daemon.pid")
        kill "$pid" 2>/dev/null || continue
        tries=0
        while alive "$pid" && [ $tries -lt 100 ]; do
            sleep 0.1
            tries=$((tries + 1))
        done
        alive "$pid" && kill -KILL "$pid"
    done
    rm -rf "$box"
}
trap stop EXIT
dd if=/dev/urandom of="$box/munge/key" bs=128 count=1 2>/dev/null
chmod 600 "$box/munge/key"
ports=$(python3 -c 'import socket
s = [socket.socket() for _ in range(2)]
for x in s: x.bind(("127.0.0.1", 0))
print(*[x.getsockname()[1] for x in s])')
cat >"$box/slurm.conf" <<CONF
ClusterName=box
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=${ports%% *}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$box/run/munge.sock
StateSaveLocation=$box/state
SlurmdSpoolDir=$box/spool/%n
TmpFS=$box/tmp/%n
SlurmctldPidFile=$box/run/slurmctld.pid
SlurmdPidFile=$box/run/slurmd.%n.pid
SlurmctldLogFile=$box/log/slurmctld.log
SlurmdLogFile=$box/log/slurmd.%n.log
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=pmix
ReturnToService=2
JobRequeue=1
KillWait=5
SchedulerParameters=sched_interval=1,bf_interval=1,batch_sched_delay=0
NodeName=n1 NodeHostname=$host NodeAddr=127.0.0.1 Port=${ports##* } CPUs=2 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
CONF
SLURM_CONF=$box/slurm.conf
export SLURM_CONF
munged -f --key-file="$box/munge/key" -S "$box/run/munge.sock" --pid-file="$box/run/munged.pid" --log-file="$box/munge/log" --seed-file="$box/munge/seed"
slurmctld -f "$SLURM_CONF"
slurmd -f "$SLURM_CONF" -N n1
# until COMMAND holds, at most SECONDS: patience SECONDS COMMAND...
patience() {
    left=$(($1 * 10))
    shift
    until "$@"; do
        left=$((left - 1))
        [ $left -gt 0 ] || { echo "waited too long for: $*" >&2; tail -n 5 "$box"/log/* ./*.out >&2; exit 1; }
        sleep 0.1
    done
}
idle() { [ "$(sinfo -h -N -o %T 2>/dev/null)" = idle ]; }
ended() { scontrol show job "$1" | grep -q 'JobState=\(COMPLETED\|FAILED\|CANCELLED\|TIMEOUT\|NODE_FAIL\)'; }
requeued() { squeue -h -j "$1" -o '%T %r' | grep -q 'PENDING BeginTime'; }
begun() { [ -s "$1/metrics.csv" ]; }
patience 20 idle

# the scripts are submitted from the project's folder, where build/ is
mkdir project
ln -s "$LAPWING_SOURCE/jobs" project/jobs
ln -s "$LAPWING_BUILD" project/build
cd project
few="--set train.epochs=8"
submit() { # submit OUT: the number of the job
    OUT=$1 sbatch --parsable --export=ALL,OUT="$1" -o "$1.out" jobs/yin-yang/yin-yang.slurm $few
}
job=$(submit whole)
patience 120 ended "$job"
[ -s whole/checkpoint.h5 ] || fail "the job left no checkpoint: $(tail -n 3 whole.out)"
job=$(submit cut)
patience 60 begun cut
scancel --signal=USR2 "$job"
patience 60 requeued "$job"
patience 20 idle
sleep 1 # what is left of the first start is still being cleared away; by itself a requeued job waits two minutes
scontrol update jobid="$job" StartTime=now
patience 120 ended "$job"
grep -q "stopped by a signal" cut.out || fail "the job was not stopped: $(tail -n 3 cut.out)"
equal "$(grep -c "starting from the beginning" cut.out)" 1 "beginnings of the requeued job"
scontrol show job "$job" | grep -q "Restarts=1 " || fail "restarts: $(scontrol show job "$job" | grep Restarts)"
h5diff -q --exclude-path /provenance whole/checkpoint.h5 cut/checkpoint.h5 /network /network || fail "weights differ"
equal "$(cut -d, -f1-4 cut/metrics.csv)" "$(cut -d, -f1-4 whole/metrics.csv)" "metrics.csv"
[ -s cut/summary.json ] || fail "no summary"
finish
