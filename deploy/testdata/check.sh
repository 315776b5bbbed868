# Run by the systemd that boot.sh boots: the unit as it is, with a socket of
# another user to look at. Prints NAME=VALUE lines.
until_true() {
	for ((i = 0; i < 600; i++)); do
		if "$@"; then return; fi
		sleep 0.05
	done
	echo "in vain: $*"
	systemctl --no-pager status l4stat
	return 1
}
properties() { systemctl show --property="$1" l4stat; }
is() { [ "$(properties "${1%%=*}")" = "$1" ]; }

systemctl start other.socket # of systemd itself, which is root's process 1

systemctl start l4stat
until_true test -s /var/log/l4stat/netstat.lp
cp /var/log/l4stat/netstat.lp /out/
properties ActiveState
main=$(systemctl show --property=MainPID --value l4stat)
sed -n 's/^\(Uid\|CapEff\|CapPrm\|CapBnd\|NoNewPrivs\|Seccomp\):\t\(\S*\).*/\1=\2/p' "/proc/$main/status"

systemctl stop l4stat
properties Result

# What a program in its place can do to another process.
systemctl start victim
until_true test -s /out/victim
systemctl start probe

# Without that file it sends to 127.0.0.1:8086.
ip link set lo up
systemctl start sink
echo L4STAT_TOKEN=some-token >/etc/l4stat/environment
chmod 600 /etc/l4stat/environment
systemctl start l4stat
until_true test -s /out/requests

# It comes back after a crash, and not after a mistake.
systemctl kill --signal=KILL l4stat
until_true is NRestarts=1
until_true is ActiveState=active
echo restarted=yes
systemctl stop l4stat
systemctl reset-failed l4stat 2>/dev/null || true
echo 'no_such_key = 1' >>/etc/l4stat/netstat.conf
systemctl start l4stat
until_true is ActiveState=failed
properties NRestarts
properties ExecMainStatus
