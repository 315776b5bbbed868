#!/bin/bash
# Boots systemd on a copy of this host's files that is thrown away, in
# namespaces of its own, and has it run check.sh. usage: boot.sh FOLDER
#
# FOLDER has root/, files to lay over the copy, and check.sh. What check.sh
# leaves in the folder /out of that system is in FOLDER/out afterwards.
set -eu
dir=$1 inner=${2-}

if [ -z "$inner" ]; then
	# A cgroup for it, out of which it does not see. The mount is private to
	# this script, which "unshare --mount" has started.
	mkdir -p "$dir"/{cgroup,out,over,system}
	mount -t cgroup2 cgroup2 "$dir/cgroup"
	group=$dir/cgroup/l4stat-test-$$
	mkdir "$group"
	child=
	finish() {
		if [ -n "$child" ]; then
			kill -KILL "$child" 2>/dev/null || true # and with it all that it started
			wait "$child" 2>/dev/null || true
		fi
		until find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do sleep 0.02; done
	}
	trap finish EXIT
	# It waits to be in the group, before it makes that its root.
	bash -c 'read -r && exec unshare --cgroup --mount --pid --ipc --uts --net --fork --kill-child "$0" "$1" inner' "$0" "$dir" < <(
		until [ -s "$dir/pid" ]; do sleep 0.02; done
		cat "$dir/pid" >"$group/cgroup.procs"
		echo go
	) &
	child=$!
	echo $child >"$dir/pid"
	for ((i = 0; i < 1000; i++)); do
		if [ -e "$dir/out/done" ]; then exit 0; fi
		kill -0 $child 2>/dev/null || break
		sleep 0.05
	done
	exit 1
fi

root=$dir/system
mount -t tmpfs tmpfs "$dir/over"
mkdir "$dir"/over/{upper,work}
mount -t overlay overlay -o "lowerdir=/,upperdir=$dir/over/upper,workdir=$dir/over/work" "$root"

# The kernel's settings can be read and not written: only some of them belong to
# a namespace.
mount -t proc proc "$root/proc"
mount --bind "$root/proc/sys" "$root/proc/sys"
mount -o remount,bind,ro "$root/proc/sys"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null:3 zero:5 full:7 random:8 urandom:9; do
	mknod -m 666 "$root/dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 "$root/dev/tty" c 5 0
mkdir "$root"/dev/{shm,pts,hugepages,mqueue}
mount -t tmpfs tmpfs "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"

# Nothing of what the host would start.
rm -rf "$root"/etc/systemd/system/* "$root"/usr/local/lib/systemd/system
find "$root"/lib/systemd/system "$root"/usr/lib/systemd/system -path '*.wants/*' -delete
cp -a "$dir/root/." "$root/"
mkdir -p "$root/out"
mount --bind "$dir/out" "$root/out"
cp "$dir/check.sh" "$root/out/check.sh"
cat >"$root/etc/systemd/system/check.service" <<'UNIT'
[Unit]
DefaultDependencies=no
[Service]
Type=oneshot
ExecStart=/bin/bash -eu /out/check.sh
ExecStopPost=/bin/touch /out/done
StandardOutput=file:/out/check.log
StandardError=inherit
UNIT

mkdir "$root/outside"
cd "$root"
pivot_root . outside
umount -l /outside
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=check.service --show-status=no
