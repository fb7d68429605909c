#!/bin/bash
# frr.sh VERSION OUT: what FRR's pimd says as an IGMP querier of VERSION 2 or 3, and
# the kernel of a host that joins and leaves; for version 3 with an mtrace, too. Root,
# frr, tcpdump, python3; two namespaces of its own, one veth pair.
set -e
version=$1 out=$2
R=igmpcap-r-$$ H=igmpcap-h-$$ run=$(mktemp -d)
chmod 755 "$run"; chown frr:frr "$run"
trap 'kill $pids 2>/dev/null || true; sleep 0.3; ip netns del $R; ip netns del $H; rm -rf "$run"' EXIT
ip netns add $R; ip netns add $H
ip -n $R link add e0 type veth peer name e0 netns $H
for ns in $R $H; do
	ip netns exec $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv4.ip_forward=1
	ip -n $ns link set lo up; ip -n $ns link set e0 up
done
ip -n $R addr add 10.8.0.1/24 dev e0; ip -n $H addr add 10.8.0.2/24 dev e0
ip -n $H route add default via 10.8.0.1
ip netns exec $H sysctl -qw net.ipv4.conf.all.force_igmp_version=$([ $version = 2 ] && echo 2 || echo 0)
common="-z $run/zserv --vty_socket $run -P 0"
echo "hostname r" >"$run/zebra.conf"; echo "hostname r" >"$run/pimd.conf"
ip netns exec $R /usr/lib/frr/zebra $common -i "$run/zebra.pid" -f "$run/zebra.conf" & pids=$!
sleep 1
ip netns exec $R /usr/lib/frr/pimd $common -i "$run/pimd.pid" -f "$run/pimd.conf" & pids="$pids $!"
sleep 1
ip netns exec $H tcpdump -i e0 --immediate-mode -U -w "$out" igmp 2>/dev/null & td=$!; pids="$pids $td"
sleep 0.5
cat >"$run/c" <<C
interface e0
 ip pim
 ip igmp
 ip igmp version $version
 ip igmp query-interval 140
 ip igmp query-max-response-time 190
C
ip netns exec $R vtysh --vty_socket "$run" -d pimd -f "$run/c"
sleep 1
ip netns exec $H python3 - <<'P'
import socket, struct, time
def join(fmt, opt, *a):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(0, opt, b"".join(socket.inet_aton(x) for x in a))
    return s
a = join("", 35, "239.8.1.1", "10.8.0.2")                # IP_ADD_MEMBERSHIP
b = join("", 39, "232.8.1.1", "10.8.0.2", "192.0.2.7")   # IP_ADD_SOURCE_MEMBERSHIP
time.sleep(2)
b.setsockopt(0, 39, socket.inet_aton("232.8.1.1") + socket.inet_aton("10.8.0.2") + socket.inet_aton("192.0.2.8"))
time.sleep(1)
b.setsockopt(0, 40, socket.inet_aton("232.8.1.1") + socket.inet_aton("10.8.0.2") + socket.inet_aton("192.0.2.7"))
time.sleep(2)
a.close(); b.close()
time.sleep(3)
P
if [ $version = 3 ] && command -v mtracebis >/dev/null; then ip netns exec $H timeout 5 mtracebis 192.0.2.7 >&2 || true; fi
sleep 32 # the second start-up query comes a quarter of the interval after the first
kill $td; wait $td || true
