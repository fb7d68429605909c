// drain is the receiver that mcast is measured against: a loop around recvmmsg with
// receive offload, as small as C allows.
//
//	drain GROUP PORT INTERFACE-ADDRESS SLOTS METADATA
//
// With METADATA 1 it has the kernel tell the group, interface, TTL, TOS and arrival
// time of each message, as mcast does; it does not look at them.
//
// It says READY and then, for each number of datagrams it reads from its standard
// input, receives so many that are queued already and says how many came, in how
// many nanoseconds.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum { space = 65535, most = 64 };

static struct mmsghdr msgs[most];
static struct iovec iovs[most];
static struct sockaddr_in names[most];
static union { struct cmsghdr align; char b[256]; } controls[most];

static void check(int failed, const char *what)
{
	if (failed) {
		perror(what);
		exit(1);
	}
}

static long long clock_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

// datagrams counts what a message holds: one, or segments.
static int datagrams(struct mmsghdr *m)
{
	struct cmsghdr *c;
	int size;
	for (c = CMSG_FIRSTHDR(&m->msg_hdr); c; c = CMSG_NXTHDR(&m->msg_hdr, c))
		if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
			memcpy(&size, CMSG_DATA(c), sizeof size);
			return (m->msg_len + size - 1) / size;
		}
	return 1;
}

int main(int argc, char **argv)
{
	struct sockaddr_in at = {.sin_family = AF_INET};
	struct ip_mreq join;
	int one = 1, size = 4 << 20, s, slots, i;
	long want;

	if (argc != 6)
		return 2;
	inet_aton(argv[1], &at.sin_addr);
	at.sin_port = htons(atoi(argv[2]));
	join.imr_multiaddr = at.sin_addr;
	inet_aton(argv[3], &join.imr_interface);
	slots = atoi(argv[4]);
	if (slots < 1 || slots > most)
		return 2;
	s = socket(AF_INET, SOCK_DGRAM, 0);
	check(s < 0, "socket");
	check(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), "SO_REUSEADDR");
	check(setsockopt(s, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), "SO_RCVBUF");
	check(bind(s, (struct sockaddr *)&at, sizeof at), "bind");
	check(setsockopt(s, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join), "IP_ADD_MEMBERSHIP");
	check(setsockopt(s, IPPROTO_UDP, UDP_GRO, &one, sizeof one), "UDP_GRO");
	if (atoi(argv[5])) {
		check(setsockopt(s, IPPROTO_IP, IP_PKTINFO, &one, sizeof one), "IP_PKTINFO");
		check(setsockopt(s, IPPROTO_IP, IP_RECVTTL, &one, sizeof one), "IP_RECVTTL");
		check(setsockopt(s, IPPROTO_IP, IP_RECVTOS, &one, sizeof one), "IP_RECVTOS");
		check(setsockopt(s, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one), "SO_TIMESTAMPNS");
	}
	for (i = 0; i < slots; i++) {
		iovs[i].iov_base = malloc(space);
		iovs[i].iov_len = space;
		memset(iovs[i].iov_base, 1, space);
	}
	puts("READY");
	fflush(stdout);
	while (scanf("%ld", &want) == 1) {
		long long start = clock_ns();
		long got = 0;
		while (got < want) {
			int n;
			for (i = 0; i < slots; i++) {
				msgs[i].msg_hdr = (struct msghdr){
					.msg_name = &names[i], .msg_namelen = sizeof names[i],
					.msg_iov = &iovs[i], .msg_iovlen = 1,
					.msg_control = &controls[i], .msg_controllen = sizeof controls[i],
				};
			}
			n = recvmmsg(s, msgs, slots, MSG_DONTWAIT, NULL);
			if (n < 0 && errno == EAGAIN) {
				struct pollfd p = {.fd = s, .events = POLLIN};
				if (poll(&p, 1, 200) == 0)
					break;  // some were lost
				continue;
			}
			check(n < 0, "recvmmsg");
			for (i = 0; i < n; i++)
				got += datagrams(&msgs[i]);
		}
		printf("%ld %lld\n", got, clock_ns() - start);
		fflush(stdout);
	}
	return 0;
}
