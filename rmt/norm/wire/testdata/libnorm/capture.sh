#!/bin/bash
# capture.sh OUT LOSS_PERMILLE FECID SEGMENT BLOCK PARITY file|stream unicast|multicast [SIZE]
# Two namespaces of its own, one veth pair; nothing touches a real interface.
set -e
out=$1 loss=$2 fec=$3 seg=$4 k=$5 n=$6 kind=$7 cast=$8 size=$9
A=wiretest-a-$$ B=wiretest-b-$$
trap 'kill $td $rp 2>/dev/null || true; wait 2>/dev/null || true; ip netns del $A; ip netns del $B' EXIT
ip netns add $A; ip netns add $B
ip -n $A link add d0 type veth peer name d0 netns $B
for ns in $A $B; do
	ip netns exec $ns sysctl -qw net.ipv6.conf.all.disable_ipv6=1
	ip -n $ns link set lo up; ip -n $ns link set d0 up
done
ip -n $A addr add 10.77.0.1/24 dev d0; ip -n $B addr add 10.77.0.11/24 dev d0
for ns in $A $B; do ip -n $ns route add 224.0.0.0/4 dev d0; done
ip netns exec $B nft -f - <<E
table netdev loss { chain c { type filter hook ingress device "d0" priority 0;
  meta l4proto udp numgen random mod 1000 < $loss drop
}
}
E
ip netns exec $A tcpdump -i d0 --immediate-mode -U -w $out udp 2>/dev/null & td=$!
ip netns exec $B ./peer recv d0 $cast >recv.log 2>&1 & rp=$!
sleep 1
timeout 25 ip netns exec $A ./peer send d0 $fec $seg $k $n $kind $size >send.log 2>&1 || echo "sender: $?"
sleep 1.5
cat send.log recv.log | sort | uniq -c
