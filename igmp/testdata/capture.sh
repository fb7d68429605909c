#!/bin/bash
# capture.sh igmpv1|igmpv2|igmpv3|igmpv3-many|mldv1|mldv2 OUT: kernel hosts h1 to h3
# on a bridge with snooping that is the querier, in namespaces of its own. Root,
# tcpdump, python3.
set -e
what=$1 out=$2
T=igmpcap-$$
igmp=3 mld=2 force4=0 force6=0 filter=igmp
case $what in
igmpv1) igmp=2 force4=1 ;;
igmpv2) igmp=2 force4=2 ;;
mldv1) mld=1 force6=1 filter='ip6 proto 0' ;;
mldv2) filter='ip6 proto 0' ;;
esac
pids=
trap 'kill $pids 2>/dev/null || true; for n in sw h1 h2 h3; do ip netns del $T-$n; done' EXIT
in_ns() { local n=$1; shift; ip netns exec "$T-$n" "$@"; }
for n in sw h1 h2 h3; do
	ip netns add "$T-$n"
	in_ns $n sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 net.ipv4.conf.all.force_igmp_version=$force4 \
		net.ipv6.conf.all.force_mld_version=$force6 net.ipv4.igmp_max_msf=64
	in_ns $n ip link set lo up
done
in_ns sw ip link add br0 type bridge mcast_snooping 1 mcast_querier 1 mcast_igmp_version $igmp mcast_mld_version $mld \
	mcast_query_use_ifaddr 1 mcast_query_interval 600 mcast_query_response_interval 150 \
	mcast_startup_query_interval 200 mcast_startup_query_count 2 mcast_last_member_interval 50 mcast_last_member_count 2
in_ns sw ip link set br0 up
for i in 1 2 3; do
	ip link add p$i netns "$T-sw" type veth peer name e0 netns "$T-h$i"
	in_ns sw ip link set p$i master br0 up
	in_ns h$i ip link set e0 up
	in_ns h$i ip addr add 10.6.0.$i/24 dev e0; in_ns h$i ip -6 addr add fd06::$i/64 dev e0 nodad
done
in_ns sw ip addr add 10.6.0.254/24 dev br0; in_ns sw ip -6 addr add fd06::254/64 dev br0 nodad
[ $what != igmpv1 ] || in_ns sw ip link set br0 type bridge mcast_querier 0 mcast_snooping 0
in_ns sw tcpdump -i p1 -U -w "$out" "$filter" 2>/dev/null & td=$!; pids="$pids $td"
sleep 0.5

# join HOST GROUP SECONDS include|exclude [SOURCES] [STEPS]: step +S or -S each second.
# 42 to 47 are the MCAST_ options of RFC 3678.
join() {
	local h=$1; shift
	in_ns $h python3 - "$@" <<'P' &
import socket, struct, sys, time
group, seconds, mode = sys.argv[1], float(sys.argv[2]), sys.argv[3]
sources, steps = [[x for x in a.split(c) if x] for a, c in zip(sys.argv[4:] + ["", ""], ",;")]
fam, level = (socket.AF_INET6, 41) if ":" in group else (socket.AF_INET, 0)
def ss(a):
    raw = socket.inet_pton(fam, a)
    return (struct.pack("=HH", fam, 0) + raw if level == 0 else struct.pack("=HHI", fam, 0, 0) + raw).ljust(128, b"\0")
s = socket.socket(fam, socket.SOCK_DGRAM)
def req(opt, src=None):
    s.setsockopt(level, opt, struct.pack("=II", socket.if_nametoindex("e0"), 0) + ss(group) + (ss(src) if src else b""))
if mode == "exclude": req(42)
for x in sources: req(46 if mode == "include" else 43, x)
end = time.time() + seconds
for st in steps:
    time.sleep(1)
    req({"include": {"+": 46, "-": 47}, "exclude": {"+": 43, "-": 44}}[mode][st[0]], st[1:])
time.sleep(max(0, end - time.time()))
P
	pids="$pids $!"
}
last=16
case $what in
igmpv1)
	join h1 239.6.1.1 8 exclude; sleep 0.5; join h2 239.6.1.1 8 exclude; sleep 1; last=5
	in_ns h3 python3 - <<'P'
import socket, struct, time
s = socket.socket(socket.AF_INET, socket.SOCK_RAW, 2)
s.setsockopt(0, socket.IP_MULTICAST_TTL, 1)
s.setsockopt(0, socket.IP_MULTICAST_IF, struct.pack("=4s4si", b"\0"*4, b"\0"*4, socket.if_nametoindex("e0")))
for _ in range(2):
    s.sendto(bytes([0x11, 0, 0xee, 0xff, 0, 0, 0, 0]), ("224.0.0.1", 0))
    time.sleep(2)
P
	;;
igmpv2) join h1 239.6.2.1 6 exclude; join h2 239.6.2.1 9 exclude; join h3 239.6.2.2 5 exclude ;;
igmpv3)
	join h1 239.6.3.1 12 exclude
	join h1 232.6.3.2 12 include 10.6.0.2,10.6.0.3 '+10.6.0.9;-10.6.0.2;+10.6.0.8;-10.6.0.9'
	join h1 239.6.3.3 12 exclude 10.6.0.2 '+10.6.0.7;-10.6.0.2'
	join h2 232.6.3.2 12 include 10.6.0.3
	;;
igmpv3-many)
	last=12
	join h1 232.6.4.1 9 include "$(seq -s, -f 10.9.9.%g 9)"
	in_ns h1 python3 - <<'P' &
import socket, struct, time
s, idx = [], socket.if_nametoindex("e0")
for i in range(200):
    if i % 20 == 0: s.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    s[-1].setsockopt(0, 35, struct.pack("=4s4si", socket.inet_aton("239.6.4.%d" % (i+1)), b"\0"*4, idx))
time.sleep(9)
P
	;;
mldv1) join h1 ff15::6:1 6 exclude; join h2 ff15::6:1 9 exclude; join h3 ff15::6:2 5 exclude ;;
mldv2)
	join h1 ff15::6:1 12 exclude
	join h1 ff35::6:2 12 include fd06::2,fd06::3 '+fd06::9;-fd06::2;+fd06::8;-fd06::9'
	join h1 ff15::6:3 12 exclude fd06::2 '+fd06::7;-fd06::2'
	join h2 ff35::6:2 12 include fd06::3
	;;
esac
sleep $last
kill $td; wait $td || true
